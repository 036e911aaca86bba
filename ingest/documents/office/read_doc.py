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

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.office.cell_edges import Cell, TableRow, grid
from ingest.documents.office.doc_fields import Fields, Notes
from ingest.documents.office.doc_styles import (
    BODY_LEVEL,
    LIST,
    LIST_LEVEL,
    OUTLINE,
    Style,
    counters,
    modifiers,
    styles,
)  # fmt: skip
from ingest.documents.structure.markdown import flat, heading, join, paragraph
from ingest.documents.structure.tables import to_markdown

_IDENTIFIER = 0xA5EC
_WORD_97 = 193
_ENCRYPTED, _TABLE_1 = 0x0100, 0x0200
# Offsets into the file information block: lengths in characters of the text and of what follows it …
_MAIN, _FOOTNOTES, _HEADERS, _COMMENTS, _ENDNOTES, _TEXT_BOXES = 0x4C, 0x50, 0x54, 0x5C, 0x60, 0x64
# … and where the tables lie: (offset, length) in the table stream.
_CHARACTER_PAGES, _PARAGRAPH_PAGES, _PIECES = 0xFA, 0x102, 0x1A2
_STYLES, _LISTS, _LIST_USES = 0xA2, 0x2E2, 0x2EA
# Where the main text refers to notes, and where among the notes' text each begins.
_NOTES = ((_FOOTNOTES, 0xAA, 0xB2), (_ENDNOTES, 0x20A, 0x212))
_PAGE = 512
# Single property modifiers (2.6): what they change, by operation code.
_IN_TABLE, _ROW_END, _TABLE_DEFINITION = 0x2416, 0x2417, 0xD608
_DELETED, _HIDDEN = 0x0800, 0x083C
# Of a table cell (2.9.331 TCGRF): joined to the one on its left, joined to the one above.
_ALONG, _BELOW, _BELOW_BEGINS = 0x0002, 0x0020, 0x0040
_HEADING_STYLES = range(1, 10)
_NO_LIST = 0x7FF  # numbers from here on take a paragraph out of its list
_PARAGRAPH_END = re.compile("[\r\x07\x0c]")


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
        stored = container.openstream("Data").read() if container.exists("Data") else b""
    return [Page("", join(_Document(stream, tables, stored).blocks()))]


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
    properties: dict[int, bytes]

    def number(self, operation: int) -> int:
        """What a property is set to, 0 where it is not."""
        return int.from_bytes(self.properties.get(operation, b"")[:2], "little")


