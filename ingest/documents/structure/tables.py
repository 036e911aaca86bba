"""Turn a grid of cells, some of them merged, into the Markdown tables that a person would see in it.

A sheet may have several tables: titles are above them, blank rows separate them, headers span columns and two or three
rows. Every table written here has one header row, because passages repeat that row. Only cells with text are stored, so
that a single cell in the last corner of a sheet needs no memory for the empty cells before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.documents.structure.markdown import flat, markdown_table, paragraph

# A number, amount, percentage or date as people write them: a row with one of these is data, not a header.
_NUMBER = re.compile(r"[^\w\s]{0,3}\d[\d.,:/\s-]*[^\w\s]{0,2}|\d{1,4}[年/.-]\d{1,2}[月/.-]?.*")
_YEAR = re.compile(r"(?:19|20)\d\d(?:[/-]\d\d)?年?")
# Rows of one header, at most.
_MOST_HEADER_ROWS = 3
# Cells filled in for merged ranges, at most: a small file can declare ranges of billions of cells.
_MOST_FILLED = 500_000


@dataclass(frozen=True)
class Span:
    """A merged range of cells: rows and columns from the first to the last, both included, counted from 0."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


@dataclass
class Grid:
    """The cells of a sheet or table that hold text, {row: {column: text}}, and its merged ranges."""

    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]]) -> Grid:
        """The grid of full rows, its first row and column at 0."""
        grid = cls()
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                grid.put(number, column, text)
        return grid

    def put(self, row: int, column: int, text: str) -> None:
        """Set the text of a cell, on one line; a blank text leaves the cell empty."""
        if text := flat(text):
            self.rows.setdefault(row, {})[column] = text

    def without_blank_rows(self) -> Grid:
        """The same cells with the rows renumbered without gaps: in a text document a blank row separates nothing."""
        number = {row: position for position, row in enumerate(sorted(self.rows))}
        grid = Grid({number[row]: cells for row, cells in self.rows.items()})
        for span in self.spans:
            inside = [number[row] for row in number if span.first_row <= row <= span.last_row]
            if span.first_row in number:
                grid.spans.append(Span(number[span.first_row], span.first_column, max(inside), span.last_column))
        return grid


def to_markdown(grid: Grid) -> str:
    """The Markdown of the tables in the grid and of the lines of text around them, in order; '' for an empty grid."""
    return "\n\n".join(part for block in _blocks(grid) for part in _rendered_block(block))


@dataclass
class _Row:
    """One row of the grid.

    `cells` also has the text of merged cells in each of their columns; `own_cells` counts the cells without these.
    `spanned` are the columns of cells merged across; `hangs_from` are the rows in which a cell that is merged downwards
    into this row begins.
    """

    number: int
    cells: dict[int, str]
    own_cells: int
    spanned: set[int] = field(default_factory=set)
    hangs_from: set[int] = field(default_factory=set)

    @property
    def is_data(self) -> bool:
        """Whether a cell is a number, an amount or a date: a header has none."""
        return any(_NUMBER.fullmatch(text) for text in self.cells.values())


def _filled_rows(grid: Grid) -> list[_Row]:
    """The rows with text. The text of a merged range is repeated in each of its rows and columns, unless it is the
    only text of its row: then it is a title and is written once."""
    rows = {number: _Row(number, dict(cells), len(cells)) for number, cells in sorted(grid.rows.items())}
    columns = sorted({column for cells in grid.rows.values() for column in cells})
    budget = _MOST_FILLED
    for span in grid.spans:
        text = grid.rows.get(span.first_row, {}).get(span.first_column)
        if text is None:
            continue
        spanned_columns = [column for column in columns if span.first_column <= column <= span.last_column]
        first_row = rows[span.first_row]
        if first_row.own_cells > 1 and len(spanned_columns) > 1:
            first_row.spanned.update(spanned_columns)
        spans_rows = span.last_row > span.first_row
        spanned_rows = (
            [row for row in rows.values() if span.first_row <= row.number <= span.last_row]
            if spans_rows
            else [first_row]
        )
        budget -= len(spanned_columns) * len(spanned_rows)
        if budget < 0:
            break
        for row in spanned_rows:
            if row is not first_row:
                row.hangs_from.add(first_row.number)
            if row.own_cells > 1 or row is not first_row:
                for column in spanned_columns:
                    row.cells.setdefault(column, text)
    return list(rows.values())


