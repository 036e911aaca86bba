"""Functions with which every reader writes Markdown: headings, paragraphs, tables, blocks with blank lines between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LIST_ITEM = re.compile(
    r"\s*(?:[-*+•–▪◦‣]|[(（]?(?:\d{1,3}|[A-Za-z]|[ivxlc]+|[IVXLC]+|[一二三四五六七八九十百]{1,4})[.)、）])\s"
)


def flat(text: str) -> str:
    """The text on one line: each run of white space becomes one space."""
    return " ".join(text.split())


def heading(level: int, text: str) -> str:
    """A Markdown heading on one line; levels outside 1 to 6 become the nearest of these."""
    return f"{'#' * max(1, min(level, 6))} {flat(text)}"


def paragraph(text: str) -> str:
    """The text without white space around it; lines that Markdown would take for headings ('# ') are escaped."""
    return re.sub(r"^(\s*)(#{1,6}\s)", r"\1\\\2", text.strip(), flags=re.MULTILINE)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is its header. All readers write their tables with this function.

    Each cell becomes one line with `|` escaped; rows shorter than the longest get empty cells. Raises ValueError when
    there are no rows.
    """
    width = max(map(len, rows))
    lines = ["| " + " | ".join(_cells([*row, *[""] * (width - len(row))])) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * width) + " |", *lines[1:]])


def _cells(row: Iterable[str]) -> list[str]:
    return [flat(text).replace("|", "\\|") for text in row]


def table_cells(row: str) -> list[str]:
    """The cells of one row that `markdown_table` wrote, in order and without escapes; none for an empty row."""
    cells = re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|")) if row else []
    return [cell.strip().replace("\\|", "|") for cell in cells]


def join(blocks: Iterable[str]) -> str:
    """The blocks with a blank line between them, list items without; blank blocks are left out."""
    text, previous = "", ""
    for block in blocks:
        if block.strip():
            in_one_list = _LIST_ITEM.match(block) and _LIST_ITEM.match(previous)
            text += ("\n" if in_one_list else "\n\n" if text else "") + block
            previous = block
    return text
