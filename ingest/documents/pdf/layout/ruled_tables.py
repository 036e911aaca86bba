"""Tables whose cells are separated by drawn lines.

Drawn lines show which lines of text are one cell, which cells are merged, and where the table ends; the positions of
words alone do not show this reliably. Lines that meet are one table; a text inside a table belongs to the cell around
it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.documents.pdf.layout.boxes import BROKEN_WORD, Box, joined, put_together, rows, stands_in, text_width
from ingest.documents.structure.tables import Grid, Span, to_markdown

# Lines whose ends are this close meet, and parallel lines this close are one, in points: borders have a width.
_MEETS = 3.0
# More lines than this are a drawing; so is a grid of more columns.
_MOST_RULES = 1_200
_MOST_COLUMNS = 60
# At least this share of a table's cells holds text; in a chart's grid or a frame around a page fewer do.
_FILLED = 0.25
# Cells of a table hold at most this many lines of text on average; more is a page set in ruled columns.
_CELL_LINES = 8
# Share of text lines with a wide gap in them from which on there are columns without drawn lines between them.
_GAPS_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal or vertical line, from its left or lower end to its right or upper one, in points."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def is_upright(self) -> bool:
        """Whether the line is vertical."""
        return self.left == self.right


def turned(rules: Iterable[Rule], quarter: int) -> list[Rule]:
    """The lines after turning the page by `quarter` quarter turns, so that its text runs from left to right."""
    if quarter == 0:
        return list(rules)
    if quarter == 1:
        return [Rule(r.bottom, -r.right, r.top, -r.left) for r in rules]
    if quarter == 2:
        return [Rule(-r.right, -r.top, -r.left, -r.bottom) for r in rules]
    return [Rule(-r.top, r.left, -r.bottom, r.right) for r in rules]


def stands_between(rules: Sequence[Rule], left: float, right: float, height: float) -> bool:
    """Whether a vertical line is between the x positions `left` and `right` at this height."""
    return any(left - 1 <= r.left <= right + 1 and r.bottom <= height <= r.top for r in rules if r.is_upright)


def with_tables(boxes: list[Box], rules: Sequence[Rule]) -> list[Box]:
    """The boxes with those inside each ruled table replaced by one box, whose text is the table in Markdown."""
    if not 4 <= len(rules) <= _MOST_RULES:
        return boxes
    for table in _tables(rules):
        inside = [box for box in boxes if not box.table and table.holds(box)]
        text = table.markdown(inside)
        if text:
            boxes = put_together(boxes, inside, text, table.edges)
    return boxes


@dataclass(frozen=True)
class _Table:
    """Lines that meet; `columns` are their x positions from the left, `rows` their y positions from the top."""

    flat: list[Rule]
    upright: list[Rule]
    columns: list[float]
    rows: list[float]

    @classmethod
    def of(cls, flat: list[Rule], upright: list[Rule]) -> _Table:
        ends = [end for rule in flat for end in (rule.left, rule.right)]
        columns = _positions([*(rule.left for rule in upright), min(ends), max(ends)])
        ends = [end for rule in upright for end in (rule.bottom, rule.top)]
        rows = _positions([*(rule.bottom for rule in flat), min(ends), max(ends)])[::-1]
        return cls(flat, upright, columns, rows)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top)."""
        return self.columns[0], self.rows[-1], self.columns[-1], self.rows[0]

    def holds(self, box: Box) -> bool:
        return stands_in(box, *self.edges)

    def markdown(self, inside: list[Box]) -> str:
        """The table with these boxes in its cells; '' for lines that are no table, such as a frame around a text."""
        if len(self.columns) < 3 or len(self.rows) < 3 or len(self.columns) > _MOST_COLUMNS + 1 or len(inside) < 3:
            return ""
        cells = self._cells()
        boxes_of_cell: dict[tuple[int, int], list[Box]] = {}
        downward = [-position for position in self.rows]
        for box in inside:
            column = bisect_left(self.columns, (box.left + box.right) / 2) - 1
            row = bisect_left(downward, -box.middle) - 1
            boxes_of_cell.setdefault(cells[row, column][:2], []).append(box)
        lines_of_cell = {cell: rows(contents) for cell, contents in boxes_of_cell.items()}
        filled, line_count = len(lines_of_cell), sum(map(len, lines_of_cell.values()))
        if len({row for row, _ in lines_of_cell}) < 2 or len({column for _, column in lines_of_cell}) < 2:
            return ""
        if filled < _FILLED * len(set(cells.values())) or line_count > _CELL_LINES * filled:
            return ""
        if not self._is_ruled_throughout(lines_of_cell, {cell[:2]: cell[3] for cell in cells.values()}):
            return ""
        grid = Grid()
        for (row, column), lines in lines_of_cell.items():
            grid.put(row, column, _text(lines))
        grid.spans = [Span(*span) for span in set(cells.values()) if span[:2] != span[2:]]
        return to_markdown(grid.without_blank_rows())

    def _is_ruled_throughout(
        self, lines_of_cell: dict[tuple[int, int], list[list[Box]]], last_column: dict[tuple[int, int], int]
    ) -> bool:
        """False when lines separate only groups of rows or columns, as in scientific papers: then positions decide.

        A sign of rows without a line between them: several cells side by side whose text lines end early.
        """
        all_lines = [line for lines in lines_of_cell.values() for line in lines]
        if sum(len(line) > 1 for line in all_lines) > _GAPS_SHARE * len(all_lines):
            return False
        short: dict[int, list[int]] = {}
        for cell, lines in lines_of_cell.items():
            right = self.columns[last_column[cell] + 1]
            if any(_had_room(above[-1], below[0], right) for above, below in pairwise(lines)):
                short.setdefault(cell[0], []).append(len(lines))
        return sum(sum(counts) for counts in short.values() if len(counts) > 1) <= len(all_lines) / 2

    def _cells(self) -> dict[tuple[int, int], tuple[int, int, int, int]]:
        """For each (row, column) of the grid its cell: first row, first column, last row, last column."""
        width, height = len(self.columns) - 1, len(self.rows) - 1
        walls = {
            (row, column)
            for rule in self.upright
            for column in [_nearest(self.columns, rule.left)]
            for row in range(height)
            if rule.bottom - _MEETS < (self.rows[row] + self.rows[row + 1]) / 2 < rule.top + _MEETS
        }
        downward = [-position for position in self.rows]
        floors = {
            (row, column)
            for rule in self.flat
            for row in [_nearest(downward, -rule.bottom)]
            for column in range(width)
            if rule.left - _MEETS < (self.columns[column] + self.columns[column + 1]) / 2 < rule.right + _MEETS
        }
        cells: dict[tuple[int, int], tuple[int, int, int, int]] = {}
        for row in range(height):
            for column in range(width):
                if (row, column) in cells:
                    continue
                right, low = column, row
                while right + 1 < width and (row, right + 1) not in walls and (row, right + 1) not in cells:
                    right += 1
                across = range(column, right + 1)
                while low + 1 < height and not any((low + 1, at) in floors for at in across):
                    if any((low + 1, at) in walls for at in across[1:]):
                        break
                    low += 1
                cell = (row, column, low, right)
                cells.update({(down, at): cell for down in range(row, low + 1) for at in across})
        return cells


