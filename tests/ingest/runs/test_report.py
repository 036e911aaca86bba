"""What a run says of itself."""

from __future__ import annotations

from ingest.runs.report import Failure, IngestReport, Progress, no_progress


def test_the_json_is_the_contracts() -> None:
    """Programs rely on these names, in this order."""
    report = IngestReport(added=1, failed=[Failure("a.xyz", "no")], passages=3, seconds=0.5)
    assert list(report.as_json().items()) == [
        ("added", 1), ("updated", 0), ("unchanged", 0), ("removed", 0),
        ("failed", [{"path": "a.xyz", "reason": "no"}]), ("passages", 3), ("seconds", 0.5),
        ("moved", 0), ("duplicates", 0), ("quarantined", []),
    ]  # fmt: skip


def test_two_reports_do_not_share_their_failures() -> None:
    """Each run has its own list."""
    one, other = IngestReport(), IngestReport()
    one.failed.append(Failure("a", "b"))
    assert other.failed == []


def test_counting() -> None:
    """Documents are added to the count that is named, and to no other."""
    report = IngestReport()
    report.count("moved", 2)
    report.count("moved", 1)
    assert report == IngestReport(moved=3)


def test_rate() -> None:
    """Passages a second, 0 before any time has passed."""
    assert Progress(1, 2, 30, "a.md", seconds=10.0).passages_per_second == 3.0
    assert Progress(0, 2, 0, "a.md").passages_per_second == 0.0


def test_nobody_needs_to_watch() -> None:
    """The callback for those who do not is quiet and takes any progress."""
    assert no_progress(Progress(0, 0, 0, "")) is None  # type: ignore[func-returns-value]
