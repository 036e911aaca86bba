"""Bringing the library level with folders: what is taken in, what is left alone, and what survives a bad end."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from ingest import sync
from ingest.catalog import Catalog
from ingest.check import check
from ingest.errors import DocentError, SettingsError
from ingest.library import CATALOG_FILE, Library
from ingest.report import Failure, IngestReport, Progress
from ingest.settings import Settings
from ingest.sync import ingest, ingest_documents, rebuild, remove, watch
from ingest.types import Page, ReadDocument
from tests.conftest import OFFICE

PROJECT = Path(__file__).parent.parent


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.removed


def held(settings: Settings) -> dict[str, str]:
    """Name → text of every document in the library."""
    catalog = Catalog(settings.home / CATALOG_FILE)
    found = {document.name: catalog.content(document.id).text for document in catalog.documents()}
    catalog.close()
    return found


def passage_ids(settings: Settings) -> list[int]:
    catalog = Catalog(settings.home / CATALOG_FILE)
    ids: list[int] = catalog.passage_ids().tolist()
    catalog.close()
    return ids


def found(settings: Settings, question: str) -> str:
    """The name of the document that is found first."""
    library = Library(settings.home)
    hits = library.search(question, 1)
    library.close()
    return hits[0].path if hits else ""


def test_added_updated_unchanged_removed(office: Path, settings: Settings) -> None:
    """Each run does what changed and nothing else, and the library is then as the folder is."""
    report = ingest([office], settings)
    assert counts(report) == (4, 0, 0, 0)
    assert (report.failed, report.passages) == ([], 4)
    assert sorted(held(settings)) == sorted(OFFICE)
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)

    (office / "it" / "vpn.txt").write_text("The VPN is gone. Use the tunnel of Cork.\n")
    (office / "finance" / "差旅.md").unlink()
    (office / "new.md").write_text("# Canteen\n\nLunch is at noon.\n")
    report = ingest([office], settings)
    assert counts(report) == (1, 1, 2, 1)
    assert sorted(held(settings)) == ["hr/leave-policy-2024.md", "hr/leave-policy-2026.md", "it/vpn.txt", "new.md"]
    assert held(settings)["it/vpn.txt"] == "The VPN is gone. Use the tunnel of Cork."
    assert found(settings, "when is lunch in the canteen") == "new.md"
    assert found(settings, "tunnel of Cork") == "it/vpn.txt"
    assert check(settings.home) == []


def test_unchanged_is_not_read_again(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a file nobody touched, nor one written again with the same content; its passages keep their ids."""
    ingest([office], settings)
    ids = passage_ids(settings)
    monkeypatch.setattr(sync, "read", lambda path: pytest.fail(f"{path} was read again"))
    vpn = office / "it" / "vpn.txt"
    vpn.write_text(vpn.read_text())
    os.utime(vpn, (1, 1))
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)
    assert passage_ids(settings) == ids
    library = Library(settings.home)
    assert [record.modified_ns for record in library.documents() if record.name == "it/vpn.txt"] == [10**9]
    library.close()


def test_what_is_skipped(office: Path, settings: Settings) -> None:
    """Hidden files and folders and what programs leave behind are not documents."""
    for name in (".hidden.md", "~$plan.docx", "Thumbs.db", "desktop.ini", ".git/config.txt"):
        (office / name).parent.mkdir(exist_ok=True)
        (office / name).write_text("x")
    report = ingest([office], settings)
    assert (counts(report), report.failed) == ((4, 0, 0, 0), [])


def test_each_failure_is_named(office: Path, settings: Settings) -> None:
    """A file that cannot be taken in is named with its reason, and the rest is taken in."""
    (office / "empty.md").write_text("")
    (office / "film.mp4").write_bytes(b"\x00" * 10)
    (office / "broken.docx").write_bytes(b"PK nonsense")
    report = ingest([office, office / "nowhere"], settings)
    assert counts(report) == (4, 0, 0, 0)
    reasons = {Path(failure.path).name: failure.reason for failure in report.failed}
    assert sorted(reasons) == ["broken.docx", "empty.md", "film.mp4", "nowhere"]
    assert reasons["empty.md"] == "the file is empty: fill it or remove it"
    assert reasons["film.mp4"].startswith("files of kind '.mp4' are not read")
    assert reasons["broken.docx"] == "the file is damaged or not really a .docx file: open and save it again"
    assert reasons["nowhere"] == "there is no such file or folder: check the spelling"


