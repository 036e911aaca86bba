"""Word 97-2003 documents (doc), written here piece by piece as [MS-DOC] describes them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from ingest.base.errors import ReadError
from ingest.documents.office.read_doc import read_doc
from tests.fakes.ole_file import ole_file

IN_TABLE = struct.pack("<HB", 0x2416, 1)
ROW_END = IN_TABLE + struct.pack("<HB", 0x2417, 1)
LIST = struct.pack("<HH", 0x460B, 2)
OUTLINE_3 = struct.pack("<HB", 0x2640, 2)
# A property of variable length, which the reader has to skip.
TABS = struct.pack("<HB3s", 0xC60D, 3, b"abc")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph with its closing mark. `deleted` is a part of its text that is deleted by a tracked change."""

    text: str
    style: int = 0
    properties: bytes = b""
    deleted: str = ""


def page(offsets: list[int], entries: list[bytes], entry_size: int) -> bytes:
    """A page of properties: where the runs begin, the offsets of their properties in the page, the properties."""
    data = bytearray(512)
    struct.pack_into(f"<{len(offsets)}I", data, 0, *offsets)
    end = 510
    for number, entry in enumerate(entries):
        if entry:
            end -= len(entry) + (len(entry) + end) % 2
            end -= end % 2
            data[end : end + len(entry)] = entry
            data[4 * len(offsets) + entry_size * number] = end // 2
    data[511] = len(entries)
    return bytes(data)


