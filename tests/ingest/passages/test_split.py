"""Passages: exact offsets, whole sentences and rows, the headings they stand under, and a limit that is kept."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest

from ingest.base.types import PAGE_BREAK, Page, Passage, ReadDocument
from ingest.documents.read import read
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.split import context_line, embedded_context, split
from tests.fakes.sample_corpus import DOCUMENTS


def count(text: str) -> int:
    """A toy count: a Chinese character, a word and a mark are one token each."""
    return len(re.findall(r"[\u4e00-\u9fff]|[a-zA-Z0-9]+|[^\sa-zA-Z0-9\u4e00-\u9fff]", text))


def document(*pages: str, title: str = "") -> ReadDocument:
    return ReadDocument(title, tuple(Page(f"p. {number}", text) for number, text in enumerate(pages, 1)))


def table_header(passage: Passage, text: str) -> str:
    """What a passage has in front of its own range: a repeated header, or nothing."""
    own = text[passage.start : passage.end]
    assert passage.text.endswith(own)
    return passage.text[: len(passage.text) - len(own)]


def assert_sound(whole: ReadDocument, passages: Sequence[Passage]) -> None:
    """Passages are in order and do not overlap; each is exactly its range of the text, within one page."""
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    pages, offset = [], 0
    for page in whole.pages:
        pages.append((page.label, offset, offset + len(page.text)))
        offset += len(page.text) + len(PAGE_BREAK)
    for passage in passages:
        header = table_header(passage, whole.text)
        assert header == "" or re.fullmatch(r"\s*\|.*\n[\s|:\-]+\n", header)
        assert any(
            label == passage.page and first <= passage.start < passage.end <= last for label, first, last in pages
        )
    assert all(before.end <= after.start for before, after in pairwise(passages))


def lost(whole: ReadDocument, passages: Sequence[Passage]) -> str:
    """What is visible in the text and neither in a passage's range nor in a line that is a heading."""
    kept = list(whole.text)
    for passage in passages:
        for position in range(passage.start, passage.end):
            kept[position] = "\n" if kept[position] == "\n" else " "
    return "\n".join(line for line in "".join(kept).split("\n") if line.strip() and not line.startswith("#"))


def test_heading_path() -> None:
    """A passage carries its headings, outermost first, without marks; its text begins below them."""
    whole = document(
        "Preamble.\n\n# Leave\n\nIntro.\n\n## *Annual* `leave_days` {#a}\n\n25 days.\n\n# [Travel](t.md)\n\nBy train."
    )
    passages = split(whole, count, 100)
    assert [(passage.heading, passage.text) for passage in passages] == [
        ("", "Preamble."),
        ("Leave", "Intro."),
        ("Leave › Annual leave_days", "25 days."),
        ("Travel", "By train."),
    ]
    assert_sound(whole, passages)


def test_offsets_when_a_heading_repeats_its_text() -> None:
    """The range is the body's, also when the same words stand in the heading or in an earlier section."""
    whole = document("# Phone\n\nPhone\n\n## Phone\n\nPhone")
    passages = split(whole, count, 100)
    assert [(passage.start, passage.end) for passage in passages] == [(9, 14), (26, 31)]


def test_heading_with_nothing_below() -> None:
    """A heading without any text, as on a title slide, is a passage; one with only subheadings is in their path."""
    whole = document("# Welcome", "# Leave\n\n## Annual\n\n25 days.\n\n## Hotline 112")
    passages = split(whole, count, 100)
    assert [(passage.heading, passage.text, passage.page) for passage in passages] == [
        ("", "Welcome", "p. 1"),
        ("Leave › Annual", "25 days.", "p. 2"),
        ("Leave", "Hotline 112", "p. 2"),
    ]
    assert_sound(whole, passages)


def test_pages_are_never_crossed() -> None:
    """However little is on a page, its passages are its own and carry its label."""
    whole = document("one.", "two.", "# H\n\nthree.")
    passages = split(whole, count, 100)
    assert [(passage.text, passage.page) for passage in passages] == [
        ("one.", "p. 1"),
        ("two.", "p. 2"),
        ("three.", "p. 3"),
    ]
    assert_sound(whole, passages)


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"Sentence number {number} says a little." for number in range(60)),
        "".join(f"第{number}条规定员工应当遵守公司制度。" for number in range(60)),
        "\n".join(f"- item {number} of the list" for number in range(60)),
    ],
    ids=["English", "Chinese", "list"],
)
def test_limit_and_balance(text: str) -> None:
    """Passages keep the limit, end with a sentence, and are of about equal length: no stub is left at the end."""
    whole = document(text)
    passages = split(whole, count, 50)
    assert_sound(whole, passages)
    assert lost(whole, passages) == ""
    lengths = [count(passage.text) for passage in passages]
    assert max(lengths) <= 50
    assert min(lengths) >= 0.5 * max(lengths)
    if "- item" not in text:
        assert all(passage.text[-1] in ".。" for passage in passages)


def test_sentence_longer_than_the_limit() -> None:
    """A sentence that no passage can hold is cut at a comma, else at a space, else anywhere; nothing of it is lost."""
    clauses = document(", ".join("one two three four five" for _ in range(20)))
    words = document(" ".join(f"w{number}" for number in range(200)))
    chinese = document("字" * 300)
    for whole in (clauses, words, chinese):
        passages = split(whole, count, 30)
        assert_sound(whole, passages)
        assert max(count(passage.text) for passage in passages) <= 30
        assert lost(whole, passages) == ""
    assert all(passage.text.rstrip().endswith((",", "five")) for passage in split(clauses, count, 30))


