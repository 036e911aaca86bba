"""Tables whose cells state only where they end."""

from __future__ import annotations

from ingest.documents.office.cell_edges import Cell, TableRow, grid
from ingest.documents.structure.tables import to_markdown


def markdown(*rows: list[Cell]) -> str:
    return to_markdown(grid([TableRow(row) for row in rows]))


def test_rows_cut_differently() -> None:
    """A cell stands under the header above it, however many cells its row has; edges close together are one edge."""
    table = markdown(
        [Cell("Item", 1000), Cell("Sum", 2000), Cell("Note", 3000)],
        [Cell("Bolt", 1012), Cell("5", 1990), Cell("in stock", 3003)],
        [Cell("All", 2001), Cell("end", 3000)],
    )
    assert table == "| Item | Sum | Note |\n| --- | --- | --- |\n| Bolt | 5 | in stock |\n| All | All | end |"


def test_merged() -> None:
    """A cell merged downwards, or across its row, is repeated wherever it reaches."""
    table = markdown(
        [Cell("Item", 1000), Cell("Sum", 2000), Cell("Note", 3000)],
        [Cell("Bolt", 1000), Cell("5", 2000), Cell("", 3000, merged_left=True)],
        [Cell("", 1000, merged_above=True), Cell("7", 2000), Cell("old", 3000)],
    )
    assert table == "| Item | Sum | Note |\n| --- | --- | --- |\n| Bolt | 5 | 5 |\n| Bolt | 7 | old |"


def test_damaged_edges() -> None:
    """Edges that make no sense lose no cell."""
    rows = [[Cell("a", 5000), Cell("b", 0)], [Cell("1", 0), Cell("2", 0)]]
    assert markdown(*rows) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