class _Document:
    def __init__(self, stream: bytes, tables: bytes, stored: bytes) -> None:
        self._stream, self._tables, self._stored = stream, tables, stored
        self._styles = styles(self._table(_STYLES))
        # The levels of the lists follow after their table, which is all that its length counts.
        self._counters = counters(self._tables[self._number(_LISTS) :], self._table(_LIST_USES))
        self._pieces = list(self._read_pieces())
        self._starts = [piece.start for piece in self._pieces]
        self._paragraphs = sorted(self._runs(_PARAGRAPH_PAGES, 13), key=lambda run: run.start)
        self._run_starts = [run.start for run in self._paragraphs]
        unseen = [r for r in self._runs(_CHARACTER_PAGES, 1) if r.number(_DELETED) or r.number(_HIDDEN)]
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
                style, changes = _properties(page, at, entry_size > 1)
                yield _Run(places[run], places[run + 1], style, dict(modifiers(changes, self._stored)))

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
        starts = [sum(lengths[:position]) for position in range(len(lengths))]
        notes = dict(self._note_texts({_FOOTNOTES: starts[1], _ENDNOTES: starts[4]}))
        for position, length in enumerate(lengths):
            # Not the page headers, not the comments; notes follow what refers to them, where that is known.
            if position in {0, 5} or (position in {1, 4} and not notes):
                end = min(starts[position] + length, len(self._text))
                yield from self._part(starts[position], end, notes if position == 0 else {})

    def _note_texts(self, starts: dict[int, int]) -> Iterator[tuple[int, str]]:
        """(where the text refers to it, the note) of each foot- and endnote."""
        for part, references, places in _NOTES:
            referred, begun = self._table(references), self._table(places)
            count = (len(referred) - 4) // 6 if len(referred) >= 4 else 0
            if count < 1 or len(begun) < 4 * (count + 1):
                continue
            where = struct.unpack_from(f"<{count}I", referred)
            bounds = struct.unpack_from(f"<{count + 1}I", begun)
            for number, character in enumerate(where):
                first, last = starts[part] + bounds[number], starts[part] + bounds[number + 1]
                yield character, flat(" ".join(self._part(first, min(last, len(self._text)), {})))

    def _part(self, start: int, end: int, notes: dict[int, str]) -> Iterator[str]:
        rows: list[TableRow] = []
        cells: list[str] = []
        below: list[str] = []  # notes of the table
        said = cell = ""
        fields, waiting = Fields(), Notes(notes)
        while start < end:
            mark = _PARAGRAPH_END.search(self._text, start, end)
            stop = mark.start() if mark else end
            run = self._run_at(min(stop, end - 1))
            said += fields.shown(waiting.marked(self._text, start, stop))
            start = stop + 1
            if run and run.number(_ROW_END):
                rows.append(_row([*cells, cell] if cell else cells, run.properties.get(_TABLE_DEFINITION, b"")))
                cells, said, cell = [], "", ""
                below += waiting.told()
            elif run and run.number(_IN_TABLE):
                cell, said = f"{cell} {flat(re.sub(r'^#+ ', '', self._decorated(said, run)))}", ""
                if mark and mark.group() == "\x07":
                    cells.append(cell)
                    cell = ""
            else:
                if cells or cell:  # a row whose end is damaged
                    rows.append(_row([*cells, cell], b""))
                    cells, cell = [], ""
                if rows:
                    yield to_markdown(grid(rows).without_blank_rows())
                    yield from below
                    rows, below = [], []
                yield self._decorated(said, run)
                yield from waiting.told()
                said = ""
        if rows or cells or cell:
            rows += [_row([*cells, cell], b"")] if cells or cell else []
            yield to_markdown(grid(rows).without_blank_rows())
            yield from below
        yield paragraph(said)
        yield from waiting.told()

    def _decorated(self, text: str, run: _Run | None) -> str:
        lines = [flat(line) for line in text.split("\n")]
        text = "\n".join(line for line in lines if line)
        if run is None or not text:
            return paragraph(text)
        style = self._styles.get(run.style) or Style(run.style - 1 if run.style in _HEADING_STYLES else BODY_LEVEL)
        if style.is_contents:
            return ""
        level = run.number(OUTLINE) if OUTLINE in run.properties else style.level
        used = run.number(LIST) if LIST in run.properties else style.list
        depth = run.number(LIST_LEVEL) if LIST_LEVEL in run.properties else style.depth
        counter = self._counters.get(used)
        number = counter.next(min(depth, 8)) if counter else ""
        if level < BODY_LEVEL:
            return heading(level + 1, f"{number} {text}")
        if not 0 < used < _NO_LIST or (counter and depth in counter.levels and counter.levels[depth].is_bare):
            return paragraph(text)
        return f"{'  ' * min(depth, 8)}{number or '-'} {flat(text)}"

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


def _row(cells: list[str], definition: bytes) -> TableRow:
    """A row by its definition (2.9.324 TDefTableOperand): how many cells, their edges, and how each is merged."""
    count = definition[2] if len(definition) > 2 else 0
    # A definition of another number of cells is damaged; the mark that ends the row may be counted as one.
    if not count or len(definition) < 3 + 2 * (count + 1) or not count <= len(cells) <= count + 1:
        return TableRow([Cell(text, 0) for text in cells])
    edges = struct.unpack_from(f"<{count + 1}h", definition, 3)
    found = []
    for number, (text, right) in enumerate(zip(cells, edges[1:], strict=False)):
        place = 3 + 2 * (count + 1) + 20 * number
        flags = int.from_bytes(definition[place : place + 2], "little")
        goes_on = bool(flags & _BELOW) and not flags & _BELOW_BEGINS
        found.append(Cell(text, right, goes_on, bool(flags & _ALONG)))
    return TableRow(found, edges[0])