def test_name_that_is_not_utf_8(office: Path, settings: Settings) -> None:
    """A file named in an old Chinese encoding is named as far as it can be, and the run goes on."""
    name = os.fsencode(office) + b"/" + "年假".encode("gbk") + b".md"
    with open(name, "wb") as file:  # noqa: PTH123 - pathlib has no names of bytes
        file.write(b"text")
    report = ingest([office], settings)
    assert counts(report) == (4, 0, 0, 0)
    assert [failure.reason for failure in report.failed] == ["its name is not valid UTF-8: rename it"]
    report.failed[0].path.encode("utf-8")


def test_pipe_in_a_folder(office: Path, settings: Settings) -> None:
    """What is not an ordinary file is not opened: that could wait for ever."""
    os.mkfifo(office / "pipe.txt")
    report = ingest([office], settings)
    assert counts(report) == (4, 0, 0, 0)
    assert [failure.reason for failure in report.failed] == ["it is not an ordinary file: remove it from the folder"]


def test_file_that_vanishes(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that goes between being listed and being read is named, and the version the library has stays."""
    ingest([office], settings)
    vpn = office / "it" / "vpn.txt"
    discover = sync.discover

    def then_gone(*arguments: Any) -> Any:
        result = discover(*arguments)
        vpn.unlink()
        return result

    monkeypatch.setattr(sync, "discover", then_gone)
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 3, 0)
    assert report.failed == [
        Failure(str(vpn), "the file disappeared while it was being read: run again if it comes back")
    ]
    assert "it/vpn.txt" in held(settings)


def test_damaged_newer_version(office: Path, settings: Settings) -> None:
    """When a new version cannot be read, the older one is still answered from; once mended, it is taken in."""
    ingest([office], settings)
    policy = office / "hr" / "leave-policy-2026.md"
    policy.write_bytes(b"")
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 3, 0)
    assert [failure.path for failure in report.failed] == [str(policy)]
    assert "25 days" in held(settings)["hr/leave-policy-2026.md"]
    policy.write_text("# Leave policy 2026\n\nThirty days.\n")
    assert counts(ingest([office], settings)) == (0, 1, 3, 0)
    assert "Thirty days" in held(settings)["hr/leave-policy-2026.md"]


def test_missing_folder_removes_nothing(office: Path, settings: Settings, tmp_path: Path) -> None:
    """A share that is not there today is an error, not an empty folder."""
    ingest([office], settings)
    office.rename(tmp_path / "elsewhere")
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 0, 0)
    assert [failure.path for failure in report.failed] == [str(office)]
    assert len(held(settings)) == 4


def test_unreadable_subfolder_removes_nothing(
    office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is below a folder that cannot be listed is not gone; the folder is named.

    Permissions do not bind the administrator tests may run as, so the system call is made to refuse.
    """
    ingest([office], settings)
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if Path(path).name == "hr":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (office / "it" / "vpn.txt").unlink()
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 1, 1)
    assert report.failed == [
        Failure(str(office / "hr"), "the folder cannot be listed (Permission denied): check its permissions")
    ]
    assert sorted(held(settings)) == ["finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md"]


def test_only_below_the_given_folders(office: Path, settings: Settings) -> None:
    """A run over one folder says nothing about the others, and a single file nothing about its neighbours."""
    ingest([office], settings)
    for name in OFFICE:
        (office / name).unlink()
    (office / "it" / "vpn.txt").write_text("new")
    assert counts(ingest([office / "it" / "vpn.txt"], settings)) == (0, 1, 0, 0)
    assert counts(ingest([office / "hr"], settings)) == (0, 0, 0, 2)
    assert sorted(held(settings)) == ["finance/差旅.md", "it/vpn.txt"]


