"""The tables of the catalog, and the migrations of older catalogs.

A *file* is content: the same bytes of one kind are one file, however many *paths* lead to it. A file gives one
*document*, or several when it is an e-mail or an archive; `member` names the part, '' is the file itself. The text of a
document id never changes, so its passages and vectors stay valid. *Passages* belong to an embedding set, made with one
embedder; searches use the current set, and others are being filled or are kept for a rollback. The tables keep the
older name of a set, `generation`, so that existing libraries can be opened.
"""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 3

_STATE = "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_GENERATIONS = """CREATE TABLE generations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    embedder TEXT,
    made_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)"""
_FILES = """CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL,
    format TEXT NOT NULL,
    failures TEXT NOT NULL DEFAULT '[]',
    UNIQUE (sha256, format)
)"""
_PATHS = """CREATE TABLE paths (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    root TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    checked_ns INTEGER NOT NULL,
    file_id INTEGER NOT NULL REFERENCES files(id)
)"""
_DOCUMENTS = """CREATE TABLE {name} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file_id INTEGER NOT NULL REFERENCES files(id) ON DELETE CASCADE,
    member TEXT NOT NULL,
    title TEXT NOT NULL,
    format TEXT NOT NULL,
    pages INTEGER NOT NULL,
    language TEXT NOT NULL DEFAULT '',
    score REAL,
    state TEXT NOT NULL DEFAULT 'answering' CHECK (state IN ('answering', 'quarantined')),
    reason TEXT NOT NULL DEFAULT '',
    ingested_at TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (file_id, member)
)"""
_PASSAGES = """CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    heading TEXT NOT NULL,
    page TEXT NOT NULL,
    start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    vector BLOB NOT NULL,
    generation INTEGER NOT NULL DEFAULT 1,
    views BLOB NOT NULL DEFAULT x''
)"""
# What a person released from quarantine stays released for as long as its content is the same.
_ACCEPTED = "CREATE TABLE accepted (sha256 TEXT, member TEXT, PRIMARY KEY (sha256, member)) WITHOUT ROWID"
# What could not be read, and by which readers, so that it is not tried again at every run.
_UNREADABLE = """CREATE TABLE unreadable (
    path TEXT PRIMARY KEY,
    root TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    checked_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    reason TEXT NOT NULL,
    readers TEXT NOT NULL
) WITHOUT ROWID"""
_INDEXES = (
    "CREATE INDEX paths_by_file ON paths(file_id)",
    "CREATE INDEX passages_by_document ON passages(document_id, generation, ordinal)",
    "CREATE INDEX passages_by_generation ON passages(generation)",
)
_NEW = (
    _STATE, _GENERATIONS, _FILES, _PATHS, _DOCUMENTS.format(name="documents"), _PASSAGES, _ACCEPTED, _UNREADABLE,
    *_INDEXES,
    "INSERT INTO generations (id) VALUES (1)",
    "INSERT INTO state VALUES ('revision', '0'), ('generation', '1')",
)  # fmt: skip
# Schema 1 had the path in the document and one generation. Documents of the same content become one; passages keep
# their numbers and vectors, and no number that was ever issued is issued again.
_FROM_1 = (
    _GENERATIONS, _FILES, _PATHS, _DOCUMENTS.format(name="new_documents"), _ACCEPTED,
    "INSERT INTO files (sha256, format) SELECT sha256, format FROM documents GROUP BY sha256, format ORDER BY min(id)",
    "INSERT INTO paths (path, root, size, modified_ns, checked_ns, file_id)"
    " SELECT path, root, size, modified_ns, 0, files.id FROM documents JOIN files USING (sha256, format)"
    " ORDER BY documents.id",
    "INSERT INTO new_documents (id, file_id, member, title, format, pages, ingested_at, content)"
    " SELECT documents.id, files.id, '', title, documents.format, pages, ingested_at, content"
    " FROM documents JOIN files USING (sha256, format)"
    " WHERE documents.id IN (SELECT min(id) FROM documents GROUP BY sha256, format)",
    "INSERT OR IGNORE INTO sqlite_sequence (name, seq) VALUES ('new_documents', 0)",
    "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'documents')"
    " WHERE name = 'new_documents' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'documents')",
    "DROP TABLE documents",
    "ALTER TABLE new_documents RENAME TO documents",
    "DELETE FROM passages WHERE document_id NOT IN (SELECT id FROM documents)",
    "ALTER TABLE passages ADD COLUMN generation INTEGER NOT NULL DEFAULT 1",
    # Passages of schema 1 were embedded whole; a rebuild gives them multi-vector embeddings.
    "ALTER TABLE passages ADD COLUMN views BLOB NOT NULL DEFAULT x''",
    "DROP INDEX passages_by_document",
    *_INDEXES,
    "INSERT INTO generations (id, embedder) VALUES (1, (SELECT value FROM state WHERE key = 'embedder'))",
    "DELETE FROM state WHERE key = 'embedder'",
    "INSERT INTO state VALUES ('generation', '1')",
    "UPDATE state SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'",
)  # fmt: skip
_FROM_2 = (_UNREADABLE,)


def set_up(connection: sqlite3.Connection, create: bool) -> int:
    """The schema's version, after making the tables in a new file or bringing those of an older schema up to date.

    Either happens in one transaction. Any other version, and another program's database, is left as it is. Raises
    sqlite3.DatabaseError when the file is no database or cannot be written.
    """
    version = _version(connection)
    older = {1: (*_FROM_1, *_FROM_2), 2: _FROM_2}
    if version in older or (version == 0 and create and not _has_tables(connection)):
        # Dropping the old table of documents must not delete the passages.
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection)  # another process may have been faster
            if version in older or (version == 0 and not _has_tables(connection)):
                for statement in older.get(version, _NEW):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                version = SCHEMA_VERSION
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    connection.execute("PRAGMA foreign_keys = ON")
    return version


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
