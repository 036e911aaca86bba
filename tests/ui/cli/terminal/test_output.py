"""What commands print: JSON for programs, and lines without control characters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from ui.cli.terminal.output import print_json, print_line


@dataclass(frozen=True)
class Point:
    x: int
    others: tuple[Point, ...] = ()


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON for programs, in which Chinese is not escaped."""
    print_json({"path": "差旅.md", "score": 0.5})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"path": "差旅.md", "score": 0.5}
    assert "差旅.md" in shown


def test_json_of_dataclasses_and_paths(capsys: pytest.CaptureFixture[str]) -> None:
    """A dataclass is an object with its fields in order, also inside another; a path is its text."""
    print_json([Point(1, (Point(2),)), Path("a/b.md")])
    assert json.loads(capsys.readouterr().out) == [{"x": 1, "others": [{"x": 2, "others": []}]}, "a/b.md"]
    with pytest.raises(TypeError, match="set cannot be written as JSON"):
        print_json({1, 2})


def test_a_file_name_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks, colours and changes of direction are replaced; letters of every script stay."""
    print_line("a\nb\x1b[31m\u202etxt.exe 年假 e\u0301 👩‍💻.md")
    print_line("c\td", err=True)
    shown = capsys.readouterr()
    assert shown.out == "a\ufffdb\ufffd[31m\ufffdtxt.exe 年假 e\u0301 👩‍💻.md\n"
    assert shown.err == "c\ufffdd\n"
