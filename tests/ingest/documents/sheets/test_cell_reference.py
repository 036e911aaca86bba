"""References of cells as row and column, and back."""

from __future__ import annotations

import pytest

from ingest.documents.sheets.cell_reference import cell_name, cell_position


@pytest.mark.parametrize(
    ("reference", "row", "column"), [("A1", 0, 0), ("$B$4", 3, 1), ("AA10", 9, 26), ("XFD1048576", 1_048_575, 16_383)]
)
def test_references(reference: str, row: int, column: int) -> None:
    """A reference gives row and column from 0, with or without '$', and they give the reference."""
    assert cell_position(reference) == (row, column)
    assert cell_name(row, column) == reference.replace("$", "")


def test_no_reference() -> None:
    """A text that is no reference has no position."""
    assert cell_position("4B") is None
    assert cell_position("") is None
