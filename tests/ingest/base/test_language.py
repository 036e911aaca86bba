"""Terms, sentences and kinds of characters of Chinese, English and both mixed."""

from __future__ import annotations

import random
import re
import threading
import unicodedata

import pytest

from ingest.base.language import (
    COMMON_IDEOGRAPHS,
    FULL_WIDTH_MARKS,
    HANGUL,
    IDEOGRAPHS,
    KANA,
    in_other_language,
    is_chinese,
    is_wrapped,
    sentence_spans,
    terms,
)
from tests.project import PROJECT


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("characters", "examples", "names"),
    [
        (COMMON_IDEOGRAPHS, "一年鿿", "CJK UNIFIED IDEOGRAPH"),
        (IDEOGRAPHS, "年䇲\uf900𫚭", "CJK (?:UNIFIED|COMPATIBILITY) IDEOGRAPH"),
        (KANA, "ひヶー", "HIRAGANA|KATAKANA"),
        (HANGUL, "가힣", "HANGUL SYLLABLE"),
        (FULL_WIDTH_MARKS, "。「，！￥", "IDEOGRAPHIC|FULLWIDTH|HALFWIDTH|BRACKET|MARK"),
    ],
)
def test_kinds_of_characters(characters: str, examples: str, names: str) -> None:
    """Each name holds what it says: its examples, and hardly a character that Unicode calls something else."""
    inside = re.compile(f"[{characters}]")
    assert all(map(inside.fullmatch, examples))
    members = [name for code in range(0x31350) if inside.match(chr(code)) and (name := unicodedata.name(chr(code), ""))]
    assert sum(re.search(names, name) is not None for name in members) >= 0.85 * len(members)