def _blocks(grid: Grid) -> list[list[_Row]]:
    """The rows grouped into tables: a blank row ends a table unless `_continues_table`."""
    blocks: list[list[_Row]] = []
    for row in _filled_rows(grid):
        if blocks and row.number == blocks[-1][-1].number + 1:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    joined: list[list[_Row]] = []
    for block in blocks:
        if joined and _continues_table(joined[-1], block):
            joined[-1].extend(block)
        else:
            joined.append(block)
    return joined


def _continues_table(above: list[_Row], block: list[_Row]) -> bool:
    """Whether the rows after a blank row continue the table above.

    They do when they add no column, and when they begin with a row of data or neither part has one.
    """
    columns = {column for row in above for column in row.cells}
    if len(columns) < 2 or block[0].own_cells < 2 or not {column for row in block for column in row.cells} <= columns:
        return False
    return block[0].is_data or not any(row.is_data for row in [*above, *block])


def _rendered_block(block: list[_Row]) -> list[str]:
    """The lines above the table, which have one cell each, and the table."""
    columns = sorted({column for row in block for column in row.cells})
    parts: list[str] = []
    first = 0
    while first < len(block) and (len(columns) == 1 or block[first].own_cells == 1):
        parts.append(paragraph(next(iter(block[first].cells.values()))))
        first += 1
    if len(columns) == 1:
        return ["\n".join(parts)]
    table = block[first:]
    if not table:
        return parts
    columns = sorted({column for row in table for column in row.cells})
    header, body = _header(table, columns)
    return [*parts, markdown_table([header, *[[row.cells.get(column, "") for column in columns] for row in body]])]


def _header(rows: list[_Row], columns: list[int]) -> tuple[list[str], list[_Row]]:
    """(header, rows below it). A header of several rows becomes one row: '2026 / Q1'."""
    count = 1
    while count < min(_MOST_HEADER_ROWS, len(rows) - 1) and _continues_header(rows[count - 1 : count + 2], columns):
        count += 1
    if count == 1:
        return [rows[0].cells.get(column, "") for column in columns], rows[1:]
    names: list[list[str]] = [[] for _ in columns]
    for row in rows[:count]:
        last = ""
        for name, column in zip(names, columns, strict=True):
            # Where merged ranges are unknown, an empty cell has its left neighbour's header, but not that of the first
            # column, which names the rows.
            is_certain = row is rows[count - 1] or row.spanned or last == row.cells.get(columns[0])
            last = row.cells.get(column, "" if is_certain else last)
            if last and last not in name:
                name.append(last)
    return [" / ".join(name) for name in names], rows[count:]


def _continues_header(rows: list[_Row], columns: list[int]) -> bool:
    """True when the second of three rows continues the header of the first, which has merged cells or gaps above it."""
    upper, lower, below = rows
    if upper.spanned:
        # Columns that the second row does not divide must reach through both rows.
        undivided = [column for column in columns if column not in upper.spanned]
        reaches_through = upper.number in lower.hangs_from or all(
            lower.cells.get(column, "") in {"", upper.cells.get(column, "")} or column not in upper.cells
            for column in undivided
        )
        return reaches_through and all(
            _YEAR.fullmatch(text) or not _NUMBER.fullmatch(text) for text in lower.cells.values()
        )
    if upper.is_data or lower.is_data or not below.is_data:
        return False
    if upper.own_cells < lower.own_cells:
        return all(column in lower.cells or column in upper.cells for column in columns)
    first = columns[0]
    return first in upper.cells and first not in lower.cells and first in below.cells
