"""Pieces of Markdown: headings, paragraphs, tables. A leaf: it knows nothing of where their text comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LIST_ITEM = re.compile(
    r"\s*(?:[-*+•–▪◦‣]|[(（]?(?:\d{1,3}|[A-Za-z]|[ivxlc]+|[IVXLC]+|[一二三四五六七八九十百]{1,4})[.)、）])\s"
)


def flat(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def heading(level: int, text: str) -> str:
    """A Markdown heading of level 1 to 6."""
    return f"{'#' * max(1, min(level, 6))} {flat(text)}"


def paragraph(text: str) -> str:
    """Text that must not turn into a heading because its lines begin with '#'."""
    return re.sub(r"^(\s*)(#{1,6}\s)", r"\1\\\2", text.strip(), flags=re.MULTILINE)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is its header. Short rows are filled up; `|` in a cell is escaped."""
    width = max(map(len, rows))
    lines = ["| " + " | ".join(_escaped([*row, *[""] * (width - len(row))])) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * width) + " |", *lines[1:]])


def _escaped(row: Iterable[str]) -> list[str]:
    return [flat(text).replace("|", "\\|") for text in row]


def join(blocks: Iterable[str]) -> str:
    """Blocks with a blank line between, items of one list without; empty ones are left out."""
    text, previous = "", ""
    for block in blocks:
        if block.strip():
            together = _LIST_ITEM.match(block) and _LIST_ITEM.match(previous)
            text += ("\n" if together else "\n\n" if text else "") + block
            previous = block
    return text
