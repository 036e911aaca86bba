"""PowerPoint 97-2003 presentations (ppt) as Markdown: the text, tables and notes of each slide.

The layout is that of Microsoft's [MS-PPT] "PowerPoint (.ppt) Binary File Format": records with a header of
eight bytes (2.3.1) and their data. Slides are located as 2.1.2 describes: from the last edit through the persist
directories to the document, its list of slides, and the drawing of each slide.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.structure.markdown import flat, heading, join, paragraph
from ingest.documents.structure.tables import Grid, Span, to_markdown

# Record types (2.13.24).
_DOCUMENT_LIST, _SLIDE_ENTRY = 0x0FF0, 0x03F3
_SLIDE_ATOM = 0x03EF
_TEXT_HEADER, _TEXT_UTF16, _TEXT_BYTES, _TEXT_REFERENCE = 0x0F9F, 0x0FA0, 0x0FA8, 0x0F9E
_TEXT_BOX = 0xF00D
# Of a drawing ([MS-ODRAW] 2.2): groups, shapes, their position in the group, and the property that marks a table.
_GROUP, _SHAPE, _CHILD_ANCHOR, _TABLE_PROPERTIES = 0xF003, 0xF004, 0xF00F, 0x039F
_PROPERTIES = {0xF00B, 0xF121, 0xF122}
_USER_EDIT, _PERSIST_DIRECTORY = 0x0FF5, 0x1772
_SLIDES, _NOTES = 0, 2  # instances of the document's lists
_TITLES, _BODIES, _NOTE_TEXT, _OTHER = {0, 6}, {1, 5, 7, 8}, 2, 4  # text types (2.13.33)
_TABLE = -1  # the text of a table, a type that the format does not have
_ENCRYPTED = 0xF3D1C4DF
_DEEPEST = 40
_MOST_EDITS = 10_000


@dataclass(frozen=True)
class _Record:
    kind: int
    instance: int
    is_container: bool
    data: bytes


@dataclass(frozen=True)
class _Text:
    kind: int
    text: str


def read_ppt(data: bytes) -> list[Page]:
    """One page for each slide, labelled 'slide 1', … Raises ReadError for a protected file, other errors for damage."""
    import olefile

    with olefile.OleFileIO(io.BytesIO(data)) as container:
        user = container.openstream("Current User").read()
        stream = container.openstream("PowerPoint Document").read()
    token, offset = struct.unpack_from("<II", user, 12)
    if token == _ENCRYPTED:
        raise ReadError("the file is protected by a password: save a copy without one")
    return _Presentation(stream, offset).pages()


class _Presentation:
    """The document stream of one presentation, and the offset of each object in it."""

    def __init__(self, stream: bytes, last_edit: int) -> None:
        self._stream = stream
        self._offsets, document = self._directory(last_edit)
        self._document = self._record_at(self._offsets[document])

    def _record_at(self, offset: int) -> _Record:
        return next(_records(self._stream[offset:]))

    def _directory(self, offset: int) -> tuple[dict[int, int], int]:
        """({object id: offset}, object id of the document). The offset of the latest edit counts."""
        offsets: dict[int, int] = {}
        document = 0
        for _ in range(_MOST_EDITS):
            edit = self._record_at(offset)
            if edit.kind != _USER_EDIT:
                raise ValueError("no edit record")
            previous, directory, object_id = struct.unpack_from("<III", edit.data, 8)
            document = document or object_id
            entries = self._record_at(directory).data
            position = 0
            while position + 4 <= len(entries):
                (first,) = struct.unpack_from("<I", entries, position)
                count = first >> 20
                new_offsets = struct.unpack_from(f"<{count}I", entries, position + 4)
                for number, object_offset in enumerate(new_offsets, start=first & 0xF_FFFF):
                    offsets.setdefault(number, object_offset)
                position += 4 + 4 * count
            if not previous or previous >= offset:
                break
            offset = previous
        return offsets, document

    def pages(self) -> list[Page]:
        """One page for each slide, with its speaker notes last."""
        notes = {slide_id: self._record_at(self._offsets[object_id]) for object_id, slide_id, _ in self._listed(_NOTES)}
        pages = []
        for number, (object_id, _, outline) in enumerate(self._listed(_SLIDES), start=1):
            slide = self._record_at(self._offsets[object_id])
            atom = next((record for record in _records(slide.data) if record.kind == _SLIDE_ATOM), None)
            note = notes.get(struct.unpack_from("<I", atom.data, 16)[0]) if atom else None
            blocks = list(_blocks(list(_texts(slide, outline))))
            # A notes page has further texts: the number and the picture of its slide.
            note_texts = [text.text for text in _texts(note, []) if text.kind == _NOTE_TEXT] if note else []
            if "".join(note_texts).strip():
                blocks += [heading(3, "Notes"), *(paragraph(line) for text in note_texts for line in _lines(text))]
            pages.append(Page(f"slide {number}", join(blocks)))
        return pages

    def _listed(self, instance: int) -> Iterator[tuple[int, int, list[_Text]]]:
        """(object id, slide id, texts of the outline) of each slide or notes page, in the order of the show."""
        for group in _records(self._document.data):
            if group.kind != _DOCUMENT_LIST or group.instance != instance:
                continue
            entries: list[tuple[int, int, list[_Record]]] = []
            for record in _records(group.data):
                if record.kind == _SLIDE_ENTRY:
                    object_id, _, _, slide_id = struct.unpack_from("<IIiI", record.data)
                    entries.append((object_id, slide_id, []))
                elif entries:
                    entries[-1][2].append(record)
            for object_id, slide_id, records in entries:
                yield object_id, slide_id, _atoms(records)


def _records(data: bytes) -> Iterator[_Record]:
    position = 0
    while position + 8 <= len(data):
        version, kind, length = struct.unpack_from("<HHI", data, position)
        position += 8
        yield _Record(kind, version >> 4, version & 0xF == 0xF, data[position : position + length])
        position += length


def _atoms(records: list[_Record]) -> list[_Text]:
    """The texts among these records; a header before each gives its type."""
    texts: list[_Text] = []
    kind = _OTHER
    for record in records:
        if record.kind == _TEXT_HEADER:
            kind = int(struct.unpack_from("<I", record.data)[0])
        elif record.kind == _TEXT_UTF16:
            texts.append(_Text(kind, record.data.decode("utf-16-le", "replace")))
        elif record.kind == _TEXT_BYTES:  # UTF-16 without its upper bytes, which is Latin-1
            texts.append(_Text(kind, record.data.decode("latin-1")))
    return texts


def _texts(container: _Record, outline: list[_Text], depth: int = 0) -> Iterator[_Text]:
    """The texts of all shapes below a container. A placeholder may refer to a text of its slide's outline."""
    for record in _records(container.data):
        if record.kind == _TEXT_BOX:
            yield from _box_texts(record, outline)
        elif record.kind == _GROUP and (table := _table(record, outline)):
            yield _Text(_TABLE, table)
        elif record.is_container and depth < _DEEPEST:
            yield from _texts(record, outline, depth + 1)


