"""Tables whose cells are parted by drawn lines. Knows nothing of PDF.

Where lines are drawn, they say what words' places only hint at: which lines of text are one cell, which cells are
merged, where the table ends. Lines that meet are one table; a text in a table stands in the cell around it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ingest.documents.pdf.layout.boxes import BROKEN_WORD, Box, joined, put_together, rows, stands_in, text_width
from ingest.documents.structure.tables import Grid, Span, to_markdown

# Lines that end or run this close to one another meet, or are one, in points: borders have a thickness.
_MEETS = 3.0
# More lines than this are a drawing; so is a grid of more columns.
_MOST_RULES = 1_200
_MOST_COLUMNS = 60
# At least this share of a table's cells holds text; a chart's grid and a frame around a page hold less or one.
_FILLED = 0.25
# Cells of a table hold at most this many lines of text on average; more is a page set in ruled columns.
_CELL_LINES = 8
# Lines of text with a wide gap in them, as a share of all, from which on there are columns that no line parts.
_GAPS_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Rule:
    """A line along the page's edges: from its left or lower end to its right or upper one."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def is_upright(self) -> bool:
        return self.left == self.right


def turned(rules: Iterable[Rule], quarter: int) -> list[Rule]:
    """The lines as they stand when the page is turned so that text runs from left to right."""
    if quarter == 0:
        return list(rules)
    if quarter == 1:
        return [Rule(r.bottom, -r.right, r.top, -r.left) for r in rules]
    if quarter == 2:
        return [Rule(-r.right, -r.top, -r.left, -r.bottom) for r in rules]
    return [Rule(-r.top, r.left, -r.bottom, r.right) for r in rules]


def parts(rules: Sequence[Rule], left: float, right: float, height: float) -> bool:
    """Whether an upright line stands between two words at a height."""
    return any(left - 1 <= r.left <= right + 1 and r.bottom <= height <= r.top for r in rules if r.is_upright)


def with_tables(boxes: list[Box], rules: Sequence[Rule]) -> list[Box]:
    """The boxes with those of each ruled table put together as one box, which holds the table as Markdown."""
    if not 4 <= len(rules) <= _MOST_RULES:
        return boxes
    for table in _tables(rules):
        inside = [box for box in boxes if not box.table and table.holds(box)]
        text = table.markdown(inside)
        if text:
            boxes = put_together(boxes, inside, text, (table.left, table.bottom, table.right, table.top))
    return boxes


@dataclass
class _Table:
    """Lines that meet: the places of its columns from the left, and of its rows from the top."""

    flat: list[Rule]
    upright: list[Rule]
    columns: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        ends = [end for rule in self.flat for end in (rule.left, rule.right)]
        self.columns = _places([*(rule.left for rule in self.upright), min(ends), max(ends)])
        ends = [end for rule in self.upright for end in (rule.bottom, rule.top)]
        self.rows = _places([*(rule.bottom for rule in self.flat), min(ends), max(ends)])[::-1]
        self.left, self.right, self.top, self.bottom = self.columns[0], self.columns[-1], self.rows[0], self.rows[-1]

    def holds(self, box: Box) -> bool:
        return stands_in(box, self.left, self.bottom, self.right, self.top)

    def markdown(self, inside: list[Box]) -> str:
        """The table with these boxes in its cells, '' when it is none: fewer than two rows or columns hold text."""
        if len(self.columns) < 3 or len(self.rows) < 3 or len(self.columns) > _MOST_COLUMNS + 1 or len(inside) < 3:
            return ""
        cells = self._cells()
        held: dict[tuple[int, int], list[Box]] = {}
        downward = [-place for place in self.rows]
        for box in inside:
            column = bisect_left(self.columns, (box.left + box.right) / 2) - 1
            row = bisect_left(downward, -box.middle) - 1
            held.setdefault(cells[row, column][:2], []).append(box)
        said = {place: rows(found) for place, found in held.items()}
        if len({row for row, _ in said}) < 2 or len({column for _, column in said}) < 2:
            return ""
        if len(said) < _FILLED * len(set(cells.values())) or sum(map(len, said.values())) > _CELL_LINES * len(said):
            return ""
        if not self._is_ruled_throughout(said, {cell[:2]: cell[3] for cell in cells.values()}):
            return ""
        grid = Grid()
        for (row, column), lines in said.items():
            grid.put(row, column, _text(lines))
        grid.spans = [Span(*span) for span in set(cells.values()) if span[:2] != span[2:]]
        return to_markdown(grid.without_blank_rows())

    def _is_ruled_throughout(
        self, said: dict[tuple[int, int], list[list[Box]]], last: dict[tuple[int, int], int]
    ) -> bool:
        """False when lines part only groups of rows or of columns, as in scientific papers: then places tell more.

        Rows that no line parts show in several cells side by side whose lines end before they had to.
        """
        every = [line for lines in said.values() for line in lines]
        if sum(len(line) > 1 for line in every) > _GAPS_SHARE * len(every):
            return False
        short: dict[int, list[int]] = {}
        for place, lines in said.items():
            right = self.columns[last[place] + 1]
            if any(_had_room(above[-1], below[0], right) for above, below in pairwise(lines)):
                short.setdefault(place[0], []).append(len(lines))
        return sum(sum(counts) for counts in short.values() if len(counts) > 1) <= len(every) / 2

    def _cells(self) -> dict[tuple[int, int], tuple[int, int, int, int]]:
        """For each place of the grid the cell it belongs to: first row and column, last row and column."""
        width, height = len(self.columns) - 1, len(self.rows) - 1
        walls = {
            (row, column)
            for rule in self.upright
            for column in [_nearest(self.columns, rule.left)]
            for row in range(height)
            if rule.bottom - _MEETS < (self.rows[row] + self.rows[row + 1]) / 2 < rule.top + _MEETS
        }
        downward = [-place for place in self.rows]
        floors = {
            (row, column)
            for rule in self.flat
            for row in [_nearest(downward, -rule.bottom)]
            for column in range(width)
            if rule.left - _MEETS < (self.columns[column] + self.columns[column + 1]) / 2 < rule.right + _MEETS
        }
        found: dict[tuple[int, int], tuple[int, int, int, int]] = {}
        for row in range(height):
            for column in range(width):
                if (row, column) in found:
                    continue
                right, low = column, row
                while right + 1 < width and (row, right + 1) not in walls and (row, right + 1) not in found:
                    right += 1
                across = range(column, right + 1)
                while low + 1 < height and not any((low + 1, at) in floors for at in across):
                    if any((low + 1, at) in walls for at in across[1:]):
                        break
                    low += 1
                cell = (row, column, low, right)
                found.update({(down, at): cell for down in range(row, low + 1) for at in across})
        return found


