"""How far a run is, and how long the rest takes by the bytes so far."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ingest.runs import progress
from ingest.runs.progress import Meter
from ingest.runs.report import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that shows what the test sets."""
    clock = SimpleNamespace(now=100.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(progress, "time", clock)
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
    assert [(one.done, one.pages, one.passages, one.seconds, one.left) for one in seen] == [
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
    assert [(one.done, one.path, one.left) for one in seen] == [(0, "a.md", None), (1, "a.md", None), (2, "", 0.0)]
