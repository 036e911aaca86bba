"""Numbers in Chinese numerals, such as 一千五百, 三万五千 and 二〇二七, as digits."""

from __future__ import annotations

import re

_DIGITS = {
    "零": 0,
    "〇": 0,
    "○": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_UNITS = {"十": 10, "百": 100, "千": 1_000}
_SECTIONS = {"万": 10_000, "亿": 100_000_000}
# These go inside the [...] of a regular expression.
DIGITS = "".join(_DIGITS)
NUMERALS = DIGITS + "".join(_UNITS) + "".join(_SECTIONS)

# What a number may look like: units from large to small, each with its digit; 零 before a digit whose unit is far away.
_DIGIT = "[一二两三四五六七八九]"
_BELOW_HUNDRED = f"{_DIGIT}?十{_DIGIT}?"
_BELOW_TEN_THOUSAND = (
    rf"(?:{_DIGIT}千(?:{_DIGIT}百)?(?:[零〇]?{_BELOW_HUNDRED}|[零〇]{_DIGIT})?|"
    rf"{_DIGIT}百(?:[零〇]?{_BELOW_HUNDRED}|[零〇]{_DIGIT})?|{_BELOW_HUNDRED}|{_DIGIT})"
)
_NUMBER = re.compile(
    rf"(?:(?:{_BELOW_TEN_THOUSAND}万)?(?:{_BELOW_TEN_THOUSAND})?亿[零〇]?)?(?:{_BELOW_TEN_THOUSAND}万[零〇]?)?"
    rf"(?:{_BELOW_TEN_THOUSAND})?"
)
# 三万五 is said for 35,000 and 三百五 for 350, but 三万五 may also be 三万 and 五.
_COLLOQUIAL = re.compile(f"[百千万亿]{_DIGIT}$")


def chinese_number(numerals: str) -> int | None:
    """The value of a number in numerals with units (一千五百 is 1500); None for what is not surely one.

    None for digits without a unit (五四), a unit without a digit (万一, 千万), and 三万五, which has two readings.
    """
    if len(numerals) < 2 or _NUMBER.fullmatch(numerals) is None or _COLLOQUIAL.search(numerals):
        return None
    if not any(unit in numerals for unit in (*_UNITS, *_SECTIONS)) or numerals[0] in _SECTIONS:
        return None
    total = section = digit = 0
    for character in numerals:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _UNITS:
            # 十五 is said for 一十五; no other unit stands without a digit.
            section += (digit or 1) * _UNITS[character]
            digit = 0
        elif character == "万":
            total, section, digit = total + (section + digit) * _SECTIONS[character], 0, 0
        else:
            # 一万亿: what stands before 亿 is multiplied whole.
            total, section, digit = (total + section + digit) * _SECTIONS[character], 0, 0
    return total + section + digit


def chinese_digits(numerals: str) -> str:
    """Digits that are read one by one: 二〇二七 is '2027'. For characters of DIGITS only."""
    return "".join(str(_DIGITS[character]) for character in numerals)
