"""Word 97-2003 documents (doc) as Markdown: headings, lists, tables, notes, text boxes.

The layout is that of Microsoft's [MS-DOC] "Word (.doc) Binary File Format". The file information block (2.5) gives
the offset of the piece table (2.8.35 Clx), which gives offset and encoding of each piece of text; pages of properties
(2.9.33 ChpxFkp, 2.9.174 PapxFkp) state which characters are a heading, a cell, deleted or hidden.
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
# Offsets in the file information block: of the lengths, in characters, of the main text and the parts after it …
_MAIN, _FOOTNOTES, _HEADERS, _COMMENTS, _ENDNOTES, _TEXT_BOXES = 0x4C, 0x50, 0x54, 0x5C, 0x60, 0x64
# … and of the (offset, length) of each table in the table stream.
_CHARACTER_PAGES, _PARAGRAPH_PAGES, _PIECES = 0xFA, 0x102, 0x1A2
_STYLES, _LISTS, _LIST_USES = 0xA2, 0x2E2, 0x2EA
# Of each kind of notes: its text, the positions of its references, the positions where each note begins.
_NOTES = ((_FOOTNOTES, 0xAA, 0xB2), (_ENDNOTES, 0x20A, 0x212))
_PAGE = 512
# Single property modifiers (2.6), by operation code.
_IN_TABLE, _ROW_END, _TABLE_DEFINITION = 0x2416, 0x2417, 0xD608
_DELETED, _HIDDEN = 0x0800, 0x083C
# Flags of a table cell (2.9.331 TCGRF): merged with the cell on its left, merged vertically, the first of those.
_MERGED_LEFT, _MERGED_VERTICALLY, _FIRST_MERGED = 0x0002, 0x0020, 0x0040
_HEADING_STYLES = range(1, 10)
_NO_LIST = 0x7FF  # numbers from here on remove a paragraph from its list
_CELL_END = "\x07"
_PARAGRAPH_END = re.compile("[\r\x07\x0c]")


def read_doc(data: bytes) -> list[Page]:
    """One page without a label. Raises ReadError for a protected file or one of Word 95, other errors for damage."""
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
        data_stream = container.openstream("Data").read() if container.exists("Data") else b""
    return [Page("", join(_Document(stream, tables, data_stream).blocks()))]


@dataclass(frozen=True)
class _Piece:
    """Characters `start` to `end` of the document are at byte `offset` of the stream, each in `width` bytes."""

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
        """The value of a property, 0 when it is not set."""
        return int.from_bytes(self.properties.get(operation, b"")[:2], "little")


class _Document:
    """The streams of one document, its pieces of text and its runs of properties."""

    def __init__(self, stream: bytes, tables: bytes, data_stream: bytes) -> None:
        self._stream, self._tables, self._data_stream = stream, tables, data_stream
        self._styles = styles(self._table(_STYLES))
        # The levels of the lists follow after the table of lists and are not counted in its length.
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
        while data[position] == 1:  # formatting that pieces share
            position += 3 + int(struct.unpack_from("<H", data, position + 1)[0])
        (length,) = struct.unpack_from("<I", data, position + 1)
        position += 5
        count = (length - 4) // 12
        characters = struct.unpack_from(f"<{count + 1}I", data, position)
        for number in range(count):
            (location,) = struct.unpack_from("<I", data, position + 4 * (count + 1) + 8 * number + 2)
            is_compressed, offset = location & 0x4000_0000, location & 0x3FFF_FFFF
            start, end = characters[number], characters[number + 1]
            yield _Piece(start, end, offset // 2 if is_compressed else offset, 1 if is_compressed else 2)

    def _runs(self, table: int, entry_size: int) -> Iterator[_Run]:
        """The runs of all pages of properties. An entry of a paragraph takes 13 bytes, one of characters 1."""
        data = self._table(table)
        count = (len(data) - 4) // 8
        for (number,) in struct.iter_unpack("<I", data[4 * (count + 1) : 4 * (count + 1) + 4 * count]):
            start = (number & 0x3F_FFFF) * _PAGE
            page = self._stream[start : start + _PAGE]
            if len(page) < _PAGE:
                continue
            runs = min(page[-1], (_PAGE - 5) // (4 + entry_size))
            offsets = struct.unpack_from(f"<{runs + 1}I", page)
            for run in range(runs):
                entry = 2 * page[4 * (runs + 1) + entry_size * run]
                style, changes = _properties(page, entry, entry_size > 1)
                yield _Run(offsets[run], offsets[run + 1], style, dict(modifiers(changes, self._data_stream)))

    def _read_text(self, unseen: list[_Run]) -> str:
        """The text of all parts. Unseen characters become NUL, so that positions stay valid."""
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
        """The Markdown blocks of the main text, its notes and its text boxes."""
        lengths = [self._number(offset) for offset in (_MAIN, _FOOTNOTES, _HEADERS, _COMMENTS, _ENDNOTES, _TEXT_BOXES)]
        starts = [sum(lengths[:position]) for position in range(len(lengths))]
        notes = dict(self._note_texts({_FOOTNOTES: starts[1], _ENDNOTES: starts[4]}))
        for position, length in enumerate(lengths):
            # Page headers and comments are left out. Notes follow their references where these are known.
            if position in {0, 5} or (position in {1, 4} and not notes):
                end = min(starts[position] + length, len(self._text))
                yield from self._part(starts[position], end, notes if position == 0 else {})

    def _note_texts(self, starts: dict[int, int]) -> Iterator[tuple[int, str]]:
        """(position of its reference, text) of each footnote and endnote."""
        for part, reference_table, start_table in _NOTES:
            references, note_starts = self._table(reference_table), self._table(start_table)
            count = (len(references) - 4) // 6 if len(references) >= 4 else 0
            if count < 1 or len(note_starts) < 4 * (count + 1):
                continue
            positions = struct.unpack_from(f"<{count}I", references)
            bounds = struct.unpack_from(f"<{count + 1}I", note_starts)
            for number, position in enumerate(positions):
                first, last = starts[part] + bounds[number], starts[part] + bounds[number + 1]
                yield position, flat(" ".join(self._part(first, min(last, len(self._text)), {})))

    def _part(self, start: int, end: int, note_texts: dict[int, str]) -> Iterator[str]:
        """The Markdown blocks of the characters from `start` up to `end`."""
        fields, notes, table = Fields(), Notes(note_texts), _OpenTable()
        while start < end:
            mark = _PARAGRAPH_END.search(self._text, start, end)
            stop = mark.start() if mark else end
            run = self._run_at(min(stop, end - 1))
            text = fields.visible_text(notes.with_references(self._text, start, stop))
            start = stop + 1
            if run and run.number(_ROW_END):
                table.end_row(run.properties.get(_TABLE_DEFINITION, b""), notes.take())
            elif run and run.number(_IN_TABLE):
                table.add_paragraph(self._block(text, run), bool(mark and mark.group() == _CELL_END))
            else:
                yield from table.end()
                yield self._block(text, run)
                yield from notes.take()
        yield from table.end()
        yield from notes.take()

    def _block(self, text: str, run: _Run | None) -> str:
        """The paragraph as a heading, a list item or plain text, with its number; '' in a table of contents."""
        lines = [flat(line) for line in text.split("\n")]
        text = "\n".join(line for line in lines if line)
        if run is None or not text:
            return paragraph(text)
        style = self._styles.get(run.style) or Style(run.style - 1 if run.style in _HEADING_STYLES else BODY_LEVEL)
        if style.is_contents:
            return ""
        level = run.number(OUTLINE) if OUTLINE in run.properties else style.level
        list_number = run.number(LIST) if LIST in run.properties else style.list
        depth = run.number(LIST_LEVEL) if LIST_LEVEL in run.properties else style.depth
        counter = self._counters.get(list_number)
        number = counter.next(min(depth, 8)) if counter else ""
        if level < BODY_LEVEL:
            return heading(level + 1, f"{number} {text}")
        is_bare = counter and depth in counter.levels and counter.levels[depth].is_bare
        if not 0 < list_number < _NO_LIST or is_bare:
            return paragraph(text)
        return f"{'  ' * min(depth, 8)}{number or '-'} {flat(text)}"

    def _run_at(self, character: int) -> _Run | None:
        """The paragraph run that holds this character."""
        piece = self._pieces[max(0, bisect_right(self._starts, character) - 1)]
        offset = piece.offset + (character - piece.start) * piece.width
        index = bisect_right(self._run_starts, offset) - 1
        return self._paragraphs[index] if index >= 0 and offset < self._paragraphs[index].end else None


class _OpenTable:
    """The rows of a table that is being read, and the notes that its cells refer to."""

    def __init__(self) -> None:
        self._rows: list[TableRow] = []
        self._cells: list[str] = []
        self._cell = ""
        self._notes: list[str] = []

    def add_paragraph(self, text: str, ends_cell: bool) -> None:
        """Add a paragraph to the current cell, and end the cell if this is its last paragraph."""
        self._cell += " " + flat(re.sub(r"^#+ ", "", text))
        if ends_cell:
            self._cells.append(self._cell)
            self._cell = ""

    def end_row(self, definition: bytes, notes: list[str]) -> None:
        """End the row; `definition` is its table definition, b'' without one, `notes` those of its cells."""
        cells = [*self._cells, self._cell] if self._cell else self._cells
        self._rows.append(_row(cells, definition))
        self._notes += notes
        self._cells, self._cell = [], ""

    def end(self) -> list[str]:
        """The table and its notes as Markdown blocks, none when no table is open; the next one starts empty."""
        if self._cells or self._cell:  # a row whose end is damaged
            self._rows.append(_row([*self._cells, self._cell], b""))
        blocks = [to_markdown(grid(self._rows).without_blank_rows()), *self._notes] if self._rows else []
        self._rows, self._cells, self._cell, self._notes = [], [], "", []
        return blocks


def _same_length(raw: bytes, text: list[str], width: int) -> list[str]:
    """One item for each character of the file, where a surrogate pair is two characters; in Python it is one."""
    if len(text) == len(raw) // width:
        return text
    return [item for character in text for item in (character, "\x00")[: 2 if ord(character) > 0xFFFF else 1]]


def _properties(page: bytes, offset: int, is_paragraph: bool) -> tuple[int, bytes]:
    """(style, modifiers) of the entry at this offset of the page; an offset of 0 means that it has none."""
    if offset == 0:
        return 0, b""
    if not is_paragraph:
        return 0, page[offset + 1 : offset + 1 + page[offset]]
    size, offset = (2 * page[offset] - 1, offset + 1) if page[offset] else (2 * page[offset + 1], offset + 2)
    if size < 2:
        return 0, b""
    return int(struct.unpack_from("<H", page, offset)[0]), page[offset + 2 : offset + size]


def _row(cells: list[str], definition: bytes) -> TableRow:
    """A row by its definition (2.9.324 TDefTableOperand): the number of its cells, their edges, how each is merged."""
    count = definition[2] if len(definition) > 2 else 0
    # A definition with another number of cells is damaged; the mark that ends the row may count as a cell.
    if not count or len(definition) < 3 + 2 * (count + 1) or not count <= len(cells) <= count + 1:
        return TableRow([Cell(text, 0) for text in cells])
    edges = struct.unpack_from(f"<{count + 1}h", definition, 3)
    row = []
    for number, (text, right) in enumerate(zip(cells, edges[1:], strict=False)):
        offset = 3 + 2 * (count + 1) + 20 * number
        flags = int.from_bytes(definition[offset : offset + 2], "little")
        merged_above = bool(flags & _MERGED_VERTICALLY) and not flags & _FIRST_MERGED
        row.append(Cell(text, right, merged_above, bool(flags & _MERGED_LEFT)))
    return TableRow(row, edges[0])
