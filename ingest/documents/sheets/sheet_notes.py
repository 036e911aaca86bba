"""Notes on the cells of a sheet, and its text boxes.

Workbooks of Excel 2007 and later store them in separate parts (ECMA-376 part 1, 18.7 and 20.5; threaded comments are
[MS-XLSX] 2.1.24). In older workbooks xlrd reads the notes; text boxes are the records TXO of [MS-XLS] 2.4.329.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.documents.office.package import attribute, children, descendants, local_name, xml_part
from ingest.documents.sheets.cell_reference import cell_name, cell_position
from ingest.documents.structure.markdown import flat, paragraph

# A sheet with more notes than this was written by a program for another program; the further notes are only counted.
_MOST_NOTES = 5_000
# [MS-XLS] 2.4.21, 2.4.28, 2.4.103, 2.4.58, 2.4.181, 2.4.329, 2.4.170.
_BEGIN, _SHEET, _END, _CONTINUED, _OBJECT, _TEXT, _DRAWING = 0x0809, 0x0085, 0x000A, 0x003C, 0x005D, 0x01B6, 0x00EC
# Types of objects whose text is read ([MS-XLS] 2.5.143): rectangles, ovals, text boxes and Office 97 drawings. Notes
# (0x19) come from xlrd; the others are buttons and lists.
_BOXES = {0x02, 0x03, 0x06, 0x1E}
# The header of an OfficeArtClientAnchorSheet ([MS-XLS] 2.5.193), which gives the cell of a shape's upper left corner.
_ANCHOR = b"\x00\x00\x10\xf0\x12\x00\x00\x00"


@dataclass(frozen=True)
class Note:
    """The text of a note or text box, and the cell it belongs to; row and column are counted from 0."""

    row: int
    column: int
    text: str


def note_lines(notes: Iterable[Note]) -> str:
    """Lines such as 'B4: ask HR', in the order of the cells, without repetitions."""
    ordered = sorted(notes, key=lambda note: (note.row, note.column))
    texts = ((cell_name(note.row, note.column), flat(note.text)) for note in ordered)
    lines = list(dict.fromkeys(f"{cell}: {text}" for cell, text in texts if text))
    if len(lines) > _MOST_NOTES:
        lines[_MOST_NOTES:] = [f"… ({len(lines) - _MOST_NOTES} more)"]
    return paragraph("\n".join(lines))


def xlsx_notes(archive: zipfile.ZipFile, sheet: str) -> Iterator[Note]:
    """The notes and text boxes of the sheet in this part."""
    folder, name = posixpath.split(sheet)
    relations = xml_part(archive, f"{folder}/_rels/{name}.rels")
    targets: dict[str, list[str]] = {}
    for relation in () if relations is None else relations:
        target = posixpath.normpath(posixpath.join("/" + folder, attribute(relation, "Target"))).lstrip("/")
        targets.setdefault(attribute(relation, "Type").rpartition("/")[2].lower(), []).append(target)
    threaded = list(_cell_notes(archive, targets.get("threadedcomment", []), "threadedComment"))
    yield from threaded
    # Each thread also has a placeholder note for older programs, which says that they cannot show it.
    threaded_cells = {(note.row, note.column) for note in threaded}
    plain = _cell_notes(archive, targets.get("comments", []), "comment")
    yield from (note for note in plain if (note.row, note.column) not in threaded_cells)
    for target in targets.get("drawing", []):
        yield from _boxes(xml_part(archive, target))


def _cell_notes(archive: zipfile.ZipFile, names: list[str], tag: str) -> Iterator[Note]:
    for name in names:
        for element in descendants(xml_part(archive, name), tag):
            position = cell_position(attribute(element, "ref"))
            texts = [run.text or "" for run in descendants(element, "t", "text") if not len(run)]
            if position is not None:
                yield Note(*position, "".join(texts))


def _boxes(drawing: Any) -> Iterator[Note]:
    for anchor in () if drawing is None else drawing:
        corner_texts = {local_name(e): (e.text or "").strip() for e in next(children(anchor, "from"), ())}
        corner = {name: int(text) for name, text in corner_texts.items() if text.isdecimal()}
        for body in descendants(anchor, "txBody"):
            if not any(local_name(outer) == "Fallback" for outer in body.iterancestors()):
                lines = ("".join(run.text or "" for run in descendants(line, "t")) for line in children(body, "p"))
                yield Note(corner.get("row", 0), corner.get("col", 0), " ".join(lines))


def xls_boxes(data: bytes) -> list[list[Note]]:
    """The text boxes of each worksheet, in the order of the workbook; none for files older than Excel 97."""
    import olefile

    if not data.startswith(olefile.MAGIC):
        return []
    with olefile.OleFileIO(io.BytesIO(data)) as container:
        if not container.exists("Workbook"):
            return []
        stream = container.openstream("Workbook").read()
    # The record of a sheet gives its offset and its type; 0 is a worksheet.
    sheets = (content for kind, content in _records(stream, 0) if kind == _SHEET and len(content) > 5)
    return [list(_xls_boxes(stream, struct.unpack_from("<I", sheet)[0])) for sheet in sheets if sheet[5] == 0]


def _xls_boxes(stream: bytes, start: int) -> Iterator[Note]:
    row = column = remaining = 0
    is_box = False
    text = ""
    for kind, content in _records(stream, start):
        if kind == _CONTINUED and remaining and content:
            if is_box:  # bit 0 of the first byte: characters of two bytes
                decoded = content[1:].decode("utf-16-le" if content[0] & 1 else "latin-1", "replace")[:remaining]
                text, remaining = text + decoded, remaining - len(decoded)
                if not remaining:
                    yield Note(row, column, text)
            continue
        if kind == _DRAWING and (anchor := content.find(_ANCHOR)) >= 0 and len(content) >= anchor + 16:
            column, _, row = struct.unpack_from("<HHH", content, anchor + len(_ANCHOR) + 2)
        elif kind == _OBJECT and len(content) > 5:
            is_box = struct.unpack_from("<H", content, 4)[0] in _BOXES
        elif kind == _TEXT and len(content) > 11:
            text, remaining = "", struct.unpack_from("<H", content, 10)[0]


def _records(stream: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the records of the substream that begins here, including embedded charts."""
    depth = 0
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        yield kind, stream[position + 4 : position + 4 + length]
        depth += (kind == _BEGIN) - (kind == _END)
        if depth <= 0:
            return
        position += 4 + length
