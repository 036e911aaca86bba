"""PDF files: pages in order, joined lines, headings, tables, and files that cannot be opened."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from ingest.base.errors import ReadError
from ingest.documents.pdf import read_pdf as module
from ingest.documents.pdf.layout.boxes import Box
from ingest.documents.pdf.read_pdf import PAGE_LIMIT, read_pdf
from tests.project import PROJECT

DOCUMENTS = PROJECT / "data" / "documents"
FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def pdf(
    pages: Sequence[Sequence[str] | str],
    title: str = "",
    password: str = "",
    page_entries: str = "",
    catalog_entries: str = "",
    more: Sequence[str] = (),
    font: str = FONT,
) -> bytes:
    """A PDF of lines of one font, or of pages drawn as the operators say; protected when a password is given.

    `more` are further objects, numbered from 4; entries of the catalog and of each page may point to them.
    """
    objects = [f"<< /Type /Catalog /Pages 2 0 R {catalog_entries} >>", "", font, *more]
    kids = []
    for page in pages:
        content = page if isinstance(page, str) else text(72, 720, *page)
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        kids.append(len(objects) + 1)
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {len(objects)} 0 R {page_entries} >>"
        )
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>"
    objects.append(f"<< /Title ({title}) >>")
    trailer = f"/Root 1 0 R /Info {len(objects)} 0 R"
    if password:
        objects.append(encryption(password))
        trailer += f" /Encrypt {len(objects)} 0 R /ID [<{'00' * 16}> <{'00' * 16}>]"
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} {trailer} >>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def text(left: float, top: float, *lines: str, size: float = 12) -> str:
    """Operators that write lines from a place downward."""
    shown = " T* ".join(f"({line}) Tj" for line in lines)
    return f"BT /F1 {size} Tf {size + 2} TL {left} {top} Td {shown} ET "


def read_text(*pages: Sequence[str] | str, **entries: Any) -> list[str]:
    """The text of each page."""
    return [page.text for page in read_pdf(pdf(pages, **entries))[1]]


def encryption(password: str) -> str:
    """The dictionary of the standard security handler, revision 2 (ISO 32000-1, 7.6.3)."""
    padded = (password.encode() + PADDING)[:32]
    owner = rc4(hashlib.md5(padded).digest()[:5], padded)
    rights = (-4).to_bytes(4, "little", signed=True)
    key = hashlib.md5(padded + owner + rights + bytes(16)).digest()[:5]
    return f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{owner.hex()}> /U <{rc4(key, PADDING).hex()}> >>"


def rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def test_pages_in_order() -> None:
    """Each page has its number as label and its own lines; the title is the document's."""
    title, pages = read_pdf(pdf([["Leave", "25 days a year."], ["Travel", "150 euros a night."]], title="Handbook"))
    assert title == "Handbook"
    assert [(page.label, page.text) for page in pages] == [
        ("p. 1", "Leave\n25 days a year."),
        ("p. 2", "Travel\n150 euros a night."),
    ]


@pytest.mark.parametrize("title", ["Microsoft Word - draft", "report.docx", "Untitled", "untitled 3", "layout.indd"])
def test_titles_of_programs(title: str) -> None:
    """A title that a program wrote is not used."""
    assert read_pdf(pdf([["text"]], title=title))[0] == ""


def test_lines_broken_by_the_page() -> None:
    """Lines of a paragraph are joined; a short line and the next list item stay separate."""
    lines = [
        "Expenses",
        "Every employee who travels for the company keeps the",
        "receipts until they are paid.",
        "- taxi",
    ]
    assert read_pdf(pdf([lines]))[1][0].text == (
        "Expenses\nEvery employee who travels for the company keeps the receipts until they are paid.\n- taxi"
    )


def test_words_broken_at_the_end_of_a_line() -> None:
    """A word broken at a line's end is joined; a hyphen that the word has elsewhere too stays."""
    lines = [
        "Every month the administrators of the company renew the certifi-",
        "cates of all laptops, and a self-service page shows when the self-",
        "service was last used by anybody who works at the company today.",
    ]
    assert read_text(lines) == [
        "Every month the administrators of the company renew the certificates of all laptops, and a self-service page "
        "shows when the self-service was last used by anybody who works at the company today."
    ]


