"""What a tagged PDF says is a heading (ISO 32000-1, 14.8.4.3.2): Word and browsers write that down. Knows no layout.

A tag names pieces of the page by number; what they say is asked of the page's text, which knows where spaces are.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any

from ingest.formats.pdf_headings import Bookmark

_HEADING = re.compile(r"H([1-6])?")
# A page has hundreds of elements; one with more is damaged, or made to hold readers up.
_MOST_ELEMENTS = 20_000
_MOST_LETTERS = 200


def tagged_headings(page: Any, text_page: Any, number: int) -> list[Bookmark]:
    """The headings of the page with this number, from 0, in the order of the tags; none for a page without tags."""
    import pypdfium2.raw as pdfium

    tree = pdfium.FPDF_StructTree_GetForPage(page.raw)
    if not tree:
        return []
    try:
        headings = _headings(tree, pdfium)
    finally:
        pdfium.FPDF_StructTree_Close(tree)
    places = _places(page, {mark for _, marks in headings for mark in marks}, pdfium)
    found = []
    for level, marks in headings:
        boxes = [box for mark in marks for box in places.get(mark, ())]
        if not boxes:
            continue
        lefts, bottoms, rights, tops = zip(*boxes, strict=True)
        title = " ".join(text_page.get_text_bounded(min(lefts), min(bottoms), max(rights), max(tops)).split())
        if 0 < len(title) <= _MOST_LETTERS:
            found.append(Bookmark(title, level, number, max(tops), is_tagged=True))
    return found


def _headings(tree: Any, pdfium: Any) -> list[tuple[int, list[int]]]:
    """(level from 1, numbers of the marked pieces) of every heading element."""
    found: list[tuple[int, list[int]]] = []
    count = pdfium.FPDF_StructTree_CountChildren(tree)
    # (element, the heading it stands in or None), the first on top.
    waiting: list[tuple[Any, list[int] | None]] = [
        (pdfium.FPDF_StructTree_GetChildAtIndex(tree, place), None) for place in reversed(range(count))
    ]
    for _ in range(_MOST_ELEMENTS):
        if not waiting:
            break
        element, inside = waiting.pop()
        if not element:
            continue
        heading = _HEADING.fullmatch(_kind(element, pdfium))
        if heading and inside is None:
            inside = []
            found.append((int(heading[1] or 1), inside))
        children = pdfium.FPDF_StructElement_CountChildren(element)
        if inside is not None:
            marks = (pdfium.FPDF_StructElement_GetChildMarkedContentID(element, place) for place in range(children))
            inside += [mark for mark in marks if mark >= 0]
        waiting += [
            (pdfium.FPDF_StructElement_GetChildAtIndex(element, place), inside) for place in reversed(range(children))
        ]
    return found


def _kind(element: Any, pdfium: Any) -> str:
    size = pdfium.FPDF_StructElement_GetType(element, None, 0)
    buffer = ctypes.create_string_buffer(max(2, size))
    pdfium.FPDF_StructElement_GetType(element, buffer, size)
    return buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace")


def _places(page: Any, wanted: set[int], pdfium: Any) -> dict[int, list[tuple[float, float, float, float]]]:
    """Marked piece → (left, bottom, right, top) of what is drawn for it."""
    found: dict[int, list[tuple[float, float, float, float]]] = {}
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
