"""Headings of a tagged PDF: what the author called one, however it looks."""

from __future__ import annotations

import pypdfium2

from ingest.formats.pdf_headings import Bookmark, are_headings
from ingest.formats.pdf_tags import tagged_headings
from ingest.formats.read_pdf import read_pdf
from tests.test_read_pdf import pdf, text

PROSE = "Employees book trains and hotels through the travel desk and keep every receipt they are given."


def tagged(*pieces: tuple[str, str]) -> bytes:
    """A PDF of one page: each piece a line of text of one size, with its tag."""
    first = 6
    page = f"{first + len(pieces) + 2} 0 R"
    elements = [
        f"<< /Type /StructElem /S /{tag} /P 5 0 R /Pg {page} /K {number} >>" for number, (tag, _) in enumerate(pieces)
    ]
    kids = " ".join(f"{first + number} 0 R" for number in range(len(pieces)))
    more = [
        f"<< /Type /StructTreeRoot /K 5 0 R /ParentTree {first + len(pieces)} 0 R >>",
        f"<< /Type /StructElem /S /Document /P 4 0 R /K [{kids}] >>",
        *elements,
        f"<< /Nums [0 [{kids}]] >>",
    ]
    drawn = "".join(
        # A paragraph follows its heading closely, the next heading stands apart.
        f"/{tag} << /MCID {number} >> BDC {text(72, 760 - 20 * number - 20 * (number // 2), line)} EMC "
        for number, (tag, line) in enumerate(pieces)
    )
    return pdf(
        [drawn], more=more, page_entries="/StructParents 0",
        catalog_entries="/MarkInfo << /Marked true >> /StructTreeRoot 4 0 R",
    )  # fmt: skip


def headings(data: bytes) -> list[Bookmark]:
    document = pypdfium2.PdfDocument(data)
    try:
        page = document[0]
        return tagged_headings(page, page.get_textpage(), 0)
    finally:
        document.close()


def test_headings_in_the_size_of_the_text() -> None:
    """Nothing but the tag tells them, and they become headings of its level; paragraphs stay paragraphs."""
    data = tagged(("H1", "Travel"), ("P", PROSE), ("H3", "Rail travel"), ("P", PROSE), ("H", "Claims"), ("P", PROSE))
    assert [(one.title, one.level, one.page) for one in headings(data)] == [
        ("Travel", 1, 0), ("Rail travel", 3, 0), ("Claims", 1, 0),
    ]  # fmt: skip
    _, [page] = read_pdf(data)
    assert page.text == f"# Travel\n\n{PROSE}\n\n### Rail travel\n\n{PROSE}\n\n# Claims\n\n{PROSE}"


def test_every_line_a_heading() -> None:
    """A program that tags all text as headings says nothing by it."""
    lines = [f"{PROSE[:60]} {number}" for number in range(6)]
    data = tagged(*(("H2", line) for line in lines))
    assert len(headings(data)) == 6
    assert not are_headings(headings(data), sum(map(len, lines)))
    _, [page] = read_pdf(data)
    assert "#" not in page.text


def test_without_tags() -> None:
    """A page that says nothing about its parts has no tagged headings."""
    assert headings(pdf([["Travel", PROSE]])) == []
