"""What a run would do: the same as the run then does, and nothing is written for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.runs.dry_run import dry_run
from ingest.sync import ingest
from tests.conftest import OFFICE

pytestmark = pytest.mark.usefixtures("in_process_readers")

GARBAGE = "".join(chr(0xE000 + number % 600) + " " * (number % 7 == 0) for number in range(3000))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change(office: Path) -> None:
    """One of each: moved, updated, removed, added, copied, damaged, of no kind, in quarantine, ignored."""
    (office / "hr" / "leave-policy-2024.md").rename(office / "old-policy.md")
    (office / "hr" / "leave-policy-2026.md").write_text("# Leave policy 2026\n\nThirty days of leave for everybody.\n")
    (office / "it" / "vpn.txt").unlink()
    (office / "new.md").write_text("# Canteen\n\nLunch is at noon.\n")
    (office / "copy.md").write_bytes((office / "finance" / "差旅.md").read_bytes())
    (office / "empty.docx").write_bytes(b"")
    (office / "film.mp4").write_bytes(b"0")
    (office / "scan.txt").write_text(GARBAGE, "utf-8")
    (office / ".docentignore").write_text("drafts/\n*.tmp\n")
    for name in ("drafts/a.md", "drafts/b.md", "hr/x.tmp"):
        (office / name).parent.mkdir(exist_ok=True)
        (office / name).write_text("draft")


@pytest.mark.usefixtures("ingested_office")
def test_it_is_what_then_happens(office: Path, settings: Settings) -> None:
    """Every count and failure is that of the run that follows; each path is listed under its change."""
    change(office)
    before = contents(settings.home)
    forecast = dry_run([office], settings)
    after = contents(settings.home)
    assert {path: data for path, data in after.items() if path.suffix != ".db-shm"} == {
        path: data for path, data in before.items() if path.suffix != ".db-shm"
    }
    assert forecast.added == [str(office / "new.md"), str(office / "scan.txt")]
    assert forecast.updated == [str(office / "hr" / "leave-policy-2026.md")]
    assert forecast.moved == [(str(office / "hr" / "leave-policy-2024.md"), str(office / "old-policy.md"))]
    assert forecast.duplicates == [str(office / "copy.md")]
    assert forecast.removed == [str(office / "it" / "vpn.txt")]
    assert forecast.ignored == [
        str(office / ".docentignore"), f"{office / 'drafts'}{os.sep}", str(office / "hr" / "x.tmp"),
    ]  # fmt: skip
    assert forecast.failed_kinds == {".docx": 1, ".mp4": 1}
    report = ingest([office], settings)
    for name in ("added", "updated", "unchanged", "removed", "moved", "duplicates", "failed", "quarantined"):
        assert getattr(forecast.report, name) == getattr(report, name), name
    assert (report.added, report.moved, len(report.quarantined)) == (2, 1, 1)


def test_without_a_library(office: Path, tmp_path: Path) -> None:
    """All is new, and none is made."""
    home = tmp_path / "nowhere"
    forecast = dry_run([office], Settings(home=home))
    assert (forecast.report.added, forecast.report.passages) == (4, 0)
    assert sorted(forecast.added) == sorted(str(office / name) for name in OFFICE)
    assert not home.exists()


def test_removals_that_would_be_refused(tmp_path: Path, settings: Settings) -> None:
    """It says that they would be, and with --allow-removals which."""
    share = tmp_path / "share"
    share.mkdir()
    for number in range(6):
        (share / f"{number}.txt").write_text(f"Room {number} has {number} chairs for visitors.\n")
    ingest([share], settings)
    for number in range(5):
        (share / f"{number}.txt").unlink()
    forecast = dry_run([share], settings)
    assert (forecast.removed, forecast.report.removed) == ([], 0)
    assert "5 of its 6 documents are gone" in forecast.report.failed[0].reason
    forecast = dry_run([share], settings, allow_removals=True)
    assert forecast.removed == [str(share / f"{number}.txt") for number in range(5)]
    assert (forecast.report.removed, forecast.report.failed) == (5, [])
