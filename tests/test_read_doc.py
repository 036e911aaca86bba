"""Old Word files, written here piece by piece as Word writes them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from ingest.errors import ReadError
from ingest.formats.read_doc import read_doc
from tests.ole_file import ole_file

IN_TABLE = struct.pack("<HB", 0x2416, 1)
ROW_END = IN_TABLE + struct.pack("<HB", 0x2417, 1)
LIST = struct.pack("<HH", 0x460B, 2)
OUTLINE_3 = struct.pack("<HB", 0x2640, 2)
# A property of variable length in front, which has to be stepped over.
TABS = struct.pack("<HB3s", 0xC60D, 3, b"abc")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph with its closing mark. `deleted` is a part of its text that tracked changes have taken out."""

    text: str
    style: int = 0
    properties: bytes = b""
    deleted: str = ""


def page(places: list[int], entries: list[bytes], entry_size: int) -> bytes:
    """A page of properties: the places where runs begin, where in the page each has its properties, the properties."""
    data = bytearray(512)
    struct.pack_into(f"<{len(places)}I", data, 0, *places)
    end = 510
    for number, entry in enumerate(entries):
        if entry:
            end -= len(entry) + (len(entry) + end) % 2
            end -= end % 2
            data[end : end + len(entry)] = entry
            data[4 * len(places) + entry_size * number] = end // 2
    data[511] = len(entries)
    return bytes(data)


def word(
    paragraphs: list[Paragraph], notes: list[Paragraph] | None = None, narrow: bool = False, flags: int = 0
) -> bytes:
    """A file with these paragraphs and footnotes, in one piece of UTF-16, or of Windows-1252 when `narrow`."""
    every = paragraphs + (notes or [])
    encoding, width = ("cp1252", 1) if narrow else ("utf-16-le", 2)
    text = "".join(paragraph.text for paragraph in every)
    start = 0x400
    places, entries, changed = [start], [], [start]
    marks: list[bytes] = []
    for paragraph in every:
        modifiers = struct.pack("<H", paragraph.style) + paragraph.properties
        # The first byte counts words and itself; an even length needs a zero in front of it.
        size = bytes([(len(modifiers) + 1) // 2]) if len(modifiers) % 2 else bytes([0, len(modifiers) // 2])
        entries.append(size + modifiers)
        if paragraph.deleted:
            first = places[-1] + paragraph.text.index(paragraph.deleted) * width
            changed += [first, first + len(paragraph.deleted) * width]
            marks += [b"", struct.pack("<BHB", 3, 0x0800, 1)]
        places.append(places[-1] + len(paragraph.text.encode(encoding)))
    changed.append(places[-1])
    marks.append(b"")
    body = text.encode(encoding)
    body += bytes(-(start + len(body)) % 512)
    first_page = (start + len(body)) // 512
    piece = struct.pack("<HIH", 0, start * 2 | 0x4000_0000 if narrow else start, 0)
    pieces = b"\x01" + struct.pack("<H2s", 2, b"xx") + b"\x02"
    pieces += struct.pack("<III", 16, 0, len(text.encode(encoding)) // width) + piece
    tables, where = b"", {}
    for offset, data in (
        (0xFA, struct.pack("<III", start, places[-1], first_page + 1)),
        (0x102, struct.pack("<III", start, places[-1], first_page)),
        (0x1A2, pieces),
    ):
        where[offset] = (len(tables), len(data))
        tables += data
    head = bytearray(start)
    struct.pack_into("<HH", head, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", head, 10, 0x0200 | flags)
    lengths = [sum(len(p.text.encode(encoding)) // width for p in part) for part in (paragraphs, notes or [])]
    struct.pack_into("<II", head, 0x4C, *lengths)
    for offset, pair in where.items():
        struct.pack_into("<II", head, offset, *pair)
    stream = bytes(head) + body + page(places, entries, 13) + page(changed, marks, 1)
    return ole_file({"WordDocument": stream, "1Table": tables})


def text(*paragraphs: Paragraph, notes: list[Paragraph] | None = None, narrow: bool = False) -> str:
    (only,) = read_doc(word(list(paragraphs), notes, narrow))
    assert only.label == ""
    return only.text


def test_headings_and_lists() -> None:
    """The nine heading styles and outline levels are headings; numbered paragraphs are items."""
    said = text(
        Paragraph("Guide\r", 1), Paragraph("年假😀\r", 2), Paragraph("Days\r", 0, TABS + OUTLINE_3),
        Paragraph("Take 25.\x0bA year.\r"), Paragraph("one\r", 0, LIST), Paragraph("two\r", 0, LIST),
    )  # fmt: skip
    assert said == "# Guide\n\n## 年假😀\n\n### Days\n\nTake 25.\nA year.\n\n- one\n- two"


def test_windows_1252() -> None:
    """Text of one byte a character, as Word writes Western text."""
    assert text(Paragraph("Café – 5 €\r", 1), Paragraph("text\r"), narrow=True) == "# Café – 5 €\n\ntext"


def test_tables() -> None:
    """Cells and rows are a table; a paragraph in a cell stays in it; an empty cell keeps its place."""
    cells = [Paragraph(said, 0, IN_TABLE) for said in ("City\x07", "Sum\x07", "Cork\r", "city\x07", "\x07")]
    end = Paragraph("\x07", 0, ROW_END)
    said = text(*cells[:2], end, *cells[2:], end, Paragraph("after\r"))
    assert said == "| City | Sum |\n| --- | --- |\n| Cork city |  |\n\nafter"


def test_unseen() -> None:
    """Deleted text, field codes, tables of contents and picture marks are not what a reader sees; notes are."""
    said = text(
        Paragraph('\x13TOC \\o "1-3"\x14Leave 3\r'),
        Paragraph("Days 4\x15\r"),
        Paragraph("Take 20 25 days\x02\x01, ask \x13HYPERLINK x\x14HR\x15.\r", 0, b"", "20 "),
        notes=[Paragraph("\x02 In May.\r")],
    )
    assert said == "Take 25 days, ask HR.\n\nIn May."


def test_refused() -> None:
    """A protected file is named as one, and so is one of a Word too old."""
    with pytest.raises(ReadError, match="protected by a password"):
        read_doc(word([Paragraph("x\r")], flags=0x0100))
    old = ole_file({"WordDocument": struct.pack("<HH", 0xA5DC, 101) + bytes(600)})
    with pytest.raises(ReadError, match="Word 95 or older"):
        read_doc(old)
