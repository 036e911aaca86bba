"""Fields and notes in the text of a Word 97-2003 document. Knows nothing of where the text lies.

Fields ([MS-DOC] 2.8.25) stand in the text between marks: what they were made from, and what they show.
"""

from __future__ import annotations

import re
from bisect import bisect_left

_FIELD = re.compile("[\x13\x14\x15]")
_LINK = re.compile(r'\s*HYPERLINK\s+"((?:https?://|mailto:)[^"\s]+)"')
_CHARACTERS = str.maketrans({"\x0b": "\n", "\x1e": "-", "\x1f": None, "\t": " ", "\xa0": " ", **dict.fromkeys(
    ("\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\x08", "\x0e"), None)})  # fmt: skip


class Notes:
    """The notes of a text: a mark where it refers to one, and what has still to be told after the paragraph."""

    def __init__(self, notes: dict[int, str]) -> None:
        self._notes, self._places = notes, sorted(notes)
        self._waiting: list[str] = []

    def marked(self, text: str, start: int, stop: int) -> str:
        """The characters from `start` to before `stop`, a number in place of each reference among them."""
        said, first = "", start
        for number in range(bisect_left(self._places, start), bisect_left(self._places, stop)):
            place = self._places[number]
            said += f"{text[first:place]}[{number + 1}]"
            # A mark that Word counts is one character, one that somebody typed is text.
            first = place + 1 if text[place] == "\x02" else place
            self._waiting.append(f"[{number + 1}] {self._notes[place]}")
        return said + text[first:stop]

    def told(self) -> list[str]:
        told, self._waiting = self._waiting, []
        return told


class Fields:
    """Fields: what they were made from is not text, what they show is. Tables of contents are left out."""

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._is_shown: list[bool] = []
        self._begun: list[int] = []

    def shown(self, text: str) -> str:
        said, position = "", 0
        self._begun = [-1] * len(self._codes)  # a link begun in another paragraph has lost its place
        for mark in [*_FIELD.finditer(text), None]:
            part = text[position : mark.start() if mark else len(text)]
            if all(self._is_shown):
                said += part
            elif not self._is_shown[-1]:
                self._codes[-1] += part
            if mark is None:
                break
            position = mark.end()
            if mark.group() == "\x13":
                self._codes.append("")
                self._is_shown.append(False)
                self._begun.append(len(said))
            elif mark.group() == "\x14" and self._codes:
                self._is_shown[-1] = self._codes[-1].split()[:1] != ["TOC"]
            elif self._codes:
                said = _linked(said, self._codes.pop(), self._begun.pop())
                self._is_shown.pop()
        return said.translate(_CHARACTERS)


def _linked(said: str, code: str, begun: int) -> str:
    """What was said with the field's part of it as a link, when the field is one that leads out."""
    link, name = _LINK.match(code), said[begun:].strip() if begun >= 0 else ""
    if not link or not name or link[1].removeprefix("mailto:") == name:
        return said
    return f"{said[:begun]}[{name}]({link[1]})"
