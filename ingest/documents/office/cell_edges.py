"""Tables whose cells state only where they end, as the cells of doc and rtf do, as a grid.

The rows of one table may be divided differently. Every edge of any row begins a column of the grid. A cell over several
of these columns becomes a merged cell, so that each cell is under its own header.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.documents.structure.tables import Grid, Span

# Edges this close are the same edge: programs round them differently in each row. In twips, twentieths of a point.
_SAME_EDGE = 40
_MOST_COLUMNS = 64  # Word allows 63


@dataclass(frozen=True)
class Cell:
    """A cell, its right edge in twips, and whether it is merged with the cell above it or on its left."""

    text: str
    right: int
    merged_above: bool = False
    merged_left: bool = False


@dataclass(frozen=True)
class TableRow:
    """The cells of a row from left to right, and the left edge of the first in twips."""

    cells: Sequence[Cell]
    left: int = 0


def grid(rows: Sequence[TableRow]) -> Grid:
    """The rows as a grid. Where the edges are damaged or too many, the cells are numbered in their order instead."""
    edges = _distinct({cell.right for row in rows for cell in row.cells} | {row.left for row in rows})
    if not 1 < len(edges) <= _MOST_COLUMNS + 1 or not all(map(_is_ascending, rows)):
        return Grid.of([[cell.text for cell in row.cells] for row in rows])
    result = Grid()
    spans_above: dict[int, tuple[int, int]] = {}  # column: (first row, index in spans) of the cell above
    for number, row in enumerate(rows):
        column, start, row_spans = _column_of(edges, row.left), 0, {}
        for cell in row.cells:
            end = max(_column_of(edges, cell.right) - 1, column)
            if not cell.merged_left:
                start = column
            if cell.merged_above and start in spans_above:
                first_row, index = spans_above[start]
                result.spans[index] = Span(first_row, start, number, max(end, result.spans[index].last_column))
                row_spans[start] = spans_above[start]
            else:
                if cell.merged_left and row_spans and result.spans:
                    last = result.spans[-1]
                    result.spans[-1] = Span(last.first_row, last.first_column, number, end)
                else:
                    result.put(number, start, cell.text)
                    result.spans.append(Span(number, start, number, end))
                row_spans[start] = (number, len(result.spans) - 1)
            column = end + 1
        spans_above = row_spans
    result.spans = [s for s in result.spans if (s.first_row, s.first_column) != (s.last_row, s.last_column)]
    return result


def _distinct(edges: set[int]) -> list[int]:
    """The edges from left to right, the first of those close together."""
    distinct: list[int] = []
    for edge in sorted(edges):
        if not distinct or edge - distinct[-1] > _SAME_EDGE:
            distinct.append(edge)
    return distinct


def _column_of(edges: list[int], edge: int) -> int:
    """The index of the last distinct edge at or before this one."""
    return max(0, bisect_left(edges, edge + 1) - 1)


def _is_ascending(row: TableRow) -> bool:
    edges = [row.left, *(cell.right for cell in row.cells)]
    return all(left < right for left, right in pairwise(edges))
