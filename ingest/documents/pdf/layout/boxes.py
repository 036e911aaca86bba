"""Pieces of text with their positions on a page, and the lines that they form.

Coordinates are in any unit, with y upward as in PDF; every limit is a share of the height of the letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from ingest.base.language import IDEOGRAPHS, KANA

# White space this wide, in heights of the letters, separates cells or columns; justified words are closer together.
CELL_GAP = 1.0
# From this white space on words of one box may be two cells, if other rows show it.
WORD_GAP = 0.2
# Two boxes are on one line when they share this much of the height of the smaller one.
_SAME_LINE = 0.5
# A space between two words is about a quarter of the letters' height; kerning is far less.
_SPACE = 0.12
# Chinese and Japanese characters, radicals and punctuation: as wide as two letters, no space between two of them.
_WIDE = f"\u2e80-\u303f{KANA}{IDEOGRAPHS}\uff00-\uff60"
_WIDE_RUN = re.compile(f"[{_WIDE}]+")
_WIDE_EDGES = re.compile(f"[{_WIDE}]\n[{_WIDE}]")
# Ends a box whose last word continues on the next line; whether the hyphen stays is decided with the whole text.
BROKEN_WORD = "\x02"
# The mark of a list item or the number of a section, which is further from its words than words from each other.
_ITEM_MARK = re.compile(r"[-*+•·◦▪●■–—\uf0a7\uf0b7]|[(（]?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)）]|\d{0,2}(?:\.\d{1,2})+")
_SECTION_NUMBER = re.compile(r"\d{1,2}|[A-Z]|[IVX]{1,4}")
_MARK_GAP = 5.0


Gap = tuple[int, float, float]


@dataclass(slots=True)
class Box:
    """A piece of a line: words with no wide gap between them.

    `order` is its position in the file, from 0; `bold` is true when it begins and ends in bold letters. With `table`
    the box is a whole table: its text is Markdown, and its height is `depth`. `gaps` are the wide gaps between its
    words: (index in the text, left, right).
    """

    text: str
    left: float
    right: float
    bottom: float
    top: float
    order: int = 0
    bold: bool = False
    table: bool = False
    depth: float = 0.0
    gaps: tuple[Gap, ...] = ()

    @property
    def height(self) -> float:
        """Height of the letters."""
        return self.top - self.bottom

    @property
    def middle(self) -> float:
        """The y position of the middle."""
        return (self.top + self.bottom) / 2


def stands_in(box: Box, left: float, bottom: float, right: float, top: float) -> bool:
    """Whether the middle of a box is between these edges."""
    return left < (box.left + box.right) / 2 < right and bottom < box.middle < top


def put_together(boxes: list[Box], inside: list[Box], text: str, edges: tuple[float, float, float, float]) -> list[Box]:
    """The boxes with those `inside` a table replaced by one: its Markdown, its edges (left, bottom, right, top)."""
    left, bottom, right, top = edges
    height = median(box.height for box in inside)
    order = min(box.order for box in inside)
    table = Box(text, left, right, top - height, top, order, table=True, depth=top - bottom)
    replaced = set(map(id, inside))
    return [*(box for box in boxes if id(box) not in replaced), table]


def text_width(text: str) -> int:
    """The width of the text in letters; a Chinese character counts two."""
    return len(text) + sum(len(run) for run in _WIDE_RUN.findall(text))


def joined(first: str, second: str) -> str:
    """Two pieces of running text with a space between, except between two Chinese characters."""
    return first + ("" if _WIDE_EDGES.fullmatch(f"{first[-1:]}\n{second[:1]}") else " ") + second


def on_one_line(first: Box, second: Box) -> bool:
    """Whether two boxes overlap vertically by at least half the height of the smaller one."""
    shared = min(first.top, second.top) - max(first.bottom, second.bottom)
    return shared >= _SAME_LINE * min(first.height, second.height)


def rows(boxes: Iterable[Box]) -> list[list[Box]]:
    """The boxes as lines from top to bottom, each from left to right; pieces of one text are joined."""
    lines: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: -box.middle):
        # A tall box may begin a line that smaller ones, sorted after it, belong to: look at the last two lines.
        for row in lines[:-3:-1]:
            if on_one_line(max(row, key=lambda other: other.height), box):
                row.append(box)
                break
        else:
            lines.append([box])
    return [_merged(row) for row in lines]


def _merged(row: list[Box]) -> list[Box]:
    if len(row) == 1:
        return row
    row.sort(key=lambda box: box.left)
    merged = [row[0]]
    for box in row[1:]:
        last = merged[-1]
        gap, height = box.left - last.right, max(last.height, box.height)
        if last.table or box.table or gap >= (_MARK_GAP if _is_mark(last, box, row) else CELL_GAP) * height:
            merged.append(box)
        elif box.right <= last.right and box.text in last.text:
            continue  # printed twice with a small offset, to look bold
        else:
            # The longer piece has the height of the letters: the other may be a note's number or a large initial.
            longer = max(last, box, key=lambda piece: len(piece.text))
            text = joined(last.text, box.text) if gap > _SPACE * height else last.text + box.text
            begun = len(text) - len(box.text)
            between = [(begun, last.right, box.left)] if gap > WORD_GAP * height else []
            merged[-1] = Box(
                text,
                last.left,
                max(last.right, box.right),
                longer.bottom,
                longer.top,
                min(last.order, box.order),
                last.bold and box.bold,
                gaps=(*last.gaps, *between, *((begun + at, left, right) for at, left, right in box.gaps)),
            )
    return merged


def _is_mark(first: Box, second: Box, row: list[Box]) -> bool:
    if not second.text[:1].isalpha():
        return False
    return bool(_ITEM_MARK.fullmatch(first.text) or (len(row) == 2 and _SECTION_NUMBER.fullmatch(first.text)))
