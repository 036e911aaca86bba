"""Dates as people write them in English and Chinese, as one form; the year or the day may be missing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.base.chinese_numbers import DIGITS, chinese_digits, chinese_number

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
# In February 29, so that no year is needed.
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)(?![a-z])"
)
# Also words: 'you may 5 times', 'march 20 miles'. Without a year they are months only with a capital letter.
_ALSO_WORDS = ("may", "mar", "march")
_YEAR = r"(?:1[0-9]|20)[0-9]{2}"
_ORDINAL = "(?:st|nd|rd|th)?"
# What follows a date in digits: no further digit, nor a mark that joins it to a longer code or number.
_ENDS = r"(?![0-9a-z_])(?![.,:/+&'’_-][0-9a-z])"
# A chinese number of a month or a day.
_CHINESE_MONTH = "十[一二]?|[一二三四五六七八九]"
_CHINESE_DAY = "[二三]?十[一二三四五六七八九]?|[一二三四五六七八九]"

# Patterns for `re.IGNORECASE`; the first begins at a month's name, the second at a digit, the third at a numeral.
MONTH_FIRST = (
    rf"(?P<month_name>{MONTH})\.?(?:[ -](?P<month_day>[0-9]{{1,2}}){_ORDINAL}(?![0-9a-z])"
    rf"(?:,?[ ](?P<month_day_year>{_YEAR})(?![0-9]))?(?![.,:/-]?[0-9]|[ ]?%)"
    rf"|,?[ -](?P<month_year>{_YEAR})(?![0-9]|[.,][0-9]))"
)
_CHINESE_REST = rf"[ ]?月(?:份|[ ]?(?P<{{0}}_day>[0-9]{{{{1,2}}}}|{_CHINESE_DAY})[ ]?[日号])?"
DIGIT_FIRST = (
    rf"(?P<day>[0-9]{{1,2}}){_ORDINAL}(?:[ ]of[ ]|[ /-])(?P<day_month>{MONTH})"
    rf"(?:\.?,?[ /-](?P<day_year>{_YEAR})(?![0-9]))?"
    rf"|(?P<iso_year>{_YEAR})(?P<iso_mark>[-/.])(?P<iso_month>[0-9]{{1,2}})(?P=iso_mark)(?P<iso_day>[0-9]{{1,2}})"
    rf"(?:t(?=[0-9]{{2}}:)|{_ENDS})"
    rf"|(?P<first>[0-9]{{1,2}})(?P<mark>[-/.])(?P<second>[0-9]{{1,2}})(?P=mark)(?P<last_year>{_YEAR}){_ENDS}"
    rf"|(?P<only_year>{_YEAR})[-/](?P<only_month>0[1-9]|1[0-2]){_ENDS}"
    rf"|(?:(?P<zh_year>{_YEAR})[ ]?年[ ]?)?(?P<zh_month>1[0-2]|0?[1-9]|(?<=[年 ])(?:{_CHINESE_MONTH}))"
    + _CHINESE_REST.format("zh")
)
NUMERAL_FIRST = (
    rf"(?:(?P<han_year>[{DIGITS}]{{4}})[ ]?年[ ]?)?(?P<han_month>{_CHINESE_MONTH}|(?<=[年 ])(?:1[0-2]|0?[1-9]))"
    + _CHINESE_REST.format("han")
    + rf"|(?P<han_only_year>[{DIGITS}]{{4}})(?=[ ]?年)"
)


@dataclass(frozen=True)
class Date:
    """A year, a month of it, a day, or a month or day of any year: what is not said is 0."""

    year: int
    month: int
    day: int

    @property
    def value(self) -> str:
        """`2027-06-11`, `2027-06`, `2027`, and `06-11` or `month 06` where the year is not said."""
        parts = ([f"{self.year}"] if self.year else []) + [f"{part:02}" for part in (self.month, self.day) if part]
        return f"month {parts[0]}" if not self.year and not self.day else "-".join(parts)

    @property
    def parts(self) -> tuple[Date, ...]:
        """The dates that this one lies in, and the day of any year that it is; itself first."""
        year, month, day = self.year, self.month, self.day
        wider = (self, Date(year, month, 0), Date(0, month, day), Date(year, 0, 0), Date(0, month, 0))
        return tuple(dict.fromkeys(date for date in wider if date != Date(0, 0, 0)))


def month_number(name: str) -> int:
    """1 to 12 for the English name of a month or its abbreviation."""
    return next(number for number, full in enumerate(MONTHS, 1) if full.startswith(name[:3].lower()))


def date_of(match: re.Match[str]) -> Date | None:
    """The date of a match of one of the three patterns; None where it is none, or has two readings."""
    said = {name: text for name, text in match.groupdict().items() if text}
    if "month_name" in said:
        year = said.get("month_day_year") or said.get("month_year", "")
        return _named(said["month_name"], said.get("month_day", ""), year)
    if "day_month" in said:
        return _named(said["day_month"], said["day"], said.get("day_year", ""))
    if "iso_year" in said:
        return _valid(said["iso_year"], int(said["iso_month"]), int(said["iso_day"]))
    if "last_year" in said:
        return _ordered(int(said["first"]), int(said["second"]), said["last_year"], said["mark"])
    if "only_year" in said:
        # 2010-11 may be a season, from one year into the next.
        season = int(said["only_month"]) == (int(said["only_year"]) + 1) % 100
        return None if season else _valid(said["only_year"], int(said["only_month"]), 0)
    if "han_only_year" in said:
        return _valid(chinese_digits(said["han_only_year"]), 0, 0)
    for script in ("zh", "han"):
        if f"{script}_month" in said:
            year = said.get(f"{script}_year", "0")
            year = year if year.isascii() else chinese_digits(year)
            return _valid(year, _small(said[f"{script}_month"]), _small(said.get(f"{script}_day", "0")))
    return None


def _named(name: str, day: str, year: str) -> Date | None:
    if not year and name.lower() in _ALSO_WORDS and name.islower():
        return None
    return _valid(year or "0", month_number(name), int(day or 0))


def _ordered(first: int, second: int, year: str, mark: str) -> Date | None:
    """The date of two numbers and a year; None where it has two readings. With full stops the day comes first."""
    if mark == "." or first > 12 or first == second:
        return _valid(year, second, first)
    return _valid(year, first, second) if second > 12 else None


def _valid(year: str, month: int, day: int) -> Date | None:
    date = Date(int(year), month, day)
    if date.year and not 1000 <= date.year < 2100:
        return None
    if not date.month:
        return date if date.year and not date.day else None
    return date if date.month <= 12 and date.day <= _DAYS[date.month - 1] else None


def _small(number: str) -> int:
    """The value of a number below 100 in digits or numerals."""
    if number.isdigit() and number.isascii():
        return int(number)
    value = chinese_number(number)
    if value is not None:
        return value
    return 10 if number == "十" else int(chinese_digits(number))