def test_table() -> None:
    """Rows are never cut, and every later piece of a table begins with its header."""
    rows = [f"| city {number} | {number} euros |" for number in range(30)]
    header = "| City | Hotel |\n| --- | --- |\n"
    whole = document("Rates:\n\n" + header + "\n".join(rows) + "\n\nAsk finance.")
    passages = split(whole, count, 60)
    assert_sound(whole, passages)
    assert lost(whole, passages) == ""
    assert len(passages) > 2
    assert passages[0].text.startswith("Rates:\n\n| City | Hotel |\n| --- | --- |\n| city 0 |")
    for passage in passages[1:]:
        assert passage.text.startswith(header) or passage.text == "Ask finance."
    table_rows = [line for passage in passages for line in passage.text.splitlines() if line.startswith("| city")]
    assert table_rows == rows
    assert max(count(passage.text) for passage in passages) <= 60


def test_row_longer_than_the_limit() -> None:
    """A row that alone is too long stays whole: half a row says something wrong."""
    long = "| " + "word " * 80 + "| 1 |"
    whole = document("| A | B |\n| --- | --- |\n| a | 1 |\n" + long + "\n| b | 2 |")
    passages = split(whole, count, 40)
    assert_sound(whole, passages)
    assert sum(long in passage.text for passage in passages) == 1


def test_rows_end_at_newlines_only() -> None:
    """A line separator inside a cell does not tear its row, nor end the table."""
    header, rows = "| A | B |\n| --- | --- |\n", [f"| first {number}\u2028second | 1 |" for number in range(6)]
    passages = split(document(header + "\n".join(rows)), count, 24)
    assert [passage.text for passage in passages] == [header + row for row in rows]


def test_table_without_a_header() -> None:
    """Rows without a rule under the first have no header to repeat."""
    whole = document("\n".join(f"| {number} | some words in a cell |" for number in range(20)))
    passages = split(whole, count, 40)
    assert_sound(whole, passages)
    assert all(table_header(passage, whole.text) == "" for passage in passages)


def test_code_is_not_headings() -> None:
    """A `#` inside a fence is a comment of the code."""
    passages = split(document("# Setup\n\n```\n# not a heading\ninstall\n```"), count, 100)
    assert [(passage.heading, passage.text) for passage in passages] == [
        ("Setup", "```\n# not a heading\ninstall\n```")
    ]


def test_context_line() -> None:
    """Title and headings, without saying the same twice."""
    assert context_line("Handbook", "Leave › Annual") == "Handbook › Leave › Annual"
    assert context_line("Leave", "Leave") == "Leave"
    assert context_line("Leave", "Leave › Annual") == "Leave › Annual"
    assert context_line("Handbook", "") == "Handbook"
    assert context_line("", "Leave") == "Leave"
    assert context_line("", "") == ""


def test_long_headings_leave_room() -> None:
    """What is embedded in front of a passage takes a quarter at most: outer headings go first, the passage never."""
    assert embedded_context("Handbook", "Leave › Annual", count, 100) == "Handbook › Leave › Annual"
    assert embedded_context("very long title of a handbook", "Leave › Annual", count, 20) == "Leave › Annual"
    heading = " › ".join(f"chapter {number} about many things" for number in range(6))
    whole = document("# " + "heading " * 60 + "\n\n" + "Some words here. " * 50, title="title " * 30)
    for passage in split(whole, count, 40):
        context = embedded_context(whole.title, passage.heading, count, 40)
        assert count(context) <= 10
        assert count(f"{context}\n{passage.text}") <= 40
    assert embedded_context("Handbook", heading, count, 40).endswith("chapter 5 about many things")


def test_nothing_to_split() -> None:
    """A page of nothing gives no passage."""
    assert split(document(""), count, 100) == []
    assert split(ReadDocument("t", ()), count, 100) == []


def test_any_text() -> None:
    """Whatever the text: ranges exact and in order, no table row cut, nothing lost but headings that are in paths."""
    chosen = random.Random(13)
    pieces = [
        "A sentence. ", "Dr. Byrne said so. ", "员工应当遵守制度。", "\n", "\n\n", "- item\n", "1. step\n", "x" * 40,
        "| a | b |\n", "| --- | --- |\n", "| c | d |\n", "word ", "，", "```\ncode\n```\n", "> quoted\n", "字" * 30,
    ]  # fmt: skip
    for _ in range(150):
        texts = ["".join(chosen.choices(pieces, k=chosen.randrange(1, 40))).strip() for _ in range(3)]
        whole = document(*texts)
        passages = split(whole, count, chosen.choice([12, 30, 200]))
        assert_sound(whole, passages)
        assert lost(whole, passages) == ""


def test_sample_company_with_the_real_tokenizer(embedder: Embedder) -> None:
    """Every document of the sample company: the bundled embedder reads each passage whole, and all text is in one."""
    limit = embedder.passage_tokens
    for path in sorted(path for path in DOCUMENTS.rglob("*") if path.is_file()):
        (whole,) = read(path).documents
        passages = split(whole, embedder.count_tokens, limit)
        assert_sound(whole, passages)
        assert lost(whole, passages) == ""
        for passage in passages:
            context = embedded_context(whole.title, passage.heading, embedder.count_tokens, limit)
            assert embedder.count_tokens(f"{context}\n{passage.text}") <= limit or "|" in passage.text
