"""Rows of cells as Markdown tables. Knows nothing of which program wrote the rows.

A sheet is more than one table: titles stand above, blank rows part one table from the next, headers span columns
and go over two rows. What comes out is what a person would say the tables are, each with one header row, because
passages repeat that row. Cells are kept sparsely, so that a lone cell in the last corner of a sheet costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.documents.structure.markdown import flat, markdown_table, paragraph

# A number, amount, share or date as people write them: a row with one of these is data, not a header.
_NUMBER = re.compile(r"[^\w\s]{0,3}\d[\d.,:/\s-]*[^\w\s]{0,2}|\d{1,4}[年/.-]\d{1,2}[月/.-]?.*")
_YEAR = re.compile(r"(?:19|20)\d\d(?:[/-]\d\d)?年?")
# Header rows that belong together, at most; and filled-in cells of merged ranges, against ranges made to explode.
_MOST_HEADER_ROWS = 3
_MOST_FILLED = 500_000


@dataclass(frozen=True)
class Span:
    """A merged range of cells: rows and columns from the first up to and including the last, counted from 0."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


@dataclass
class Grid:
    """The cells of a sheet or table that hold text: {row: {column: text}}, and which of them are merged."""

    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]]) -> Grid:
        grid = cls()
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                grid.put(number, column, text)
        return grid

    def put(self, row: int, column: int, text: str) -> None:
        """Set a cell; white space alone is no text."""
        if text := flat(text):
            self.rows.setdefault(row, {})[column] = text

    def without_blank_rows(self) -> Grid:
        """The same cells, rows counted anew: where a blank row is only an empty line and parts nothing."""
        number = {row: position for position, row in enumerate(sorted(self.rows))}
        grid = Grid({number[row]: cells for row, cells in self.rows.items()})
        for span in self.spans:
            inside = [number[row] for row in number if span.first_row <= row <= span.last_row]
            if span.first_row in number:
                grid.spans.append(Span(number[span.first_row], span.first_column, max(inside), span.last_column))
        return grid


def to_markdown(grid: Grid) -> str:
    """The grid's tables and the lines of text around them, in order, with blank lines between."""
    return "\n\n".join(part for block in _blocks(grid) for part in _rendered(block))


@dataclass
class _Row:
    """One row: its cells, merged ones filled in, how many it has of its own, the columns of those merged across, and
    the rows from which a merged cell reaches down into it."""

    number: int
    cells: dict[int, str]
    own: int
    spanned: set[int] = field(default_factory=set)
    hangs_from: set[int] = field(default_factory=set)

    @property
    def is_data(self) -> bool:
        return any(_NUMBER.fullmatch(text) for text in self.cells.values())


def _filled(grid: Grid) -> list[_Row]:
    """The rows that hold something. The text of a merged range stands in each of its rows and columns, except
    where it is all its row has: then it is a title and stands once."""
    rows = {number: _Row(number, dict(cells), len(cells)) for number, cells in sorted(grid.rows.items())}
    columns = sorted({column for cells in grid.rows.values() for column in cells})
    left = _MOST_FILLED
    for span in grid.spans:
        text = grid.rows.get(span.first_row, {}).get(span.first_column)
        if text is None:
            continue
        across = [column for column in columns if span.first_column <= column <= span.last_column]
        top = rows[span.first_row]
        if top.own > 1 and len(across) > 1:
            top.spanned.update(across)
        tall = span.last_row > span.first_row
        below = [row for row in rows.values() if span.first_row <= row.number <= span.last_row] if tall else [top]
        left -= len(across) * len(below)
        if left < 0:
            break
        for row in below:
            if row is not top:
                row.hangs_from.add(top.number)
            if row.own > 1 or row is not top:
                for column in across:
                    row.cells.setdefault(column, text)
    return list(rows.values())


def _blocks(grid: Grid) -> list[list[_Row]]:
    """Rows that belong together: a blank row ends a table unless the same table plainly goes on below it."""
    blocks: list[list[_Row]] = []
    for row in _filled(grid):
        if blocks and row.number == blocks[-1][-1].number + 1:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    joined: list[list[_Row]] = []
    for block in blocks:
        if joined and _goes_on(joined[-1], block):
            joined[-1].extend(block)
        else:
            joined.append(block)
    return joined


def _goes_on(above: list[_Row], block: list[_Row]) -> bool:
    columns = {column for row in above for column in row.cells}
    if len(columns) < 2 or block[0].own < 2 or not {column for row in block for column in row.cells} <= columns:
        return False
    return block[0].is_data or not any(row.is_data for row in [*above, *block])


def _rendered(block: list[_Row]) -> list[str]:
    columns = sorted({column for row in block for column in row.cells})
    parts: list[str] = []
    first = 0
    while first < len(block) and (len(columns) == 1 or block[first].own == 1):
        parts.append(paragraph(next(iter(block[first].cells.values()))))
        first += 1
    if len(columns) == 1:
        return ["\n".join(parts)]
    rest = block[first:]
    if not rest:
        return parts
    columns = sorted({column for row in rest for column in row.cells})
    header, body = _header(rest, columns)
    return [*parts, markdown_table([header, *[[row.cells.get(column, "") for column in columns] for row in body]])]


def _header(rows: list[_Row], columns: list[int]) -> tuple[list[str], list[_Row]]:
    """(the header, the rows below it). Headers of several rows become one: '2026 / Q1'."""
    count = 1
    while count < min(_MOST_HEADER_ROWS, len(rows) - 1) and _continues_header(rows[count - 1 : count + 2], columns):
        count += 1
    if count == 1:
        return [rows[0].cells.get(column, "") for column in columns], rows[1:]
    names: list[list[str]] = [[] for _ in columns]
    for row in rows[:count]:
        last = ""
        for name, column in zip(names, columns, strict=True):
            # Without knowing what was merged, an empty cell goes with its left neighbour; the first one names the rows.
            is_known = row is rows[count - 1] or row.spanned or last == row.cells.get(columns[0])
            last = row.cells.get(column, "" if is_known else last)
            if last and last not in name:
                name.append(last)
    return [" / ".join(name) for name in names], rows[count:]


def _continues_header(rows: list[_Row], columns: list[int]) -> bool:
    """Of three rows: does the second hold headers, as the first does? That is merged across, or has gaps it fills."""
    upper, lower, below = rows
    if upper.spanned:
        # Columns that are not parted below must go down through both rows.
        through = [column for column in columns if column not in upper.spanned]
        same = upper.number in lower.hangs_from or all(
            lower.cells.get(column, "") in {"", upper.cells.get(column, "")} or column not in upper.cells
            for column in through
        )
        return same and all(_YEAR.fullmatch(text) or not _NUMBER.fullmatch(text) for text in lower.cells.values())
    if upper.is_data or lower.is_data or not below.is_data:
        return False
    if upper.own < lower.own:
        return all(column in lower.cells or column in upper.cells for column in columns)
    first = columns[0]
    return first in upper.cells and first not in lower.cells and first in below.cells
