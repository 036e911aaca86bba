"""The text of one PDF page as boxes, by pdfium: what is printed, filled into forms and noted. Knows nothing of layout.

pdfium gives text in lines; where a line's words stand is asked once for each word's first and last letter, which
is far cheaper than every letter's place. Text that runs up or down the page is turned to run from left to right.
"""

from __future__ import annotations

import ctypes
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ingest.documents.pdf.layout.boxes import BROKEN_WORD, CELL_GAP, WORD_GAP, Box, Gap
from ingest.documents.pdf.layout.ruled_tables import Rule, parts, turned, with_tables

_BOLD = re.compile(rb"bold|black|heavy|demi|medi$|-b$", re.IGNORECASE)
_WORD = re.compile(r"\S+")
# Where pdfium has put together the two lines of a word with a hyphen.
_HYPHEN = "\ufffe"
# Annotations whose text people wrote: a note and text typed onto the page (ISO 32000-1, 12.5.6).
_NOTE_KINDS = ("FPDF_ANNOT_TEXT", "FPDF_ANNOT_FREETEXT")


def page_boxes(text_page: Any, filled: Sequence[Box] = (), rules: Sequence[Rule] = ()) -> list[list[Box]]:
    """The page's printed text, one list for each direction it runs in, the commonest first.

    `filled` is what `form_boxes` found; it belongs to the text that is not turned. `rules` are the lines drawn on the
    page: no box reaches over one, and what they make a table is one box.
    """
    import pypdfium2.raw as pdfium

    text = text_page.get_text_range()
    place = _Place(text_page, pdfium, text)
    directions: dict[int, list[Box]] = {0: list(filled)} if filled else {}
    walls: dict[int, list[Rule]] = {}
    for start, end in _lines(text):
        words = [(match.start(), match.end()) for match in _WORD.finditer(text, start, end)]
        if words:
            quarter = place.quarter(words[0][0])
            line = directions.setdefault(quarter, [])
            if quarter not in walls:
                walls[quarter] = turned(rules, quarter)
            mark = BROKEN_WORD if text[end : end + 1] == _HYPHEN else ""
            _add_line(line, text, words, place, quarter, mark, walls[quarter])
    ordered = sorted(directions, key=lambda quarter: len(directions[quarter]), reverse=True)
    return [with_tables(directions[quarter], walls.get(quarter, [])) for quarter in ordered]


def form_boxes(page: Any, form: Any) -> list[Box]:
    """What is filled into the page's form fields, where the fields stand, and notes people wrote onto it."""
    import pypdfium2.raw as pdfium

    kinds = {getattr(pdfium, kind) for kind in _NOTE_KINDS}
    found: list[Box] = []
    for number in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        text = ""
        if kind in kinds:
            text = _wide(partial(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))
        elif kind == pdfium.FPDF_ANNOT_WIDGET and form is not None:
            text = _field_value(pdfium, form.raw, annotation)
        rectangle = pdfium.FS_RECTF()
        if text.strip() and pdfium.FPDFAnnot_GetRect(annotation, rectangle):
            height = min(12.0, max(1.0, rectangle.top - rectangle.bottom))
            for line_number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
                top = (rectangle.top + rectangle.bottom + height) / 2 - line_number * height
                found.append(Box(line.strip(), rectangle.left, rectangle.right, top - height, top, 10**6 + len(found)))
        pdfium.FPDFPage_CloseAnnot(annotation)
    return [box for box in found if box.text]


def _field_value(pdfium: Any, form: Any, annotation: Any) -> str:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return "[x]" if pdfium.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    if kind not in (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX):
        return ""
    return _wide(partial(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation))