LEFT = [f"left column line number {word} of the text" for word in ("one", "two", "three", "four", "five")]
RIGHT = [f"right column line number {word} of text" for word in ("one", "two", "three", "four", "five")]


@pytest.mark.parametrize("drawn", ["column by column", "line by line"])
def test_columns_are_read_one_after_the_other(drawn: str) -> None:
    """A title over both columns comes first, then the left column whole, then the right, however they are drawn."""
    title = text(150, 760, "A title that stands over both of the columns")
    if drawn == "line by line":
        both = zip(LEFT, RIGHT, strict=True)
        body = "".join(
            text(50, 700 - 14 * n, one) + text(310, 700 - 14 * n, other) for n, (one, other) in enumerate(both)
        )
    else:
        body = text(50, 700, *LEFT) + text(310, 700, *RIGHT)
    [found] = read_text(title + body)
    places = [found.index(words) for words in ("A title", LEFT[0], LEFT[4], RIGHT[0], RIGHT[4])]
    assert places == sorted(places)


def test_emoji_displace_nothing() -> None:
    """A character that pdfium counts twice does not shift the positions of the others."""
    codes = (
        "begincmap 1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfrange <20> <7D> <0020> endbfrange "
        "1 beginbfchar <7E> <D83DDD12> endbfchar endcmap"
    )
    stream = f"<< /Length {len(codes)} >>\nstream\n{codes}\nendstream"
    left = [f"~ ~ ~ ~ {line}" for line in LEFT]
    drawn = text(50, 700, *left) + text(310, 700, *RIGHT) + text(50, 500, "Below ~", "the ~", "columns")
    [found] = read_text(drawn, font=FONT.replace(">>", "/ToUnicode 4 0 R >>"), more=[stream])
    assert found.count("\U0001f512") == 4 * len(LEFT) + 2
    assert " ".join(found.split()).replace("\U0001f512 ", "") == " ".join(
        read_text(text(50, 700, *LEFT) + text(310, 700, *RIGHT) + text(50, 500, "Below", "the", "columns"))[0].split()
    )


def test_text_that_is_turned() -> None:
    """Text that runs up the page comes after the rest in its own order; a turned page is read like an upright one."""
    stamp = "BT /F1 10 Tf 0 1 -1 0 30 200 Tm (Draft of) Tj 0 1 -1 0 44 200 Tm (October 2026) Tj ET "
    assert read_text(stamp + text(72, 720, "First line", "Second line", "Third line")) == [
        "First line\nSecond line\nThird line\n\nDraft of\nOctober 2026"
    ]
    sideways = "BT /F1 12 Tf 0 1 -1 0 100 100 Tm (First line) Tj 0 1 -1 0 120 100 Tm (Second line) Tj ET"
    assert read_text(sideways, page_entries="/Rotate 90") == ["First line\nSecond line"]


ROWS = [("Item", "Quantity", "Price"), ("Lamp", "2", "40.00"), ("Desk chair", "1", "180.00"), ("Desk", "1", "")]


def table_of(rows: Sequence[Sequence[str]], top: float = 700) -> str:
    return "".join(
        text(72 + 140 * column, top - 20 * number, cell)
        for number, row in enumerate(rows)
        for column, cell in enumerate(row)
        if cell
    )


def test_tables() -> None:
    """Cells aligned in columns are a Markdown table with its header; text above and below stays text."""
    page = text(72, 760, "Order of October") + table_of(ROWS) + text(72, 600, "Delivery within a week.")
    assert read_text(page) == [
        "Order of October\n\n| Item | Quantity | Price |\n| --- | --- | --- |\n| Lamp | 2 | 40.00 |\n"
        "| Desk chair | 1 | 180.00 |\n| Desk | 1 |  |\n\nDelivery within a week."
    ]