def _tables(rules: Sequence[Rule]) -> list[_Table]:
    """The lines that meet one another, those with at least two in each direction."""
    flat = _whole([rule for rule in rules if not rule.is_upright])
    upright = [_mirrored(rule) for rule in _whole([_mirrored(rule) for rule in rules if rule.is_upright])]
    every = [*flat, *upright]
    group = list(range(len(every)))

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    for first, one in enumerate(flat):
        for second, other in enumerate(upright, len(flat)):
            across = one.left - _MEETS <= other.left <= one.right + _MEETS
            if across and other.bottom - _MEETS <= one.bottom <= other.top + _MEETS:
                group[root(first)] = root(second)
    found: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for number, rule in enumerate(every):
        found.setdefault(root(number), ([], []))[rule.is_upright].append(rule)
    return [_Table(*both) for both in found.values() if len(both[0]) > 1 and both[1]]


def _whole(rules: list[Rule]) -> list[Rule]:
    """Level lines with the pieces of one line put together: each cell may have drawn its own."""
    found: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.bottom / _MEETS), rule.left)):
        last = found[-1] if found else None
        if last and abs(last.bottom - rule.bottom) < _MEETS and rule.left <= last.right + _MEETS:
            found[-1] = Rule(last.left, last.bottom, max(last.right, rule.right), last.bottom)
        else:
            found.append(rule)
    return found


def _mirrored(rule: Rule) -> Rule:
    """An upright line as a level one, and back."""
    return Rule(rule.bottom, rule.left, rule.top, rule.right)


def _places(places: Iterable[float]) -> list[float]:
    """The places in order, those that are one line as one."""
    found: list[float] = []
    for place in sorted(places):
        if not found or place - found[-1] > _MEETS:
            found.append(place)
    return found


def _nearest(places: Sequence[float], place: float) -> int:
    return min(range(len(places)), key=lambda number: abs(places[number] - place))


def _had_room(above: Box, below: Box, right: float) -> bool:
    """Whether the first word of a line would have fitted into the line above."""
    letter = (below.right - below.left) / max(1, text_width(below.text))
    first = below.text.split(None, 1)[0]
    word = min(text_width(first), 4 if text_width(first[:1]) > 1 else 99)
    return above.right + letter * (word + 2) < right - 0.5 * above.height


def _text(lines: list[list[Box]]) -> str:
    text = ""
    for line in lines:
        for box in line:
            text = text + box.text if text.endswith(BROKEN_WORD) else joined(text, box.text) if text else box.text
    return text
