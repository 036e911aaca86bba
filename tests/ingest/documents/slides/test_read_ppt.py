"""PowerPoint 97-2003 presentations (ppt), written here record by record as [MS-PPT] describes them."""

from __future__ import annotations

import struct

import pytest

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.slides.read_ppt import read_ppt
from tests.fakes.ole_file import ole_file


def record(record_type: int, data: bytes, instance: int = 0, container: bool = False) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if container else 0), record_type, len(data)) + data


def text(text_type: int, content: str) -> bytes:
    """A text of a type: 0 title, 1 body, 2 notes, 4 other."""
    latin_1 = content.isascii()
    data = record(0x0FA8, content.encode("latin-1")) if latin_1 else record(0x0FA0, content.encode("utf-16-le"))
    return record(0x0F9F, struct.pack("<I", text_type)) + data


def box(content: bytes) -> bytes:
    """A shape with this text, in the containers that shapes stand in."""
    for record_type in (0xF00D, 0xF004, 0xF003, 0xF002, 0x040C):
        content = record(record_type, content, container=True)
    return content


def slide(*boxes: bytes, notes: int = 0, record_type: int = 0x03EE) -> bytes:
    return record(
        record_type, record(0x03EF, struct.pack("<IQIII", 0, 0, 0, notes, 0)) + b"".join(boxes), container=True
    )


def presentation(token: int = 0xE391C05F, drawing: bytes = b"") -> bytes:
    """Two slides, the first with notes, and a second edit that replaces the second slide."""
    entry = struct.Struct("<IIiII")
    outline = record(0x03F3, entry.pack(2, 0, 1, 256, 0)) + text(0, "Review\vcycle") + text(1, "In May\rby mail")
    slides = record(0x0FF0, outline + record(0x03F3, entry.pack(3, 0, 0, 257, 0)), instance=0, container=True)
    notes = record(0x0FF0, record(0x03F3, entry.pack(4, 0, 0, 300, 0)), instance=2, container=True)
    references = [box(record(0x0F9E, struct.pack("<I", number))) for number in (0, 1)]
    objects = [
        record(0x03E8, slides + notes, container=True),
        slide(*references, notes=300),
        slide(box(text(4, "old text"))),
        slide(box(text(2, "Say it slowly.")), box(text(4, "*")), record_type=0x03F0),
    ]
    stream, offsets = b"", []
    for data in objects:
        offsets.append(len(stream))
        stream += data
    directory = len(stream)
    stream += record(0x1772, struct.pack("<I4I", 4 << 20 | 1, *offsets))
    first_edit = len(stream)
    stream += record(0x0FF5, struct.pack("<IIIIIII", 0, 0, 0, directory, 1, 4, 0))
    newer = len(stream)
    stream += slide(box(text(4, "年度回顾")), box(text(0, "Dates")), box(text(4, "*")), drawing)
    directory = len(stream)
    stream += record(0x1772, struct.pack("<II", 1 << 20 | 3, newer))
    last_edit = len(stream)
    stream += record(0x0FF5, struct.pack("<IIIIIII", 0, 0, first_edit, directory, 1, 4, 0))
    user = record(0x0FF6, struct.pack("<III", 20, token, last_edit))
    return ole_file({"Current User": user, "PowerPoint Document": stream})


def test_slides() -> None:
    """Titles come first, texts of the outline are found, notes follow; the latest edit counts."""
    assert read_ppt(presentation()) == [
        Page("slide 1", "# Review cycle\n\n- In May\n- by mail\n\n### Notes\n\nSay it slowly."),
        Page("slide 2", "# Dates\n\n年度回顾"),
    ]


def test_tables() -> None:
    """A group that is a table is read as one, by the positions of its cells; merged cells are repeated."""

    def shape(content: str, left: int, top: int, right: int, bottom: int) -> bytes:
        box = record(0xF00D, text(4, content), container=True) if content else b""
        return record(0xF004, record(0xF00F, struct.pack("<4i", left, top, right, bottom)) + box, container=True)

    head = record(0xF004, record(0xF122, struct.pack("<HI", 0x039F, 1), instance=1), container=True)
    cells = (
        shape("2026", 100, 0, 300, 50), shape("Plant", 0, 0, 100, 100), shape("H1", 100, 50, 200, 100),
        shape("H2", 200, 50, 300, 100), shape("", 100, 0, 100, 150), shape("Ulm", 0, 100, 100, 150),
        shape("7\rand more", 100, 100, 200, 150), shape("9", 200, 100, 300, 150),
    )  # fmt: skip
    group = record(0xF003, head + b"".join(cells), container=True)
    drawing = record(0x040C, record(0xF002, record(0xF003, group, container=True), container=True), container=True)
    assert read_ppt(presentation(drawing=drawing))[1].text == (
        "# Dates\n\n年度回顾\n\n| Plant | 2026 / H1 | 2026 / H2 |\n| --- | --- | --- |\n| Ulm | 7 and more | 9 |"
    )


def test_protected() -> None:
    """The error for an encrypted file says so."""
    with pytest.raises(ReadError, match="protected by a password"):
        read_ppt(presentation(token=0xF3D1C4DF))
