"""PowerPoint presentations (pptx): what slides show, and their notes."""

from __future__ import annotations

import io

from PIL import Image
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml.ns import qn
from pptx.util import Inches

from ingest.base.types import Page
from ingest.documents.slides.read_slides import read_pptx


def read(deck: object) -> list[Page]:
    buffer = io.BytesIO()
    deck.save(buffer)  # type: ignore[attr-defined]
    return read_pptx(buffer.getvalue())


def png() -> bytes:
    """A picture of one pixel."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue()


def test_text() -> None:
    """The title is the heading; several points are a list with levels; notes come last, footers are left out."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Review\vcycle"
    frame = slide.placeholders[1].text_frame
    frame.text = "In May"
    point = frame.add_paragraph()
    point.text, point.level = "by mail", 1
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    assert read(deck) == [Page("slide 1", "# Review cycle\n\n- In May\n  - by mail\n\n### Notes\n\nSay it slowly.")]


def test_reading_order() -> None:
    """Text boxes are read from top to bottom, and so are groups and the descriptions of pictures."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    for content, left, top in (("third", 1, 3), ("second", 4, 1), ("first", 1, 1)):
        slide.shapes.add_textbox(Inches(left), Inches(top), Inches(1), Inches(1)).text_frame.text = content
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(5), Inches(1), Inches(1)).text_frame.text = "in a group"
    for description, top in (("A plan of the plant", 6), ("scan.png", 7)):
        picture = slide.shapes.add_picture(io.BytesIO(png()), Inches(1), Inches(top), Inches(1), Inches(1))
        picture._element.nvPicPr.cNvPr.set("descr", description)
    assert read(deck)[0].text == "first\n\nsecond\n\nthird\n\nin a group\n\nA plan of the plant"


def test_order_of_columns() -> None:
    """Two columns with headings are read one after the other; boxes of almost the same height from left to right."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[4])
    for placeholder, content in zip(slide.placeholders, ["Compare", "Before", "Slow.", "After", "Fast."], strict=False):
        placeholder.text_frame.text = content
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    for content, left, top in (("right", 4_000_000, 91_439), ("left", 1_000, 91_441)):
        slide.shapes.add_textbox(left, top, Inches(1), Inches(1)).text_frame.text = content
    assert [page.text for page in read(deck)] == [
        "# Compare\n\nBefore\n\nSlow.\n\nAfter\n\nFast.", "left\n\nright",
    ]  # fmt: skip


def test_automatic_numbers() -> None:
    """Points have the numbers that PowerPoint shows; deeper ones restart, and another numbering ends a list."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    frame = slide.placeholders[1].text_frame
    for level, scheme, start, content in (
        (0, "arabicPeriod", "", "Ask"), (1, "alphaLcParenR", "", "by mail"), (1, "alphaLcParenR", "", "by phone"),
        (0, "arabicPeriod", "", "Wait"), (1, "alphaLcParenR", "", "a day"), (0, "", "", "Then"),
        (0, "romanUcParenBoth", "4", "Go"), (0, "romanUcParenBoth", "4", "Stay"), (0, "ea1ChsPeriod", "", "休假"),
    ):  # fmt: skip
        point = frame.paragraphs[0] if content == "Ask" else frame.add_paragraph()
        point.text, point.level = content, level
        if scheme:
            mark = point._p.get_or_add_pPr().makeelement(qn("a:buAutoNum"), {"type": scheme})
            point._p.get_or_add_pPr().append(mark)
            if start:
                mark.set("startAt", start)
    assert read(deck)[0].text == (
        "1. Ask\n  a) by mail\n  b) by phone\n2. Wait\n  a) a day\n- Then\n(IV) Go\n(V) Stay\n一. 休假"
    )


def test_tables_and_charts() -> None:
    """Tables keep merged headers; a chart becomes the table of its values."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(1), Inches(4), Inches(2)).table
    for (row, column), content in {
        (0, 0): "City", (0, 1): "2026", (1, 1): "Q1", (1, 2): "Q2", (2, 0): "Cork", (2, 1): "120", (2, 2): "130",
    }.items():  # fmt: skip
        table.cell(row, column).text = content
    table.cell(0, 1).merge(table.cell(0, 2))
    data = CategoryChartData()
    data.categories = ["May", "June"]
    data.add_series("Sales", (1.5, 20))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(4), Inches(4), Inches(2), data)
    assert read(deck)[0].text == (
        "| City | 2026 / Q1 | 2026 / Q2 |\n| --- | --- | --- |\n| Cork | 120 | 130 |\n\n"
        "|  | Sales |\n| --- | --- |\n| May | 1.5 |\n| June | 20 |"
    )


def test_numbers_of_charts() -> None:
    """The numbers of a chart are written in full, and in their format."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    for code, number in (("General", 1234567), ("0.0%", 0.1567)):
        data = CategoryChartData(number_format=code)
        data.categories = ["Q1"]
        data.add_series("Sum", [number])
        slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), data)
    (page,) = read(deck)
    assert "| Q1 | 1234567 |" in page.text
    assert "| Q1 | 15.7% |" in page.text
