"""The text of a PDF page as boxes: printed text, form fields and notes, as pdfium finds them.

pdfium returns text in lines. It is asked for the position of the first and the last letter of each word only, which
takes far less time than for every letter. Text that runs up or down the page is turned to run from left to right.
"""

from __future__ import annotations

import ctypes
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ingest.documents.pdf.layout.boxes import BROKEN_WORD, CELL_GAP, WORD_GAP, Box, Gap
from ingest.documents.pdf.layout.ruled_tables import Rule, stands_between, turned, with_tables

_BOLD = re.compile(rb"bold|black|heavy|demi|medi$|-b$", re.IGNORECASE)
_WORD = re.compile(r"\S+")
# What pdfium writes where it has joined the two lines of a word with a hyphen.
_HYPHEN = "\ufffe"
# Annotations whose text a person wrote: a note and text typed onto the page (ISO 32000-1, 12.5.6).
_NOTE_KINDS = ("FPDF_ANNOT_TEXT", "FPDF_ANNOT_FREETEXT")
_AFTER_PRINTED_TEXT = 10**6


def page_boxes(text_page: Any, filled: Sequence[Box] = (), rules: Sequence[Rule] = ()) -> list[list[Box]]:
    """The page's text: one list of boxes for each direction of text, the direction with most boxes first.

    `filled` are the boxes of `form_boxes`; they belong to the text that runs from left to right. `rules` are the lines
    drawn on the page: no box crosses one, and a table between such lines is one box.
    """
    import pypdfium2.raw as pdfium

    text = text_page.get_text_range()
    letters = _Letters(text_page, pdfium, text)
    directions: dict[int, list[Box]] = {0: list(filled)} if filled else {}
    walls: dict[int, list[Rule]] = {}
    for start, end in _lines(text):
        words = [(match.start(), match.end()) for match in _WORD.finditer(text, start, end)]
        if words:
            quarter = letters.quarter(words[0][0])
            if quarter not in walls:
                walls[quarter] = turned(rules, quarter)
            mark = BROKEN_WORD if text[end : end + 1] == _HYPHEN else ""
            boxes = _line_boxes(text, words, letters, quarter, mark, walls[quarter])
            directions.setdefault(quarter, []).extend(boxes)
    ordered = sorted(directions, key=lambda quarter: len(directions[quarter]), reverse=True)
    return [with_tables(directions[quarter], walls.get(quarter, [])) for quarter in ordered]


def form_boxes(page: Any, form: Any) -> list[Box]:
    """The text in the page's form fields and notes, at their positions on the page."""
    import pypdfium2.raw as pdfium

    kinds = {getattr(pdfium, kind) for kind in _NOTE_KINDS}
    boxes: list[Box] = []
    for number in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, number)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        text = ""
        if kind in kinds:
            text = _utf16_string(partial(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))
        elif kind == pdfium.FPDF_ANNOT_WIDGET and form is not None:
            text = _field_value(pdfium, form.raw, annotation)
        rectangle = pdfium.FS_RECTF()
        if text.strip() and pdfium.FPDFAnnot_GetRect(annotation, rectangle):
            height = min(12.0, max(1.0, rectangle.top - rectangle.bottom))
            for line_number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
                top = (rectangle.top + rectangle.bottom + height) / 2 - line_number * height
                order = _AFTER_PRINTED_TEXT + len(boxes)
                boxes.append(Box(line.strip(), rectangle.left, rectangle.right, top - height, top, order))
        pdfium.FPDFPage_CloseAnnot(annotation)
    return [box for box in boxes if box.text]


def _field_value(pdfium: Any, form: Any, annotation: Any) -> str:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return "[x]" if pdfium.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    if kind not in (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX):
        return ""
    return _utf16_string(partial(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation))


def _utf16_string(ask: Callable[..., int]) -> str:
    """A string that pdfium writes as UTF-16 with a closing zero, after a call that returns the size in bytes."""
    size = ask(None, 0)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    ask(buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")


def _lines(text: str) -> list[tuple[int, int]]:
    """(start, end) of each line; a word with a hyphen that pdfium has joined is on two lines again."""
    lines = []
    start = 0
    for match in re.finditer(rf"\r\n|\n|{_HYPHEN}", text):
        lines.append((start, match.start()))
        start = match.end()
    return [*lines, (start, len(text))]


class _Letters:
    """Position, direction and weight of single letters, asked of pdfium; letters are numbered as in the text."""

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
        # Letters without a position make the two counts differ as well.
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

    def is_bold(self, letter: int) -> bool:
        # The weight that pdfium knows is a guess from the width of stems; the font's name is not.
        self._font(self._page, self._number(letter), self._name, len(self._name), ctypes.byref(self._flags))
        return _BOLD.search(self._name.value) is not None

    def _number(self, letter: int) -> int:
        return letter if self._same else max(0, self._index(self._page, letter + bisect_left(self._doubles, letter)))


class _Word(NamedTuple):
    start: int
    end: int
    left: float
    right: float
    bottom: float
    top: float

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def height(self) -> float:
        return self.top - self.bottom


def _line_boxes(
    text: str, words: list[tuple[int, int]], letters: _Letters, quarter: int, mark: str, walls: Sequence[Rule]
) -> list[Box]:
    """The words of a line as boxes; words with neither a wide gap nor a wall between them share one.

    `mark` is added to the last box.
    """
    boxes: list[Box] = []
    run: list[_Word] = []
    gaps: list[Gap] = []
    longest = _Word(0, 0, 0.0, 0.0, 0.0, 0.0)  # of the run
    for start, end in words:
        left, right, bottom, top = letters.box(start, quarter)
        right = letters.right(end - 1, quarter) if end - start > 1 else right
        word = _Word(start, end, left, right, bottom, top)
        if run and _is_apart(run[-1], longest, word, walls):
            boxes.append(_box(text, run, longest, gaps, letters))
            run, gaps = [], []
        elif run and left - run[-1].right > WORD_GAP * longest.height:
            gaps.append((start - run[0].start, run[-1].right, left))
        # The longest word has the height of the line: others may be small, or begin with a large initial.
        longest = word if not run or word.length > longest.length else longest
        run.append(word)
    return [*boxes, _box(text, run, longest, gaps, letters, mark)]


def _is_apart(before: _Word, longest: _Word, word: _Word, walls: Sequence[Rule]) -> bool:
    height = longest.height
    if not -0.5 * height < word.left - before.right < CELL_GAP * height or word.top < longest.bottom:
        return True
    return bool(walls) and stands_between(walls, before.right, word.left, (word.top + word.bottom) / 2)


def _box(
    text: str, run: Sequence[_Word], longest: _Word, gaps: Sequence[Gap], letters: _Letters, mark: str = ""
) -> Box:
    first, last = run[0], run[-1]
    return Box(
        text[first.start : last.end] + mark,
        first.left,
        last.right,
        longest.bottom,
        longest.top,
        first.start,
        bold=letters.is_bold(first.start) and letters.is_bold(last.end - 1),
        gaps=tuple(gaps),
    )
