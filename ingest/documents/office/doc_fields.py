"""Fields ([MS-DOC] 2.8.25) and references to notes in the text of a Word 97-2003 document.

A field is in the text between marks: first its code (such as 'HYPERLINK …'), then its result, the text that is shown.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping

_BEGIN, _SEPARATOR = "\x13", "\x14"
_FIELD_MARK = re.compile("[\x13\x14\x15]")
_LINK = re.compile(r'\s*HYPERLINK\s+"((?:https?://|mailto:)[^"\s]+)"')
_NOTE_REFERENCE = "\x02"
_CHARACTERS = str.maketrans({"\x0b": "\n", "\x1e": "-", "\x1f": None, "\t": " ", "\xa0": " ", **dict.fromkeys(
    ("\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\x08", "\x0e"), None)})  # fmt: skip


class Notes:
    """The notes of a text part. Numbers the references, and stores each note until its paragraph is written."""

    def __init__(self, notes: Mapping[int, str]) -> None:
        """`notes` maps the character position of each reference to the text of its note."""
        self._notes, self._positions = notes, sorted(notes)
        self._pending: list[str] = []

    def with_references(self, text: str, start: int, stop: int) -> str:
        """The characters from `start` up to `stop`, with the number of a note in place of each reference to it."""
        result, copied = "", start
        for index in range(bisect_left(self._positions, start), bisect_left(self._positions, stop)):
            position = self._positions[index]
            result += f"{text[copied:position]}[{index + 1}]"
            # An automatic reference is one character, a custom one is text that somebody typed and stays.
            copied = position + 1 if text[position] == _NOTE_REFERENCE else position
            self._pending.append(f"[{index + 1}] {self._notes[position]}")
        return result + text[copied:stop]

    def take(self) -> list[str]:
        """The notes referred to since the last call."""
        pending, self._pending = self._pending, []
        return pending


class Fields:
    """The fields that are open where a paragraph begins: they may reach over several paragraphs."""

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._is_shown: list[bool] = []
        self._starts: list[int] = []

    def visible_text(self, text: str) -> str:
        """The paragraph as a reader sees it: results of fields, not their codes, and no table of contents."""
        visible, position = "", 0
        self._starts = [-1] * len(self._codes)  # where a field of an earlier paragraph begins is not known here
        for mark in [*_FIELD_MARK.finditer(text), None]:
            part = text[position : mark.start() if mark else len(text)]
            if all(self._is_shown):
                visible += part
            elif not self._is_shown[-1]:
                self._codes[-1] += part
            if mark is None:
                break
            position = mark.end()
            if mark.group() == _BEGIN:
                self._codes.append("")
                self._is_shown.append(False)
                self._starts.append(len(visible))
            elif mark.group() == _SEPARATOR and self._codes:
                self._is_shown[-1] = self._codes[-1].split()[:1] != ["TOC"]
            elif self._codes:
                visible = _with_link(visible, self._codes.pop(), self._starts.pop())
                self._is_shown.pop()
        return visible.translate(_CHARACTERS)


def _with_link(text: str, code: str, start: int) -> str:
    """The text with the field's result, from `start` on, as a Markdown link when the field is a link."""
    link, name = _LINK.match(code), text[start:].strip() if start >= 0 else ""
    if not link or not name or link[1].removeprefix("mailto:") == name:
        return text
    return f"{text[:start]}[{name}]({link[1]})"