def _wide(ask: Callable[..., int]) -> str:
    """A string that pdfium writes as UTF-16 with a closing zero; asked first for its size in bytes."""
    size = ask(None, 0)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    ask(buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")


def _lines(text: str) -> list[tuple[int, int]]:
    """(start, end) of each line; a word with a hyphen that pdfium put together is two lines again."""
    found = []
    start = 0
    for match in re.finditer(rf"\r\n|\n|{_HYPHEN}", text):
        found.append((start, match.start()))
        start = match.end()
    return [*found, (start, len(text))]


class _Place:
    """Asks pdfium where a letter stands; letters are numbered as in the text."""

    def __init__(self, text_page: Any, pdfium: Any, text: str) -> None:
        self._page = text_page.raw
        self._box = pdfium.FS_RECTF()
        self._reference = ctypes.byref(self._box)
        self._ask = pdfium.FPDFText_GetLooseCharBox
        self._angle = pdfium.FPDFText_GetCharAngle
        self._font = pdfium.FPDFText_GetFontInfo
        self._name, self._flags = ctypes.create_string_buffer(128), ctypes.c_int()
        # pdfium counts a letter beyond the first 65,536 of Unicode, such as an emoji, as two.
        self._doubles = [number for number, letter in enumerate(text) if letter > "\uffff"]
        # Letters without a place make the two counts differ as well.
        self._same = not self._doubles and text_page.count_chars() == len(text)
        self._index = pdfium.FPDFText_GetCharIndexFromTextIndex

    def quarter(self, letter: int) -> int:
        """How many quarter turns to the left the text at a letter is turned."""
        angle: float = self._angle(self._page, self._number(letter))
        return -round(angle / (math.pi / 2)) % 4

    def box(self, letter: int, quarter: int) -> tuple[float, float, float, float]:
        """(left, right, bottom, top) as if the page were turned to make the text run from left to right."""
        self._ask(self._page, letter if self._same else self._number(letter), self._reference)
        box = self._box
        if quarter == 0:
            return box.left, box.right, box.bottom, box.top
        if quarter == 1:
            return box.bottom, box.top, -box.right, -box.left
        if quarter == 2:
            return -box.right, -box.left, -box.top, -box.bottom
        return -box.top, -box.bottom, box.left, box.right

    def right(self, letter: int, quarter: int) -> float:
        """Where a letter ends."""
        if quarter or not self._same:
            return self.box(letter, quarter)[1]
        self._ask(self._page, letter, self._reference)
        right: float = self._box.right
        return right

    def closed(self, box: Box, text: str, right: float, first: int, end: int, gaps: Sequence[Gap]) -> Box:
        """The box with its text, end and gaps, and whether it is bold: from letter `first` to before `end`."""
        box.text, box.right, box.gaps = text, right, tuple(gaps)
        box.bold = self._is_bold(first) and self._is_bold(end - 1)
        return box

    def _is_bold(self, letter: int) -> bool:
        # The weight that pdfium knows is a guess from the width of stems; the font's name is not.
        self._font(self._page, self._number(letter), self._name, len(self._name), ctypes.byref(self._flags))
        return _BOLD.search(self._name.value) is not None

    def _number(self, letter: int) -> int:
        return letter if self._same else max(0, self._index(self._page, letter + bisect_left(self._doubles, letter)))


def _add_line(
    line: list[Box],
    text: str,
    words: list[tuple[int, int]],
    place: _Place,
    quarter: int,
    mark: str,
    walls: Sequence[Rule],
) -> None:
    """Append the line's words to `line`, those with no wide gap between them as one box."""
    current: Box | None = None
    first = previous = longest = 0
    ended = height = 0.0
    gaps: list[Gap] = []
    for start, end in words:
        left, right, bottom, top = place.box(start, quarter)
        gap = left - ended
        apart = current is None or not -0.5 * height < gap < CELL_GAP * height or top < current.bottom
        if current is None or apart or (walls and parts(walls, ended, left, (top + bottom) / 2)):
            if current:
                line.append(place.closed(current, text[first:previous], ended, first, previous, gaps))
            current, first, height = Box("", left, right, bottom, top, start), start, top - bottom
            longest, gaps = end - start, []
        else:
            if gap > WORD_GAP * height:
                gaps.append((start - first, ended, left))
            if end - start > longest:  # the longest word tells the height: others may be small or large initials
                current.bottom, current.top, height, longest = bottom, top, top - bottom, end - start
        ended = place.right(end - 1, quarter) if end - start > 1 else right
        previous = end
    if current:
        line.append(place.closed(current, text[first:previous] + mark, ended, first, previous, gaps))
