"""Ingesting folders: what is added, updated and left alone, and what survives a failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import pytest

from ingest import sync
from ingest.base.errors import DocentError, SettingsError
from ingest.base.settings import Settings
from ingest.base.types import Failure, Progress
from ingest.documents.workers.pool import Readers
from ingest.library import Library
from ingest.passages.embedders import library_embedder
from ingest.runs import batch, library_writer, outcomes
from ingest.runs.check import check
from ingest.runs.select import remove
from ingest.search.indexes import publisher as publish
from ingest.store import write_lock as writer
from ingest.store.catalog import Catalog
from ingest.store.write_lock import Work, current_work
from ingest.sync import ingest
from tests.conftest import OFFICE, passage_ids
from tests.ingest.conftest import counts, first_found, listed, texts_of
from tests.project import PROJECT

pytestmark = pytest.mark.usefixtures("in_process_readers")


def test_added_updated_unchanged_removed(office: Path, settings: Settings) -> None:
    """Each run does what changed and nothing else, and the library is then as the folder is."""
    report = ingest([office], settings)
    assert counts(report) == (4, 0, 0, 0)
    assert (report.failed, report.passages) == ([], 4)
    assert sorted(texts_of(settings)) == sorted(OFFICE)
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)

    (office / "it" / "vpn.txt").write_text("The VPN is gone. Use the tunnel of Cork.\n")
    (office / "finance" / "差旅.md").unlink()
    (office / "new.md").write_text("# Canteen\n\nLunch is at noon.\n")
    report = ingest([office], settings)
    assert counts(report) == (1, 1, 2, 1)
    assert sorted(texts_of(settings)) == ["hr/leave-policy-2024.md", "hr/leave-policy-2026.md", "it/vpn.txt", "new.md"]
    assert texts_of(settings)["it/vpn.txt"] == "The VPN is gone. Use the tunnel of Cork."
    assert first_found(settings, "when is lunch in the canteen") == "new.md"
    assert first_found(settings, "tunnel of Cork") == "it/vpn.txt"
    assert check(settings.home) == []


@pytest.mark.usefixtures("ingested_office")
def test_unchanged_is_not_read_again(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a file nobody touched, nor one written again with the same content; its passages keep their ids."""
    ids = passage_ids(settings)
    monkeypatch.setattr(outcomes, "judged", lambda document, *_: pytest.fail(f"{document.title} was parsed again"))
    vpn = office / "it" / "vpn.txt"
    vpn.write_text(vpn.read_text())
    os.utime(vpn, (1, 1))
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)
    assert passage_ids(settings) == ids
    library = Library(settings.home)
    assert [record.modified_ns for record in library.documents() if record.name == "it/vpn.txt"] == [10**9]
    library.close()
    monkeypatch.setattr(Readers, "read_all", lambda _self, paths, _skip: iter([pytest.fail(str(p)) for p in paths]))
    for name in OFFICE:
        os.utime(office / name, (1, 1))
    monkeypatch.undo()
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)
    monkeypatch.setattr(Readers, "read_all", lambda _self, paths, _skip: iter([pytest.fail(str(p)) for p in paths]))
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)


def test_what_is_skipped(office: Path, settings: Settings) -> None:
    """Hidden files and folders and what programs leave behind are not documents."""
    for name in (".hidden.md", "~$plan.docx", "Thumbs.db", "desktop.ini", ".git/config.txt"):
        (office / name).parent.mkdir(exist_ok=True)
        (office / name).write_text("x")
    report = ingest([office], settings)
    assert (counts(report), report.failed) == ((4, 0, 0, 0), [])


def test_each_failure_is_named(office: Path, settings: Settings) -> None:
    """A file that cannot be ingested is reported with its reason, and the others are ingested."""
    (office / "empty.md").write_text("")
    (office / "film.mp4").write_bytes(b"\x00" * 10)
    (office / "broken.docx").write_bytes(b"PK nonsense")
    report = ingest([office, office / "nowhere"], settings)
    assert counts(report) == (4, 0, 0, 0)
    reasons = {Path(failure.path).name: failure.reason for failure in report.failed}
    assert sorted(reasons) == ["broken.docx", "empty.md", "film.mp4", "nowhere"]
    assert reasons["empty.md"] == "the file is empty: fill it or remove it"
    assert reasons["film.mp4"].startswith("files of kind '.mp4' are not read")
    assert reasons["broken.docx"].startswith("the file is damaged")
    assert reasons["nowhere"] == "there is no such file or folder: check the spelling"


def test_name_that_is_not_utf_8(office: Path, settings: Settings) -> None:
    """A file name in an old Chinese encoding is reported as far as it can be shown, and the run continues."""
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


