"""What is said beside a sheet's cells: notes people put on a cell, and text boxes. Knows nothing of files.

Workbooks of Excel 2007 and later keep them in parts of their own (ECMA-376 part 1, 18.7 and 20.5; threaded comments
are [MS-XLSX] 2.1.24); in older ones xlrd knows the notes, and text boxes are the records TXO of [MS-XLS] 2.4.329.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.documents.office.package import attribute, local_name, xml_part
from ingest.documents.structure.markdown import flat, paragraph

# More notes than this on one sheet are made by a program for a program.
_MOST_NOTES = 5_000
# [MS-XLS] 2.4.21, 2.4.28, 2.4.103, 2.4.58, 2.4.181, 2.4.329, 2.4.170.
_BEGIN, _SHEET, _END, _CONTINUED, _OBJECT, _TEXT, _DRAWING = 0x0809, 0x0085, 0x000A, 0x003C, 0x005D, 0x01B6, 0x00EC
# Kinds of objects whose text is read ([MS-XLS] 2.5.143): rectangles, ovals, text boxes and what came with Office 97.
# Notes (0x19) are told already, the others are buttons and lists.
_BOXES = {0x02, 0x03, 0x06, 0x1E}
# The head of an OfficeArtClientAnchorSheet ([MS-XLS] 2.5.193): which cell a shape's corner is in follows.
_ANCHOR = b"\x00\x00\x10\xf0\x12\x00\x00\x00"


@dataclass(frozen=True)
class Note:
    """What is said at a cell; row and column are counted from 0."""

    row: int
    column: int
    text: str


def note_lines(notes: Iterable[Note]) -> str:
    """Lines such as 'B4: ask HR', from the first row to the last, each once."""
    ordered = sorted(notes, key=lambda note: (note.row, note.column))
    said = {f"{cell_name(note.row, note.column)}: {flat(note.text)}": None for note in ordered if flat(note.text)}
    lines = [*list(said)[:_MOST_NOTES], *([f"… ({len(said) - _MOST_NOTES} more)"] if len(said) > _MOST_NOTES else [])]
    return paragraph("\n".join(lines))


def cell_name(row: int, column: int) -> str:
    """'B4' for the second column of the fourth row."""
    letters, column = "", column + 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row + 1}"


def xlsx_notes(archive: zipfile.ZipFile, sheet: str, place: Any) -> Iterator[Note]:
    """The notes and text boxes of the sheet that is this part. `place` makes (row, column) of 'B4'."""
    folder, name = posixpath.split(sheet)
    relations = xml_part(archive, f"{folder}/_rels/{name}.rels")
    targets: dict[str, list[str]] = {}
    for relation in () if relations is None else relations:
        target = posixpath.normpath(posixpath.join("/" + folder, attribute(relation, "Target"))).lstrip("/")
        targets.setdefault(attribute(relation, "Type").rpartition("/")[2].lower(), []).append(target)
    threaded = list(_commented(archive, targets.get("threadedcomment", []), "threadedComment", place))
    yield from threaded
    # Beside a thread stands a stand-in for older programs, which says that they cannot show it.
    shown = {(note.row, note.column) for note in threaded}
    plain = _commented(archive, targets.get("comments", []), "comment", place)
    yield from (note for note in plain if (note.row, note.column) not in shown)
    for target in targets.get("drawing", []):
        yield from _boxes(xml_part(archive, target))


def _commented(archive: zipfile.ZipFile, names: list[str], tag: str, place: Any) -> Iterator[Note]:
    for root in filter(lambda root: root is not None, (xml_part(archive, name) for name in names)):
        for element in (e for e in root.iter() if local_name(e) == tag):
            at = place(attribute(element, "ref"))
            texts = [t.text or "" for t in element.iter() if local_name(t) in {"t", "text"} and not len(t)]
            if at is not None:
                yield Note(at[0], at[1], "".join(texts))


def _boxes(drawing: Any) -> Iterator[Note]:
    for anchor in () if drawing is None else drawing:
        corner = next((child for child in anchor if local_name(child) == "from"), None)
        places = {} if corner is None else {local_name(e): (e.text or "").strip() for e in corner}
        at = {name: int(text) for name, text in places.items() if text.isdecimal()}
        for body in (e for e in anchor.iter() if local_name(e) == "txBody"):
            if not any(local_name(above) == "Fallback" for above in body.iterancestors()):
                lines = (
                    "".join(t.text or "" for t in p.iter() if local_name(t) == "t")
                    for p in body
                    if local_name(p) == "p"
                )
                yield Note(at.get("row", 0), at.get("col", 0), " ".join(lines))


def xls_boxes(data: bytes) -> list[list[Note]]:
    """The text boxes of each worksheet, in the workbook's order; none for what is older than Excel 97."""
    import olefile

    if not data.startswith(olefile.MAGIC):
        return []
    with olefile.OleFileIO(io.BytesIO(data)) as container:
        if not container.exists("Workbook"):
            return []
        stream = container.openstream("Workbook").read()
    # A sheet says where it begins and of which kind it is; 0 are those with cells.
    heads = (content for kind, content in _records(stream, 0) if kind == _SHEET and len(content) > 5)
    return [list(_old_boxes(stream, struct.unpack_from("<I", head)[0])) for head in heads if head[5] == 0]


def _old_boxes(stream: bytes, start: int) -> Iterator[Note]:
    row = column = left = 0
    is_box = False
    said = ""
    for kind, content in _records(stream, start):
        if kind == _CONTINUED and left and content:
            if is_box:  # the first byte says whether a character takes one byte or two
                text = content[1:].decode("utf-16-le" if content[0] & 1 else "latin-1", "replace")[:left]
                said, left = said + text, left - len(text)
                if not left:
                    yield Note(row, column, said)
            continue
        if kind == _DRAWING and (found := content.find(_ANCHOR)) >= 0 and len(content) >= found + 16:
            column, _, row = struct.unpack_from("<HHH", content, found + len(_ANCHOR) + 2)
        elif kind == _OBJECT and len(content) > 5:
            is_box = struct.unpack_from("<H", content, 4)[0] in _BOXES
        elif kind == _TEXT and len(content) > 11:
            said, left = "", struct.unpack_from("<H", content, 10)[0]


def _records(stream: bytes, position: int) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of the records from here to the end of what begins here, embedded charts included."""
    depth = 0
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        yield kind, stream[position + 4 : position + 4 + length]
        depth += (kind == _BEGIN) - (kind == _END)
        if depth <= 0:
            return
        position += 4 + length
