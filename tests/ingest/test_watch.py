"""Following folders: one run per burst of changes, waiting for other writers, folders that go and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest import watch as watching
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.runs.report import IngestReport
from ingest.store.write_lock import AnotherWriter, write_lock
from ingest.sync import ingest
from ingest.watch import watch

pytestmark = pytest.mark.usefixtures("in_process_readers")


def counts(report: IngestReport) -> tuple[int, int, int, int, int]:
    """Added, updated, unchanged, removed and failed."""
    return report.added, report.updated, report.unchanged, report.removed, len(report.failed)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bursts settle and looks around come in tenths of the time."""
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.3)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.3)


@pytest.mark.usefixtures("quick")
def test_follows_what_changes(office: Path, settings: Settings) -> None:
    """A burst of changes is one run; a folder that vanishes removes nothing, and is followed again when it is back."""
    away = office.with_name("away")
    reports = watch([office], settings, lambda: ingest([office], settings))
    assert counts(next(reports)) == (4, 0, 0, 0, 0)

    def burst() -> None:
        time.sleep(1.0)
        for number in range(4):
            (office / f"new {number}.txt").write_text(f"The canteen has {number} tables.\n")
            time.sleep(0.1)

    thread = threading.Thread(target=burst)
    thread.start()
    assert counts(next(reports)) == (4, 0, 4, 0, 0)
    thread.join()
    office.rename(away)
    assert counts(next(reports))[3:] == (0, 1)
    away.rename(office)
    report = next(reports)
    while counts(report)[4]:  # it may have looked once more before the folder was back
        report = next(reports)
    assert counts(report) == (0, 0, 8, 0, 0)
    (office / "new 1.txt").unlink()
    assert counts(next(reports)) == (0, 0, 7, 1, 0)
    reports.close()


@pytest.mark.usefixtures("quick")
def test_waits_for_another_writer(office: Path, settings: Settings) -> None:
    """While another process writes it waits, and then runs."""
    holding = threading.Event()
    done = []

    def hold() -> None:
        with write_lock(settings.home, "docent rebuild"):
            holding.set()
            time.sleep(1.0)
            done.append(True)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    reports = watch([office], settings, lambda: ingest([office], settings))
    assert counts(next(reports)) == (4, 0, 0, 0, 0)
    assert done == [True]
    thread.join()
    reports.close()


def scripted(
    monkeypatch: pytest.MonkeyPatch, bursts: Sequence[set[Any]], outcomes: Sequence[IngestReport | DocentError]
) -> Callable[[], IngestReport]:
    """Let the changes be these, and then Ctrl-C be pressed; returns a run that has these outcomes in turn."""

    def changes(*_paths: Path, **_options: Any) -> Iterator[set[Any]]:
        yield from bursts
        raise KeyboardInterrupt

    remaining = iter(outcomes)

    def run() -> IngestReport:
        outcome = next(remaining)
        if isinstance(outcome, DocentError):
            raise outcome
        return outcome

    monkeypatch.setattr(watching, "changes", changes)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.0)
    return run


def test_what_changed_before_it_listened(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it begins to listen it runs again, and reports that run only if it changed something; a burst always."""
    nothing, something = IngestReport(unchanged=4), IngestReport(added=1, unchanged=4)
    run = scripted(monkeypatch, [set(), set(), {"change"}], [nothing, something, nothing])
    assert [report.added for report in watch([office], settings, run)] == [0, 1, 0]
    run = scripted(monkeypatch, [set(), {"change"}], [nothing, nothing, something])
    assert [report.added for report in watch([office], settings, run)] == [0, 1]


def test_ends(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Ctrl-C while it waits, without an error; with any other error than another writer, by that error."""
    run = scripted(monkeypatch, [], [AnotherWriter("busy"), IngestReport(added=3)])
    assert [report.added for report in watch([office], settings, run)] == [3]
    run = scripted(monkeypatch, [{"change"}], [IngestReport(), DocentError("The disk is full.")])
    with pytest.raises(DocentError, match="The disk is full"):
        list(watch([office], settings, run))


def test_more_folders_than_the_system_watches(
    office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where changes cannot be listened for, everything is compared from time to time instead."""
    attempts = []

    def changes(*_paths: Path, **_options: Any) -> Iterator[set[Any]]:
        attempts.append(1)
        if len(attempts) == 3:
            raise KeyboardInterrupt
        raise RuntimeError("OS file watch limit reached")
        yield set()

    monkeypatch.setattr(watching, "changes", changes)
    monkeypatch.setattr(watching, "COMPARE_SECONDS", 0.0)
    assert [report.unchanged for report in watch([office], settings, lambda: IngestReport(unchanged=4))] == [4, 4, 4]
