"""A passage as the statements people read: its sentences and its table rows. Knows nothing of questions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.base.language import sentence_spans

_TABLE_RULE = re.compile(r"[\s|:\-]+")


def sentences_and_rows(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, column headings) of sentences and table rows; a table's headings and rule are not statements."""
    header = ""
    spans = list(_spans(text))
    for place, (start, end) in enumerate(spans):
        line = text[start:end]
        if not line.startswith("|"):
            header = ""
        elif place + 1 < len(spans) and _TABLE_RULE.fullmatch(text[slice(*spans[place + 1])]):
            header = line
            continue
        # Neither a rule nor the marks that close an emphasised sentence say anything.
        if re.search(r"[^\W_]", line):
            yield start, end, header


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of sentences; a table row is one, whatever ends in its cells."""
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
    """A statement as people read it: on one line, without Markdown; a table row as 'column: cell' pairs."""
    if text.startswith("|"):
        columns = _cells(header)
        cells = _cells(text)
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
    """True when the text ends as a question does, emphasis aside."""
    return text.rstrip("*_ ").endswith(("?", "？"))


def _cells(row: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|")) if row else []
    return [cell.strip().replace("\\|", "|") for cell in cells]
