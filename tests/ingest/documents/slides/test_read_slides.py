"""PowerPoint slides: what is shown and what is said to them."""

from __future__ import annotations

import io

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


def test_text() -> None:
    """The title is the heading; several points are a list with its levels; notes come last, footers not at all."""
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
    """Text boxes are read from top to bottom, groups and pictures' descriptions as well."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    for said, left, top in (("third", 1, 3), ("second", 4, 1), ("first", 1, 1)):
        slide.shapes.add_textbox(Inches(left), Inches(top), Inches(1), Inches(1)).text_frame.text = said
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(5), Inches(1), Inches(1)).text_frame.text = "in a group"
    assert read(deck)[0].text == "first\n\nsecond\n\nthird\n\nin a group"


def test_order_of_columns() -> None:
    """Two columns with a heading each are read one after another; boxes a hair apart in height are side by side."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[4])
    for place, said in zip(slide.placeholders, ["Compare", "Before", "Slow.", "After", "Fast."], strict=False):
        place.text_frame.text = said
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    for said, left, top in (("right", 4_000_000, 91_439), ("left", 1_000, 91_441)):
        slide.shapes.add_textbox(left, top, Inches(1), Inches(1)).text_frame.text = said
    assert [page.text for page in read(deck)] == [
        "# Compare\n\nBefore\n\nSlow.\n\nAfter\n\nFast.", "left\n\nright",
    ]  # fmt: skip


def test_automatic_numbers() -> None:
    """Numbers that PowerPoint counts are shown as it shows them; deeper ones begin anew, others end a list."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    frame = slide.placeholders[1].text_frame
    for level, kind, start, said in (
        (0, "arabicPeriod", "", "Ask"), (1, "alphaLcParenR", "", "by mail"), (1, "alphaLcParenR", "", "by phone"),
        (0, "arabicPeriod", "", "Wait"), (1, "alphaLcParenR", "", "a day"), (0, "", "", "Then"),
        (0, "romanUcParenBoth", "4", "Go"), (0, "romanUcParenBoth", "4", "Stay"), (0, "ea1ChsPeriod", "", "休假"),
    ):  # fmt: skip
        point = frame.paragraphs[0] if said == "Ask" else frame.add_paragraph()
        point.text, point.level = said, level
        if kind:
            mark = point._p.get_or_add_pPr().makeelement(qn("a:buAutoNum"), {"type": kind})
            point._p.get_or_add_pPr().append(mark)
            if start:
                mark.set("startAt", start)
    assert read(deck)[0].text == (
        "1. Ask\n  a) by mail\n  b) by phone\n2. Wait\n  a) a day\n- Then\n(IV) Go\n(V) Stay\n一. 休假"
    )


def test_tables_and_charts() -> None:
    """Tables keep merged headers; a chart is the table it was drawn from."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(1), Inches(4), Inches(2)).table
    for (row, column), said in {
        (0, 0): "City", (0, 1): "2026", (1, 1): "Q1", (1, 2): "Q2", (2, 0): "Cork", (2, 1): "120", (2, 2): "130",
    }.items():  # fmt: skip
        table.cell(row, column).text = said
    table.cell(0, 1).merge(table.cell(0, 2))
    data = CategoryChartData()
    data.categories = ["May", "June"]
    data.add_series("Sales", (1.5, 20))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(4), Inches(4), Inches(2), data)
    assert read(deck)[0].text == (
        "| City | 2026 / Q1 | 2026 / Q2 |\n| --- | --- | --- |\n| Cork | 120 | 130 |\n\n"
        "|  | Sales |\n| --- | --- |\n| May | 1.5 |\n| June | 20 |"
    )


def test_large_and_shared_numbers_of_charts() -> None:
    """A chart's numbers are shown in full and as their format says."""
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
