"""The record: ids issued once, a revision that tells of every change, and changes that are whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ingest.catalog import SCHEMA_VERSION, Catalog, name_of, vector_of
from ingest.errors import DocentError
from ingest.types import Page, Passage, ReadDocument
from tests.conftest import PutDocument, toy_vectors

CARD = {"name": "toy", "fingerprint": "f1", "dimension": 16}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library" / "catalog.db", create=True)
    yield catalog
    catalog.close()


def passages_of(catalog: Catalog) -> list[tuple[int, str]]:
    return [
        (passage_id, row["text"])
        for passage_id, row in sorted(catalog.passages(catalog.passage_ids().tolist()).items())
    ]


def test_what_is_put_comes_back(catalog: Catalog, tmp_path: Path) -> None:
    """Every field of a document, its pages, passages and vectors, to the last bit."""
    document = ReadDocument("Leave 休假", (Page("p. 1", "one — 一"), Page("p. 2", "two")))
    passages = [Passage(0, "one — 一", "H › G", "p. 1", 0, 7), Passage(1, "two", "", "p. 2", 9, 12)]
    vectors = toy_vectors(["one", "two"])
    path = tmp_path / "office" / "hr" / "Leave.MD"
    document_id = catalog.put_document(path, tmp_path / "office", document, "abc", 12, 34, passages, vectors)
    (record,) = catalog.documents()
    assert catalog.document(document_id) == record
    assert (record.id, record.path, record.name) == (document_id, str(path), "hr/Leave.MD")
    assert (record.title, record.format, record.sha256, record.size) == ("Leave 休假", "md", "abc", 12)
    assert (record.modified_ns, record.pages, record.passages) == (34, 2, 2)
    assert catalog.content(document_id) == document
    rows = catalog.passages(catalog.passage_ids().tolist())
    for passage, vector, row in zip(passages, vectors, rows.values(), strict=True):
        assert (row["ordinal"], row["text"], row["heading"]) == (passage.ordinal, passage.text, passage.heading)
        assert (row["page"], row["start_offset"], row["end_offset"]) == (passage.page, passage.start, passage.end)
        assert (row["document_id"], row["path"], row["title"]) == (document_id, str(path), "Leave 休假")
        assert vector_of(row).tobytes() == vector.tobytes()
    assert catalog.counts() == (1, 2)
    assert catalog.headings() == [("Leave 休假", "H › G"), ("Leave 休假", "")]


def test_ids_are_issued_once(catalog: Catalog, put: PutDocument) -> None:
    """No id of a document or passage comes again, even when the newest was removed and the file opened anew."""
    first = put(catalog, "a.md", ["one", "two"])
    second = put(catalog, "b.md", ["three"])
    assert catalog.passage_ids().tolist() == [1, 2, 3]
    catalog.remove_documents([second])
    catalog.close()
    again = Catalog(catalog.path)
    third = put(again, "b.md", ["three"])
    assert len({first, second, third}) == 3
    assert again.passage_ids().tolist() == [1, 2, 4]
    fourth = put(again, "a.md", ["one", "two"])
    assert fourth not in {first, second, third}
    assert again.passage_ids().tolist() == [4, 5, 6]
    again.replace_passages(CARD, [(fourth, [Passage(0, "new", "", "", 0, 3)], toy_vectors(["new"]))])
    assert passages_of(again) == [(7, "new")]
    again.close()


def test_revision_grows_with_every_change_and_only_then(catalog: Catalog, put: PutDocument) -> None:
    """A reader that compares revisions misses nothing and is not woken for nothing."""
    revisions = [catalog.revision]
    document = put(catalog, "a.md", ["one"])
    revisions.append(catalog.revision)
    put(catalog, "a.md", ["other"])
    revisions.append(catalog.revision)
    catalog.replace_passages(CARD, [])
    revisions.append(catalog.revision)
    catalog.remove_documents([document])
    revisions.append(catalog.revision)
    assert all(before < after for before, after in pairwise(revisions))
    before = catalog.revision
    catalog.set_embedder(CARD)
    catalog.set_note("x", 1)
    catalog.touch_document(1, 5, 6)
    catalog.documents()
    with pytest.raises(ValueError, match="zip"):
        put(catalog, "b.md", ["one", "two"], toy_vectors(["one"]))
    assert catalog.revision == before


def test_transaction_is_all_or_nothing(catalog: Catalog, put: PutDocument) -> None:
    """What fails half-way leaves the document as it was, and the connection usable."""
    document = put(catalog, "a.md", ["one"])
    with pytest.raises(ValueError, match="zip"):
        put(catalog, "a.md", ["two", "three"], toy_vectors(["two"]))
    assert passages_of(catalog) == [(1, "one")]
    with pytest.raises(KeyboardInterrupt), catalog.transaction():
        catalog.set_note("half", True)
        raise KeyboardInterrupt
    assert catalog.note("half") is None
    assert catalog.document(document).passages == 1
    put(catalog, "b.md", ["more"])
    assert catalog.counts() == (2, 2)


def test_full_disk(catalog: Catalog, put: PutDocument) -> None:
    """A full disk is called that, and what was there stays."""
    put(catalog, "a.md", ["one"])
    connection = catalog._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        put(catalog, "b.md", ["long " * 2000] * 20)
    assert passages_of(catalog) == [(1, "one")]
    assert catalog.revision == 1
    put(catalog, "c.md", ["two"])
    assert [record.name for record in catalog.documents()] == ["a.md", "c.md"]


def test_replacing_passages_is_one_step(catalog: Catalog, put: PutDocument) -> None:
    """Another reader sees all old passages and the old embedder, or all new and the new; removed ones stay out."""
    first, second = put(catalog, "a.md", ["one"]), put(catalog, "b.md", ["two"])
    catalog.set_embedder(CARD)
    reader = Catalog(catalog.path)

    def new() -> Iterator[tuple[int, list[Passage], np.ndarray]]:
        for document, text in ((first, "eins"), (second, "zwei"), (99, "gone")):
            assert [text for _, text in passages_of(reader)] == ["one", "two"]
            assert reader.embedder() == CARD
            yield document, [Passage(0, text, "", "", 0, len(text))], toy_vectors([text])

    catalog.replace_passages({**CARD, "fingerprint": "f2"}, new())
    assert [text for _, text in passages_of(reader)] == ["eins", "zwei"]
    assert reader.embedder() == {**CARD, "fingerprint": "f2"}
    assert reader.revision == catalog.revision
    reader.close()


def test_replacing_that_fails_changes_nothing(catalog: Catalog, put: PutDocument) -> None:
    """An embedder that breaks in the middle costs nothing."""
    first = put(catalog, "a.md", ["one"])
    catalog.set_embedder(CARD)
    with pytest.raises(ValueError, match="zip"):
        catalog.replace_passages({"name": "new"}, [(first, [], toy_vectors(["x"]))])
    assert passages_of(catalog) == [(1, "one")]
    assert catalog.embedder() == CARD


def test_touch(catalog: Catalog, put: PutDocument) -> None:
    """A file written again with the same content keeps everything but its size and time."""
    document = put(catalog, "a.md", ["one"])
    catalog.touch_document(document, 77, 88)
    record = catalog.document(document)
    assert (record.size, record.modified_ns, record.passages) == (77, 88, 1)


def test_many_passages_at_once(catalog: Catalog, put: PutDocument) -> None:
    """More ids than SQLite takes in one statement are no matter, and ids that are gone are left out."""
    put(catalog, "a.md", [f"passage {number}" for number in range(50)])
    found = catalog.passages([*range(1, 40_000)])
    assert list(found) == list(range(1, 51))
    assert found[7]["text"] == "passage 6"
    assert catalog.passages([]) == {}


def test_what_is_gone_is_said(catalog: Catalog) -> None:
    """A document that was removed is named by its number, with what to do."""
    for ask in (catalog.document, catalog.content):
        with pytest.raises(DocentError, match=r"Document 7 is not in the library \(any more\): ask again"):
            ask(7)


def test_missing(tmp_path: Path) -> None:
    """Opening where there is no library says how to make one, and makes nothing."""
    with pytest.raises(DocentError, match=r"There is no library in .*: run `docent ingest FOLDER`"):
        Catalog(tmp_path / "none" / "catalog.db")
    assert not (tmp_path / "none").exists()


def test_not_a_database(tmp_path: Path) -> None:
    """A file that is something else is named, with SQLite's reason, and left as it is."""
    path = tmp_path / "catalog.db"
    path.write_text("this is a shopping list, not a database " * 50)
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(DocentError, match=r"catalog\.db cannot be opened \(file is not a database\)"):
            Catalog(path, create=create)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_another_schema(tmp_path: Path, version: int) -> None:
    """A database of another program or another Docent is refused with both version numbers, and left as it is."""
    path = tmp_path / "catalog.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE things (x)")
    other.execute(f"PRAGMA user_version = {version}")
    other.commit()
    other.close()
    with pytest.raises(DocentError, match=f"has schema {version}, this Docent reads schema {SCHEMA_VERSION}"):
        Catalog(path, create=True)
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("things",)]


def test_damaged(catalog: Catalog, put: PutDocument) -> None:
    """A catalog with damaged pages is said in one line by whatever meets them, and by the integrity check."""
    put(catalog, "a.md", [f"passage {number} " * 40 for number in range(100)])
    assert catalog.integrity_problems() == []
    catalog.close()
    data = catalog.path.read_bytes()
    catalog.path.write_bytes(data[:4096] + b"\x55" * (len(data) - 4096))
    damaged = Catalog(catalog.path)
    for ask in (damaged.documents, damaged.counts, damaged.passage_ids, damaged.embedder, damaged.headings):
        with pytest.raises(DocentError, match=r"cannot be read .*: run `docent check`"):
            ask()
    assert damaged.integrity_problems()
    assert all(problem.startswith("catalog: ") for problem in damaged.integrity_problems())
    damaged.close()


def test_name() -> None:
    """People see a document by its path below the folder it came from; outside of it, by its file name."""
    assert name_of("/srv/share/hr/a.md", "/srv/share") == "hr/a.md"
    assert name_of("/srv/share2/a.md", "/srv/share") == "a.md"
