"""Grids of cells as the Markdown tables that a person sees."""

from __future__ import annotations

from ingest.documents.structure.tables import Grid, Span, to_markdown


def test_plain_table() -> None:
    """The first row is the header; `|` is escaped, lines in a cell are joined, short rows get empty cells."""
    grid = Grid.of([["City", "Hotel", "Note"], ["Cork\nand Dublin", "120"], ["a|b", "", "x"]])
    assert to_markdown(grid) == (
        "| City | Hotel | Note |\n| --- | --- | --- |\n| Cork and Dublin | 120 |  |\n| a\\|b |  | x |"
    )


def test_title_above() -> None:
    """A single cell above a table is a line of text; empty rows and columns around are ignored."""
    grid = Grid.of([[], ["", "Rates 2026"], ["", "City", "", "Hotel"], ["", "Cork", "", "120"], [], ["", "", " "]])
    assert to_markdown(grid) == "Rates 2026\n\n| City | Hotel |\n| --- | --- |\n| Cork | 120 |"


def test_two_tables() -> None:
    """A blank row separates two tables, each with its header; a table that plainly continues stays one."""
    grid = Grid.of([["a", "b"], ["1", "2"], [], ["3", "4"], [], ["Name", "Place"], ["Ann", "5"]])
    assert to_markdown(grid) == (
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n\n| Name | Place |\n| --- | --- |\n| Ann | 5 |"
    )


def test_merged_header() -> None:
    """A header merged across and the one below become one; a title merged over the whole width stands once."""
    grid = Grid.of(
        [["Budget"], ["Team", "2025", "", "2026", ""], ["", "Q1", "Q2", "Q1", "Q2"], ["Sales", "1", "2", "3", "4"]]
    )
    grid.spans = [Span(0, 0, 0, 4), Span(1, 0, 2, 0), Span(1, 1, 1, 2), Span(1, 3, 1, 4)]
    assert to_markdown(grid) == (
        "Budget\n\n| Team | 2025 / Q1 | 2025 / Q2 | 2026 / Q1 | 2026 / Q2 |\n"
        "| --- | --- | --- | --- | --- |\n| Sales | 1 | 2 | 3 | 4 |"
    )


def test_header_merged_over_data() -> None:
    """A header merged across above rows of data stays one row."""
    grid = Grid.of([["Name", "", "Age"], ["Ann", "Lee", "25"], ["Bob", "Ray", "31"]])
    grid.spans = [Span(0, 0, 0, 1)]
    assert to_markdown(grid).startswith("| Name | Name | Age |\n| --- | --- | --- |\n| Ann | Lee | 25 |")


def test_header_of_two_rows_without_merges() -> None:
    """A text file has no merged cells: a second header row is recognised by the gaps that it fills."""
    grid = Grid.of([["Team", "Results", ""], ["", "Accuracy", "Time"], ["Blind", "34.5%", "1199"]])
    assert to_markdown(grid).startswith("| Team | Results / Accuracy | Results / Time |\n")


def test_merged_down() -> None:
    """A cell merged over rows is repeated in each of them."""
    grid = Grid.of([["Region", "City"], ["North", "Cork"], ["", "Derry"]])
    grid.spans = [Span(1, 0, 2, 0)]
    assert to_markdown(grid).endswith("| North | Cork |\n| North | Derry |")


def test_merged_down_in_a_header() -> None:
    """A cell that reaches from the first row into the second makes both the header, whatever else they hold."""
    rows = [["Plant", "2026", "", "Total"], ["", "H1", "H2", "EUR"], ["Ulm", "1", "2", "3"]]
    grid = Grid.of(rows)
    grid.spans = [Span(0, 0, 1, 0), Span(0, 1, 0, 2)]
    assert to_markdown(grid).startswith("| Plant | 2026 / H1 | 2026 / H2 | Total / EUR |\n| --- |")


def test_one_column() -> None:
    """A single column becomes lines of text, and '#' before one makes no heading."""
    assert to_markdown(Grid.of([["Notes"], ["# of items"], ["two"]])) == "Notes\n\\# of items\ntwo"


def test_far_corner() -> None:
    """A cell in the last corner of the largest sheet costs no more than another, however many ranges are merged."""
    grid = Grid()
    grid.put(0, 0, "first")
    grid.put(1_048_575, 16_383, "last")
    grid.spans = [Span(0, 0, 1_048_575, 16_383)] * 1000
    assert to_markdown(grid) == "first\n\nlast"
