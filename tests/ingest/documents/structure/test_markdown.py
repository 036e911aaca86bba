"""Headings, paragraphs, tables and joined blocks in Markdown."""

from __future__ import annotations

from ingest.documents.structure.markdown import flat, heading, join, markdown_table, paragraph, table_cells


def test_pieces() -> None:
    """A heading has one to six marks and one line; '#' before a paragraph is escaped."""
    assert heading(9, "a\n b") == "###### a b"
    assert heading(0, "a") == "# a"
    assert paragraph("# 1\n#2\ntext\n  ## 3") == "\\# 1\n#2\ntext\n  \\## 3"
    assert flat(" a\t\n b ") == "a b"


def test_table() -> None:
    """Each row gets as many cells as the longest; `|` in a cell is escaped."""
    assert markdown_table([["a"], ["b", "c|d"]]) == "| a |  |\n| --- | --- |\n| b | c\\|d |"


def test_the_cells_of_a_row() -> None:
    """Reading a row gives the cells that were written, bars in them and empty ones included."""
    rows = [["Route", "a|b"], ["", "x \\ y"]]
    written = markdown_table(rows).splitlines()
    assert [table_cells(written[0]), table_cells(written[2])] == rows
    assert table_cells("") == []


def test_join() -> None:
    """Items of a list stay together, other blocks have a blank line between them; blank ones are dropped."""
    assert join(["text", "- a", "  1. b", "", "(c) d", "# e"]) == "text\n\n- a\n  1. b\n(c) d\n\n# e"
