"""Selecting documents by number, name or path, and removing them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.base.types import Failure
from ingest.library import Library
from ingest.runs.check import check
from ingest.runs.select import remove, select_documents
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import ListedDocument
from ingest.sync import ingest
from tests.conftest import OFFICE

pytestmark = pytest.mark.usefixtures("in_process_readers")


def document(number: int, name: str, member: str = "", *paths: str) -> ListedDocument:
    shown = f"/srv/{name}/{member}" if member else f"/srv/{name}"
    return ListedDocument(
        number, shown, shown.removeprefix("/srv/"), "T", "md", "h", 1, 1, 1, 1, "", member, "en", 1.0, "answering", "",
        (f"/srv/{name}", *paths),
    )  # fmt: skip


LIBRARY = [
    document(1, "hr/leave.md", "", "/srv/copies/leave.md"),
    document(2, "hr/7"),
    document(3, "mail.eml"),
    document(4, "mail.eml", "plan.docx"),
]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("3", [(3, None)]),
        ("7", []),
        ("hr/leave.md", [(1, None)]),
        ("/srv/hr/leave.md", [(1, "/srv/hr/leave.md")]),
        ("/srv/hr", [(1, "/srv/hr/leave.md"), (2, "/srv/hr/7")]),
        ("/srv/copies", [(1, "/srv/copies/leave.md")]),
        ("/srv/mail.eml", [(3, "/srv/mail.eml"), (4, "/srv/mail.eml")]),
        ("/srv/mail.eml/plan.docx", [(4, None)]),
        ("mail.eml/plan.docx", [(4, None)]),
        ("/srv/hr/leave", []),
        ("  ", []),
        ("²", []),
    ],
)
def test_what_is_meant(name: str, meant: list[tuple[int, str | None]]) -> None:
    """A number is an id only; a path means the file with all its parts, or everything below; a name is as listed."""
    selection = [(selected.document.id, selected.file) for selected in select_documents(LIBRARY, name)]
    assert selection == [(number, None if path is None else Path(path)) for number, path in meant]


def listed(settings: Settings) -> dict[str, ListedDocument]:
    """Name → every document of the library."""
    with closing(Catalog(settings.home / CATALOG_FILE)) as catalog:
        return {document.name: document for document in catalog.listed()}


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("it/vpn.txt", ["it/vpn.txt"]),
        ("{office}/it/vpn.txt", ["it/vpn.txt"]),
        ("{office}/hr", ["hr/leave-policy-2024.md", "hr/leave-policy-2026.md"]),
        ("1", ["finance/差旅.md"]),
    ],
)
@pytest.mark.usefixtures("ingested_office")
def test_remove(office: Path, settings: Settings, name: str, gone: list[str]) -> None:
    """By number, by name, by path or by folder: those documents leave the library, and the files stay."""
    removed, failed = remove([name.format(office=office)], settings)
    assert sorted(record.name for record in removed) == gone
    assert failed == []
    assert sorted(listed(settings)) == sorted(set(OFFICE) - set(gone))
    assert all((office / name).is_file() for name in OFFICE)
    assert check(settings.home) == []
    with closing(Library(settings.home)) as library:
        assert not {hit.path for hit in library.search(OFFICE[gone[0]], 1)} & set(gone)


@pytest.mark.usefixtures("ingested_office")
def test_remove_unknown(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no document has removes nothing, in any working folder; the message says how to list the names."""
    monkeypatch.chdir(office)
    unknown = ["99", "no-such.md", "", " ", "/somewhere/else", "²", "~nobody-here", "vpn.txt"]
    removed, failed = remove([*unknown, "it/vpn.txt", "it/vpn.txt"], settings)
    assert failed == [Failure(name, "no such document in the library: `docent list` shows them") for name in unknown]
    assert [record.name for record in removed] == ["it/vpn.txt"]
    assert sorted(listed(settings)) == sorted(set(OFFICE) - {"it/vpn.txt"})


def test_removing_one_of_two_paths(office: Path, settings: Settings) -> None:
    """By path only that path goes, by name the document with all of them."""
    (office / "vpn.txt").write_bytes((office / "it" / "vpn.txt").read_bytes())
    ingest([office], settings)
    removed, _ = remove([str(office / "vpn.txt")], settings)
    assert [document.name for document in removed] == ["vpn.txt"]
    assert listed(settings)["it/vpn.txt"].paths == (str(office / "it" / "vpn.txt"),)
    assert ingest([office], settings).duplicates == 1
    remove(["it/vpn.txt"], settings)
    assert "vpn.txt" not in " ".join(sorted(listed(settings)))
