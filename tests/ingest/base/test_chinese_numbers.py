"""The value of Chinese numerals."""

from __future__ import annotations

import pytest

from ingest.base.chinese_numbers import chinese_digits, chinese_number


@pytest.mark.parametrize(
    ("numerals", "value"),
    [
        ("十五", 15), ("二十", 20), ("二十五", 25), ("一百", 100), ("一百零五", 105), ("一百一十", 110),
        ("一千五百", 1_500),
        ("两千零五", 2_005), ("一千零一十", 1_010), ("三万五千", 35_000), ("十万", 100_000), ("二十万五千", 205_000),
        ("一亿二千万", 120_000_000), ("三千五百万", 35_000_000), ("一万亿", 10**12),
    ],
)  # fmt: skip
def test_numbers_with_units(numerals: str, value: int) -> None:
    """Each digit counts by the unit after it, and everything before 万 or 亿 by that too."""
    assert chinese_number(numerals) == value


@pytest.mark.parametrize(
    "numerals", "一 十 五四 一一 万一 千万 百万 三万五 二百五 十百 百千 一百二百 零 二〇二七".split()
)
def test_what_is_no_number_for_sure(numerals: str) -> None:
    """Digits without units, units without digits, units in a wrong order, and what has two readings have no value."""
    assert chinese_number(numerals) is None


def test_digits_one_by_one() -> None:
    """A year is read digit by digit, with either zero."""
    assert chinese_digits("二〇二七") == chinese_digits("二零二七") == "2027"
