"""How the lists and headings of an OpenDocument count (OASIS OpenDocument 1.3, part 3, 16.30-16.35 and 19.880).

A list names its style; the style defines how each level counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ingest.documents.office.package import attribute, descendants, integer_attribute, local_name
from ingest.documents.structure.numbering import Counter, Level

# OpenDocument names a number format by its first number.
_FORMATS = {
    "1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman", "": "none",
    "01": "decimalZero", "一": "chineseCounting", "壹": "chineseLegalSimplified", "甲": "ideographTraditional",
    "①": "decimalEnclosedCircle",
}  # fmt: skip
_LEVELS = 10


class Lists:
    """The list styles of one document and the numbers that its lists have reached."""

    def __init__(self, roots: Iterable[Any]) -> None:
        """`roots` are the elements that hold styles: of the styles part and of the content part."""
        self._styles: dict[str, Mapping[int, Level]] = {}
        outline: Mapping[int, Level] = {}
        for root in roots:
            for style in descendants(root, "list-style", "outline-style"):
                if local_name(style) == "list-style":
                    self._styles[attribute(style, "name")] = _levels(style)
                else:
                    outline = _levels(style)
        self.outline = Counter(outline)
        self._by_id: dict[str, Counter] = {}
        self._by_style: dict[str, Counter] = {}

    def counter(self, element: Any, outer: Counter | None, depth: int) -> Counter:
        """The counter of a list at nesting `depth`, from 0; that of an earlier list if this list continues it."""
        style = attribute(element, "style-name")
        if outer is not None:
            if style not in self._styles:
                return outer
            return Counter({**outer.levels, depth: self._styles[style].get(depth, Level())}, outer.numbers)
        counter = self._by_id.get(attribute(element, "continue-list"))
        if counter is None and attribute(element, "continue-numbering") == "true":
            counter = self._by_style.get(style)
        # A list without a style is shown with bullets.
        counter = counter or Counter(self._styles.get(style) or {level: Level("bullet") for level in range(_LEVELS)})
        self._by_style[style] = counter
        if list_id := attribute(element, "id"):
            self._by_id[list_id] = counter
        return counter


def _levels(style: Any) -> dict[int, Level]:
    levels = {}
    for element in style:
        is_bullet = local_name(element).endswith(("level-style-bullet", "level-style-image"))
        depth = integer_attribute(element, "level", 1) - 1
        levels[depth] = Level("bullet") if is_bullet else _numbered_level(element)
    return levels


def _numbered_level(element: Any) -> Level:
    number = integer_attribute(element, "level", 1)
    format = re.split(r"[,，]", attribute(element, "num-format"))[0].strip()
    shown = max(1, min(integer_attribute(element, "display-levels", 1), number))
    pattern = ".".join(f"%{level}" for level in range(number - shown + 1, number + 1)) if format else ""
    # LibreOffice's own attribute, where something else than a dot separates the levels.
    if extended := attribute(element, "num-list-format"):
        pattern = re.sub(r"%(\d)%", r"%\1", extended)
    else:
        pattern = attribute(element, "num-prefix") + pattern + attribute(element, "num-suffix")
    return Level(_FORMATS.get(format, "decimal"), pattern, integer_attribute(element, "start-value", 1))
