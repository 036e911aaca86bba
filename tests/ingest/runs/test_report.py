"""What a run reports: counts and failures at the end, and on the way how far it is and how long the rest takes."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from ingest.base.types import Failure, Progress, no_progress
from ingest.runs import report as report_module
from ingest.runs.report import Counts, IngestReport, Meter


def test_the_json_is_the_contracts() -> None:
    """Programs rely on these names, in this order."""
    report = IngestReport(added=1, failed=[Failure("a.xyz", "no")], passages=3, seconds=0.5)
    assert list(report.as_json().items()) == [
        ("added", 1), ("updated", 0), ("unchanged", 0), ("removed", 0),
        ("failed", [{"path": "a.xyz", "reason": "no"}]), ("passages", 3), ("seconds", 0.5),
        ("moved", 0), ("duplicates", 0), ("quarantined", []),
    ]  # fmt: skip


def test_counts_add_up() -> None:
    """Documents of one kind are added to that kind, and to no other; nothing is changed."""
    first, second = Counts(added=1, moved=2), Counts(moved=1, removed=4)
    assert first + second == Counts(added=1, moved=3, removed=4)
    assert first == Counts(added=1, moved=2)
    assert Counts.total([first, second, second]) == Counts(added=1, moved=4, removed=8)
    assert Counts.total([]) == Counts()


def test_a_report_is_made_of_counts() -> None:
    """Every count has its place in the report, under its own name, beside passages and seconds."""
    counts = Counts(1, 2, 3, 4, 5, 6)
    report = IngestReport.of(counts, 7, time.monotonic() - 2, [Failure("a", "b")])
    assert {name: getattr(report, name) for name in vars(counts)} == vars(counts)
    assert (report.passages, report.failed, report.quarantined) == (7, [Failure("a", "b")], [])
    assert 2 <= report.seconds < 60


def test_rate() -> None:
    """Passages a second, 0 before any time has passed."""
    assert Progress(1, 2, 30, "a.md", seconds=10.0).passages_per_second == 3.0
    assert Progress(0, 2, 0, "a.md").passages_per_second == 0.0


def test_nobody_needs_to_watch() -> None:
    """The callback for those who do not is quiet and takes any progress."""
    assert no_progress(Progress(0, 0, 0, "")) is None  # type: ignore[func-returns-value]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that shows what the test sets."""
    clock = SimpleNamespace(now=100.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(report_module, "time", clock)
    return clock


def test_time_left_follows_from_sizes(clock: SimpleNamespace) -> None:
    """80 of 400 bytes in nine seconds leave 300 for 33.75; the first file waited for the embedder and says nothing."""
    seen: list[Progress] = []
    noted: list[Progress] = []
    meter = Meter(seen.append, noted.append, total=10, size=400)
    meter.finish(5)
    clock.now = 200.0
    meter.look_at("a.pdf")
    clock.now = 201.0
    meter.finish(1, 20, pages=2, passages=6)
    clock.now = 210.0
    meter.finish(1, 80, pages=3, passages=14)
    assert [(step.done, step.pages, step.passages, step.seconds, step.left) for step in seen] == [
        (5, 0, 0, 0.0, None), (5, 0, 0, 0.0, None), (6, 2, 6, 1.0, None), (7, 5, 20, 10.0, 33.75),
    ]  # fmt: skip
    assert (seen[-1].total, seen[-1].path, seen[-1].passages_per_second) == (10, "a.pdf", 2.0)
    assert noted == seen


def test_the_end(clock: SimpleNamespace) -> None:
    """When all is done nothing is left and no file is in hand, also when sizes were not what they seemed."""
    seen: list[Progress] = []
    meter = Meter(seen.append, lambda _progress: None, total=2, size=10)
    meter.look_at("a.md")
    clock.now = 150.0
    meter.finish(1, 500)
    meter.finish(1, 500)
    assert [(step.done, step.path, step.left) for step in seen] == [(0, "a.md", None), (1, "a.md", None), (2, "", 0.0)]