@pytest.mark.usefixtures("ingested_office")
def test_file_that_vanishes(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that goes between being listed and being read is named, and the version the library has stays."""
    vpn = office / "it" / "vpn.txt"
    vpn.write_text("Another text.")
    scan = sync.scan

    def then_gone(*arguments: Any) -> Any:
        result = scan(*arguments)
        vpn.unlink()
        return result

    monkeypatch.setattr(sync, "scan", then_gone)
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 3, 0)
    assert report.failed == [
        Failure(str(vpn), "the file disappeared while it was being read: run again if it comes back")
    ]
    assert "certificate" in texts_of(settings)["it/vpn.txt"]


@pytest.mark.usefixtures("ingested_office")
def test_damaged_newer_version(office: Path, settings: Settings) -> None:
    """When a new version cannot be read, the library keeps the older one, until the file can be read again."""
    policy = office / "hr" / "leave-policy-2026.md"
    policy.write_bytes(b"")
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 3, 0)
    assert [failure.path for failure in report.failed] == [str(policy)]
    assert "25 days" in texts_of(settings)["hr/leave-policy-2026.md"]
    policy.write_text("# Leave policy 2026\n\nThirty days.\n")
    assert counts(ingest([office], settings)) == (0, 1, 3, 0)
    assert "Thirty days" in texts_of(settings)["hr/leave-policy-2026.md"]


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
    assert report.seconds > 0
    assert seen[0] == Progress(0, 0, 0, "")
    during = [progress for progress in seen if progress.total]
    assert sorted({progress.done for progress in during}) == [0, 1, 2, 3, 4]
    assert [progress.done for progress in during] == sorted(progress.done for progress in during)
    assert {Path(progress.path).name for progress in during if progress.path} == {Path(name).name for name in OFFICE}
    assert {progress.total for progress in during} == {4}
    last = during[-1]
    assert (last.done, last.passages, last.pages, last.left) == (4, 4, 4, 0.0)


def test_prefix_that_leaves_no_room(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix as long as the model's input is a wrong setting, reported before anything is ingested."""
    monkeypatch.setattr(library_embedder, "_LEAST_PASSAGE_TOKENS", 600)
    with pytest.raises(
        SettingsError, match=r"setting 'embedder_passage_prefix' is 'passage: ': it leaves 508 of the 512 tokens"
    ):
        ingest([office], settings)
    assert texts_of(settings) == {}


HOLD = """
import sys, time
from pathlib import Path
from ingest import sync
from ingest.runs import batch
from ingest.store import catalog
from ingest.base.settings import load_settings

insert, done = catalog.Catalog.insert_passages, []

def slowly(self, *arguments):
    insert(self, *arguments)
    done.append(1)
    if len(done) == 3:
        print("in the third document", flush=True)
        time.sleep(600)

catalog.Catalog.insert_passages = slowly
batch.BATCH_FILES = 1
sync.ingest([Path(sys.argv[1])], load_settings(home=sys.argv[2]))
"""


@pytest.fixture
def held_up(office: Path, settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Another process that ingests the office file by file and is stopped in the middle of writing the third."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(office), str(settings.home)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the third document\n"
    yield process
    process.kill()
    process.wait()


def test_killed_in_the_middle(office: Path, settings: Settings, held_up: subprocess.Popen[str]) -> None:
    """While it writes a second is refused; killed without warning, what was committed is found, the rest comes next."""
    with pytest.raises(DocentError, match=rf"being changed by `docent ingest` \(process {held_up.pid}"):
        ingest([office], settings)
    assert first_found(settings, "出差住宿标准") == "finance/差旅.md"
    held_up.send_signal(signal.SIGKILL)
    held_up.wait()
    assert sorted(texts_of(settings)) == ["finance/差旅.md", "hr/leave-policy-2024.md"]
    assert first_found(settings, "出差住宿标准") == "finance/差旅.md"
    assert counts(ingest([office], settings)) == (2, 0, 2, 0)
    assert sorted(texts_of(settings)) == sorted(OFFICE)
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
        full.setattr(library_writer, "Catalog", full_after(20))
        full.setattr(batch, "BATCH_FILES", 1)
        with pytest.raises(DocentError) as caught:
            ingest([office], settings)
    message = str(caught.value)
    assert "cannot be written (database or disk is full): free or repair the disk and run the same command" in message
    assert "the 3 documents finished in this run are kept" in message
    assert "\n" not in message
    assert sorted(texts_of(settings)) == ["finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md"]
    assert counts(ingest([office], settings)) == (2, 0, 3, 0)
    assert check(settings.home) == []


def test_full_disk_under_the_index(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When only the index cannot be written, the documents are kept, and the next run repairs it."""

    def full(*_arguments: Any) -> None:
        raise RuntimeError("Error in FileIOWriter: write error: No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(faiss, "write_index", full)
        with pytest.raises(DocentError, match=r"index cannot be written .*No space left.*the documents are kept"):
            ingest([office], settings)
    assert sorted(texts_of(settings)) == sorted(OFFICE)
    assert not list((settings.home / "index").glob(".work-*"))
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)
    assert check(settings.home) == []


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


MAIL = """From: Ann <ann@example.com>
To: all@example.com
Subject: Canteen
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=XX

--XX
Content-Type: text/plain; charset=utf-8

The canteen opens at noon.
--XX
Content-Type: text/plain; charset=utf-8
Content-Disposition: attachment; filename="menu.txt"

On Friday there is fish with potatoes.
--XX
Content-Type: video/mp4
Content-Disposition: attachment; filename="film.mp4"
Content-Transfer-Encoding: base64

AAAA
--XX--
"""


def test_attachments_come_and_go_with_their_mail(office: Path, settings: Settings) -> None:
    """They are documents of their own under the mail's name; unchanged, moved and removed is the mail as a whole."""
    (office / "mail.eml").write_text(MAIL)
    report = ingest([office], settings)
    assert counts(report) == (6, 0, 0, 0)
    assert [failure.path for failure in report.failed] == [str(office / "mail.eml" / "film.mp4")]
    assert {"mail.eml", "mail.eml/menu.txt"} <= set(texts_of(settings))
    assert first_found(settings, "fish with potatoes on Friday") == "mail.eml/menu.txt"
    again = ingest([office], settings)
    assert (counts(again), again.failed) == ((0, 0, 6, 0), report.failed)
    (office / "mail.eml").rename(office / "it" / "mail.eml")
    moved = ingest([office], settings)
    assert (counts(moved), moved.moved, moved.failed[0].path) == ((0, 0, 4, 0), 2, str(office / "it/mail.eml/film.mp4"))
    removed, _ = remove([str(office / "it" / "mail.eml" / "menu.txt")], settings)
    assert [document.name for document in removed] == ["it/mail.eml/menu.txt"]
    assert "it/mail.eml" in texts_of(settings)
    assert counts(ingest([office], settings))[1] == 2
    removed, _ = remove([str(office / "it" / "mail.eml")], settings)
    assert sorted(document.name for document in removed) == ["it/mail.eml", "it/mail.eml/menu.txt"]
    assert sorted(texts_of(settings)) == sorted(OFFICE)


GARBAGE = "".join(chr(0xE000 + number % 600) + " " * (number % 7 == 0) for number in range(3000))


def test_quarantine(office: Path, settings: Settings) -> None:
    """What can hardly be read is kept and named but not answered from, until a person accepts this very content."""
    (office / "scan.txt").write_text(f"Zebra crossing {GARBAGE}\n", "utf-8")
    report = ingest([office], settings)
    assert (counts(report), report.failed, report.passages) == ((5, 0, 0, 0), [], 4)
    (quarantined,) = report.quarantined
    assert (quarantined.path, bool(quarantined.reason)) == (str(office / "scan.txt"), True)
    assert listed(settings)["scan.txt"].state == "quarantined"
    assert first_found(settings, "zebra crossing") != "scan.txt"
    again = ingest([office], settings)
    assert (counts(again), again.quarantined) == ((0, 0, 5, 0), report.quarantined)

    accepted = ingest([], settings, accept=[str(office / "scan.txt"), "no such"])
    assert (accepted.updated, [failure.path for failure in accepted.failed]) == (1, ["no such"])
    assert first_found(settings, "zebra crossing") == "scan.txt"
    assert check(settings.home) == []
    remove(["scan.txt"], settings)
    assert ingest([office], settings).quarantined == []
    assert first_found(settings, "zebra crossing") == "scan.txt"

    (office / "scan.txt").write_text(f"Zebra stripes {GARBAGE}\n", "utf-8")
    changed = ingest([office], settings)
    assert (counts(changed), len(changed.quarantined)) == ((0, 1, 4, 0), 1)
    assert first_found(settings, "zebra stripes") != "scan.txt"


def test_progress_for_other_processes(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, other processes can read what it does and how far it is."""
    monkeypatch.setattr(writer, "_NOTE_SECONDS", 0.0)
    seen: list[Work | None] = []
    ingest([office], settings, lambda _progress: seen.append(current_work(settings.home)))
    during = [(work.doing, work.done, work.total) for work in seen if work is not None and work.total]
    assert set(during) == {("docent ingest", done, 4) for done in range(5)}
    assert current_work(settings.home) is None


def test_searchable_during_a_long_run(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is published during the run, so that what was committed is found at once by a new reader."""
    monkeypatch.setattr(publish, "PUBLISH_SECONDS", 0.0)
    monkeypatch.setattr(batch, "BATCH_FILES", 1)
    names: list[str] = []

    def look(progress: Progress) -> None:
        if progress.done == 2:
            names.append(first_found(settings, "出差住宿标准"))

    ingest([office], settings, look)
    assert names[-1] == "finance/差旅.md"