def test_chinese_characters_are_defined_once() -> None:
    """No other module spells the range of the ideographs."""
    ranges = re.compile(r"(?:\\u(?:3400|4e00)|[㐀一])-")
    sources = [path for folder in ("ingest", "assistant", "ui") for path in (PROJECT / folder).rglob("*.py")]
    assert [path.name for path in sources if ranges.search(path.read_text("utf-8"))] == ["language.py"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("年假天数", ["年", "假", "天", "数", "年假", "假天", "天数"]),
        ("年假的", ["年", "假", "年假", "假的"]),  # a function character counts only as part of a pair
        ("Employees were carrying", ["employe", "carri"]),
        ("the policy of a company", ["polici", "compani"]),
        ("E-07", ["e07", "e", "07"]),
        ("v2.1, 1,200 and 3.5.", ["2.1", "2", "1", "1200", "3.5", "3", "5"]),
        ("DOCENT_HOME", ["docent_home", "docent", "home"]),
        ("Ｅ－０７　ＶＰＮ", ["e07", "e", "07", "vpn"]),
        ("manager's manager’s", ["manag", "manag"]),
        ("VPN连接", ["vpn", "连", "接", "连接"]),
        ("RD-42是什么", ["rd42", "rd", "42", "是什", "什么"]),
        ("", []),
        ("!?… —", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    """Chinese becomes characters and pairs, words their stem, codes stay whole and become their parts, in order."""
    assert terms(text) == expected


def test_same_word_same_term() -> None:
    """A word has one term in every spelling: capitals, plural, full width, composed or decomposed accents."""
    assert terms("REIMBURSEMENT") == terms("reimbursements") == terms("ｒｅｉｍｂｕｒｓｅｍｅｎｔ")
    assert terms("café") == terms("cafe\u0301")
    assert terms("①") == terms("1")


def test_terms_hold_no_white_space() -> None:
    """The index separates terms with blanks, so none may contain one, whatever the text."""
    chosen = random.Random(7)
    for _ in range(200):
        text = "".join(
            chr(chosen.choice([chosen.randrange(32, 0x2FF), chosen.randrange(0x2000, 0x9FFF)])) for _ in range(80)
        )
        assert all(term and not any(character.isspace() for character in term) for term in terms(text))


def test_threads_share_the_analysis() -> None:
    """Several threads at once get the same terms as a single one."""
    words = [f"organising{number} travelling policies carried" for number in range(50)]
    expected = [terms(text) for text in words]
    results: list[list[list[str]]] = []
    threads = [threading.Thread(target=lambda: results.append([terms(text) for text in words])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("差旅费用如何报销？", True),
        ("Riverdesk 的 VPN 怎么连接", True),
        ("How do I connect to the VPN?", False),
        ("The city is called 苏州 in Chinese and lies west of Shanghai", False),
        ("", False),
        ("2026-10", False),
    ],
)
def test_is_chinese(text: str, expected: bool) -> None:
    """A fifth of the letters decides: product names in Latin letters do not make a text English."""
    assert is_chinese(text) is expected


@pytest.mark.parametrize(
    ("text", "other_than"),
    [
        ("Annual leave is 25 days.", {"zh"}),
        ("年假有二十五天。", {"en"}),
        ("AQ-400 的 E-09 故障须更换滤芯。", {"en"}),
        ("25", set()),
        ("1,200.50 / 2026-10-01", set()),
        ("E-07", set()),
        ("A4, B5", set()),
        ("", set()),
    ],
)
def test_in_other_language(text: str, other_than: set[str]) -> None:
    """English differs from Chinese and Chinese from English; digits and codes alone belong to every language."""
    questions = {"en": "How long is annual leave?", "zh": "年假有几天？"}
    assert {name for name, question in questions.items() if in_other_language(text, question)} == other_than


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.5 euros. Pay it.", ["It costs 3.5 euros.", "Pay it."]),
        ("Ask Dr. Byrne, e.g. by mail. She knows.", ["Ask Dr. Byrne, e.g. by mail.", "She knows."]),
        ("J. Smith signed. Done.", ["J. Smith signed.", "Done."]),
        ("1. Open the client.\n2. Sign in.", ["1. Open the client.", "2. Sign in."]),
        ("“Stop.” He left.", ["“Stop.”", "He left."]),
        ("Wait... and see. Then go.", ["Wait... and see.", "Then go."]),
        ("年假二十五天。未休可结转！怎么申请？", ["年假二十五天。", "未休可结转！", "怎么申请？"]),
        ("他说：“可以。”然后走了。", ["他说：“可以。”", "然后走了。"]),
        ("第一；第二；", ["第一；第二；"]),
        ("- one item\n- another item", ["- one item", "- another item"]),
        ("A heading\n\nA paragraph", ["A heading", "A paragraph"]),
        ("See docent.toml or 10.0.0.1 for it", ["See docent.toml or 10.0.0.1 for it"]),
        ("  \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    """A sentence ends where a reader would end it, and keeps its closing marks."""
    assert sentences(text) == expected


def test_wrapped_lines_are_one_sentence() -> None:
    """A line break that comes from the width of the page does not end a sentence; the end of a short line does."""
    wrapped = "Every employee who travels for the company keeps the\nreceipts until they are paid back."
    assert sentences(wrapped) == [wrapped]
    chinese = "员工因公出差所发生的交通费住宿费和餐饮补贴应当在返回公司之后的十四个\n自然日以内提交报销申请。"
    assert sentences(chinese) == [chinese]
    assert sentences("Opening hours\nMonday to Friday") == ["Opening hours", "Monday to Friday"]


@pytest.mark.parametrize(
    ("line", "following", "wrapped"),
    [
        ("x" * 50, "and on", True),
        ("x" * 49, "and on", False),
        ("字" * 25, "继续", True),
        ("x" * 50, "- item", False),
        ("x" * 50, "2. item", False),
        ("x" * 50, "", False),
        ("字" * 30 + "。", "继续", False),
        ("| " + "x" * 50, "and on", False),
    ],
)
def test_is_wrapped(line: str, following: str, wrapped: bool) -> None:
    """Only a long line, followed by an ordinary one, was broken by the page."""
    assert is_wrapped(line, following) is wrapped


def test_every_visible_character_is_in_exactly_one_sentence() -> None:
    """In any text, spans are in order, do not overlap, begin and end visibly, and leave out only white space."""
    chosen = random.Random(11)
    pieces = [
        "Dr. ", "e.g. ", "3.5", "。", "！”", "?", "…", "...", "\n", "\n\n", " ", "\t", "1. ", "- ", "| a | b |\n",
        "年假", "policy ", "VPN", "“", ")", "x" * 60, "字" * 30, "\u3000", "\r\n", "A.", ".", "；",
    ]  # fmt: skip
    for _ in range(500):
        text = "".join(chosen.choices(pieces, k=chosen.randrange(1, 40)))
        covered = [0] * len(text)
        previous = 0
        for start, end in sentence_spans(text):
            assert previous <= start < end
            assert not text[start].isspace()
            assert not text[end - 1].isspace()
            previous = end
            for position in range(start, end):
                covered[position] += 1
        assert all(times == 1 for times, character in zip(covered, text, strict=True) if not character.isspace())
