"""The catalog: files, documents, passages and vectors of the library in one SQLite file.

Everything else (FAISS, Tantivy) is a cache of this file. A passage id is issued once and never again, and names the
passage everywhere. `revision` grows with every committed change of the passages that searches use, so a reader can
tell at any moment whether its indexes are up to date. `schema` describes the tables.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ingest.base.errors import DocentError
from ingest.base.types import DocumentRecord, Page, Passage, ReadDocument, Vectors
from ingest.store.database import Database
from ingest.store.records import ANSWERING, FileRecord, ListedDocument, NewFile, NewPath, format_of, name_of

CATALOG_FILE = "catalog.db"
# The first path that led to a file is the one its documents are known by.
_FROM_DOCUMENTS = """FROM documents JOIN files ON files.id = documents.file_id
    JOIN paths ON paths.id = (SELECT min(id) FROM paths AS other WHERE other.file_id = documents.file_id)"""
_SHOWN_PATH = "paths.path || CASE member WHEN '' THEN '' ELSE '/' || member END AS path, paths.root"
_RECORD = f"""documents.id, {_SHOWN_PATH}, title, documents.format, sha256, size, modified_ns, pages, ingested_at,
    (SELECT count(*) FROM passages WHERE document_id = documents.id AND generation = :embedding_set) AS passages"""
_LISTED = f"""{_RECORD}, member, language, score, state, reason, (SELECT json_group_array(path) FROM
    (SELECT path FROM paths AS other WHERE other.file_id = documents.file_id ORDER BY id)) AS paths"""


class Catalog(Database):
    """Documents and their passages: those of `embedding_set`, or of the current one without it."""

    def __init__(self, path: Path, create: bool = False, embedding_set: int | None = None) -> None:
        """Open the catalog. Raises DocentError when there is none and `create` is false, or when it is no catalog."""
        super().__init__(path, create)
        self._pinned = embedding_set

    # The embedding set

    @property
    def embedding_set(self) -> int:
        """Number of the embedding set whose passages this connection reads and writes."""
        return self._pinned or int(self.state("generation") or 1)

    def embedder(self) -> dict[str, Any] | None:
        """The card (`EmbedderCard` as a dict) of the set's embedder; None for a library that was always empty."""
        rows = self.rows("SELECT embedder FROM generations WHERE id = ?", (self.embedding_set,))
        return json.loads(rows[0][0]) if rows and rows[0][0] else None

    def set_embedder(self, card: dict[str, Any]) -> None:
        """Store the card of the embedder that makes the set's vectors."""
        values = (json.dumps(card, ensure_ascii=False), self.embedding_set)
        self.write("UPDATE generations SET embedder = ? WHERE id = ?", values)

    # Writing

    def put(self, entries: Iterable[NewFile | NewPath]) -> None:
        """Add files, and paths to content that the catalog has, in one transaction.

        A file replaces the documents of the same content. A path that led to other content leads to this one, and
        content that no path leads to any more is deleted. A known path keeps its root, so that the names of its
        documents stay the same. Raises sqlite3.DatabaseError when the disk fails.
        """
        with self.transaction():
            changed = False
            for entry in entries:
                if isinstance(entry, NewFile):
                    self._put_file(entry)
                    changed = True
                    continue
                changed |= self._link_path(entry)
                if entry.moved_from is not None:
                    self._delete_paths([entry.moved_from])
            if changed:
                self.bump()

    def _put_file(self, file: NewFile) -> None:
        failures = json.dumps(file.failures, ensure_ascii=False)
        (row,) = self.write(
            "INSERT INTO files (sha256, format, failures) VALUES (?, ?, ?)"
            " ON CONFLICT (sha256, format) DO UPDATE SET failures = excluded.failures RETURNING id",
            (file.sha256, file.format, failures),
        )
        file_id = int(row["id"])
        self._link_path(file)
        self.write("DELETE FROM documents WHERE file_id = ?", (file_id,))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for new in file.documents:
            document = new.document
            (row,) = self.write(
                "INSERT INTO documents (file_id, member, title, format, pages, language, score, state, reason,"
                " ingested_at, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (
                    file_id, document.member, document.title, format_of(document.member or file.path),
                    len(document.pages), new.language, new.score, new.state, new.reason, now,
                    json.dumps([[page.label, page.text] for page in document.pages], ensure_ascii=False),
                ),
            )  # fmt: skip
            self.insert_passages(int(row["id"]), new.passages, new.vectors, new.multi_vectors, self.embedding_set)

    def _link_path(self, entry: NewFile | NewPath) -> bool:
        """Let a path lead to its content, which the catalog has; False when it did already.

        What it led to before is deleted when no other path leads there.
        """
        earlier = self.write("SELECT file_id FROM paths WHERE path = ?", (str(entry.path),))
        (linked,) = self.write(
            "INSERT INTO paths (path, root, size, modified_ns, checked_ns, file_id) VALUES (?, ?, ?, ?, ?,"
            " (SELECT id FROM files WHERE sha256 = ? AND format = ?))"
            " ON CONFLICT (path) DO UPDATE SET size = excluded.size, modified_ns = excluded.modified_ns,"
            " checked_ns = excluded.checked_ns, file_id = excluded.file_id RETURNING file_id",
            (
                str(entry.path), str(entry.root), entry.size, entry.modified_ns, entry.checked_ns, entry.sha256,
                entry.format,
            ),
        )  # fmt: skip
        self._drop_unreachable(row[0] for row in earlier)
        return not earlier or bool(earlier[0][0] != linked[0])

    def insert_passages(
        self, document_id: int, passages: Sequence[Passage], vectors: Vectors, multi_vectors: Sequence[bytes],
        embedding_set: int,
    ) -> None:  # fmt: skip
        """Add a document's passages to an embedding set, in the caller's transaction.

        `vectors` has shape (passages, dimension). `multi_vectors` has one packed value for each passage; when it is
        empty, b"" is stored for each.
        """
        self._connection.executemany(
            "INSERT INTO passages"
            " (document_id, ordinal, text, heading, page, start_offset, end_offset, vector, generation, views)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    document_id, passage.ordinal, passage.text, passage.heading, passage.page, passage.start,
                    passage.end, vector.astype("<f4").tobytes(), embedding_set, packed,
                )
                for passage, vector, packed in zip(
                    passages, vectors, multi_vectors or [b""] * len(passages), strict=True
                )
            ],
        )  # fmt: skip

    def accept(
        self, document_id: int, passages: Sequence[Passage], vectors: Vectors, multi_vectors: Sequence[bytes] = ()
    ) -> None:
        """Release a document from quarantine and add its passages, in one transaction.

        The same content is not quarantined again. `vectors` and `multi_vectors` are as in `insert_passages`.
        """
        with self.transaction():
            self.write(
                "INSERT OR IGNORE INTO accepted SELECT sha256, member FROM documents JOIN files"
                " ON files.id = file_id WHERE documents.id = ?",
                (document_id,),
            )
            self.write("UPDATE documents SET state = ?, reason = '' WHERE id = ?", (ANSWERING, document_id))
            self.insert_passages(document_id, passages, vectors, multi_vectors, self.embedding_set)
            self.bump()

    def remove_paths(self, paths: Iterable[Path]) -> int:
        """Delete paths, and the documents that no path leads to any more, in one transaction.

        Returns the number of documents deleted.
        """
        with self.transaction():
            before = self.counts()[0]
            self._delete_paths(paths)
            self.bump()
            return before - self.counts()[0]

    def remove_documents(self, document_ids: Iterable[int]) -> None:
        """Delete documents with their passages and all paths to them; one transaction.

        When other documents came from the same file, that file counts as changed, so that it is read again.
        """
        with self.transaction():
            for document_id in document_ids:
                for (file_id,) in self.write("DELETE FROM documents WHERE id = ? RETURNING file_id", (document_id,)):
                    if self.rows("SELECT 1 FROM documents WHERE file_id = ?", (file_id,)):
                        self.write("UPDATE files SET sha256 = ? WHERE id = ?", (f"part of {file_id}", file_id))
                        self.write("UPDATE paths SET checked_ns = 0 WHERE file_id = ?", (file_id,))
                    else:
                        self.write("DELETE FROM paths WHERE file_id = ?", (file_id,))
                        self._drop_unreachable([file_id])
            self.bump()

    def _delete_paths(self, paths: Iterable[Path]) -> None:
        for path in paths:
            deleted = self.write("DELETE FROM paths WHERE path = ? RETURNING file_id", (str(path),))
            self._drop_unreachable(row[0] for row in deleted)

    def _drop_unreachable(self, file_ids: Iterable[int]) -> None:
        for file_id in file_ids:
            self.write(
                "DELETE FROM files WHERE id = :id AND NOT EXISTS (SELECT 1 FROM paths WHERE file_id = :id)",
                {"id": file_id},
            )

    # Reading

    def documents(self) -> list[DocumentRecord]:
        """Every document, ordered by path; `passages` counts those of the embedding set."""
        rows = self.rows(f"SELECT {_RECORD} {_FROM_DOCUMENTS} ORDER BY 2", {"embedding_set": self.embedding_set})
        return [DocumentRecord(**_record(row)) for row in rows]

    def listed(self, state: str | None = None) -> list[ListedDocument]:
        """Every document, or those in `state`, with language, score and all paths; ordered by the first path."""
        rows = self.rows(
            f"SELECT {_LISTED} {_FROM_DOCUMENTS} WHERE :state IS NULL OR state = :state ORDER BY 2",
            {"embedding_set": self.embedding_set, "state": state},
        )
        return [_listed(row) for row in rows]

    def document(self, document_id: int) -> ListedDocument:
        """The document with this id. Raises DocentError when the library no longer has it."""
        rows = self.rows(
            f"SELECT {_LISTED} {_FROM_DOCUMENTS} WHERE documents.id = :id",
            {"embedding_set": self.embedding_set, "id": document_id},
        )
        if not rows:
            raise _gone(document_id)
        return _listed(rows[0])

    def content(self, document_id: int) -> ReadDocument:
        """The text of this document by pages, as it was read. Raises DocentError when the library no longer has it."""
        rows = self.rows("SELECT title, content, member FROM documents WHERE id = ?", (document_id,))
        if not rows:
            raise _gone(document_id)
        pages = tuple(Page(label, text) for label, text in json.loads(rows[0]["content"]))
        return ReadDocument(rows[0]["title"], pages, rows[0]["member"])

    def files(self) -> dict[Path, FileRecord]:
        """Path → record of every file that the library knows, in the order in which they were added."""
        rows = self.rows(
            "SELECT path, root, size, modified_ns, checked_ns, sha256, failures,"
            " (SELECT count(*) FROM documents WHERE documents.file_id = files.id) AS documents"
            " FROM paths JOIN files ON files.id = file_id ORDER BY paths.id"
        )
        return {record.path: record for record in map(_file, rows)}

    def accepted(self) -> set[tuple[str, str]]:
        """(SHA-256, member) of what was released from quarantine."""
        return {(row[0], row[1]) for row in self.rows("SELECT sha256, member FROM accepted")}

    def counts(self) -> tuple[int, int]:
        """(number of documents, number of passages in the embedding set)."""
        row = self.rows(
            "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages WHERE generation = ?)",
            (self.embedding_set,),
        )[0]
        return int(row[0]), int(row[1])

    def has_passages(self) -> bool:
        """Whether the embedding set has any passage."""
        return bool(self.rows("SELECT 1 FROM passages WHERE generation = ? LIMIT 1", (self.embedding_set,)))

    def passage_ids(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Every passage id of the embedding set, ascending, shape (passages,)."""
        # As one text: 100,000 rows as Python objects take five times as long, and every removal waits for this.
        (row,) = self.rows("SELECT group_concat(id) FROM passages WHERE generation = ?", (self.embedding_set,))
        return np.sort(np.fromstring(row[0] or "", np.int64, sep=","))

    def passages(self, ids: Sequence[int]) -> dict[int, sqlite3.Row]:
        """Passage id → row of the passage with title, path, root and member of its document.

        Ids that the catalog no longer has are left out.

        Passages of the previous embedding set are found too, for a search that began before the switch.
        """
        chunks = self.rows_by_id(
            "SELECT passages.id, document_id, ordinal, passages.text, heading, page, start_offset, end_offset,"
            f" {_SHOWN_PATH}, title, vector {_FROM_DOCUMENTS} JOIN passages ON document_id = documents.id"
            " WHERE passages.id IN ({ids}) ORDER BY passages.id",
            ids,
        )
        return {int(row["id"]): row for rows in chunks for row in rows}

    def headings(self) -> list[tuple[str, str]]:
        """(title, heading path) of every section, in the order of documents and reading."""
        rows = self.rows(
            "SELECT title, heading FROM passages JOIN documents ON documents.id = document_id WHERE generation = ?"
            " GROUP BY document_id, heading ORDER BY document_id, min(ordinal)",
            (self.embedding_set,),
        )
        return [(str(row[0]), str(row[1])) for row in rows]


def _gone(document_id: int) -> DocentError:
    return DocentError(f"Document {document_id} is not in the library (any more): ask again to see today's sources.")


def _record(row: sqlite3.Row) -> dict[str, Any]:
    values = dict(row)
    values["name"] = name_of(values["path"], values.pop("root"))
    return values


def _listed(row: sqlite3.Row) -> ListedDocument:
    values = _record(row)
    return ListedDocument(**{**values, "paths": tuple(json.loads(values["paths"]))})


def _file(row: sqlite3.Row) -> FileRecord:
    failures = tuple((str(member), str(reason)) for member, reason in json.loads(row["failures"]))
    return FileRecord(**{**dict(row), "path": Path(row["path"]), "root": Path(row["root"]), "failures": failures})
