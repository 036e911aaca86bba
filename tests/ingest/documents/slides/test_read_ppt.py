"""Old PowerPoint files, slide by slide."""

from __future__ import annotations

import struct

import pytest

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.slides.read_ppt import read_ppt
from tests.fakes.ole_file import ole_file


def record(kind: int, data: bytes, instance: int = 0, container: bool = False) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if container else 0), kind, len(data)) + data


def said(kind: int, text: str) -> bytes:
    """A text of a kind: 0 title, 1 body, 2 notes, 4 other."""
    data = record(0x0FA8, text.encode("latin-1")) if text.isascii() else record(0x0FA0, text.encode("utf-16-le"))
    return record(0x0F9F, struct.pack("<I", kind)) + data


def box(content: bytes) -> bytes:
    """A shape with this text, as deep in the drawing as shapes lie."""
    for kind in (0xF00D, 0xF004, 0xF003, 0xF002, 0x040C):
        content = record(kind, content, container=True)
    return content


def slide(*boxes: bytes, notes: int = 0, kind: int = 0x03EE) -> bytes:
    return record(kind, record(0x03EF, struct.pack("<IQIII", 0, 0, 0, notes, 0)) + b"".join(boxes), container=True)


def presentation(token: int = 0xE391C05F, drawn: bytes = b"") -> bytes:
    """Two slides, the first with notes; it was written twice, and the second edit goes before the first."""
    entry = struct.Struct("<IIiII")
    outline = record(0x03F3, entry.pack(2, 0, 1, 256, 0)) + said(0, "Review\vcycle") + said(1, "In May\rby mail")
    slides = record(0x0FF0, outline + record(0x03F3, entry.pack(3, 0, 0, 257, 0)), instance=0, container=True)
    notes = record(0x0FF0, record(0x03F3, entry.pack(4, 0, 0, 300, 0)), instance=2, container=True)
    references = [box(record(0x0F9E, struct.pack("<I", number))) for number in (0, 1)]
    objects = [
        record(0x03E8, slides + notes, container=True),
        slide(*references, notes=300),
        slide(box(said(4, "old text"))),
        slide(box(said(2, "Say it slowly.")), box(said(4, "*")), kind=0x03F0),
    ]
    stream, places = b"", []
    for data in objects:
        places.append(len(stream))
        stream += data
    directory = len(stream)
    stream += record(0x1772, struct.pack("<I4I", 4 << 20 | 1, *places))
    first_edit = len(stream)
    stream += record(0x0FF5, struct.pack("<IIIIIII", 0, 0, 0, directory, 1, 4, 0))
    newer = len(stream)
    stream += slide(box(said(4, "年度回顾")), box(said(0, "Dates")), box(said(4, "*")), drawn)
    directory = len(stream)
    stream += record(0x1772, struct.pack("<II", 1 << 20 | 3, newer))
    last_edit = len(stream)
    stream += record(0x0FF5, struct.pack("<IIIIIII", 0, 0, first_edit, directory, 1, 4, 0))
    user = record(0x0FF6, struct.pack("<III", 20, token, last_edit))
    return ole_file({"Current User": user, "PowerPoint Document": stream})


def test_slides() -> None:
    """Titles come first, texts kept in the outline are found, notes follow; the last edit counts."""
    assert read_ppt(presentation()) == [
        Page("slide 1", "# Review cycle\n\n- In May\n- by mail\n\n### Notes\n\nSay it slowly."),
        Page("slide 2", "# Dates\n\n年度回顾"),
    ]


def test_tables() -> None:
    """A group that is a table is told as one, by where its cells stand; merged ones are said where they reach."""

    def shape(text: str, left: int, top: int, right: int, bottom: int) -> bytes:
        content = record(0xF00D, said(4, text), container=True) if text else b""
        return record(0xF004, record(0xF00F, struct.pack("<4i", left, top, right, bottom)) + content, container=True)

    head = record(0xF004, record(0xF122, struct.pack("<HI", 0x039F, 1), instance=1), container=True)
    cells = (
        shape("2026", 100, 0, 300, 50), shape("Plant", 0, 0, 100, 100), shape("H1", 100, 50, 200, 100),
        shape("H2", 200, 50, 300, 100), shape("", 100, 0, 100, 150), shape("Ulm", 0, 100, 100, 150),
        shape("7\rand more", 100, 100, 200, 150), shape("9", 200, 100, 300, 150),
    )  # fmt: skip
    group = record(0xF003, head + b"".join(cells), container=True)
    drawn = record(0x040C, record(0xF002, record(0xF003, group, container=True), container=True), container=True)
    assert read_ppt(presentation(drawn=drawn))[1].text == (
        "# Dates\n\n年度回顾\n\n| Plant | 2026 / H1 | 2026 / H2 |\n| --- | --- | --- |\n| Ulm | 7 and more | 9 |"
    )


def test_protected() -> None:
    """An encrypted file is named as one."""
    with pytest.raises(ReadError, match="protected by a password"):
        read_ppt(presentation(token=0xF3D1C4DF))
