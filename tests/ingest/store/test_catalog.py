"""The record: ids issued once, a revision that tells of every change, and changes that are whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ingest.base.errors import DocentError
from ingest.base.types import Page, Passage, ReadDocument
from ingest.passages.split_and_embed import NO_VECTORS
from ingest.store.catalog import Catalog
from ingest.store.records import NewDocument, NewFile, NewPath, name_of
from ingest.store.vectors import vector_of
from tests.conftest import PutDocument, put_document, toy_vectors

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


def path_to(catalog: Catalog, known: str, name: str, **changes: Any) -> NewPath:
    """A path called `name` that leads to the same content as the one called `known`, which may be itself."""
    (file,) = [file for path, file in catalog.files().items() if path.name == known]
    given = NewPath(file.root / name, file.root, file.size, file.modified_ns, 0, file.sha256)
    return replace(given, **changes)


def test_what_is_put_comes_back(catalog: Catalog, tmp_path: Path) -> None:
    """Every field of a document, its pages, passages and vectors, to the last bit."""
    document = ReadDocument("Leave 休假", (Page("p. 1", "one — 一"), Page("p. 2", "two")))
    passages = [Passage(0, "one — 一", "H › G", "p. 1", 0, 7), Passage(1, "two", "", "p. 2", 9, 12)]
    vectors = toy_vectors(["one", "two"])
    path = tmp_path / "office" / "hr" / "Leave.MD"
    document_id = put_document(catalog, path, tmp_path / "office", document, "abc", passages, vectors, 12, 34)
    (record,) = catalog.documents()
    (listed,) = catalog.listed()
    assert catalog.document(document_id) == listed
    assert [getattr(listed, field.name) for field in fields(record)] == list(vars(record).values())
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
    """No id of a document or passage comes again, even when the newest was removed and the file was opened again."""
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
    again.close()


def test_revision_grows_with_every_change_and_only_then(catalog: Catalog, put: PutDocument) -> None:
    """A reader that compares revisions misses nothing and is not woken for nothing."""
    revisions = [catalog.revision]
    document = put(catalog, "a.md", ["one"])
    revisions.append(catalog.revision)
    put(catalog, "a.md", ["other"])
    revisions.append(catalog.revision)
    put(catalog, "b.md", ["more"])
    catalog.put([path_to(catalog, "b.md", "copy.md")])
    revisions.append(catalog.revision)
    catalog.remove_paths([next(iter(catalog.files()))])
    revisions.append(catalog.revision)
    catalog.remove_documents([document])
    revisions.append(catalog.revision)
    assert all(before < after for before, after in pairwise(revisions))
    before = catalog.revision
    catalog.set_embedder(CARD)
    catalog.set_note("x", 1)
    catalog.put([path_to(catalog, "copy.md", "copy.md", size=99)])
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


def document(text: str, member: str = "", reason: str = "", score: float | None = None) -> NewDocument:
    """A document of one page and, unless there is a reason against it, one passage."""
    read = ReadDocument(member or "Title", (Page("", text),), member)
    if reason:
        return NewDocument(read, (), NO_VECTORS, "en", score, reason)
    return NewDocument(read, [Passage(0, text, "", "", 0, len(text))], toy_vectors([text]), "en", score)


def mail(path: Path, sha256: str = "m1", *members: str) -> NewFile:
    """An e-mail with attachments."""
    parts = [document("Dear all", "", ""), *(document(f"text of {member}", member) for member in members)]
    return NewFile(path, path.parent, 5, 6, 7, sha256, parts, [("film.mp4", "nothing reads it")])


def test_same_content_twice(catalog: Catalog, put: PutDocument) -> None:
    """Two paths, one document: it goes by the first, and stays while either is left."""
    first = put(catalog, "a.md", ["one"])
    catalog.put([path_to(catalog, "a.md", "b.md", size=9)])
    (record,) = catalog.listed()
    assert (record.id, record.name, [Path(path).name for path in record.paths]) == (first, "a.md", ["a.md", "b.md"])
    assert catalog.counts() == (1, 1)
    assert catalog.remove_paths([path for path in catalog.files() if path.name == "a.md"]) == 0
    assert [(document.id, document.name, document.size) for document in catalog.documents()] == [(first, "b.md", 9)]
    assert passages_of(catalog) == [(1, "one")]
    assert catalog.remove_paths(list(catalog.files())) == 1
    assert (catalog.counts(), catalog.files()) == ((0, 0), {})


def test_moved(catalog: Catalog, put: PutDocument) -> None:
    """A file under a new name is the same document with the same passages; what was at that name is gone."""
    first = put(catalog, "a.md", ["one"])
    put(catalog, "b.md", ["two"])
    moved = path_to(catalog, "a.md", "b.md")
    catalog.put([replace(moved, moved_from=moved.root / "a.md")])
    assert [(document.id, document.name) for document in catalog.documents()] == [(first, "b.md")]
    assert passages_of(catalog) == [(1, "one")]


def test_two_files_change_places(catalog: Catalog, put: PutDocument) -> None:
    """In one commit, each path leads to the other's content, and neither is lost on the way."""
    put(catalog, "a.md", ["one"])
    put(catalog, "b.md", ["two"])
    catalog.put([path_to(catalog, "b.md", "a.md"), mail(next(iter(catalog.files())).parent / "b.md", "new")])
    assert {document.name: catalog.content(document.id).text for document in catalog.documents()} == {
        "a.md": "two", "b.md": "Dear all",
    }  # fmt: skip


