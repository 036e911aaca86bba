"""Word 97-2003 documents (doc): headings, lists, tables, notes, text boxes. Knows nothing of files.

The layout is that of Microsoft's [MS-DOC] "Word (.doc) Binary File Format": the file information block (2.5) says
where the piece table (2.8.35, Clx) lies, which says where each stretch of text lies and how it is encoded; pages of
properties (2.9.33 ChpxFkp, 2.9.174 PapxFkp) say which of it is a heading, a cell or deleted.
"""

from __future__ import annotations

import io
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.errors import ReadError
from ingest.formats.markdown import flat, heading, join, paragraph
from ingest.formats.tables import Grid, to_markdown
from ingest.types import Page

_IDENTIFIER = 0xA5EC
_WORD_97 = 193
_ENCRYPTED, _TABLE_1 = 0x0100, 0x0200
# Offsets into the file information block: lengths in characters of the text and of what follows it …
_MAIN, _FOOTNOTES, _HEADERS, _COMMENTS, _ENDNOTES, _TEXT_BOXES = 0x4C, 0x50, 0x54, 0x5C, 0x60, 0x64
# … and where the tables lie: (offset, length) in the table stream.
_CHARACTER_PAGES, _PARAGRAPH_PAGES, _PIECES = 0xFA, 0x102, 0x1A2
_PAGE = 512
# Single property modifiers (2.6): what they change, by operation code.
_IN_TABLE, _ROW_END, _OUTLINE, _LIST = 0x2416, 0x2417, 0x2640, 0x460B
_DELETED, _HIDDEN = 0x0800, 0x083C
_OPERAND_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_HEADING_STYLES = range(1, 10)
_BODY_LEVEL = 9
_PARAGRAPH_END = re.compile("[\r\x07\x0c]")
_FIELD = re.compile("[\x13\x14\x15]")
_CHARACTERS = str.maketrans({"\x0b": "\n", "\x1e": "-", "\x1f": None, "\t": " ", "\xa0": " ", **dict.fromkeys(
    ("\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\x08", "\x0e"), None)})  # fmt: skip


def read_doc(data: bytes) -> list[Page]:
    """One page. Raises ReadError for a protected file or one of Word 95; other errors when it is damaged."""
    import olefile

    with olefile.OleFileIO(io.BytesIO(data)) as container:
        stream = container.openstream("WordDocument").read()
        identifier, version = struct.unpack_from("<HH", stream)
        (flags,) = struct.unpack_from("<H", stream, 10)
        if flags & _ENCRYPTED:
            raise ReadError("the file is protected by a password: save a copy without one")
        if identifier != _IDENTIFIER or version < _WORD_97:
            raise ReadError("the file was written by Word 95 or older: open it in Word and save it as .docx")
        tables = container.openstream("1Table" if flags & _TABLE_1 else "0Table").read()
    return [Page("", join(_Document(stream, tables).blocks()))]


@dataclass(frozen=True)
class _Piece:
    """Characters `start` to `end` of the document lie at `offset` of the stream, `width` bytes each."""

    start: int
    end: int
    offset: int
    width: int


@dataclass(frozen=True)
class _Run:
    """Bytes `start` to `end` of the stream have this style and these properties."""

    start: int
    end: int
    style: int
    properties: dict[int, int]