def test_links_are_kept(office: Path, settings: Settings, tmp_path: Path) -> None:
    """A share behind a link that moves keeps its documents."""
    (tmp_path / "share").symlink_to(office)
    ingest([tmp_path / "share"], settings)
    moved = office.rename(tmp_path / "moved")
    (tmp_path / "share").unlink()
    (tmp_path / "share").symlink_to(moved)
    assert counts(ingest([tmp_path / "share" / ".." / "share"], settings)) == (0, 0, 4, 0)


def test_the_library_is_not_a_document(office: Path, home: Path) -> None:
    """A folder that holds the library and the models gives neither's files, and no run makes work for the next."""
    inside = Settings(home=office / "state", models_cache=office / "models")
    (office / "state").mkdir()
    (office / "state" / "embedders").symlink_to(home / "embedders")
    (office / "state" / "docent.log").write_text("{}")
    (office / "models").mkdir()
    (office / "models" / "vocab.txt").write_text("words")
    assert counts(ingest([office], inside)) == (4, 0, 0, 0)
    report = ingest([office], inside)
    assert (counts(report), report.failed) == ((0, 0, 4, 0), [])


def test_report_and_progress(office: Path, settings: Settings) -> None:
    """The outcome has exactly the promised fields, and progress counts up to the whole."""
    seen: list[Progress] = []
    report = ingest([office], settings, seen.append)
    assert list(report.as_json()) == ["added", "updated", "unchanged", "removed", "failed", "passages", "seconds"]
    assert report.seconds > 0
    during = [progress for progress in seen if progress.total]
    assert [progress.done for progress in during] == [0, 1, 2, 3, 4]
    assert [progress.passages for progress in during] == [0, 1, 2, 3, 4]
    assert {progress.total for progress in during} == {4}


@pytest.fixture
def prefixed(settings: Settings) -> Settings:
    """The same library with another embedder: the bundled one with prefixes."""
    return settings.model_copy(update={"embedder_query_prefix": "question: ", "embedder_passage_prefix": "passage: "})


def test_another_embedder_is_refused(office: Path, settings: Settings, prefixed: Settings) -> None:
    """Vectors of two embedders are never mixed: the setting is named, and `docent rebuild` as the way."""
    ingest([office], settings)
    ids = passage_ids(settings)
    (office / "new.md").write_text("# Canteen\n\nLunch is at noon.\n")
    (office / "it" / "vpn.txt").unlink()
    with pytest.raises(
        SettingsError, match=r"setting 'embedder' is .*a rebuild is needed \(4 passages.*`docent rebuild`"
    ):
        ingest([office], prefixed)
    assert passage_ids(settings) == ids
    assert "it/vpn.txt" in held(settings)
    assert counts(ingest([office], settings)) == (1, 0, 3, 1)


def test_rebuild(office: Path, settings: Settings, prefixed: Settings) -> None:
    """A rebuild needs no files: it embeds the kept text anew, all of it, and then only the new embedder is taken."""
    ingest([office], settings)
    library = Library(settings.home)
    before = library.search("days of annual leave", 4)
    text = held(settings)
    for name in OFFICE:
        (office / name).unlink()
    report = rebuild(prefixed)
    assert (report.updated, report.passages) == (4, 4)
    assert held(settings) == text
    assert not set(passage_ids(settings)) & {hit.passage_id for hit in before}
    assert check(settings.home) == []
    library.refresh()
    assert library.embedder.card.passage_prefix == "passage: "
    (new_id,) = passage_ids(settings)[:1]
    row = library.catalog.passages([new_id])[new_id]
    embedded = library.embedder.embed_passages([f"{row['title']}\n{row['text']}"])[0]
    assert np.frombuffer(row["vector"], "<f4") @ embedded == pytest.approx(1.0, abs=1e-3)
    assert [hit.path for hit in library.search("days of annual leave", 2)] == [hit.path for hit in before[:2]]
    library.close()
    with pytest.raises(SettingsError, match="a rebuild is needed"):
        ingest([office], settings)


