"""How the lists and headings of an OpenDocument count (OASIS OpenDocument 1.3, part 3, 16.30-16.35 and 19.880).

A list names its style, and the style says how each level counts. Knows nothing of files or of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ingest.documents.office.package import attribute, local, whole_number
from ingest.documents.structure.numbering import Counter, Level

# Formats are named by their first numbers.
_FORMATS = {
    "1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman", "": "none",
    "01": "decimalZero", "一": "chineseCounting", "壹": "chineseLegalSimplified", "甲": "ideographTraditional",
    "①": "decimalEnclosedCircle",
}  # fmt: skip


class Lists:
    """The lists of one document: their styles, and the numbers they have reached."""

    def __init__(self, roots: Iterable[Any]) -> None:
        """`roots` are the elements that hold styles, of the whole document and of its content."""
        self._styles: dict[str, Mapping[int, Level]] = {}
        outline: Mapping[int, Level] = {}
        for root in roots:
            for element in root.iter():
                if local(element) == "list-style":
                    self._styles[attribute(element, "name")] = _levels(element)
                elif local(element) == "outline-style":
                    outline = _levels(element)
        self.outline = Counter(outline)
        self._by_identifier: dict[str, Counter] = {}
        self._by_style: dict[str, Counter] = {}

    def counter(self, element: Any, outer: Counter | None, depth: int) -> Counter:
        """What counts the items of a list, `depth` lists deep from 0. A list goes on counting where it says so."""
        style = attribute(element, "style-name")
        if outer is not None:
            if style not in self._styles:
                return outer
            return Counter({**outer.levels, depth: self._styles[style].get(depth, Level())}, outer.numbers)
        counter = self._by_identifier.get(attribute(element, "continue-list"))
        if counter is None and attribute(element, "continue-numbering") == "true":
            counter = self._by_style.get(style)
        # A list without a style is shown with bullets.
        counter = counter or Counter(self._styles.get(style) or {at: Level("bullet") for at in range(10)})
        self._by_style[style] = counter
        if identifier := attribute(element, "id"):
            self._by_identifier[identifier] = counter
        return counter


def _levels(style: Any) -> dict[int, Level]:
    found = {}
    for element in style:
        if not local(element).endswith("level-style-bullet") and not local(element).endswith("level-style-image"):
            number, level = _numbered(element)
        else:
            number, level = whole_number(element, "level", 1), Level("bullet")
        found[number - 1] = level
    return found


def _numbered(element: Any) -> tuple[int, Level]:
    number = whole_number(element, "level", 1)
    kind = re.split(r"[,，]", attribute(element, "num-format"))[0].strip()
    shown = max(1, min(whole_number(element, "display-levels", 1), number))
    pattern = ".".join(f"%{at}" for at in range(number - shown + 1, number + 1)) if kind else ""
    # LibreOffice's own way to say it, where levels are parted by something else than dots.
    if extended := attribute(element, "num-list-format"):
        pattern = re.sub(r"%(\d)%", r"%\1", extended)
    else:
        pattern = attribute(element, "num-prefix") + pattern + attribute(element, "num-suffix")
    return number, Level(_FORMATS.get(kind, "decimal"), pattern, whole_number(element, "start-value", 1))
