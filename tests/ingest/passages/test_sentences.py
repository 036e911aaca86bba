from __future__ import annotations

import pytest

from ingest.passages.sentences import is_question, readable, sentences_and_rows


def shown(text: str) -> list[str]:
    return [readable(text[start:end], header) for start, end, header in sentences_and_rows(text)]


def test_sentences_and_rows() -> None:
    """A row is one unit with its header row, whatever ends in its cells; header row and rule are left out."""
    table = "| City | Limit |\n|---|:--|\n| Berlin | up to 150 euros. Ask first! |\n| Cork | 120 euros |"
    text = f"Hotels are booked early. See below:\n\n{table}\n\nThat is all."
    assert shown(text) == [
        "Hotels are booked early.", "See below:", "City: Berlin; Limit: up to 150 euros. Ask first!",
        "City: Cork; Limit: 120 euros", "That is all.",
    ]  # fmt: skip
    for start, end, _ in sentences_and_rows(text):
        assert text[start:end] == text[start:end].strip()


def test_a_chinese_semicolon_joins() -> None:
    """；stands inside a sentence, as a semicolon does in English."""
    assert shown("员工每年享有25天年假；未休年假可结转。年会在十二月。") == [
        "员工每年享有25天年假；未休年假可结转。", "年会在十二月。",
    ]  # fmt: skip


def test_marks_alone_say_nothing() -> None:
    """What has neither letter nor digit is left out."""
    assert shown("**\n\n---\n\nParking is free.") == ["Parking is free."]
    assert shown("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Can I?", True), ("**年假可以结转吗？**", True), ("__Who?__ ", True), ("I can.", False), ("", False)],
)
def test_is_question(text: str, expected: bool) -> None:
    """The last mark decides, emphasis aside."""
    assert is_question(text) is expected


@pytest.mark.parametrize(
    ("text", "header", "expected"),
    [
        ("Two\n  lines", "", "Two lines"),
        ("- **25** days of `leave`", "", "25 days of leave"),
        ("## 2. Leave", "", "2. Leave"),
        ("> see [the guide](guide.md) first", "", "see the guide first"),
        ("a * b", "", "a * b"),
        ("| a | b |", "", "a; b"),
        ("| a | b | c |", "| A | B |", "A: a; B: b; c"),
        ("|  | b |", "| A | B |", "B: b"),
        ("||b|", "| A | B |", "B: b"),
        ("| B | b |", "| B | C |", "B; C: b"),
        (r"| a \| b | c |", "| A | B |", "A: a | b; B: c"),
    ],
)
def test_readable(text: str, header: str, expected: str) -> None:
    """One line without Markdown; a row as 'column: cell' pairs without its empty cells."""
    assert readable(text, header) == expected
