"""Headings and tables from the tags of a PDF (ISO 32000-1, 14.8), which Word and browsers write.

A tag names pieces of the page by number. Their text is taken from the text of the page, because only that has spaces.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.documents.pdf.headings import Bookmark
from ingest.documents.pdf.layout.boxes import Box, put_together, stands_in
from ingest.documents.structure.markdown import markdown_table

_HEADING = re.compile(r"H([1-6])?")
# A page has hundreds of elements; one with more than this is damaged or an attack.
_MOST_ELEMENTS = 20_000
_MOST_LETTERS = 200
# The cells of a table contain the letters of the page in its place, except for at most this share.
_MISSING_SHARE = 0.05

_Marks = list[int]  # numbers of marked pieces
_Edges = tuple[float, float, float, float]


@dataclass(frozen=True)
class TaggedTable:
    """Rows of cells, the first of them the header when it `has_header`, and the edges on the page in points."""

    rows: Sequence[Sequence[str]]
    has_header: bool
    left: float
    bottom: float
    right: float
    top: float

    def holds(self, box: Box) -> bool:
        """Whether the middle of the box is inside the table."""
        return stands_in(box, self.left, self.bottom, self.right, self.top)


@dataclass
class _MarkedTable:
    """The marked pieces of each cell of each row."""

    rows: list[list[_Marks]] = field(default_factory=list)
    has_header: bool = False


def tags_of(page: Any, text_page: Any, number: int) -> tuple[list[Bookmark], list[TaggedTable]]:
    """The headings and tables of the page `number` (from 0), in the order of the tags; none when it has no tags."""
    import pypdfium2.raw as pdfium

    tree = pdfium.FPDF_StructTree_GetForPage(page.raw)
    if not tree:
        return [], []
    try:
        marked_headings, marked_tables = _walk(tree, pdfium)
    finally:
        pdfium.FPDF_StructTree_Close(tree)
    cells = [marks for table in marked_tables for row in table.rows for marks in row]
    needed_marks = {mark for marks in (*(marks for _, marks in marked_headings), *cells) for mark in marks}
    edges_of_marks = _edges_of_marks(page, needed_marks, pdfium)

    def text_and_edges(marks: _Marks) -> tuple[str, _Edges | None]:
        around = _around([edges for mark in marks for edges in edges_of_marks.get(mark, ())])
        return ("", None) if around is None else (" ".join(text_page.get_text_bounded(*around).split()), around)

    headings = [
        Bookmark(title, level, number, around[3], is_tagged=True)
        for level, marks in marked_headings
        for title, around in [text_and_edges(marks)]
        if around is not None and 0 < len(title) <= _MOST_LETTERS
    ]
    tables = []
    for table in marked_tables:
        rows = [[text_and_edges(marks) for marks in row] for row in table.rows]
        around = _around([edges for row in rows for _, edges in row if edges is not None])
        if around is not None:
            tables.append(TaggedTable([[text for text, _ in row] for row in rows], table.has_header, *around))
    return headings, tables


def with_tagged_tables(
    boxes: list[Box], tables: Sequence[TaggedTable], header: Sequence[str]
) -> tuple[list[Box], Sequence[str]]:
    """The boxes with those of each table replaced by one box, and the header of the page's last table.

    The first table of a page, when it has no header, continues the last table of the page before: it gets the `header`
    of that table if it has as many columns. A table is left as text when it has merged cells, or when its cells lack
    text that is printed in its area.
    """
    for number, table in enumerate(tables):
        inside = [box for box in boxes if table.holds(box)]
        widths = {len(row) for row in table.rows}
        drawn = sum(map(_letters, (box.text for box in inside)))
        tagged = sum(_letters(cell) for row in table.rows for cell in row)
        if len(widths) != 1 or max(widths) < 2 or not drawn or abs(tagged - drawn) > _MISSING_SHARE * drawn:
            header = ()
            continue
        continues = number == 0 and not table.has_header and len(header) in widths
        rows = [header, *table.rows] if continues else table.rows
        edges = table.left, table.bottom, table.right, table.top
        boxes = put_together(boxes, inside, markdown_table(rows), edges)
        header = rows[0] if continues or table.has_header else ()
    return boxes, header


def _walk(tree: Any, pdfium: Any) -> tuple[list[tuple[int, _Marks]], list[_MarkedTable]]:
    """The marked pieces of each heading, with its level, and of each table."""
    headings: list[tuple[int, _Marks]] = []
    tables: list[_MarkedTable] = []
    # (element, marks of the heading or cell around it, table around it, cells of the row around it), next one last.
    waiting: list[tuple[Any, _Marks | None, _MarkedTable | None, list[_Marks] | None]] = [
        (pdfium.FPDF_StructTree_GetChildAtIndex(tree, index), None, None, None)
        for index in reversed(range(pdfium.FPDF_StructTree_CountChildren(tree)))
    ]
    for _ in range(_MOST_ELEMENTS):
        if not waiting:
            break
        element, marks, table, cells = waiting.pop()
        if not element:
            continue
        kind = _kind(element, pdfium)
        if marks is None:
            if heading := _HEADING.fullmatch(kind):
                marks = []
                headings.append((int(heading[1] or 1), marks))
            elif kind == "Table":
                table = _MarkedTable()
                tables.append(table)
            elif kind == "TR" and table is not None:
                cells = []
                table.rows.append(cells)
            elif kind in {"TH", "TD"} and table is not None and cells is not None:
                marks = []
                cells.append(marks)
                tables[-1].has_header |= kind == "TH" and len(table.rows) == 1 and len(cells) > 1
        children = range(pdfium.FPDF_StructElement_CountChildren(element))
        if marks is not None:
            numbers = (pdfium.FPDF_StructElement_GetChildMarkedContentID(element, index) for index in children)
            marks += [number for number in numbers if number >= 0]
        waiting += [
            (pdfium.FPDF_StructElement_GetChildAtIndex(element, index), marks, table, cells)
            for index in reversed(children)
        ]
    return headings, tables


def _kind(element: Any, pdfium: Any) -> str:
    size = pdfium.FPDF_StructElement_GetType(element, None, 0)
    buffer = ctypes.create_string_buffer(max(2, size))
    pdfium.FPDF_StructElement_GetType(element, buffer, size)
    return buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace")


def _edges_of_marks(page: Any, wanted: set[int], pdfium: Any) -> dict[int, list[_Edges]]:
    """For each marked piece the (left, bottom, right, top) of the objects drawn for it."""
    edges_of_marks: dict[int, list[_Edges]] = {}
    if not wanted:
        return edges_of_marks
    edges = [ctypes.c_float() for _ in range(4)]
    references = [ctypes.byref(edge) for edge in edges]
    for index in range(pdfium.FPDFPage_CountObjects(page.raw)):
        drawn = pdfium.FPDFPage_GetObject(page.raw, index)
        mark = pdfium.FPDFPageObj_GetMarkedContentID(drawn)
        if mark in wanted and pdfium.FPDFPageObj_GetBounds(drawn, *references):
            left, bottom, right, top = (edge.value for edge in edges)
            edges_of_marks.setdefault(mark, []).append((left, bottom, right, top))
    return edges_of_marks


def _around(edges: Sequence[_Edges]) -> _Edges | None:
    """The edges of the smallest rectangle around all; None for none."""
    if not edges:
        return None
    lefts, bottoms, rights, tops = zip(*edges, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _letters(text: str) -> int:
    return sum(letter.isalnum() for letter in text)
