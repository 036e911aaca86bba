"""The numbers of headings and list items ('1.2', '(a)', '第三章'), counted as Word and LibreOffice count them.

A document stores only that a paragraph is numbered; people cite the number. Levels and number formats are those of
ECMA-376 part 1, 17.9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_CHINESE_DIGITS = "〇一二三四五六七八九"
_FORMAL = str.maketrans("一二三四五六七八九十百千", "壹贰叁肆伍陆柒捌玖拾佰仟")
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"))
_ROMAN_SMALL = ((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
_LARGEST = 9999  # larger numbers come from damaged files and are written in digits


def roman(number: int) -> str:
    """The Roman number, in lower case: 'iv' for 4."""
    text = ""
    for value, letters in _ROMAN + _ROMAN_SMALL:
        text += letters * (number // value)
        number %= value
    return text


def letters(number: int) -> str:
    """The number in letters, as Word counts: 'a' to 'z' for 1 to 26, then 'aa', 'bb', …"""
    return chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)


def chinese(number: int) -> str:
    """The number, 1 to 9999, in Chinese characters: '一百零一' for 101."""
    text, zero = "", False
    for value, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, value)
        if digit:
            text += ("零" if zero else "") + _CHINESE_DIGITS[digit] + unit
            zero = False
        elif text:
            zero = True
    return text.removeprefix("一") if text.startswith("一十") else text


def formal(number: int) -> str:
    """The number in the Chinese characters of cheques and contracts, which are hard to alter: '壹拾' for 10."""
    return ("一" if 10 <= number < 20 else "").translate(_FORMAL) + chinese(number).translate(_FORMAL)


_FORMATS: Mapping[str, Callable[[int], str]] = {
    "lowerLetter": letters,
    "upperLetter": lambda number: letters(number).upper(),
    "lowerRoman": roman,
    "upperRoman": lambda number: roman(number).upper(),
    "decimalZero": lambda number: f"{number:02}",
    "decimalEnclosedCircle": lambda number: chr(0x2460 + number - 1) if number <= 20 else str(number),
    "ideographDigital": lambda number: "".join(_CHINESE_DIGITS[int(digit)] for digit in str(number)),
    **dict.fromkeys(
        ("chineseCounting", "chineseCountingThousand", "japaneseCounting",
         "taiwaneseCounting", "taiwaneseCountingThousand"),
        chinese,
    ),
    **dict.fromkeys(("chineseLegalSimplified", "ideographLegalTraditional"), formal),
    "ideographTraditional": lambda number: _STEMS[number - 1] if number <= len(_STEMS) else str(number),
    "none": lambda _number: "",
}  # fmt: skip


def format_number(number: int, format: str) -> str:
    """The number in a format of ECMA-376 part 1, 17.18.59; in digits if the format is unknown or has no such number."""
    return _FORMATS.get(format, str)(number) if 0 < number <= _LARGEST else str(number)


@dataclass(frozen=True)
class Level:
    """How one level of a list counts. In its pattern `text`, '%1.%2' stands for the numbers of levels 1 and 2."""

    format: str = "decimal"
    text: str = "%1."
    start: int = 1
    legal: bool = False  # write the numbers of all levels in digits

    @property
    def is_bullet(self) -> bool:
        """Whether items of this level have a bullet and no number."""
        return self.format == "bullet"

    @property
    def is_bare(self) -> bool:
        """True when an item has neither number nor bullet: the level only indents its text."""
        return not self.text.strip() and (self.format == "none" or (self.is_bullet and self.text != ""))


@dataclass
class Counter:
    """The running numbers of one list.

    `numbers` holds the last number of each depth; lists of one definition share it. `starts` holds the numbers at
    which this list restarts, each used once.
    """

    levels: Mapping[int, Level]
    numbers: dict[int, int] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)

    def next(self, depth: int) -> str:
        """The number of the next item at this depth, counted from 0; '' for a bullet. Deeper levels restart."""
        level = self.levels.get(depth, Level())
        for deeper in [key for key in self.numbers if key > depth]:
            del self.numbers[deeper]
        if depth in self.starts:
            self.numbers[depth] = self.starts.pop(depth)
        else:
            self.numbers[depth] = self.numbers.get(depth, level.start - 1) + 1
        if level.is_bullet:
            return ""
        return re.sub(r"%(\d)", lambda match: self._number_at(int(match[1]) - 1, level.legal), level.text).strip()

    def _number_at(self, depth: int, legal: bool) -> str:
        level = self.levels.get(depth, Level())
        number = self.numbers.get(depth, level.start)
        return str(number) if legal else format_number(number, level.format)