def test_tables_with_drawn_lines() -> None:
    """Lines drawn as strokes, thin boxes or outlines of boxes separate the cells, also on a turned page."""
    words = text(75, 700, "Item") + text(175, 700, "Where") + text(75, 670, "Lamp") + text(175, 676, "desks of the")
    words += text(175, 662, "office") + text(75, 640, "Chair") + text(175, 640, "hall")
    lines = "72 716 200 0.5 re f 72 690 200 0.5 re f 72 655 m 272 655 l S 72 630 200 30 re S 172 630 m 172 716 l S "
    lines += "72 630 m 72 716 l S 272 630 m 272 716 l S "
    table = "| Item | Where |\n| --- | --- |\n| Lamp | desks of the office |\n| Chair | hall |"
    assert read_text(words + lines) == [table]
    assert read_text(f"0 1 -1 0 842 0 cm {words}{lines}", page_entries="/MediaBox [0 0 842 842]") == [table]


def test_a_header_in_a_bold_font() -> None:
    """Bold letters, known by the name of their font, mark the header of two columns."""
    rows = [("Property", "Value"), ("Power", "by cable"), ("Weight", "a few kilograms")]
    bold = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
    fonts = {"page_entries": "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >>", "more": [bold]}
    [found] = read_text(table_of(rows[:1]).replace("/F1", "/F2") + table_of(rows[1:], 680), **fonts)
    assert found == "| Property | Value |\n| --- | --- |\n| Power | by cable |\n| Weight | a few kilograms |"


def test_rows_that_are_no_table() -> None:
    """Names beside values do not become a table: each row stays one line."""
    assert read_text(table_of([("Name:", "Ada Example"), ("Office:", "Cork")])) == ["Name:  Ada Example\nOffice:  Cork"]


def outline(*entries: tuple[str, int, float]) -> dict[str, Any]:
    """The entries of the catalog and the objects of a flat outline: (title, page from 0, top)."""
    items = []
    for number, (title, page, top) in enumerate(entries):
        after = f"/Next {6 + number} 0 R" if number + 1 < len(entries) else ""
        before = f"/Prev {4 + number} 0 R" if number else ""
        items.append(f"<< /Title ({title}) /Parent 4 0 R {after} {before} /Dest [{page} /XYZ 0 {top} 0] >>")
    root = f"<< /Type /Outlines /First 5 0 R /Last {4 + len(entries)} 0 R /Count {len(entries)} >>"
    return {"catalog_entries": "/Outlines 4 0 R", "more": [root, *items]}


def test_bookmarks_are_headings() -> None:
    """A bookmark's line becomes a heading in its place; a bookmark whose words are not on the page is added."""
    first = text(72, 720, "1. Leave") + text(72, 690, "25 days a year.") + text(72, 400, "One week at most.")
    second = text(72, 720, "Bring the receipts.")
    found = read_text(first, second, **outline(("Leave", 0, 735), ("Carrying over", 0, 430), ("Travel", 1, 800)))
    assert found == [
        "# 1. Leave\n\n25 days a year.\n\n# Carrying over\n\nOne week at most.",
        "# Travel\n\nBring the receipts.",
    ]


def test_bookmarks_of_slides() -> None:
    """A slide's number that is not on the slide is no heading, and a title with an added number is the title."""
    pages = [["Plans", "We build."], ["No title here."], ["Plans", "We sell."]]
    found = read_text(*pages, **outline(("Plans", 0, 740), ("Slide 2", 1, 740), ("Plans (2)", 2, 740)))
    assert found == ["# Plans\n\nWe build.", "No title here.", "# Plans\n\nWe sell."]


def test_bookmarks_of_another_document() -> None:
    """An outline copied from a longer document does not fill the page with headings."""
    entries = [("Leave", 0, 735.0), *((f"Chapter {number}", 0, 0.0) for number in range(30))]
    page = text(72, 720, "Leave") + text(72, 690, "25 days a year.")
    assert read_text(page, **outline(*entries)) == ["# Leave\n\n25 days a year."]


