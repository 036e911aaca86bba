"""The numbers of headings and list items."""

from __future__ import annotations

import pytest

from ingest.documents.structure.numbering import Counter, Level, chinese, letters, roman


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "一"), (10, "十"), (11, "十一"), (25, "二十五"), (101, "一百零一"), (110, "一百一十"), (1001, "一千零一")],
)
def test_chinese(number: int, text: str) -> None:
    """Numbers are written in Chinese numerals."""
    assert chinese(number) == text


def test_letters_and_roman() -> None:
    """Letters are doubled after z; Roman numbers subtract."""
    assert [letters(1), letters(26), letters(27)] == ["a", "z", "aa"]
    assert [roman(4), roman(9), roman(1994)] == ["iv", "ix", "mcmxciv"]


def test_counter() -> None:
    """Deeper levels restart under each item; a pattern may include the levels above; bullets have no number."""
    counter = Counter(
        {
            0: Level("chineseCounting", "第%1章"),
            1: Level("decimal", "%1.%2", legal=True),
            2: Level("lowerLetter", "(%3)"),
            3: Level("bullet", "•"),
        }
    )
    assert [counter.next(depth) for depth in (0, 1, 1, 2, 2, 3, 0, 1)] == [
        "第一章", "1.1", "1.2", "(a)", "(b)", "", "第二章", "2.1",
    ]  # fmt: skip


def test_start_and_unknown() -> None:
    """A list may start at another number; unknown formats and too large numbers are written in digits."""
    counter = Counter({0: Level("strange", "%1)", start=3), 1: Level("upperRoman", "%2.", start=20_000)})
    assert [counter.next(0), counter.next(0), counter.next(1)] == ["3)", "4)", "20000."]


def test_formal_and_stems() -> None:
    """Contracts count in formal Chinese numerals, annexes in the ten heavenly stems."""
    counter = Counter({0: Level("chineseLegalSimplified", "%1、"), 1: Level("ideographTraditional", "%2")})
    assert [counter.next(0), counter.next(0), counter.next(1), counter.next(1)] == ["壹、", "贰、", "甲", "乙"]
    assert Counter({0: Level("chineseLegalSimplified", "%1", start=12)}).next(0) == "壹拾贰"


def test_restart() -> None:
    """A list with a restart restarts once; lists of its definition continue from there."""
    first = Counter({0: Level()})
    second = Counter(first.levels, first.numbers, {0: 1})
    assert [counter.next(0) for counter in (first, first, second, second, first)] == ["1.", "2.", "1.", "2.", "3."]