class _Document:
    def __init__(self, stream: bytes, tables: bytes) -> None:
        self._stream, self._tables = stream, tables
        self._pieces = list(self._read_pieces())
        self._starts = [piece.start for piece in self._pieces]
        self._paragraphs = sorted(self._runs(_PARAGRAPH_PAGES, 13), key=lambda run: run.start)
        self._run_starts = [run.start for run in self._paragraphs]
        unseen = [r for r in self._runs(_CHARACTER_PAGES, 1) if r.properties.get(_DELETED) or r.properties.get(_HIDDEN)]
        self._text = self._read_text(unseen)

    def _number(self, offset: int) -> int:
        return int(struct.unpack_from("<I", self._stream, offset)[0])

    def _table(self, offset: int) -> bytes:
        start, length = struct.unpack_from("<II", self._stream, offset)
        return self._tables[start : start + length]

    def _read_pieces(self) -> Iterator[_Piece]:
        data, position = self._table(_PIECES), 0
        while data[position] == 1:  # properties that pieces share; formatting only
            position += 3 + int(struct.unpack_from("<H", data, position + 1)[0])
        (length,) = struct.unpack_from("<I", data, position + 1)
        position += 5
        count = (length - 4) // 12
        characters = struct.unpack_from(f"<{count + 1}I", data, position)
        for number in range(count):
            (place,) = struct.unpack_from("<I", data, position + 4 * (count + 1) + 8 * number + 2)
            narrow, place = place & 0x4000_0000, place & 0x3FFF_FFFF
            start, end = characters[number], characters[number + 1]
            yield _Piece(start, end, place // 2 if narrow else place, 1 if narrow else 2)

    def _runs(self, where: int, entry_size: int) -> Iterator[_Run]:
        """The runs of all property pages. Entries of paragraphs are 13 bytes long, those of characters 1."""
        data = self._table(where)
        count = (len(data) - 4) // 8
        for (number,) in struct.iter_unpack("<I", data[4 * (count + 1) : 4 * (count + 1) + 4 * count]):
            start = (number & 0x3F_FFFF) * _PAGE
            page = self._stream[start : start + _PAGE]
            if len(page) < _PAGE:
                continue
            runs = min(page[-1], (_PAGE - 5) // (4 + entry_size))
            places = struct.unpack_from(f"<{runs + 1}I", page)
            for run in range(runs):
                at = 2 * page[4 * (runs + 1) + entry_size * run]
                style, modifiers = _properties(page, at, entry_size > 1)
                yield _Run(places[run], places[run + 1], style, dict(_modifiers(modifiers)))

    def _read_text(self, unseen: list[_Run]) -> str:
        """The text of all parts, deleted and hidden characters as NUL so that places stay right."""
        parts = []
        for piece in self._pieces:
            length = piece.end - piece.start
            raw = self._stream[piece.offset : piece.offset + length * piece.width]
            text = list(raw.decode("cp1252" if piece.width == 1 else "utf-16-le", errors="replace"))
            text = _same_length(raw, text, piece.width)
            for run in unseen:
                first = max(0, (run.start - piece.offset) // piece.width)
                last = min(len(text), (run.end - piece.offset) // piece.width)
                if first < last:
                    text[first:last] = "\x00" * (last - first)
            parts.append("".join(text).ljust(length, "\x00"))
        return "".join(parts)

    def blocks(self) -> Iterator[str]:
        lengths = [self._number(at) for at in (_MAIN, _FOOTNOTES, _HEADERS, _COMMENTS, _ENDNOTES, _TEXT_BOXES)]
        start = 0
        for position, length in enumerate(lengths):
            if position in {0, 1, 4, 5}:  # not the page headers, not the comments
                yield from self._part(start, min(start + length, len(self._text)))
            start += length

    def _part(self, start: int, end: int) -> Iterator[str]:
        rows: list[list[str]] = []
        cells: list[str] = []
        said = ""
        fields = _Fields()
        while start < end:
            mark = _PARAGRAPH_END.search(self._text, start, end)
            stop = mark.start() if mark else end
            run = self._run_at(min(stop, end - 1))
            properties = run.properties if run else {}
            said += fields.shown(self._text[start:stop])
            start = stop + 1
            if properties.get(_ROW_END):
                rows.append(cells)
                cells, said = [], ""
            elif properties.get(_IN_TABLE):
                if mark and mark.group() == "\x07":
                    cells.append(flat(said))
                    said = ""
                else:
                    said += " "
            else:
                if rows:
                    yield to_markdown(Grid.of(rows).without_blank_rows())
                    rows = []
                yield _decorated(said, run)
                said = ""
        if rows:
            yield to_markdown(Grid.of(rows).without_blank_rows())
        yield paragraph(said)

    def _run_at(self, character: int) -> _Run | None:
        piece = self._pieces[max(0, bisect_right(self._starts, character) - 1)]
        place = piece.offset + (character - piece.start) * piece.width
        run = bisect_right(self._run_starts, place) - 1
        return self._paragraphs[run] if run >= 0 and place < self._paragraphs[run].end else None


def _same_length(raw: bytes, text: list[str], width: int) -> list[str]:
    """One item a character of the file: surrogate pairs are two there and one in Python."""
    if len(text) == len(raw) // width:
        return text
    return [item for character in text for item in (character, "\x00")[: 2 if ord(character) > 0xFFFF else 1]]


def _decorated(text: str, run: _Run | None) -> str:
    lines = [flat(line) for line in text.split("\n")]
    text = "\n".join(line for line in lines if line)
    if run is None or not text:
        return paragraph(text)
    level = run.style if run.style in _HEADING_STYLES else run.properties.get(_OUTLINE, _BODY_LEVEL) + 1
    if level <= _BODY_LEVEL:
        return heading(level, text)
    return f"- {flat(text)}" if run.properties.get(_LIST) else paragraph(text)


def _properties(page: bytes, at: int, is_paragraph: bool) -> tuple[int, bytes]:
    """(style, modifiers) of an entry; a place of 0 means none."""
    if at == 0:
        return 0, b""
    if not is_paragraph:
        return 0, page[at + 1 : at + 1 + page[at]]
    size, at = (2 * page[at] - 1, at + 1) if page[at] else (2 * page[at + 1], at + 2)
    if size < 2:
        return 0, b""
    return int(struct.unpack_from("<H", page, at)[0]), page[at + 2 : at + size]


def _modifiers(data: bytes) -> Iterator[tuple[int, int]]:
    """(operation, first byte of its operand or of its two)."""
    position = 0
    while position + 2 < len(data):
        (operation,) = struct.unpack_from("<H", data, position)
        position += 2
        size = _OPERAND_SIZES.get(operation >> 13)
        if size is None:  # of variable length, which the operand's first byte says; a table's takes two
            size = 1 + data[position] if operation != 0xD608 else 1 + data[position] + (data[position + 1] << 8)
        yield operation, int.from_bytes(data[position : position + min(size, 2)], "little")
        position += size


class _Fields:
    """Fields: what they were made from is not text, what they show is. Tables of contents are left out."""

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._is_shown: list[bool] = []

    def shown(self, text: str) -> str:
        said, position = "", 0
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
            elif mark.group() == "\x14" and self._codes:
                self._is_shown[-1] = self._codes[-1].split()[:1] != ["TOC"]
            elif self._codes:
                self._codes.pop()
                self._is_shown.pop()
        return said.translate(_CHARACTERS)