def test_larger_letters_are_headings() -> None:
    """Without bookmarks larger lines are headings, the largest of level 1; a sentence in large letters is not."""
    body = [f"Sentence number {number} of the text is set in the usual size." for number in range(8)]
    page = text(72, 780, "Handbook", size=24) + text(72, 740, "Leave", size=16) + text(72, 700, *body)
    assert read_text(page)[0].startswith("# Handbook\n\n## Leave\n\nSentence number 0")
    page = text(72, 740, "Read this first, please.", size=16) + text(72, 700, *body)
    assert "#" not in read_text(page)[0]


def test_printed_code() -> None:
    """A comment in printed code is not a heading, although it begins with Markdown's mark of one."""
    assert read_text(text(72, 700, "# install the package", "pip install it")) == [
        "\\# install the package\npip install it"
    ]


def test_cells_of_several_lines() -> None:
    """Rows that stand further apart than the lines of their cells keep all lines, also those of a cell in the middle
    of its row, and a line whose cells stand close together."""
    pieces = [
        text(50, 700, "Level"), text(150, 700, "TTS"), text(300, 700, "GSA"),
        text(50, 684, "Cadence"), text(150, 684, "Weekly"), text(300, 684, "Every two weeks"),
        text(150, 668, "Tracks how time is", "spent by all of our own"),
        text(50, 661, "Goal"), text(300, 668, "Tracks how much an", "employee is working"),
        text(50, 625, "Shows"), text(150, 638, "How time", "is spent within", "a week"), text(300, 625, "Leave"),
    ]  # fmt: skip
    assert read_text("".join(pieces)) == [
        "| Level | TTS | GSA |\n| --- | --- | --- |\n| Cadence | Weekly | Every two weeks |\n"
        "| Goal | Tracks how time is spent by all of our own | Tracks how much an employee is working |\n"
        "| Shows | How time is spent within a week | Leave |"
    ]


def test_running_lines_are_dropped() -> None:
    """Lines that repeat at the edge of pages are removed: page numbers everywhere, words after the first page."""
    pages = [
        text(72, 810, "Tarnbrook staff handbook")
        + text(72, 700, f"Rule {name} of the house.", f"It holds for everybody on floor {number * number}.")
        + text(280, 30, f"Page {number} of 4")
        for number, name in enumerate(("one", "two", "three", "four"), 1)
    ]
    found = read_text(*pages)
    assert found[0] == "Tarnbrook staff handbook\n\nRule one of the house.\nIt holds for everybody on floor 1."
    assert found[1:] == [
        f"Rule {name} of the house.\nIt holds for everybody on floor {floor}."
        for name, floor in (("two", 4), ("three", 9), ("four", 16))
    ]


def test_running_lines_of_pages_on_their_side() -> None:
    """A header is recognised when one of the pages is lower than the others."""
    names = ("one", "two", "three")
    pages = [text(72, 800 - 200 * (name == "two"), "Handbook", "", f"Rule {name} of it.") for name in names]
    assert read_text(*pages) == ["Handbook\n\nRule one of it.", "Rule two of it.", "Rule three of it."]


def test_running_lines_of_two_pages() -> None:
    """On two pages an equal header, and a page number with the number of pages, are running lines."""
    pages = [
        text(72, 800, "Handbook", "", f"Rule {name} of the house.") + text(72, 30, f"handbook.html {number}/2")
        for number, name in enumerate(("one", "two"), 1)
    ]
    assert read_text(*pages) == ["Handbook\n\nRule one of the house.", "Rule two of the house."]
    apart = [text(72, 800, f"Annex {number}", "", "Rules.") for number in (1, 2)]
    assert read_text(*apart) == ["Annex 1\n\nRules.", "Annex 2\n\nRules."]


def test_body_text_that_repeats_stays() -> None:
    """A table's header, numbers, and a page's only line are not running lines."""
    rows = [("Item", "Quantity", "Price"), ("Lamp", "2", "40"), ("Desk", "1", "90")]
    assert all("| Item | Quantity | Price |" in page for page in read_text(*[table_of(rows, 800)] * 4))
    numbers = [text(72, 800, f"{number} 17 23", "4 8 15", "16 23 42") for number in (5, 9, 2, 7)]
    assert [page.split()[0] for page in read_text(*numbers)] == ["5", "9", "2", "7"]
    assert read_text(*[["The same"]] * 4) == ["The same"] * 4


