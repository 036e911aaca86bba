"""Tables whose cells say only where they end, as those of doc and rtf do. Knows nothing of files.

Rows of one table may be cut differently. The columns are all the edges that its rows have together, so that a cell
which reaches over several of them is one merged across, and stands under the right header.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.documents.structure.tables import Grid, Span

# Edges this close are one: programs round them differently from row to row. In twentieths of a point.
_SAME_EDGE = 40
_MOST_COLUMNS = 64  # of a table in Word, which has 63


@dataclass(frozen=True)
class Cell:
    """A cell that ends at `right`; `goes_on` says that it belongs to the one above, or `goes_along` to its left."""

    text: str
    right: int
    goes_on: bool = False
    goes_along: bool = False


@dataclass(frozen=True)
class TableRow:
    """A row's cells from left to right, and where the first begins."""

    cells: Sequence[Cell]
    left: int = 0


def grid(rows: Sequence[TableRow]) -> Grid:
    """The rows as a grid. Where the edges are damaged or far too many, the cells are taken as they come."""
    edges = _columns({cell.right for row in rows for cell in row.cells} | {row.left for row in rows})
    if not 1 < len(edges) <= _MOST_COLUMNS + 1 or not all(map(_ascending, rows)):
        return Grid.of([[cell.text for cell in row.cells] for row in rows])
    found = Grid()
    above: dict[int, tuple[int, int]] = {}  # column: (the row, the place among the spans) of what goes on there
    for number, row in enumerate(rows):
        column, start, below = _place(edges, row.left), 0, {}
        for cell in row.cells:
            end = max(_place(edges, cell.right) - 1, column)
            if not cell.goes_along:
                start = column
            if cell.goes_on and start in above:
                first, place = above[start]
                found.spans[place] = Span(first, start, number, max(end, found.spans[place].last_column))
                below[start] = above[start]
            else:
                if cell.goes_along and below and found.spans:
                    last = found.spans[-1]
                    found.spans[-1] = Span(last.first_row, last.first_column, number, end)
                else:
                    found.put(number, start, cell.text)
                    found.spans.append(Span(number, start, number, end))
                below[start] = (number, len(found.spans) - 1)
            column = end + 1
        above = below
    found.spans = [s for s in found.spans if (s.first_row, s.first_column) != (s.last_row, s.last_column)]
    return found


def _columns(edges: set[int]) -> list[int]:
    """The edges from left to right, those close to one another as one."""
    found: list[int] = []
    for edge in sorted(edges):
        if not found or edge - found[-1] > _SAME_EDGE:
            found.append(edge)
    return found


def _place(edges: list[int], edge: int) -> int:
    return max(0, bisect_left(edges, edge + 1) - 1)


def _ascending(row: TableRow) -> bool:
    rights = [row.left, *(cell.right for cell in row.cells)]
    return all(first < second for first, second in pairwise(rights))
