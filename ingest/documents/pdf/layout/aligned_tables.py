"""Tables without drawn lines: rows whose cells are aligned in columns, as a Markdown table.

Only positions show such a table, so rows are a table only when every cell is in exactly one column. Other rows stay
text, with the cells of a row on one line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from ingest.documents.pdf.layout.boxes import Box, joined
from ingest.documents.structure.markdown import markdown_table

# White space between two columns is at least this wide, in heights of a line.
_COLUMN_GAP = 0.25
# At least this share of a table's cells has text; with less it is scattered text.
_FILLED = 0.5
# A row this close below, in heights of a line, can be the second line of a cell.
_TIGHT = 0.45
# Rows are at least this much further apart, in heights of a line, than the lines of one cell.
_ROWS_APART = 0.12
_OVERLAP = 0.25
# A piece of a single line is a cell when it begins this near to other cells, and this far from the words before it.
_ALIGNED = 0.15
_WORDS_APART = 0.5
# A row has at most this many lines on average; with more it is running text beside other text.
_CELL_LINES = 4
_NUMBER = re.compile(r"[-+−(]?[^\w\s]{0,2}\d[\d.,:/ %)–-]*(?:[^\W\d]|[/%°²³]){0,8}\)?|[-–—]|n/?a", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")

Rows = Sequence[list[Box]]


def table(rows: Rows, *, spaced: bool = False) -> str:
    """The rows as a Markdown table; '' when they are no table. The first row is the header if it looks like one.

    With `spaced`, rows are a table only if they are further apart than the lines of one cell.
    """
    rows = _split(rows)
    columns = _columns(rows)
    width = len(columns)
    if width < 2 or len(rows) < (3 if width == 2 else 2):
        return ""
    cells = [_placed(row, columns) for row in rows]
    lines = len(rows)
    groups = _groups(cells, rows)
    if groups:
        cells = [_together(cells[first:end]) for first, end in groups]
        rows = [[box for row in rows[first:end] for box in row] for first, end in groups]
    else:
        cells = [] if spaced else _without_broken_cells(cells, rows)
    if lines > _CELL_LINES * len(cells):
        return ""
    filled = sum(bool(cell) for row in cells for cell in row)
    if len(cells) < 2 or filled < _FILLED * width * len(cells):
        return ""
    header = _header(cells, rows)
    if width == 2 and not header:
        return ""
    body = cells[1:] if header else cells
    return markdown_table([header or [""] * width, *body])


def _split(rows: Rows) -> Rows:
    """The rows with boxes cut where a gap between their words is above or below a gap between other rows' cells.

    In the header of a narrow table words are hardly further apart than in a sentence. The rows with the most cells
    decide where the gaps are.
    """
    most = max(map(len, rows))
    usual = [row for row in rows if len(row) == most]
    if most < 2 or len(usual) < 2:
        return rows
    gutters = [
        (max(row[number].right for row in usual), min(row[number + 1].left for row in usual))
        for number in range(most - 1)
    ]
    gutters = [(left, right) for left, right in gutters if left < right]
    # A single box on a line is rather a text than all cells of a row, unless its pieces begin where cells do.
    starts = [box.left for row in usual for box in row]
    return [
        pieces if len(row) > 1 or _aligned(pieces, starts) else row
        for row, pieces in ((row, [piece for box in row for piece in _cut(box, gutters)]) for row in rows)
    ]


def _aligned(pieces: Sequence[Box], starts: Sequence[float]) -> bool:
    return all(
        any(abs(piece.left - start) < _ALIGNED * piece.height for start in starts)
        and piece.left - before.right > _WORDS_APART * piece.height
        for before, piece in pairwise(pieces)
    )


def _cut(box: Box, gutters: Sequence[tuple[float, float]]) -> list[Box]:
    pieces = [box]
    for left, right in gutters:
        last = pieces[-1]
        over_gutter = [
            gap for gap in last.gaps if last.left < left and right < last.right and gap[1] <= right and left <= gap[2]
        ]
        if over_gutter:
            at, end, start = max(over_gutter, key=lambda gap: min(gap[2], right) - max(gap[1], left))
            later_gaps = tuple((index - at, left, right) for index, left, right in last.gaps if index > at)
            pieces[-1:] = [
                replace(last, text=last.text[:at].rstrip(), right=end, gaps=tuple(g for g in last.gaps if g[0] < at)),
                replace(last, text=last.text[at:], left=start, gaps=later_gaps),
            ]
    return pieces


def fits_a_column(box: Box, rows: Rows) -> bool:
    """Whether a box alone on its line may be a cell of the table that the rows form."""
    return sum(column[0] < box.right and box.left < column[1] for column in _columns(rows)) == 1


def continues_cells(row: list[Box], rows: Rows) -> bool:
    """Whether a line close below the rows may continue their cells: each piece begins where a cell does."""
    gap = min(box.bottom for box in rows[-1]) - max(box.top for box in row)
    pieces = _split([*rows, row])[-1]
    starts = [box.left for above in rows for box in above]
    close = gap < _TIGHT * row[0].height
    return close and all(any(abs(box.left - start) < _ALIGNED * box.height for start in starts) for box in pieces)


def _columns(rows: Rows) -> list[tuple[float, float]]:
    """(left, right) of each column; [] when a cell extends over two columns of other rows."""
    spans: list[list[float]] = []
    for box in sorted((box for row in rows for box in row), key=lambda box: box.left):
        if spans and box.left < spans[-1][1] + _COLUMN_GAP * box.height:
            spans[-1][1] = max(spans[-1][1], box.right)
        else:
            spans.append([box.left, box.right])
    usual = Counter(len(row) for row in rows).most_common(1)[0][0]
    return [(left, right) for left, right in spans] if len(spans) >= usual else []


def _placed(row: list[Box], columns: list[tuple[float, float]]) -> list[str]:
    cells = [""] * len(columns)
    for box in row:
        column = next(number for number, (_, right) in enumerate(columns) if box.left <= right)
        cells[column] = joined(cells[column], box.text) if cells[column] else box.text
    return cells


def _groups(cells: list[list[str]], rows: Rows) -> list[tuple[int, int]]:
    """(first, end) of the lines of each row, when all rows are further apart than the lines of one cell.

    Empty when they are not, or when that would join whole rows. A cell of one line in a row of several is in the middle
    of the row, level with one of the lines or with none.
    """
    gaps = [min(box.bottom for box in above) - max(box.top for box in below) for above, below in pairwise(rows)]
    height = median(box.height for row in rows for box in row)
    # Lines of several cells may overlap; if all do, the distance between the lines of one cell is unknown.
    for considered in ([gap for gap in gaps if gap > -_OVERLAP * height], [max(gap, 0.0) for gap in gaps]):
        jumps = sorted((wide - narrow, (narrow + wide) / 2) for narrow, wide in pairwise(sorted(considered)))
        if jumps and jumps[-1][0] >= _ROWS_APART * height and jumps[-1][1] <= _TIGHT * height:
            ends = [number for number, gap in enumerate(gaps, 1) if gap > jumps[-1][1]] + [len(rows)]
            groups = list(pairwise([0, *ends]))
            if all(end - first == 1 or _is_one_row(cells[first:end]) for first, end in groups):
                return groups
    return []


def _is_one_row(lines: list[list[str]]) -> bool:
    """Whether the lines may be one row: few have all cells, some cells have fewer lines, none has two numbers."""
    columns = list(zip(*lines, strict=True))
    full_lines = sum(all(line) for line in lines)
    has_shorter_cell = any(0 < sum(map(bool, column)) < len(lines) for column in columns)
    has_two_numbers = any(sum(is_number(cell) for cell in column if cell) > 1 for column in columns)
    return has_shorter_cell and 2 * full_lines <= len(lines) and not has_two_numbers


def _together(lines: list[list[str]]) -> list[str]:
    """The lines of one row as its cells."""
    cells = lines[0]
    for line in lines[1:]:
        cells = [joined(cell, more) if cell and more else cell or more for cell, more in zip(cells, line, strict=True)]
    return cells


def _without_broken_cells(cells: list[list[str]], rows: Rows) -> list[list[str]]:
    """The rows with lines that continue the cells above them joined to those: close below, with some cells empty."""
    gaps = [min(box.bottom for box in above) - max(box.top for box in below) for above, below in pairwise(rows)]
    heights = [max(box.height for box in row) for row in rows]
    widest = max(gaps, default=0.0)
    whole = [cells[0]]
    bold = [all(box.bold for box in row) for row in rows]
    for number, (line, gap, height) in enumerate(zip(cells[1:], gaps, heights[1:], strict=True), 1):
        filled = sum(map(bool, line))
        of_header = len(whole) == 1 and (filled < len(line) or all(bold[: number + 1]))
        # Rows are further apart than the lines of one cell; if they are not, a filled first cell begins a row.
        apart = widest - gap > 0.3 * height and (filled <= len(line) / 2 or of_header)
        few = not line[0] and filled < len(line) / 2
        begun = all(
            (cell and not (is_number(cell) and is_number(more))) or not more
            for cell, more in zip(whole[-1], line, strict=True)
        )
        if gap < _TIGHT * height and begun and (apart or few):
            whole[-1] = [
                joined(cell, more) if cell and more else cell for cell, more in zip(whole[-1], line, strict=True)
            ]
        else:
            whole.append(line)
    return whole


def _header(cells: list[list[str]], rows: Rows) -> list[str]:
    """The first row if it is a header: in bold, or words over every column, or over numbers in two columns; else []."""
    first, body = cells[0], cells[1:]
    if all(box.bold for box in rows[0]) and all(first) and not all(box.bold for row in rows for box in row):
        return first
    years = not any(_YEAR.fullmatch(cell) for row in body for cell in row)
    words = [bool(cell) and (not is_number(cell) or (years and bool(_YEAR.fullmatch(cell)))) for cell in first]
    if len(first) == 2:
        numbers = sum(is_number(row[1]) for row in body)
        return first if all(words) and numbers > len(body) / 2 else []
    return first if sum(words) >= len(first) - 1 else []


def is_number(cell: str) -> bool:
    """True for numbers, amounts, dates in digits, and a dash in place of a number."""
    return _NUMBER.fullmatch(cell.strip()) is not None