def word(
    paragraphs: list[Paragraph],
    notes: list[Paragraph] | None = None,
    narrow: bool = False,
    flags: int = 0,
    more: dict[int, bytes] | None = None,
    stored: bytes = b"",
) -> bytes:
    """A file with these paragraphs and footnotes, in one piece of UTF-16, or of Windows-1252 when `narrow`.

    `more` are further tables by their offsets in the file information block; `stored` is the stream 'Data'.
    """
    every = paragraphs + (notes or [])
    encoding, width = ("cp1252", 1) if narrow else ("utf-16-le", 2)
    text = "".join(paragraph.text for paragraph in every)
    start = 0x400
    offsets, entries, character_offsets = [start], [], [start]
    character_entries: list[bytes] = []
    for paragraph in every:
        modifiers = struct.pack("<H", paragraph.style) + paragraph.properties
        # The first byte counts words and itself; an even length needs a zero in front of it.
        size = bytes([(len(modifiers) + 1) // 2]) if len(modifiers) % 2 else bytes([0, len(modifiers) // 2])
        entries.append(size + modifiers)
        if paragraph.deleted:
            first = offsets[-1] + paragraph.text.index(paragraph.deleted) * width
            character_offsets += [first, first + len(paragraph.deleted) * width]
            character_entries += [b"", struct.pack("<BHB", 3, 0x0800, 1)]
        offsets.append(offsets[-1] + len(paragraph.text.encode(encoding)))
    character_offsets.append(offsets[-1])
    character_entries.append(b"")
    body = text.encode(encoding)
    body += bytes(-(start + len(body)) % 512)
    first_page = (start + len(body)) // 512
    piece = struct.pack("<HIH", 0, start * 2 | 0x4000_0000 if narrow else start, 0)
    pieces = b"\x01" + struct.pack("<H2s", 2, b"xx") + b"\x02"
    pieces += struct.pack("<III", 16, 0, len(text.encode(encoding)) // width) + piece
    tables, table_locations = b"", {}
    for offset, data in (
        (0xFA, struct.pack("<III", start, offsets[-1], first_page + 1)),
        (0x102, struct.pack("<III", start, offsets[-1], first_page)),
        (0x1A2, pieces),
    ):
        table_locations[offset] = (len(tables), len(data))
        tables += data
    for offset, data in (more or {}).items():
        table_locations[offset] = (len(tables), len(data))
        tables += data
    head = bytearray(start)
    struct.pack_into("<HH", head, 0, 0xA5EC, 0xC1)
    struct.pack_into("<H", head, 10, 0x0200 | flags)
    lengths = [sum(len(p.text.encode(encoding)) // width for p in part) for part in (paragraphs, notes or [])]
    struct.pack_into("<II", head, 0x4C, *lengths)
    for offset, pair in table_locations.items():
        struct.pack_into("<II", head, offset, *pair)
    stream = bytes(head) + body + page(offsets, entries, 13) + page(character_offsets, character_entries, 1)
    return ole_file({"WordDocument": stream, "1Table": tables, "Data": stored})


def text(
    *paragraphs: Paragraph,
    notes: list[Paragraph] | None = None,
    narrow: bool = False,
    more: dict[int, bytes] | None = None,
    stored: bytes = b"",
) -> str:
    (only,) = read_doc(word(list(paragraphs), notes, narrow, more=more, stored=stored))
    assert only.label == ""
    return only.text


def test_headings_and_lists() -> None:
    """The nine heading styles and outline levels are headings; numbered paragraphs are items."""
    markdown = text(
        Paragraph("Guide\r", 1), Paragraph("年假😀\r", 2), Paragraph("Days\r", 0, TABS + OUTLINE_3),
        Paragraph("Take 25.\x0bA year.\r"), Paragraph("one\r", 0, LIST), Paragraph("two\r", 0, LIST),
    )  # fmt: skip
    assert markdown == "# Guide\n\n## 年假😀\n\n### Days\n\nTake 25.\nA year.\n\n- one\n- two"


def test_windows_1252() -> None:
    """Text of one byte a character, as Word writes Western text."""
    assert text(Paragraph("Café – 5 €\r", 1), Paragraph("text\r"), narrow=True) == "# Café – 5 €\n\ntext"


def test_tables() -> None:
    """Cells and rows become a table; a paragraph inside a cell stays in it; an empty cell keeps its column."""
    cells = [Paragraph(content, 0, IN_TABLE) for content in ("City\x07", "Sum\x07", "Cork\r", "city\x07", "\x07")]
    end = Paragraph("\x07", 0, ROW_END)
    markdown = text(*cells[:2], end, *cells[2:], end, Paragraph("after\r"))
    assert markdown == "| City | Sum |\n| --- | --- |\n| Cork city |  |\n\nafter"


def row(*cells: tuple[str, int], left: int = 0, flags: tuple[int, ...] = ()) -> list[Paragraph]:
    """A row of cells, each with its text and right edge; `flags` tell how the first of them are merged."""
    count = len(cells)
    edges = struct.pack(f"<B{count + 1}h", count, left, *(edge for _, edge in cells))
    kinds = b"".join(struct.pack("<H18x", flag) for flag in flags)
    definition = struct.pack("<HH", 0xD608, len(edges + kinds) + 1) + edges + kinds
    return [
        *(Paragraph(f"{content}\x07", 0, IN_TABLE) for content, _ in cells),
        Paragraph("\x07", 0, ROW_END + definition),
    ]


def test_merged_cells() -> None:
    """The text of a merged cell is repeated in each column and row that it covers, however the rows are divided."""
    begins, goes_on = 0x0060, 0x0020
    markdown = text(
        *row(("Kind", 1000), ("Kept for", 3000), ("", 0x1000), flags=(begins,)),
        *row(("", 1010), ("Active", 2000), ("Archive", 3000), ("Owner", 0x1000), flags=(goes_on,)),
        *row(("Pay", 1000), ("7", 2000), ("10", 3000), ("HR", 0x1000)),
    )
    header = "| Kind | Kept for / Active | Kept for / Archive | Owner |"
    assert markdown == f"{header}\n| --- | --- | --- | --- |\n| Pay | 7 | 10 | HR |"


def test_long_properties() -> None:
    """Rows of a wide table are too long for a page of properties and stand in the stream 'Data'; no cell is lost."""
    ends = struct.pack("<H", len(ROW_END)) + ROW_END
    huge = struct.pack("<HI", 0x6646, 4)
    markdown = text(
        *(Paragraph(f"{content}\x07", 0, IN_TABLE) for content in ("City", "Sum")), Paragraph("\x07", 0, huge),
        *(Paragraph(f"{content}\x07", 0, IN_TABLE) for content in ("Cork", "5")), Paragraph("after\r"),
        stored=b"junk" + ends,
    )  # fmt: skip
    assert markdown == "| City | Sum |\n| --- | --- |\n| Cork | 5 |\n\nafter"


def style_sheet(*styles: tuple[int, int, bytes]) -> bytes:
    """A style sheet of paragraph styles: (Word's identifier, base style (0xFFF: none), properties) of each."""
    sheet = struct.pack("<HHH", 4, len(styles), 10)
    for identifier, base, properties in styles:
        properties = struct.pack("<H", 0) + properties
        definition = struct.pack("<HHHHH", identifier, 1 | base << 4, 1, 0, 0) + struct.pack("<H2sH", 1, b"a\0", 0)
        definition += struct.pack("<H", len(properties)) + properties
        sheet += struct.pack("<H", len(definition)) + definition
    return sheet


def level(number_format: int, content: str) -> bytes:
    """A level of a list that counts from 1."""
    return (
        struct.pack("<iB19xBBH", 1, number_format, 0, 0, 0)
        + struct.pack("<H", len(content))
        + content.encode("utf-16-le")
    )


def test_styles_and_numbers() -> None:
    """Headings and list items have the numbers that Word shows, also those defined by a style; so has a title.
    Uses of one list share their numbers until one of them restarts."""
    lists = struct.pack("<h", 2) + struct.pack("<i22xBx", 7, 0) + struct.pack("<i22xBx", 8, 1)
    lists += level(39, "第\0章") + level(4, "\1)") + level(0, "") * 7 + level(23, "\uf0b7")
    uses = struct.pack("<I", 3) + struct.pack("<i8xBBH", 7, 0, 0, 0)
    uses += struct.pack("<i8xBBH", 8, 0, 0, 0) + struct.pack("<i8xBBH", 7, 1, 0, 0)
    uses += struct.pack("<iiiiI", -1, -1, -1, 1, 0x11)  # the third restarts its second level at 1
    sheet = style_sheet(
        (0, 0xFFF, b""), (1, 0, struct.pack("<HH", 0x460B, 1)), (62, 0, b""), (400, 1, b""), (19, 0, b"")
    )
    inner = struct.pack("<HB", 0x260A, 1)
    markdown = text(
        Paragraph("Guide\r", 2), Paragraph("Contents 1\r", 4), Paragraph("范围\r", 1),
        Paragraph("one\r", 0, struct.pack("<HH", 0x460B, 1) + inner),
        Paragraph("two\r", 0, struct.pack("<HH", 0x460B, 1) + inner),
        Paragraph("again\r", 0, struct.pack("<HH", 0x460B, 3) + inner),
        Paragraph("dot\r", 0, LIST), Paragraph("休假\r", 3),
        more={0xA2: sheet, 0x2E2: lists, 0x2EA: uses},
    )  # fmt: skip
    assert markdown == "# Guide\n\n# 第一章 范围\n\n  a) one\n  b) two\n  a) again\n- dot\n\n# 第二章 休假"


def test_notes_and_links() -> None:
    """A note follows the paragraph or table that refers to it; a link keeps its target."""
    notes = [Paragraph("\x02 In May.\r"), Paragraph("\x02 By post.\r"), Paragraph("\r")]
    body = [Paragraph("Agreed\x02.\r"), Paragraph("City\x07", 0, IN_TABLE), Paragraph("Sum\x02\x07", 0, IN_TABLE)]
    references = [6, 9 + len("City\x07Sum")]
    link = '\x13 HYPERLINK "https://hr.example" \x14HR\x15'
    markdown = text(
        *body, Paragraph("\x07", 0, ROW_END), Paragraph(f"Ask {link}.\r"), notes=notes,
        more={
            0xAA: struct.pack("<IIIHH", *references, 0, 1, 1),
            0xB2: struct.pack("<IIII", 0, len(notes[0].text), len(notes[0].text + notes[1].text), 0),
        },
    )  # fmt: skip
    assert markdown == (
        "Agreed[1].\n\n[1] In May.\n\n| City | Sum[2] |\n| --- | --- |\n\n[2] By post.\n\nAsk [HR](https://hr.example)."
    )


def test_unseen() -> None:
    """Deleted text, field codes, tables of contents and picture marks are left out; notes are read."""
    markdown = text(
        Paragraph('\x13TOC \\o "1-3"\x14Leave 3\r'),
        Paragraph("Days 4\x15\r"),
        Paragraph("Take 20 25 days\x02\x01, ask \x13HYPERLINK x\x14HR\x15.\r", 0, b"", "20 "),
        notes=[Paragraph("\x02 In May.\r")],
    )
    assert markdown == "Take 25 days, ask HR.\n\nIn May."


def test_refused() -> None:
    """The error for a protected file says so, and so does that for a file of Word 95."""
    with pytest.raises(ReadError, match="protected by a password"):
        read_doc(word([Paragraph("x\r")], flags=0x0100))
    old = ole_file({"WordDocument": struct.pack("<HH", 0xA5DC, 101) + bytes(600)})
    with pytest.raises(ReadError, match="Word 95 or older"):
        read_doc(old)