def test_path_to_nothing(catalog: Catalog) -> None:
    """A path is never left leading to content that is not there."""
    with pytest.raises(sqlite3.IntegrityError):
        catalog.put([NewPath(Path("/a.md"), Path("/"), 1, 1, 1, "unknown")])
    assert catalog.files() == {}


def test_parts_of_a_file(catalog: Catalog, tmp_path: Path) -> None:
    """A mail and its attachments are documents of one file, named after it, with formats of their own."""
    catalog.put([mail(tmp_path / "in" / "m.eml", "m1", "plan.docx", "sub/note.txt")])
    assert [(document.name, document.format, document.member) for document in catalog.listed()] == [
        ("m.eml", "eml", ""), ("m.eml/plan.docx", "docx", "plan.docx"), ("m.eml/sub/note.txt", "txt", "sub/note.txt"),
    ]  # fmt: skip
    (file,) = catalog.files().values()
    assert (file.documents, file.failures) == (3, (("film.mp4", "nothing reads it"),))
    rows = catalog.passages(catalog.passage_ids().tolist())
    assert [Path(row["path"]).name for row in rows.values()] == ["m.eml", "plan.docx", "note.txt"]
    assert catalog.content(catalog.listed()[1].id).member == "plan.docx"
    assert catalog.remove_paths([file.path]) == 3


def test_part_that_was_removed(catalog: Catalog, tmp_path: Path) -> None:
    """Removing one attachment leaves the others, and the file is then no longer what it was: it will be read again."""
    catalog.put([mail(tmp_path / "m.eml", "m1", "a.txt")])
    _, part = catalog.listed()
    catalog.remove_documents([part.id])
    (file,) = catalog.files().values()
    assert (file.documents, file.checked_ns) == (1, 0)
    assert file.sha256 != "m1"
    assert [document.name for document in catalog.documents()] == ["m.eml"]


def test_new_content_of_a_path(catalog: Catalog, tmp_path: Path) -> None:
    """Documents of the old content go with it, attachments too; the same content put again replaces its documents."""
    path = tmp_path / "m.eml"
    catalog.put([mail(path, "m1", "a.txt", "b.txt")])
    catalog.put([mail(path, "m2", "b.txt")])
    assert [document.name for document in catalog.documents()] == ["m.eml", "m.eml/b.txt"]
    catalog.put([mail(path, "m2", "c.txt")])
    assert [document.name for document in catalog.documents()] == ["m.eml", "m.eml/c.txt"]
    assert catalog.counts() == (2, 2)


def test_quarantine(catalog: Catalog, tmp_path: Path) -> None:
    """Kept with its text, score and reason, without passages; accepted, it is answered from, and that is remembered."""
    file = NewFile(tmp_path / "scan.pdf", tmp_path, 1, 2, 3, "s1", [document("§§§ ¤¤¤", "", "garbage", 0.2)])
    catalog.put([file, mail(tmp_path / "m.eml")])
    (scan,) = catalog.listed("quarantined")
    assert (scan.name, scan.score, scan.reason, scan.passages, scan.language) == ("scan.pdf", 0.2, "garbage", 0, "en")
    assert catalog.content(scan.id).text == "§§§ ¤¤¤"
    assert [document.name for document in catalog.listed("answering")] == ["m.eml"]
    assert (catalog.counts(), catalog.accepted()) == ((2, 1), set())
    catalog.accept(scan.id, [Passage(0, "§§§", "", "", 0, 3)], toy_vectors(["§§§"]))
    accepted = catalog.document(scan.id)
    assert (accepted.state, accepted.reason, accepted.score, accepted.passages) == ("answering", "", 0.2, 1)
    catalog.remove_documents([scan.id])
    assert catalog.accepted() == {("s1", "")}


def test_many_passages_at_once(catalog: Catalog, put: PutDocument) -> None:
    """More ids than SQLite takes in one statement are fine, and ids that are gone are left out."""
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


def test_damaged(catalog: Catalog, put: PutDocument) -> None:
    """Damaged pages are reported in one line by whatever reads them, and by the integrity check."""
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
