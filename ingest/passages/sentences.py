"""A passage as its sentences and table rows: the units that are embedded, quoted and asked about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.base.language import sentence_spans
from ingest.documents.structure.markdown import table_cells

_TABLE_RULE = re.compile(r"[\s|:\-]+")


def sentences_and_rows(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, header row) of each sentence and table row; a table's header row and rule are left out.

    The header row is '' for a sentence and for a row of a table without one.
    """
    header = ""
    spans = list(_spans(text))
    for number, (start, end) in enumerate(spans):
        line = text[start:end]
        if not line.startswith("|"):
            header = ""
        elif number + 1 < len(spans) and _TABLE_RULE.fullmatch(text[slice(*spans[number + 1])]):
            header = line
            continue
        # A rule, or the marks that close an emphasised sentence, have no letter or digit.
        if re.search(r"[^\W_]", line):
            yield start, end, header


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of sentences and table rows; a row is one unit, however many sentences end in its cells."""
    row_end = 0
    for start, end in sentence_spans(text):
        if start < row_end:
            continue
        if text[start] == "|":
            newline = text.find("\n", start)
            row_end = len(text) if newline < 0 else newline
            end = start + len(text[start:row_end].rstrip())
        yield start, end


def readable(text: str, header: str = "") -> str:
    """A sentence or row for people to read: on one line, without Markdown; a row as 'column: cell' pairs."""
    if text.startswith("|"):
        columns = table_cells(header)
        cells = table_cells(text)
        columns += [""] * (len(cells) - len(columns))
        return "; ".join(
            f"{column}: {cell}" if column and column != cell else cell
            for column, cell in zip(columns, cells, strict=False)
            if cell
        )
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    plain = re.sub(r"\*\*|__|`|^\s*(?:[-*+•]|#+|>)\s+", "", plain)
    return " ".join(plain.split())


def is_question(text: str) -> bool:
    """True when the text ends with a question mark; marks of emphasis after it do not count."""
    return text.rstrip("*_ ").endswith(("?", "？"))
