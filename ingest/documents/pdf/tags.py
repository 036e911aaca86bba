"""What a tagged PDF says of itself (ISO 32000-1, 14.8): headings and tables, as Word and browsers write them down.

A tag names pieces of the page by number; what they say is asked of the page's text, which knows where spaces are.
Knows no layout.
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
# A page has hundreds of elements; one with more is damaged, or made to hold readers up.
_MOST_ELEMENTS = 20_000
_MOST_LETTERS = 200
# The cells of a table must say what stands in its place but for this share of the letters.
_UNTOLD = 0.05

_Marks = list[int]
_Place = tuple[float, float, float, float]


@dataclass(frozen=True)
class TaggedTable:
    """Rows of cells, the first of them headings when it `has_header`, and the place in points of the page."""

    rows: Sequence[Sequence[str]]
    has_header: bool
    left: float
    bottom: float
    right: float
    top: float

    def holds(self, box: Box) -> bool:
        return stands_in(box, self.left, self.bottom, self.right, self.top)


@dataclass
class _Found:
    """Marked pieces of every heading with its level, and of every cell of every row of every table."""

    headings: list[tuple[int, _Marks]] = field(default_factory=list)
    tables: list[list[list[_Marks]]] = field(default_factory=list)
    headers: list[bool] = field(default_factory=list)


def tags_of(page: Any, text_page: Any, number: int) -> tuple[list[Bookmark], list[TaggedTable]]:
    """Headings and tables of the page with this number, from 0, in the order of the tags; none where it has none."""
    import pypdfium2.raw as pdfium

    tree = pdfium.FPDF_StructTree_GetForPage(page.raw)
    if not tree:
        return [], []
    try:
        found = _walked(tree, pdfium)
    finally:
        pdfium.FPDF_StructTree_Close(tree)
    cells = [marks for rows in found.tables for row in rows for marks in row]
    wanted = {mark for marks in (*(marks for _, marks in found.headings), *cells) for mark in marks}
    places = _places(page, wanted, pdfium)

    def told(marks: _Marks) -> tuple[str, _Place | None]:
        around = _around([box for mark in marks for box in places.get(mark, ())])
        return ("", None) if around is None else (" ".join(text_page.get_text_bounded(*around).split()), around)

    headings = [
        Bookmark(title, level, number, around[3], is_tagged=True)
        for level, marks in found.headings
        for title, around in [told(marks)]
        if around is not None and 0 < len(title) <= _MOST_LETTERS
    ]
    tables = []
    for rows, has_header in zip(found.tables, found.headers, strict=True):
        texts = [[told(marks) for marks in row] for row in rows]
        around = _around([place for row in texts for _, place in row if place is not None])
        if around is not None:
            tables.append(TaggedTable([[text for text, _ in row] for row in texts], has_header, *around))
    return headings, tables


def with_tagged_tables(
    boxes: list[Box], tables: Sequence[TaggedTable], header: Sequence[str]
) -> tuple[list[Box], Sequence[str]]:
    """The boxes with those of each table put together as one box, and the header of the last table.

    A page's first table without a header goes on under `header`, that of the last table on the page before, when it
    has as many columns. A table with merged cells, or whose cells do not say all that stands there, is left alone.
    """
    for number, table in enumerate(tables):
        inside = [box for box in boxes if table.holds(box)]
        widths = {len(row) for row in table.rows}
        drawn = sum(map(_letters, (box.text for box in inside)))
        said = sum(_letters(cell) for row in table.rows for cell in row)
        if len(widths) != 1 or max(widths) < 2 or not drawn or abs(said - drawn) > _UNTOLD * drawn:
            header = ()
            continue
        goes_on = number == 0 and not table.has_header and len(header) in widths
        rows = [header, *table.rows] if goes_on else table.rows
        place = table.left, table.bottom, table.right, table.top
        boxes = put_together(boxes, inside, markdown_table(rows), place)
        header = rows[0] if goes_on or table.has_header else ()
    return boxes, header


def _walked(tree: Any, pdfium: Any) -> _Found:
    found = _Found()
    # (element, the heading or cell it stands in, its table's rows, its row's cells), the first on top.
    waiting: list[tuple[Any, _Marks | None, list[list[_Marks]] | None, list[_Marks] | None]] = [
        (pdfium.FPDF_StructTree_GetChildAtIndex(tree, place), None, None, None)
        for place in reversed(range(pdfium.FPDF_StructTree_CountChildren(tree)))
    ]
    for _ in range(_MOST_ELEMENTS):
        if not waiting:
            break
        element, inside, rows, cells = waiting.pop()
        if not element:
            continue
        kind = _kind(element, pdfium)
        if inside is None:
            if heading := _HEADING.fullmatch(kind):
                inside = []
                found.headings.append((int(heading[1] or 1), inside))
            elif kind == "Table":
                rows = []
                found.tables.append(rows)
                found.headers.append(False)
            elif kind == "TR" and rows is not None:
                cells = []
                rows.append(cells)
            elif kind in {"TH", "TD"} and rows is not None and cells is not None:
                inside = []
                cells.append(inside)
                found.headers[-1] |= kind == "TH" and len(rows) == 1 and len(cells) > 1
        children = range(pdfium.FPDF_StructElement_CountChildren(element))
        if inside is not None:
            marks = (pdfium.FPDF_StructElement_GetChildMarkedContentID(element, place) for place in children)
            inside += [mark for mark in marks if mark >= 0]
        waiting += [
            (pdfium.FPDF_StructElement_GetChildAtIndex(element, place), inside, rows, cells)
            for place in reversed(children)
        ]
    return found


def _kind(element: Any, pdfium: Any) -> str:
    size = pdfium.FPDF_StructElement_GetType(element, None, 0)
    buffer = ctypes.create_string_buffer(max(2, size))
    pdfium.FPDF_StructElement_GetType(element, buffer, size)
    return buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace")


def _places(page: Any, wanted: set[int], pdfium: Any) -> dict[int, list[_Place]]:
    """Marked piece → (left, bottom, right, top) of what is drawn for it."""
    found: dict[int, list[_Place]] = {}
    if not wanted:
        return found
    edges = [ctypes.c_float() for _ in range(4)]
    references = [ctypes.byref(edge) for edge in edges]
    for place in range(pdfium.FPDFPage_CountObjects(page.raw)):
        drawn = pdfium.FPDFPage_GetObject(page.raw, place)
        mark = pdfium.FPDFPageObj_GetMarkedContentID(drawn)
        if mark in wanted and pdfium.FPDFPageObj_GetBounds(drawn, *references):
            left, bottom, right, top = (edge.value for edge in edges)
            found.setdefault(mark, []).append((left, bottom, right, top))
    return found


def _around(places: Sequence[_Place]) -> _Place | None:
    if not places:
        return None
    lefts, bottoms, rights, tops = zip(*places, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _letters(text: str) -> int:
    return sum(letter.isalnum() for letter in text)