def _tables(rules: Sequence[Rule]) -> list[_Table]:
    """The groups of lines that meet: those with at least two horizontal lines and one vertical."""
    flat = _whole([rule for rule in rules if not rule.is_upright])
    upright = [_mirrored(rule) for rule in _whole([_mirrored(rule) for rule in rules if rule.is_upright])]
    lines = [*flat, *upright]
    group = list(range(len(lines)))  # a disjoint-set forest: for each line another one of its group, or itself

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    for first, floor in enumerate(flat):
        for second, wall in enumerate(upright, len(flat)):
            is_across = floor.left - _MEETS <= wall.left <= floor.right + _MEETS
            if is_across and wall.bottom - _MEETS <= floor.bottom <= wall.top + _MEETS:
                group[root(first)] = root(second)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for number, rule in enumerate(lines):
        groups.setdefault(root(number), ([], []))[rule.is_upright].append(rule)
    return [_Table.of(floors, walls) for floors, walls in groups.values() if len(floors) > 1 and walls]


def _whole(rules: list[Rule]) -> list[Rule]:
    """Horizontal lines with the pieces of one line joined: programs may draw one piece for each cell."""
    whole: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.bottom / _MEETS), rule.left)):
        last = whole[-1] if whole else None
        if last and abs(last.bottom - rule.bottom) < _MEETS and rule.left <= last.right + _MEETS:
            whole[-1] = Rule(last.left, last.bottom, max(last.right, rule.right), last.bottom)
        else:
            whole.append(rule)
    return whole


def _mirrored(rule: Rule) -> Rule:
    """A vertical line as a horizontal one, and back."""
    return Rule(rule.bottom, rule.left, rule.top, rule.right)


def _positions(positions: Iterable[float]) -> list[float]:
    """The positions in order; of several closer than `_MEETS` the first."""
    distinct: list[float] = []
    for position in sorted(positions):
        if not distinct or position - distinct[-1] > _MEETS:
            distinct.append(position)
    return distinct


def _nearest(positions: Sequence[float], position: float) -> int:
    """The index of the nearest position."""
    return min(range(len(positions)), key=lambda number: abs(positions[number] - position))


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
