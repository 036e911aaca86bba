"""Headings and tables of a tagged PDF: what the author marked as such, whatever it looks like."""

from __future__ import annotations

import pypdfium2

from ingest.documents.pdf.headings import Bookmark, are_headings
from ingest.documents.pdf.layout.boxes import Box
from ingest.documents.pdf.read_pdf import read_pdf
from ingest.documents.pdf.tags import TaggedTable, tags_of, with_tagged_tables
from tests.ingest.documents.pdf.test_read_pdf import pdf, text

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
        return tags_of(page, page.get_textpage(), 0)[0]
    finally:
        document.close()


def test_headings_in_the_size_of_the_text() -> None:
    """Text that only its tag marks as a heading becomes one of the tag's level; paragraphs stay paragraphs."""
    data = tagged(("H1", "Travel"), ("P", PROSE), ("H3", "Rail travel"), ("P", PROSE), ("H", "Claims"), ("P", PROSE))
    assert [(one.title, one.level, one.page) for one in headings(data)] == [
        ("Travel", 1, 0), ("Rail travel", 3, 0), ("Claims", 1, 0),
    ]  # fmt: skip
    _, [page] = read_pdf(data)
    assert page.text == f"# Travel\n\n{PROSE}\n\n### Rail travel\n\n{PROSE}\n\n# Claims\n\n{PROSE}"


def test_every_line_a_heading() -> None:
    """Tags are ignored when all text is tagged as headings."""
    lines = [f"{PROSE[:60]} {number}" for number in range(6)]
    data = tagged(*(("H2", line) for line in lines))
    assert len(headings(data)) == 6
    assert not are_headings(headings(data), sum(map(len, lines)))
    _, [page] = read_pdf(data)
    assert "#" not in page.text


def test_without_tags() -> None:
    """A page without tags has no tagged headings."""
    assert headings(pdf([["Travel", PROSE]])) == []


def test_a_table_whose_cells_look_like_columns_of_prose() -> None:
    """A table has the rows of its tags, with whole cells and its header; text around it stays in place."""
    cells = [["Grade", "What it gives"], ["Senior", "A room of its own"], ["Junior", "A desk by the window"]]
    kinds = ["TH", "TD", "TD"]
    # 4 the root, 5 the table, 6 to 8 its rows, 9 to 14 their cells, 15 what belongs to the page; 17 is the page.
    rows = [f"<< /Type /StructElem /S /TR /P 5 0 R /K [{9 + 2 * row} 0 R {10 + 2 * row} 0 R] >>" for row in range(3)]
    marks = [[0], [1], [2], [3, 6], [4], [5, 7]]  # the second column's cells have two lines
    inner = [
        f"<< /Type /StructElem /S /{kinds[number // 2]} /P {6 + number // 2} 0 R /Pg 17 0 R "
        f"/K [{' '.join(map(str, own))}] >>"
        for number, own in enumerate(marks)
    ]
    owners = [f"{9 + number} 0 R" for number in (0, 1, 2, 3, 4, 5, 3, 5)]
    more = [
        "<< /Type /StructTreeRoot /K 5 0 R /ParentTree 15 0 R >>",
        "<< /Type /StructElem /S /Table /P 4 0 R /K [6 0 R 7 0 R 8 0 R] >>",
        *rows, *inner,
        f"<< /Nums [0 [{' '.join(owners)}]] >>",
    ]  # fmt: skip
    lines = [
        (72, 700, "Grade"), (200, 700, "What it gives"), (72, 676, "Senior"), (200, 676, "A room"),
        (72, 640, "Junior"), (200, 640, "A desk by"), (200, 662, "of its own"), (200, 626, "the window"),
    ]  # fmt: skip
    drawn = text(72, 760, "Before the table.") + "".join(
        f"/TD << /MCID {number} >> BDC {text(left, top, line)} EMC " for number, (left, top, line) in enumerate(lines)
    )
    data = pdf(
        [drawn + text(72, 560, "After the table.")], more=more, page_entries="/StructParents 0",
        catalog_entries="/MarkInfo << /Marked true >> /StructTreeRoot 4 0 R",
    )  # fmt: skip
    table = "\n".join(f"| {' | '.join(row)} |" for row in [cells[0], ["---", "---"], *cells[1:]])
    _, [page] = read_pdf(data)
    assert page.text == f"Before the table.\n\n{table}\n\nAfter the table."


def box(words: str, left: float, top: float) -> Box:
    return Box(words, left, left + 6 * len(words), top - 12, top)


def test_a_table_goes_on_without_its_header() -> None:
    """On the next page a table gets the header of the page before, when it has as many columns."""
    first = TaggedTable([["City", "Limit"], ["Oslo", "180"]], True, 50, 600, 300, 700)
    boxes = [box("City", 60, 690), box("Limit", 200, 690), box("Oslo", 60, 660), box("180", 200, 660)]
    [whole], header = with_tagged_tables(boxes, [first], ())
    assert (whole.text, header) == ("| City | Limit |\n| --- | --- |\n| Oslo | 180 |", ["City", "Limit"])
    assert (whole.table, whole.top, whole.depth) == (True, 700, 100)
    second = TaggedTable([["Rome", "150"]], False, 50, 600, 300, 700)
    rest = [box("Rome", 60, 690), box("150", 200, 690)]
    [whole], header = with_tagged_tables(rest, [second], header)
    assert (whole.text, header) == ("| City | Limit |\n| --- | --- |\n| Rome | 150 |", ["City", "Limit"])
    [whole], _ = with_tagged_tables(rest, [second], ["City", "Limit", "Since"])
    assert whole.text == "| Rome | 150 |\n| --- | --- |"


def test_tables_that_tags_tell_badly() -> None:
    """With merged cells, words outside all cells, or a single column, the table is read by positions instead."""
    boxes = [box("City", 60, 690), box("Limit", 200, 690), box("Oslo and Rome", 60, 660)]
    for rows in (
        [["City", "Limit"], ["Oslo and Rome"]],
        [["City", "Limit"], ["Oslo", ""]],
        [["City"], ["Limit"], ["Oslo and Rome"]],
    ):
        tagged = TaggedTable(rows, True, 50, 600, 300, 700)
        assert with_tagged_tables(boxes, [tagged], ["a", "b"]) == (boxes, ())
