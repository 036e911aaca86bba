"""Ingesting folders again: files that moved, were copied, have gone or cannot be reached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ingest.base.settings import Settings
from ingest.base.types import Failure
from ingest.runs import outcomes
from ingest.runs.check import check
from ingest.runs.select import remove
from ingest.sync import ingest
from tests.conftest import OFFICE, passage_ids
from tests.ingest.conftest import counts, first_found, listed, texts_of

pytestmark = pytest.mark.usefixtures("in_process_readers")


@pytest.mark.usefixtures("ingested_office")
def test_missing_folder_removes_nothing(office: Path, settings: Settings, tmp_path: Path) -> None:
    """A share that is not there today is an error, not an empty folder."""
    office.rename(tmp_path / "elsewhere")
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 0, 0)
    assert [failure.path for failure in report.failed] == [str(office)]
    assert len(texts_of(settings)) == 4


@pytest.mark.usefixtures("ingested_office")
def test_unreadable_subfolder_removes_nothing(
    office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is below a folder that cannot be listed is not gone; the folder is named.

    Permissions do not bind the administrator tests may run as, so the system call is made to refuse.
    """
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
    assert sorted(texts_of(settings)) == ["finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md"]


@pytest.mark.usefixtures("ingested_office")
def test_only_below_the_given_folders(office: Path, settings: Settings) -> None:
    """A run over one folder changes nothing of the others, and a run over one file nothing of its neighbours."""
    for name in OFFICE:
        (office / name).unlink()
    (office / "it" / "vpn.txt").write_text("A new text.")
    (office / "hr" / "new.txt").write_text("About staff.")
    assert counts(ingest([office / "it" / "vpn.txt"], settings)) == (0, 1, 0, 0)
    assert counts(ingest([office / "hr"], settings)) == (1, 0, 0, 2)
    assert sorted(texts_of(settings)) == ["finance/差旅.md", "it/vpn.txt", "new.txt"]


@pytest.mark.usefixtures("ingested_office")
def test_moved_files_keep_everything(office: Path, settings: Settings) -> None:
    """Renamed, moved and a whole folder renamed: the same numbers, passages and vectors under the new names."""
    before, ids = listed(settings), passage_ids(settings)
    (office / "hr").rename(office / "people")
    (office / "it" / "vpn.txt").rename(office / "tunnel.txt")
    report = ingest([office], settings)
    assert (counts(report), report.moved, report.failed) == ((0, 0, 1, 0), 3, [])
    after = listed(settings)
    assert {name: document.id for name, document in after.items()} == {
        "finance/差旅.md": before["finance/差旅.md"].id,
        "people/leave-policy-2024.md": before["hr/leave-policy-2024.md"].id,
        "people/leave-policy-2026.md": before["hr/leave-policy-2026.md"].id,
        "tunnel.txt": before["it/vpn.txt"].id,
    }
    assert passage_ids(settings) == ids
    assert first_found(settings, "What does E-07 mean?") == "tunnel.txt"
    assert check(settings.home) == []


def test_same_content_twice(office: Path, settings: Settings) -> None:
    """A copy is no second document, and the document stays as long as any of its files."""
    (office / "copy of vpn.txt").write_bytes((office / "it" / "vpn.txt").read_bytes())
    report = ingest([office], settings)
    assert (counts(report), report.duplicates, report.passages) == ((4, 0, 0, 0), 1, 4)
    assert listed(settings)["copy of vpn.txt"].paths == (
        str(office / "copy of vpn.txt"),
        str(office / "it" / "vpn.txt"),
    )
    (office / "copy of vpn.txt").unlink()
    assert counts(ingest([office], settings)) == (0, 0, 4, 0)
    assert first_found(settings, "What does E-07 mean?") == "it/vpn.txt"
    removed, _ = remove([str(office / "it")], settings)
    assert [document.name for document in removed] == ["it/vpn.txt"]
    assert "it/vpn.txt" not in texts_of(settings)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder of ten small files."""
    folder = tmp_path / "share"
    folder.mkdir()
    for number in range(10):
        (folder / f"note {number}.txt").write_text(f"Note {number}: the meeting is in room {number}.\n")
    return folder


def test_so_many_gone_asks(share: Path, settings: Settings) -> None:
    """When half is gone, one line says so and nothing is removed, unless --allow-removals is given."""
    ingest([share], settings)
    for number in range(5):
        (share / f"note {number}.txt").unlink()
    (share / "new.txt").write_text("The canteen opens at noon.\n")
    report = ingest([share], settings)
    assert counts(report) == (1, 0, 5, 0)
    (failure,) = report.failed
    assert failure.path == str(share)
    assert failure.reason.startswith("5 of its 10 documents are gone")
    assert "--allow-removals" in failure.reason
    assert len(texts_of(settings)) == 11
    report = ingest([share], settings, allow_removals=True)
    assert (counts(report), report.failed) == ((0, 0, 6, 5), [])
    assert len(texts_of(settings)) == 6


@pytest.mark.usefixtures("ingested_office")
def test_empty_folder_is_taken_for_one_that_is_not_mounted(office: Path, settings: Settings, tmp_path: Path) -> None:
    """A mount point whose share is away is an empty folder; that is no reason to forget what came from it."""
    office.rename(tmp_path / "elsewhere")
    office.mkdir()
    report = ingest([office], settings)
    assert counts(report) == (0, 0, 0, 0)
    assert [failure.path for failure in report.failed] == [str(office)]
    assert report.failed[0].reason.startswith("it is empty, but the library has 4 documents from it")
    assert len(texts_of(settings)) == 4
    assert counts(ingest([office], settings, allow_removals=True)) == (0, 0, 0, 4)


@pytest.mark.usefixtures("ingested_office")
def test_removed_at_once(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gone is out of the catalog before the first new file has been read."""
    (office / "it" / "vpn.txt").unlink()
    (office / "new.md").write_text("# Canteen\n\nLunch is at noon, from Monday to Friday, for everybody.\n")
    names: list[list[str]] = []

    def watched(*arguments: Any) -> Any:
        names.append(sorted(texts_of(settings)))
        return judged(*arguments)

    judged = outcomes.judged
    monkeypatch.setattr(outcomes, "judged", watched)
    assert counts(ingest([office], settings)) == (1, 0, 3, 1)
    assert names == [sorted(set(OFFICE) - {"it/vpn.txt"})]


@pytest.mark.usefixtures("ingested_office")
def test_two_files_change_places(office: Path, settings: Settings) -> None:
    """Each name has the other's text afterwards."""
    older, newer = office / "hr" / "leave-policy-2024.md", office / "hr" / "leave-policy-2026.md"
    older_text, newer_text = older.read_text(), newer.read_text()
    older.write_text(newer_text)
    newer.write_text(older_text)
    assert counts(ingest([office], settings)) == (0, 2, 2, 0)
    texts = texts_of(settings)
    assert "25 days" in texts["hr/leave-policy-2024.md"]
    assert "22 days" in texts["hr/leave-policy-2026.md"]
    assert check(settings.home) == []
