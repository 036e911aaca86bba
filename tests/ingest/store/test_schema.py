"""The tables: made once, and those of an older Docent brought up to date with nothing lost."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from ingest.base.errors import DocentError
from ingest.store import schema
from ingest.store.catalog import Catalog
from ingest.store.schema import SCHEMA_VERSION
from ingest.store.vectors import vector_of
from tests.conftest import PutDocument, toy_vectors

# The tables of schema 1, as its Docent made them.
SCHEMA_1 = """
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, root TEXT NOT NULL,
    title TEXT NOT NULL, format TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL, pages INTEGER NOT NULL, ingested_at TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE passages (id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    text TEXT NOT NULL, heading TEXT NOT NULL, page TEXT NOT NULL, start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL, vector BLOB NOT NULL);
CREATE INDEX passages_by_document ON passages(document_id, ordinal);
INSERT INTO state VALUES ('revision', '7'), ('embedder', '{"fingerprint": "f1"}'), ('note.x', '5');
PRAGMA user_version = 1;
"""
# id, name, content hash; numbers 3 and 5 were issued and are gone.
OLD = [(1, "a.md", "h1"), (2, "b.md", "h2"), (4, "copy of a.md", "h1")]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A catalog of schema 1 with three documents, two of the same content, one passage each."""
    path = tmp_path / "catalog.db"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA_1)
    for number, name, sha256 in [*OLD, (5, "gone.md", "h5")]:
        content = json.dumps([["p. 1", f"text of {sha256}"]])
        connection.execute(
            "INSERT INTO documents VALUES (?, ?, '/office', 'T', 'md', ?, 10, 20, 1, '2026-01-01', ?)",
            (number, f"/office/{name}", sha256, content),
        )
        vector = toy_vectors([sha256])[0].tobytes()
        connection.execute(
            "INSERT INTO passages VALUES (?, ?, 0, ?, 'H', 'p. 1', 0, 5, ?)",
            (number * 10, number, f"text of {sha256}", vector),
        )
    connection.executescript("PRAGMA foreign_keys = ON; DELETE FROM documents WHERE id = 5; DELETE FROM state WHERE 0;")
    connection.commit()
    connection.close()
    return path


def test_schema_1_is_brought_up_to_date(old: Path, put: PutDocument) -> None:
    """Documents, passages, vectors, embedder and notes are all there; the same content is now one document."""
    catalog = Catalog(old)
    documents = catalog.documents()
    assert [(record.id, record.name, record.size, record.title, record.passages) for record in documents] == [
        (1, "a.md", 10, "T", 1), (2, "b.md", 10, "T", 1),
    ]  # fmt: skip
    listed = catalog.listed()
    assert [document.paths for document in listed] == [("/office/a.md", "/office/copy of a.md"), ("/office/b.md",)]
    assert {(document.state, document.score, document.language) for document in listed} == {("answering", None, "")}
    assert catalog.content(2).text == "text of h2"
    rows = catalog.passages(catalog.passage_ids().tolist())
    assert {number: row["text"] for number, row in rows.items()} == {10: "text of h1", 20: "text of h2"}
    assert [row[0] for row in catalog.rows("SELECT views FROM passages")] == [b"", b""]
    assert vector_of(rows[20]).tobytes() == toy_vectors(["h2"])[0].tobytes()
    assert (catalog.embedder(), catalog.note("x"), catalog.revision) == ({"fingerprint": "f1"}, 5, 8)
    assert [(file.sha256, file.modified_ns) for file in catalog.files().values()] == [
        ("h1", 20), ("h2", 20), ("h1", 20),
    ]  # fmt: skip
    assert catalog.integrity_problems() == []
    assert catalog.rows("PRAGMA foreign_key_check") == []
    assert put(catalog, "new.md", ["new"]) == 6
    assert catalog.passage_ids().tolist() == [10, 20, 51]
    catalog.close()
    again = Catalog(old)
    assert [document.name for document in again.documents()] == ["a.md", "b.md", "new.md"]
    assert again.remove_paths([Path("/office/b.md")]) == 1
    assert again.passage_ids().tolist() == [10, 51]
    again.close()


def test_update_that_fails_leaves_the_old_library(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing: after a fault half-way, the file is what it was and the next attempt succeeds."""
    with monkeypatch.context() as broken:
        broken.setattr(schema, "_FROM_1", (*schema._FROM_1[:9], "this is no SQL"))
        with pytest.raises(DocentError, match="cannot be opened"):
            Catalog(old)
    connection = sqlite3.connect(old)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM documents").fetchone() == (3,)
    connection.close()
    catalog = Catalog(old)
    assert catalog.counts() == (2, 2)
    catalog.close()


def test_an_updated_library_is_like_a_new_one(old: Path, tmp_path: Path) -> None:
    """A migrated catalog has the same tables and columns as a new one."""

    def columns(path: Path) -> dict[str, list[tuple[str, str, int]]]:
        Catalog(path, create=True).close()
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")]
        found = {
            name: [(row[1], row[2], row[3]) for row in connection.execute(f"PRAGMA table_xinfo({name})")]
            for name in sorted(tables)
        }
        connection.close()
        return found

    new = columns(tmp_path / "new.db")
    assert columns(old) == new
    connection = sqlite3.connect(tmp_path / "new.db")
    connection.executescript("DROP TABLE unreadable; PRAGMA user_version = 2;")  # as schema 2 was
    connection.close()
    assert columns(tmp_path / "new.db") == new
