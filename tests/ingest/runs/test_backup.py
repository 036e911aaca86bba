"""A library backed up into one file and restored while others write and read it, completely or not at all."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.base.errors import DocentError
from ingest.base.settings import Settings, load_settings
from ingest.library import Library
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.runs.backup import backup, restore
from ingest.runs.check import check
from ingest.runs.select import remove
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import write_lock
from ingest.sync import ingest

pytestmark = pytest.mark.usefixtures("in_process_readers")

QUESTION = "What does E-07 mean?"


@pytest.fixture
def whole(ingested_office: Path, settings: Settings) -> Path:  # noqa: ARG001 - it fills the library
    """A library of four documents, and a conversation beside it."""
    say(settings.home, "before")
    return settings.home


@pytest.fixture
def saved(whole: Path, tmp_path: Path) -> Path:
    file = tmp_path / "saved.docent"
    backup(whole, file)
    return file


@pytest.fixture
def reader(whole: Path) -> Iterator[Library]:
    """A reader that has the library open all the time."""
    library = Library(whole)
    library.search(QUESTION)
    yield library
    library.close()


def say(home: Path, what: str) -> None:
    connection = sqlite3.connect(home / "conversations.db")
    connection.execute("CREATE TABLE IF NOT EXISTS turns (turn TEXT)")
    connection.execute("INSERT INTO turns VALUES (?)", (what,))
    connection.commit()
    connection.close()


def turns(home: Path) -> list[str]:
    connection = sqlite3.connect(home / "conversations.db")
    rows = connection.execute("SELECT turn FROM turns ORDER BY rowid").fetchall()
    connection.close()
    return [row[0] for row in rows]


def first(library: Library) -> tuple[str, str]:
    hit = library.search(QUESTION)[0]
    return hit.path, hit.text


def test_into_an_empty_folder(whole: Path, saved: Path, tmp_path: Path) -> None:
    """What was saved is found in a new place, by its own embedder, with its conversations, and is whole."""
    expected = Library(whole).search(QUESTION)
    report = restore(tmp_path / "new", saved)
    assert (report.documents, report.passages) == (4, 4)
    assert (tmp_path / "new" / EMBEDDERS_FOLDER).is_dir()
    library = Library(tmp_path / "new")
    assert library.search(QUESTION) == expected
    library.close()
    assert turns(tmp_path / "new") == ["before"]
    assert check(tmp_path / "new") == []
    assert not list((tmp_path / "new").glob(".restore-*"))
    assert [path.name for path in tmp_path.glob(".docent-backup-*")] == []


def test_while_somebody_writes(whole: Path, tmp_path: Path) -> None:
    """The writer keeps its right and its open transaction; what it has not committed is not in the backup."""
    with write_lock(whole, "docent ingest"):
        catalog = Catalog(whole / CATALOG_FILE)
        with catalog.transaction():
            catalog.write("DELETE FROM documents")
            backup(whole, tmp_path / "saved.docent")
        catalog.close()
    restore(tmp_path / "new", tmp_path / "saved.docent")
    library = Library(tmp_path / "new")
    assert len(library.documents()) == 4
    library.close()


def test_a_living_library_is_not_overwritten(whole: Path, saved: Path) -> None:
    """Without --replace nothing happens."""
    with pytest.raises(DocentError, match="--replace"):
        restore(whole, saved)


def test_replacing_under_a_reader(whole: Path, saved: Path, reader: Library, office: Path, settings: Settings) -> None:
    """An open reader goes over to the restored library at its next search, by itself and as often as it happens."""
    before = first(reader)
    for _ in range(2):
        remove(["it/vpn.txt"], settings)
        (office / "it" / "cafe.md").write_text("# Café\n\nThe café on floor 3 opens at eight.\n")
        (office / "it" / "vpn.txt").unlink(missing_ok=True)
        ingest([office], settings)
        reader.refresh()
        assert first(reader) != before
        say(whole, "after")
        restore(whole, saved, replace=True)
        assert first(reader) == before
        assert "it/cafe.md" not in [hit.path for hit in reader.search("When does the café open?")]
        assert turns(whole) == ["before"]
        assert check(whole) == []


def test_a_revision_that_would_go_backwards(whole: Path, saved: Path, settings: Settings, office: Path) -> None:
    """Revisions and passage ids only grow, so that nothing new is confused with what was there before."""
    for number in range(3):
        (office / f"{number}.md").write_text(f"# Note {number}\n\nThe code of room {number} is {number}77.\n")
        ingest([office], settings)
    catalog = Catalog(whole / CATALOG_FILE)
    revision, highest = catalog.revision, int(catalog.passage_ids()[-1])
    restore(whole, saved, replace=True)
    assert catalog.revision > revision
    assert int(catalog.passage_ids()[-1]) < highest
    ingest([office], settings)
    assert int(catalog.passage_ids()[-1]) > highest
    catalog.close()


def test_another_librarys_numbers(whole: Path, reader: Library, tmp_path: Path) -> None:
    """A backup of elsewhere has the same numbers for other passages; each hit has its own text all the same."""
    other_home = tmp_path / "other"
    other_home.mkdir()
    shutil.copytree(whole / EMBEDDERS_FOLDER, other_home / EMBEDDERS_FOLDER)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for number, text in enumerate(["Bicycles stand in the yard.", "Lunch is at noon.", "E-07 is the lift.", "Bye."]):
        (folder / f"{number}.md").write_text(f"# {number}\n\n{text}\n")
    ingest([folder], load_settings(home=other_home, engine="extractive"))
    backup(other_home, tmp_path / "other.docent")
    restore(whole, tmp_path / "other.docent", replace=True)
    assert first(reader) == ("2.md", "E-07 is the lift.")
    assert reader.search("Where are the bicycles?")[0].path == "0.md"
    assert reader.index.version.revision == reader.catalog.revision


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def exchange(name: str, content: bytes) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        members[name] = content
        with zipfile.ZipFile(file, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)

    return change


def manifest_with(**changes: object) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            manifest = {**json.loads(archive.read("docent-backup.json")), **changes}
        exchange("docent-backup.json", json.dumps(manifest).encode())(file)

    return change


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (cut, "cut short or not a backup"),
    "one byte": (flip, "is missing or damaged"),
    "another catalog": (exchange(CATALOG_FILE, b"something else"), "catalog.db in it has been changed"),
    "no manifest": (exchange("docent-backup.json", b"null"), "table of contents is missing or damaged"),
    "a newer Docent's": (manifest_with(schema=99), "was written by a newer Docent"),
    "not a backup": (lambda file: file.write_text("hello"), "cut short or not a backup"),
    "outside": (
        manifest_with(files={"../../evil": {"sha256": ""}, CATALOG_FILE: {"sha256": ""}}),
        "names a file outside of the library",
    ),
    "gone": (lambda file: file.unlink(), "There is no file"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_one_line_and_changes_nothing(whole: Path, saved: Path, reader: Library, what: str) -> None:
    """Whatever is wrong with the file, one line says so and the library is unchanged."""
    spoil, words = WRONG[what]
    spoil(saved)
    before, revision = first(reader), reader.catalog.revision
    with pytest.raises(DocentError, match=words) as caught:
        restore(whole, saved, replace=True)
    assert "\n" not in str(caught.value)
    assert (first(reader), reader.catalog.revision) == (before, revision)
    assert not list(whole.glob(".restore-*"))
    assert check(whole) == []


def test_a_writer_is_waited_for_not_disturbed(whole: Path, saved: Path) -> None:
    """Restoring is writing: there is one writer at a time."""
    with write_lock(whole, "docent ingest"), pytest.raises(DocentError, match="docent ingest"):
        restore(whole, saved, replace=True)


def test_in_place_of_a_damaged_catalog(whole: Path, saved: Path) -> None:
    """A damaged catalog is replaced too; the damaged file is kept under another name."""
    expected = Library(whole).search(QUESTION)
    path = whole / CATALOG_FILE
    data = path.read_bytes()
    path.write_bytes(b"\x55" * 4096 + data[4096:])
    restore(whole, saved, replace=True)
    library = Library(whole)
    assert library.search(QUESTION) == expected
    library.close()
    assert list(whole.glob("catalog.db.damaged-*"))


def test_where_it_cannot_be_written(whole: Path, tmp_path: Path) -> None:
    """A missing folder is one line, and an earlier backup of that name stays as it was when there is no library."""
    with pytest.raises(DocentError, match="cannot be written"):
        backup(whole, tmp_path / "nowhere" / "saved.docent")
    (tmp_path / "kept").write_text("earlier")
    with pytest.raises(DocentError, match="There is no library"):
        backup(tmp_path / "empty", tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == "earlier"
