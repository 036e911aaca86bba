"""Bytes become text in whichever encoding they are."""

from __future__ import annotations

import codecs
import random

import pytest

from ingest.base.errors import ReadError
from ingest.documents.text.read_text import decode

ENGLISH = "Staff may carry over five days.\nAsk your manager.\n"
CHINESE = "员工的年假为二十五天，未休的部分可以结转到次年三月。\n请在系统里提交申请。\n"
CHINESE_LIST = "姓名,部门,电话\n张三,财务部,8001\n李四,采购部,8002\n"
FRENCH = "Les employés ont droit à vingt-cinq jours de congé, où qu'ils soient. Noël est férié.\n"
GERMAN = "Die Mitarbeiter müssen Überstunden früh genug melden; die Größe ist außerdem anzugeben.\n"
RUSSIAN = "Сотрудники имеют право на двадцать пять дней отпуска в год и должны подать заявление заранее.\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ENGLISH, "ascii"),
        (CHINESE, "utf-8"),
        (FRENCH, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (ENGLISH, "utf-16"),
        (CHINESE, "utf-32"),
        (ENGLISH, "utf-16-le"),
        (ENGLISH, "utf-16-be"),
        (CHINESE + ENGLISH, "utf-16-le"),
        (CHINESE + ENGLISH, "utf-16-be"),
        (CHINESE, "gb18030"),
        (CHINESE_LIST, "gbk"),
        ("年假政策", "gb2312"),
        (FRENCH, "latin-1"),
        (GERMAN, "latin-1"),
        ("Café déjà vu, naïve résumé", "latin-1"),
        ("A hotel costs 150 € – “at most”.\n", "cp1252"),
        (RUSSIAN, "cp1251"),
    ],
)
def test_encodings(text: str, encoding: str) -> None:
    """The text is the one that was encoded, without its byte order mark."""
    assert decode(text.encode(encoding)) == text


def test_declared() -> None:
    """The declared encoding decides where the bytes do not; a wrong or unknown name does no harm."""
    japanese = "名前と住所"
    assert decode(japanese.encode("cp932"), "Shift_JIS") == japanese
    assert decode(japanese.encode("iso-2022-jp"), "iso-2022-jp") == japanese
    assert decode(CHINESE.encode("gb18030"), "gb2312") == CHINESE
    assert decode(CHINESE.encode(), "iso-8859-1") == CHINESE
    assert decode(FRENCH.encode("latin-1"), "no-such-set") == FRENCH
    assert decode(b"150 \x80", "iso-8859-1") == "150 €"


def test_utf_16_big_endian_with_mark() -> None:
    """The byte order mark gives the order of the bytes."""
    assert decode(codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be")) == CHINESE


def test_mark_decides_even_when_the_rest_is_damaged() -> None:
    """A damaged character after a byte order mark costs that character, not the file."""
    assert decode(codecs.BOM_UTF8 + b"one \xff two") == "one \ufffd two"


@pytest.mark.parametrize("data", [bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)])
def test_binary(data: bytes) -> None:
    """Bytes that are not text are refused in one line that says what to do."""
    with pytest.raises(ReadError, match="binary data, not text: it has the wrong suffix or is damaged"):
        decode(data)


def test_any_bytes_are_text_or_refused() -> None:
    """Any bytes give either a text or a ReadError."""
    chosen = random.Random(3)
    for length in (1, 2, 3, 5, 17, 64, 200):
        for _ in range(20):
            data = chosen.randbytes(length)
            try:
                assert isinstance(decode(data), str)
            except ReadError as error:
                assert ": " in str(error)