def _box_texts(box: _Record, outline: list[_Text]) -> Iterator[_Text]:
    inner = list(_records(box.data))
    yield from _atoms(inner)
    for atom in inner:
        if atom.kind == _TEXT_REFERENCE:
            (number,) = struct.unpack_from("<I", atom.data)
            yield from outline[number : number + 1]


def _table(group: _Record, outline: list[_Text]) -> str:
    """A table as Markdown, '' for any other group. Its cells are shapes; their positions give row and column."""
    shapes = [list(_records(record.data)) for record in _records(group.data) if record.kind == _SHAPE]
    if not shapes or not any(r.kind in _PROPERTIES and _is_table(r) for r in shapes[0]):
        return ""
    cells = []
    for shape in shapes[1:]:
        anchor = next((r.data for r in shape if r.kind == _CHILD_ANCHOR and len(r.data) >= 16), b"")
        texts = [r for r in shape if r.kind == _TEXT_BOX]
        if anchor and texts:  # the lines between cells have no text
            text = " ".join(text.text for box in texts for text in _box_texts(box, outline))
            cells.append((struct.unpack_from("<4i", anchor), " ".join(_lines(text))))
    columns = sorted({left for (left, _, _, _), _ in cells})
    rows = sorted({top for (_, top, _, _), _ in cells})
    grid = Grid()
    for (left, top, right, bottom), text in cells:
        row, column = rows.index(top), columns.index(left)
        grid.put(row, column, text)
        last_row, last_column = bisect_left(rows, bottom) - 1, bisect_left(columns, right) - 1
        if (last_row, last_column) > (row, column) and last_row >= row and last_column >= column:
            grid.spans.append(Span(row, column, last_row, last_column))
    return to_markdown(grid.without_blank_rows())


def _is_table(properties: _Record) -> bool:
    """True when a property table, with entries of six bytes that begin with the property's number, marks a table."""
    count = min(properties.instance, len(properties.data) // 6)
    return any(
        int.from_bytes(properties.data[6 * n : 6 * n + 2], "little") & 0x3FFF == _TABLE_PROPERTIES for n in range(count)
    )


def _blocks(texts: list[_Text]) -> Iterator[str]:
    for text in sorted(texts, key=lambda text: text.kind not in _TITLES):
        lines = _lines(text.text)
        if text.kind in _TITLES and lines:
            yield heading(1, " ".join(lines))
        elif text.kind == _TABLE:
            yield text.text
        elif text.kind in _BODIES and len(lines) > 1:
            yield from (f"- {line}" for line in lines)
        else:
            yield from map(paragraph, lines)


def _lines(text: str) -> list[str]:
    """The paragraphs, without a '*' alone, which is a placeholder for the slide's number or the date."""
    lines = [flat(line.replace("\v", " ")) for line in text.replace("\n", "\r").split("\r")]
    return [line for line in lines if line not in {"", "*"}]
