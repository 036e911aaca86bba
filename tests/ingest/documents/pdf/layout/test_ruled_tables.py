"""Tables whose cells are separated by drawn lines."""

from __future__ import annotations

from ingest.documents.pdf.layout.blocks import blocks, markdown
from ingest.documents.pdf.layout.boxes import Box
from ingest.documents.pdf.layout.ruled_tables import Rule, stands_between, turned, with_tables


def box(text: str, left: float, top: float) -> Box:
    return Box(text, left, left + 5 * len(text), top - 10, top)


def level(left: float, right: float, *heights: float) -> list[Rule]:
    return [Rule(left, height, right, height) for height in heights]


def upright(bottom: float, top: float, *places: float) -> list[Rule]:
    return [Rule(place, bottom, place, top) for place in places]


def read(boxes: list[Box], rules: list[Rule]) -> str:
    return markdown(blocks(with_tables(boxes, rules)))


def test_lines_part_cells() -> None:
    """Cells are what stands between lines, however many lines of text they have and wherever in the cell they stand;
    text above and below the table stays there."""
    rules = level(0, 300, 200, 170, 130, 100) + upright(100, 200, 0, 100, 200, 300)
    boxes = [
        box("Rates of the year", 0, 230), box("Item", 5, 195), box("Where it stands", 105, 195), box("Sum", 205, 195),
        box("Lamp", 5, 158), box("on every desk of", 105, 165), box("the whole office", 105, 150), box("40", 205, 158),
        box("Chair", 5, 120), box("180", 205, 120), box("They hold for a year.", 0, 90),
    ]  # fmt: skip
    assert read(boxes, rules) == (
        "Rates of the year\n\n| Item | Where it stands | Sum |\n| --- | --- | --- |\n"
        "| Lamp | on every desk of the whole office | 40 |\n| Chair |  | 180 |\n\nThey hold for a year."
    )


def test_missing_lines_are_merged_cells() -> None:
    """A cell reaches to the next line, also where each cell has drawn its own piece of the line."""
    rules = level(0, 300, 200, 140, 120) + level(100, 199, 180) + level(200, 300, 180) + level(0, 300, 160)
    rules += upright(120, 200, 0, 100, 300) + upright(120, 180, 200)
    boxes = [
        box("Plant", 5, 195), box("Output", 105, 195), box("H1", 105, 175), box("H2", 205, 175),
        box("Ulm", 5, 155), box("7", 105, 155), box("9", 205, 155), box("Linz", 5, 135), box("3", 105, 135),
    ]  # fmt: skip
    assert read(boxes, rules) == (
        "| Plant | Output / H1 | Output / H2 |\n| --- | --- | --- |\n| Ulm | 7 | 9 |\n| Linz | 3 |  |"
    )


def test_lines_that_rule_no_table() -> None:
    """Lines between groups of rows, frames around text and the grid of a chart make no table."""
    grouped = [box(said, left, top) for top in (190, 175, 160) for said, left in (("Ada", 5), ("12", 105))]
    rules = level(0, 300, 220, 200, 150) + upright(150, 220, 0, 100, 300)
    boxes = [box("Name", 5, 215), box("Age", 105, 215), *grouped]
    assert with_tables(boxes, rules) == boxes
    frame = level(0, 300, 220, 150) + upright(150, 220, 0, 300)
    assert with_tables(boxes, frame) == boxes
    chart = level(0, 300, *range(100, 220, 10)) + upright(100, 220, *range(0, 330, 30))
    assert with_tables(boxes[:3], chart) == boxes[:3]


def test_words_beside_a_line() -> None:
    """A line between two words separates them, if it reaches their height; for turned text lines are turned too."""
    rules = upright(0, 50, 20)
    assert stands_between(rules, 18, 22, 40)
    assert not stands_between(rules, 18, 22, 60)
    assert not stands_between(rules, 30, 40, 40)
    assert turned([Rule(1, 2, 3, 2)], 1) == [Rule(2, -3, 2, -1)]
    assert turned(turned([Rule(1, 2, 3, 2)], 1), 3) == [Rule(1, 2, 3, 2)]
    assert turned([Rule(1, 2, 3, 2)], 2) == [Rule(-3, -2, -1, -2)]