def test_forms_and_notes() -> None:
    """The text of a form field is beside its label, and notes are read; no script of the form is run."""
    field = (
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Ada Example) /Rect [150 715 300 735] /P 5 0 R "
        "/AA << /K << /S /JavaScript /JS (app.alert\\(1\\)) >> >> >>"
    )
    note = "<< /Type /Annot /Subtype /FreeText /Contents (Approved in May) /Rect [72 600 200 620] /DA (/F1 12 Tf) >>"
    found = read_text(
        text(72, 720, "Name:"),
        page_entries="/Annots [4 0 R 5 0 R]",
        catalog_entries="/AcroForm << /Fields [4 0 R] >>",
        more=[field, note],
    )
    assert found == ["Name:  Ada Example\n\nApproved in May"]


def test_too_many_pages() -> None:
    """A file with too many pages is refused with its number of pages and the limit, not cut."""
    with pytest.raises(ReadError, match=rf"10,000 pages, and at most {PAGE_LIMIT:,} are read: split it"):
        read_pdf(pdf([[]]).replace(b"/Count 1 ", b"/Count 10000 "))


PICTURE = (
    "<< /Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 4 >>\n"
    "stream\n\x00\x7f\x7f\x00\nendstream"
)
SCAN: dict[str, Any] = {
    "page_entries": "/Resources << /Font << /F1 3 0 R >> /XObject << /I 4 0 R >> >>",
    "more": [PICTURE],
}
DRAWN = "q 500 0 0 700 40 40 cm /I Do Q "


def test_a_scan_without_the_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for a file of pictures says what to install; in a file with text, pages of pictures stay empty."""
    monkeypatch.setattr(module, "can_recognise", lambda: False)
    with pytest.raises(ReadError, match=r"^needs OCR: .*pip install 'docent\[ocr\]'"):
        read_text(DRAWN, **SCAN)
    assert read_text(text(72, 720, "Cover"), DRAWN, **SCAN) == ["Cover", ""]


def test_a_scan_with_the_recogniser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is recognised on pages of pictures, given upright in blue, green, red; never on pages with text."""
    seen = []

    def recognise(picture: Any) -> list[Box]:
        seen.append(picture.shape)
        return [Box("lower", 100, 200, 500, 530), Box("upper", 100, 200, 900, 930)]

    monkeypatch.setattr(module, "can_recognise", lambda: True)
    monkeypatch.setattr(module, "recognise", recognise)
    assert read_text(DRAWN + text(72, 720, "Cover"), DRAWN, **SCAN) == ["Cover", "upper\n\nlower"]
    [(height, width, colours)] = seen
    assert colours == 3 and height / width == pytest.approx(842 / 595, rel=0.01) and height > 2000


def test_sample_documents() -> None:
    """Chinese and English PDFs of the sample company: every page has text of its own."""
    for name in ("hr/员工手册.pdf", "product/aq-400-operator-manual.pdf"):
        _, pages = read_pdf((DOCUMENTS / name).read_bytes())
        assert [page.label for page in pages] == [f"p. {number}" for number in range(1, len(pages) + 1)]
        assert all(len(page.text) > 50 for page in pages)
    assert "年假" in "".join(page.text for page in read_pdf((DOCUMENTS / "hr/员工手册.pdf").read_bytes())[1])


@pytest.mark.parametrize("data", [b"%PDF-1.4\nnothing more", b"not a PDF at all", pdf([["x"]])[:60]])
def test_damaged(data: bytes) -> None:
    """The error for a file that is no PDF is one line with what to do."""
    with pytest.raises(ReadError, match="damaged or not really a PDF: open and save it again"):
        read_pdf(data)


def test_password() -> None:
    """A protected file is called protected, not damaged."""
    with pytest.raises(ReadError, match="protected by a password: save a copy without one"):
        read_pdf(pdf([["secret"]], password="open sesame"))


def test_no_text() -> None:
    """A page without text, as in a scan, is an empty page, not an error."""
    assert [page.text for page in read_pdf(pdf([[]]))[1]] == [""]