def test_rebuild_of_nothing(settings: Settings) -> None:
    """Where there is no library there is nothing to rebuild."""
    with pytest.raises(DocentError, match="There is no library"):
        rebuild(settings)


def test_prefix_that_leaves_no_room(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix as long as all the model reads is a wrong setting, said before anything is taken in."""
    monkeypatch.setattr(sync, "_LEAST_PASSAGE_TOKENS", 300)
    with pytest.raises(
        SettingsError, match=r"setting 'embedder_passage_prefix' is '': it leaves 254 of the 256 tokens"
    ):
        ingest([office], settings)
    assert held(settings) == {}


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("it/vpn.txt", ["it/vpn.txt"]),
        ("{office}/it/vpn.txt", ["it/vpn.txt"]),
        ("{office}/hr", ["hr/leave-policy-2024.md", "hr/leave-policy-2026.md"]),
        ("1", ["finance/差旅.md"]),
    ],
)
def test_remove(office: Path, settings: Settings, name: str, gone: list[str]) -> None:
    """By number, by name, by path or by folder: those documents leave the library, and the files stay."""
    ingest([office], settings)
    removed, failed = remove([name.format(office=office)], settings)
    assert sorted(record.name for record in removed) == gone
    assert failed == []
    assert sorted(held(settings)) == sorted(set(OFFICE) - set(gone))
    assert all((office / name).is_file() for name in OFFICE)
    assert check(settings.home) == []
    assert found(settings, OFFICE[gone[0]]) not in gone


def test_remove_unknown(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that nothing has removes nothing, wherever one stands, and is named with how to see the names."""
    ingest([office], settings)
    monkeypatch.chdir(office)
    unknown = ["99", "no-such.md", "", " ", "/somewhere/else", "²", "~nobody-here", "vpn.txt"]
    removed, failed = remove([*unknown, "it/vpn.txt", "it/vpn.txt"], settings)
    assert failed == [Failure(name, "no such document in the library: `docent list` shows them") for name in unknown]
    assert [record.name for record in removed] == ["it/vpn.txt"]
    assert sorted(held(settings)) == sorted(set(OFFICE) - {"it/vpn.txt"})


HOLD = """
import sys, time
from pathlib import Path
from ingest import catalog, sync
from ingest.settings import load_settings

insert, done = catalog.Catalog._insert_passages, []

def slowly(self, *arguments):
    insert(self, *arguments)
    done.append(1)
    if len(done) == 3:
        print("in the third document", flush=True)
        time.sleep(600)

catalog.Catalog._insert_passages = slowly
sync.ingest([Path(sys.argv[1])], load_settings(home=sys.argv[2]))
"""


@pytest.fixture
def held_up(office: Path, settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes in the office and stands in the middle of writing its third document."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(office), str(settings.home)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the third document\n"
    yield process
    process.kill()
    process.wait()


def test_killed_in_the_middle(office: Path, settings: Settings, held_up: subprocess.Popen[str]) -> None:
    """While it writes a second is refused; killed without warning, what was finished is whole, the rest comes next."""
    with pytest.raises(DocentError, match=rf"being changed by `docent ingest` \(process {held_up.pid}"):
        ingest([office], settings)
    held_up.send_signal(signal.SIGKILL)
    held_up.wait()
    assert sorted(held(settings)) == ["finance/差旅.md", "hr/leave-policy-2024.md"]
    assert "index: no usable snapshot" in check(settings.home)[0]
    assert found(settings, "出差住宿标准") == "finance/差旅.md"
    assert counts(ingest([office], settings)) == (2, 0, 2, 0)
    assert sorted(held(settings)) == sorted(OFFICE)
    assert check(settings.home) == []
    assert not list((settings.home / "index").glob(".work-*"))


def full_after(pages: int) -> type[Catalog]:
    """A catalog on a disk with room for this many more pages."""

    class OnAFullDisk(Catalog):
        def __init__(self, path: Path, create: bool = False) -> None:
            super().__init__(path, create)
            used = self._connection.execute("PRAGMA page_count").fetchone()[0]
            self._connection.execute(f"PRAGMA max_page_count = {used + pages}")

    return OnAFullDisk


def test_full_disk(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with the reason and how much is kept; what was finished stays, and the next run does the rest."""
    (office / "hr" / "long.md").write_text(
        "# Long\n\n" + "Every employee keeps every receipt of every journey. " * 3000
    )
    with monkeypatch.context() as full:
        full.setattr(sync, "Catalog", full_after(14))
        with pytest.raises(DocentError) as caught:
            ingest([office], settings)
    message = str(caught.value)
    assert "cannot be written (database or disk is full): free or mend the disk and run the same command" in message
    assert "the 3 documents finished in this run are kept" in message
    assert "\n" not in message
    assert sorted(held(settings)) == ["finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md"]
    assert counts(ingest([office], settings)) == (2, 0, 3, 0)
    assert check(settings.home) == []


def test_full_disk_during_a_rebuild(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild that cannot be written leaves the library as it was."""
    ingest([office], settings)
    ids = passage_ids(settings)

    def full(*_arguments: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Catalog, "_insert_passages", full)
        with pytest.raises(DocentError, match=r"cannot be written \(database or disk is full\)"):
            rebuild(settings)
    assert passage_ids(settings) == ids
    assert check(settings.home) == []


def test_full_disk_under_the_index(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When only the cache cannot be written, the documents are kept, no rest is left, and the next run mends it."""

    def full(*_arguments: Any) -> None:
        raise RuntimeError("Error in FileIOWriter: write error: No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(faiss, "write_index", full)
        with pytest.raises(DocentError, match=r"index cannot be written .*No space left.*the documents are kept"):
            ingest([office], settings)
    assert sorted(held(settings)) == sorted(OFFICE)
    assert not list((settings.home / "index").glob(".work-*"))
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)
    assert check(settings.home) == []


def test_documents_already_read(settings: Settings) -> None:
    """Documents that come from elsewhere than files are found like any other, under the name they were given."""
    documents = [
        ("d1", ReadDocument("Leave", (Page("", "Staff get 25 days."),)), "h1"),
        ("d2", ReadDocument("VPN", (Page("", "Error E-07 means that the certificate has expired."),)), "h2"),
    ]
    ingest_documents(documents, settings)
    assert held(settings) == {"d1": "Staff get 25 days.", "d2": "Error E-07 means that the certificate has expired."}
    assert found(settings, "What does E-07 mean?") == "d2"


def test_long_headings_do_not_push_the_passage_out(settings: Settings, tmp_path: Path) -> None:
    """Under headings longer than the model reads, the last words of a passage are still embedded."""
    documents = tmp_path / "long"
    documents.mkdir()
    body = " ".join(f"Rule {number} is about receipts." for number in range(60))
    (documents / "a.md").write_text("# " + "very long heading " * 100 + f"\n\n{body} The zebra crossing is closed.\n")
    ingest([documents], settings)
    library = Library(settings.home)
    ids = library.catalog.passage_ids().tolist()
    cosines = library.index.cosines(library.embedder.embed_query("Is the zebra crossing closed?"), ids)
    library.close()
    assert max(cosines, key=lambda passage: cosines[passage]) == ids[-1]


def test_watch(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watching takes in what is there, and again after every burst of changes."""
    import watchfiles

    watched: list[Sequence[Path]] = []

    def bursts(*paths: Path, **_options: Any) -> Iterator[set[Any]]:
        watched.append(paths)
        (office / "new.md").write_text("# Canteen\n\nLunch is at noon.\n")
        yield set()
        (office / "new.md").unlink()
        yield set()

    monkeypatch.setattr(watchfiles, "watch", bursts)
    reports = [counts(report) for report in watch([office, office / "nowhere"], settings)]
    assert reports == [(4, 0, 0, 0), (1, 0, 4, 0), (0, 0, 4, 1)]
    assert watched == [(office,)]
