"""The record of the library: documents, passages and vectors in one SQLite file. Knows nothing of searching.

Everything else (FAISS, Tantivy) is a cache of this file. Passage ids are issued once and never again, and the
same number names a passage everywhere. `revision` grows with every committed change, so a reader can tell at
any moment whether what it holds is still level.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ingest.embed import Vectors
from ingest.errors import DocentError
from ingest.types import DocumentRecord, Page, Passage, ReadDocument

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    root TEXT NOT NULL,
    title TEXT NOT NULL,
    format TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    ingested_at TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    heading TEXT NOT NULL,
    page TEXT NOT NULL,
    start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    vector BLOB NOT NULL
);
CREATE INDEX passages_by_document ON passages(document_id, ordinal);
INSERT INTO state VALUES ('revision', '0');
"""
_DOCUMENT_COLUMNS = """documents.id, path, root, title, format, sha256, size, modified_ns, pages,
    (SELECT count(*) FROM passages WHERE document_id = documents.id) AS passages, ingested_at"""
# SQLite allows 32,766 variables in a statement; rows are asked for in chunks well below it.
_CHUNK = 10_000


class Catalog:
    """One connection to `catalog.db`. A connection belongs to the thread that uses it: see `Library`."""

    def __init__(self, path: Path, create: bool = False) -> None:
        """Open the catalog. Raises DocentError when there is none (and `create` is false) or it is not ours."""
        self.path = path
        if not create and not path.is_file():
            raise DocentError(f"There is no library in {path.parent}: run `docent ingest FOLDER` to make one.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            try:
                version = self._set_up(create)
            except sqlite3.DatabaseError:
                self.close()
                raise
        except (sqlite3.DatabaseError, OSError) as error:
            raise DocentError(
                f"The catalog {path} cannot be opened ({error}): check the disk and its permissions, "
                "or set it aside and run `docent ingest` again."
            ) from error
        if version != SCHEMA_VERSION:
            self.close()
            raise DocentError(
                f"The library in {path.parent} has schema {version}, this Docent reads schema {SCHEMA_VERSION}: "
                "set that folder aside and run `docent ingest` again, or install the Docent that made it."
            )

    def _set_up(self, create: bool) -> int:
        """The schema's version, after making it in a new file."""
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        )
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version == 0 and create and not self._tables():
            with self.transaction():
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            version = SCHEMA_VERSION
        return version

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; what is written inside becomes visible to others at once, at the end."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has already rolled back by itself; saying it again would hide the reason.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    # What the library knows of itself

    @property
    def revision(self) -> int:
        """Grows by at least one with every committed change to documents or passages."""
        return int(self._state("revision") or 0)

    def embedder(self) -> dict[str, Any] | None:
        """The card of the embedder all vectors were made with; None for a library nothing was ever put into."""
        value = self._state("embedder")
        return json.loads(value) if value else None

    def set_embedder(self, card: dict[str, Any]) -> None:
        self._set_state("embedder", json.dumps(card, ensure_ascii=False))

    def set_note(self, key: str, value: Any) -> None:
        """Remember a small fact, such as how fast passages were embedded here."""
        self._set_state(f"note.{key}", json.dumps(value))

    def note(self, key: str) -> Any:
        value = self._state(f"note.{key}")
        return json.loads(value) if value else None

    # Writing

    def put_document(
        self, path: Path, root: Path, document: ReadDocument, sha256: str, size: int, modified_ns: int,
        passages: Sequence[Passage], vectors: Vectors,
    ) -> int:  # fmt: skip
        """Add a document, or replace the one at the same path, with new passage ids; one transaction.

        A document keeps the root, and so the name, it was first taken in under.
        """
        with self.transaction():
            earlier = self._connection.execute("SELECT root FROM documents WHERE path = ?", (str(path),)).fetchone()
            kept_root = earlier[0] if earlier else str(root)
            self._connection.execute("DELETE FROM documents WHERE path = ?", (str(path),))
            cursor = self._connection.execute(
                "INSERT INTO documents"
                " (path, root, title, format, sha256, size, modified_ns, pages, ingested_at, content)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    str(path), kept_root, document.title, path.suffix.lower().lstrip("."), sha256, size, modified_ns,
                    len(document.pages), datetime.now(UTC).isoformat(timespec="seconds"),
                    json.dumps([[page.label, page.text] for page in document.pages], ensure_ascii=False),
                ),
            )  # fmt: skip
            document_id = int(cursor.lastrowid or 0)
            self._insert_passages(document_id, passages, vectors)
            self._bump()
        return document_id

    def replace_passages(
        self, card: dict[str, Any], documents: Iterable[tuple[int, Sequence[Passage], Vectors]]
    ) -> None:
        """Swap every passage for new ones made with another embedder, in one transaction: readers see old or new.

        `documents` gives (document id, passages, vectors); documents removed meanwhile are left out.
        """
        with self.transaction():
            self._connection.execute("DELETE FROM passages")
            living = {row[0] for row in self._connection.execute("SELECT id FROM documents")}
            for document_id, passages, vectors in documents:
                if document_id in living:
                    self._insert_passages(document_id, passages, vectors)
            self.set_embedder(card)
            self._bump()

    def _insert_passages(self, document_id: int, passages: Sequence[Passage], vectors: Vectors) -> None:
        self._connection.executemany(
            "INSERT INTO passages (document_id, ordinal, text, heading, page, start_offset, end_offset, vector)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (document_id, p.ordinal, p.text, p.heading, p.page, p.start, p.end, vector.astype("<f4").tobytes())
                for p, vector in zip(passages, vectors, strict=True)
            ],
        )

    def touch_document(self, document_id: int, size: int, modified_ns: int) -> None:
        """The file was written again with the same content."""
        with self.transaction():
            self._connection.execute(
                "UPDATE documents SET size = ?, modified_ns = ? WHERE id = ?", (size, modified_ns, document_id)
            )

    def remove_documents(self, document_ids: Iterable[int]) -> None:
        """Forget documents with their passages; one transaction."""
        with self.transaction():
            self._connection.executemany("DELETE FROM documents WHERE id = ?", [(i,) for i in document_ids])
            self._bump()

    # Reading

    def documents(self) -> list[DocumentRecord]:
        return [_record(row) for row in self._rows(f"SELECT {_DOCUMENT_COLUMNS} FROM documents ORDER BY path")]

    def document(self, document_id: int) -> DocumentRecord:
        """Raises DocentError when the library no longer has it."""
        rows = self._rows(f"SELECT {_DOCUMENT_COLUMNS} FROM documents WHERE id = ?", (document_id,))
        if not rows:
            raise _gone(document_id)
        return _record(rows[0])

    def content(self, document_id: int) -> ReadDocument:
        """The document as it was read, pages and all. Raises DocentError when the library no longer has it."""
        rows = self._rows("SELECT title, content FROM documents WHERE id = ?", (document_id,))
        if not rows:
            raise _gone(document_id)
        pages = json.loads(rows[0]["content"])
        return ReadDocument(rows[0]["title"], tuple(Page(label, text) for label, text in pages))

    def counts(self) -> tuple[int, int]:
        """(documents, passages)."""
        row = self._rows("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)")[0]
        return int(row[0]), int(row[1])

    def passage_ids(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Every passage id, ascending."""
        rows = self._rows("SELECT id FROM passages ORDER BY id")
        return np.array([row[0] for row in rows], np.int64)

    def passages(self, ids: Sequence[int]) -> dict[int, sqlite3.Row]:
        """Passages with their document, by id; ids that are gone are left out."""
        found: dict[int, sqlite3.Row] = {}
        for start in range(0, len(ids), _CHUNK):
            chunk = [int(i) for i in ids[start : start + _CHUNK]]
            rows = self._rows(
                "SELECT passages.id, document_id, ordinal, passages.text, heading, page, start_offset, end_offset,"
                " path, root, title, vector FROM passages JOIN documents ON documents.id = document_id"
                f" WHERE passages.id IN ({','.join('?' * len(chunk))})",
                chunk,
            )
            found.update((int(row["id"]), row) for row in rows)
        return found

    def headings(self) -> list[tuple[str, str]]:
        """(title, heading path) of every section, in the order of documents and reading."""
        rows = self._rows(
            "SELECT title, heading FROM passages JOIN documents ON documents.id = document_id"
            " GROUP BY document_id, heading ORDER BY document_id, min(ordinal)"
        )
        return [(str(row[0]), str(row[1])) for row in rows]

    def integrity_problems(self) -> list[str]:
        """What SQLite itself finds wrong with the file; empty when all is well."""
        try:
            lines = [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check(5)")]
        except sqlite3.DatabaseError as error:
            lines = [str(error)]
        return [] if lines == ["ok"] else [f"catalog: {line}" for line in lines]

    def _tables(self) -> bool:
        return self._connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None

    def _state(self, key: str) -> str | None:
        rows = self._rows("SELECT value FROM state WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Raises DocentError when the file is damaged or cannot be read."""
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise DocentError(
                f"The catalog {self.path} cannot be read ({error}): run `docent check`; if it is damaged, set it "
                "aside and run `docent ingest` again."
            ) from error

    def _set_state(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))

    def _bump(self) -> None:
        self._connection.execute("UPDATE state SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'")


def _gone(document_id: int) -> DocentError:
    return DocentError(f"Document {document_id} is not in the library (any more): ask again to see today's sources.")


def vector_of(row: sqlite3.Row) -> Vectors:
    """The passage's vector, shape (dimension,)."""
    return np.frombuffer(row["vector"], "<f4").astype(np.float32)


def name_of(path: str, root: str) -> str:
    """How people see a document: its path below the folder that was ingested."""
    document, folder = Path(path), Path(root)
    return document.relative_to(folder).as_posix() if document.is_relative_to(folder) else document.name


def _record(row: sqlite3.Row) -> DocumentRecord:
    return DocumentRecord(
        id=row["id"], path=row["path"], name=name_of(row["path"], row["root"]), title=row["title"],
        format=row["format"], sha256=row["sha256"], size=row["size"], modified_ns=row["modified_ns"],
        pages=row["pages"], passages=row["passages"], ingested_at=row["ingested_at"],
    )  # fmt: skip
