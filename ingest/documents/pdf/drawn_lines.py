"""The horizontal and vertical lines drawn on a PDF page, by pdfium: the borders of tables.

Programs draw the border of a cell as a line, as a thin filled box, or as the outline of a box; all become lines.
Slanted lines and curves are left out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from ingest.documents.pdf.layout.ruled_tables import Rule

# A line is at most this thick and longer than this, in points.
_THICK = 3.0
_SHORT = 3.0
# A page with more drawn objects than this is a map or a drawing.
_MOST_PATHS = 6_000
_MOST_POINTS = 60
# More lines than this are no table.
_MOST_RULES = 4_000


def page_rules(page: Any) -> list[Rule]:
    """The lines of the page; none when there are so many that it is a drawing."""
    import pypdfium2.raw as pdfium

    rules: list[Rule] = []
    paths = 0
    for number in range(pdfium.FPDFPage_CountObjects(page.raw)):
        drawn = pdfium.FPDFPage_GetObject(page.raw, number)
        if pdfium.FPDFPageObj_GetType(drawn) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        paths += 1
        rules += _rules(pdfium, drawn)
        if paths > _MOST_PATHS or len(rules) > _MOST_RULES:
            return []
    return rules


def _rules(pdfium: Any, path: Any) -> Iterator[Rule]:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(path, left, bottom, right, top):
        return
    box = left.value, bottom.value, right.value, top.value
    filled, stroked = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(path, filled, stroked)
    if not filled.value and not stroked.value:  # an invisible path, which only clips what is drawn later
        return
    line = _line(*box)
    if line:
        yield line
    elif stroked.value and box[2] - box[0] > _SHORT and box[3] - box[1] > _SHORT:
        yield from filter(None, (_line(*ends) for ends in _sides(pdfium, path)))


def _sides(pdfium: Any, path: Any) -> Iterator[tuple[float, float, float, float]]:
    """The straight pieces of a path, as boxes."""
    count = pdfium.FPDFPath_CountSegments(path)
    if not 1 < count <= _MOST_POINTS:
        return
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(path, matrix)
    begin = last = (0.0, 0.0)
    x, y = ctypes.c_float(), ctypes.c_float()
    for number in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(path, number)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            begin = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield _box(last, point)
        last = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield _box(last, begin)
            last = begin


def _box(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float, float, float]:
    return min(first[0], second[0]), min(first[1], second[1]), max(first[0], second[0]), max(first[1], second[1])


def _line(left: float, bottom: float, right: float, top: float) -> Rule | None:
    """The line along the middle of a thin box; None for a box that is not thin."""
    width, height = right - left, top - bottom
    if height <= _THICK and width >= max(_SHORT, 2 * height):
        middle = (top + bottom) / 2
        return Rule(left, middle, right, middle)
    if width <= _THICK and height >= max(_SHORT, 2 * width):
        middle = (left + right) / 2
        return Rule(middle, bottom, middle, top)
    return None
