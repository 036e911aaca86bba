"""Progress for people and for programs, on standard error."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from ingest.base.types import Progress
from ui.cli.terminal import progress
from ui.cli.terminal.progress import progress_shown


def set_clock(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Let `time.monotonic` return these times, one after the other."""
    ticks = iter(seconds)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(ticks)))


def test_plain_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal: a line every few seconds with files, pages, passages, rate and time left."""
    set_clock(monkeypatch, 0.0, 1.0, 3.0, 4.0, 9.0, 9.0, 20.0, 20.0)
    with progress_shown("Ingesting") as show:
        show(Progress(0, 0, 0, ""))
        show(Progress(0, 10, 0, "a.md"))
        show(Progress(5, 10, 40, "c.md", 7, 10.0, 90.0))
        show(Progress(6, 10, 44, "d.md", 8, 11.0, 8.0))
        show(Progress(10, 10, 100, "", 12, 20.0, 0.0))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "Ingesting: 6 of 10 files, 8 pages, 44 passages, 4 passages/s, about 8 s left",
        "Ingesting: 10 of 10 files, 12 pages, 100 passages, 5 passages/s, about 0 s left",
    ]


def test_json_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: one object per line, at most two a second, and always the last one."""
    set_clock(monkeypatch, 0.0, 0.0, 0.1, 0.2, 0.2)
    with progress_shown("Ingesting", quiet=True, json_lines=True) as show:
        show(Progress(1, 3, 4, "差旅.md", 2, 2.0, 5.04))
        show(Progress(2, 3, 5, "b.md", 3, 3.0, 2.0))
        show(Progress(3, 3, 6, "", 4, 4.0, 0.0))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [json.loads(line) for line in shown.err.splitlines()] == [
        {
            "done": 1,
            "total": 3,
            "pages": 2,
            "passages": 4,
            "passages_per_second": 2.0,
            "seconds": 2.0,
            "left": 5.0,
            "path": "差旅.md",
        },
        {
            "done": 3,
            "total": 3,
            "pages": 4,
            "passages": 6,
            "passages_per_second": 1.5,
            "seconds": 4.0,
            "left": 0.0,
            "path": "",
        },
    ]
    assert "差旅.md" in shown.err


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` only the result is printed."""
    with progress_shown("Ingesting", quiet=True) as show:
        show(Progress(1, 2, 3, "a.md"))
    assert capsys.readouterr() == ("", "")


def test_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal: a bar with counts, rate, time left and the file's name as it is, brackets included."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with progress_shown("Ingesting") as show:
        show(Progress(0, 0, 0, ""))
        show(Progress(1, 2, 3, "/srv/[red]plan.md", 4, 1.0, 130.0))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1/2" in shown.err
    assert "3 passages/s" in shown.err
    assert "2 min left" in shown.err
    assert "[red]plan.md" in shown.err
