"""A document to passages that an embedder can read whole.

LlamaIndex's `MarkdownNodeParser` finds the sections; inside a section, sentences and table rows are the units that are
never cut. A passage is within one page and one section, so that its page and heading are always exact.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from llama_index.core.node_parser import MarkdownNodeParser
from llama_index.core.schema import TextNode

from ingest.base.language import EMPHASIS, sentence_spans
from ingest.base.types import PAGE_BREAK, Passage, ReadDocument

HEADING_SEPARATOR = " › "
# A control character that no text has, so that a heading may contain any visible character.
_PATH_SEPARATOR = "\x1f"
_HEADING_LINE = re.compile(r"#+\s+(.*)")
# Ends at a newline only: `splitlines` would also cut a row at U+2028, which may occur in a cell.
_LINE = re.compile(r".*\n|.+")
_TABLE_ROW = re.compile(r"\s*\|")
# Where an over-long sentence may be cut, best first.
_CUTS = (re.compile(r"[;；,，、:：]\s*"), re.compile(r"\s+"))
# The context line may take at most this share of the tokens that the embedder reads; the rest is for the passage.
_CONTEXT_SHARE = 0.25

_sections = MarkdownNodeParser.from_defaults(include_prev_next_rel=False, header_path_separator=_PATH_SEPARATOR)


def split(document: ReadDocument, count_tokens: Callable[[str], int], limit: int) -> list[Passage]:
    """The document's passages in order, each of at most `limit` tokens together with its context line.

    Only a table row that is longer together with its header row exceeds the limit: a row is never cut.
    """
    passages: list[Passage] = []
    offset = 0
    for page in document.pages:
        for heading, start, end in _page_sections(page.text):
            room = limit - count_tokens(embedded_context(document.title, heading, count_tokens, limit))
            for text, first, last in _pieces(page.text, start, end, count_tokens, room):
                passages.append(Passage(len(passages), text, heading, page.label, offset + first, offset + last))
        offset += len(page.text) + len(PAGE_BREAK)
    return passages


def context_line(title: str, heading: str) -> str:
    """Title and heading path of a passage, written before it when it is embedded, indexed or shown to a model."""
    if not heading or heading == title or heading.startswith(title + HEADING_SEPARATOR):
        return heading or title
    return f"{title}{HEADING_SEPARATOR}{heading}" if title else heading


def embedded_context(title: str, heading: str, count_tokens: Callable[[str], int], limit: int) -> str:
    """The context line for the embedder: outer headings are left out until it fits its share of `limit` tokens."""
    room = int(limit * _CONTEXT_SHARE)
    context = context_line(title, heading)
    while count_tokens(context) > room:
        _, separator, inner = context.partition(HEADING_SEPARATOR)
        context = inner if separator else context[: len(context) * 3 // 4]
    return context


def _page_sections(text: str) -> Iterator[tuple[str, int, int]]:
    """(heading path, start, end) of each section's body in a page. A heading with nothing below it is its own body."""
    cursor = 0
    sections = [
        (node.get_content(), [part for part in str(node.metadata["header_path"]).split(_PATH_SEPARATOR) if part])
        for node in _sections.get_nodes_from_node(TextNode(text=text))
    ]
    for (section, above), (_, next_above) in zip_longest(sections, sections[1:], fillvalue=("", [])):
        first_line, _, lines_below = section.partition("\n")
        heading = _HEADING_LINE.match(first_line)
        path, body = above, section.strip()
        if heading:
            name = heading.group(1).strip()
            cursor = text.index(name, cursor) + len(name)
            path, body = [*above, name], lines_below.strip()
            if not body and name and next_above[: len(path)] != path:
                path, body, cursor = above, name, cursor - len(name)
        if not body:
            continue
        start = text.index(body, cursor)
        cursor = start + len(body)
        yield HEADING_SEPARATOR.join(_plain(part) for part in path), start, cursor


def _plain(heading: str) -> str:
    return " ".join(re.sub(rf"{EMPHASIS}|\[([^\]]*)\]\([^)]*\)|\s*\{{[^}}]*\}}$|\s+#+$", r"\1", heading).split())


@dataclass(frozen=True)
class _Unit:
    """A sentence or a table row, which is not cut. `header` is repeated before it when a passage begins in a table."""

    start: int
    end: int
    tokens: int
    header: str = ""
    header_tokens: int = 0


def _pieces(
    text: str, start: int, end: int, count_tokens: Callable[[str], int], room: int
) -> Iterator[tuple[str, int, int]]:
    """(text, start, end) of passages of about equal length: two halves are better than a full and a short passage."""
    units = list(_units(text, start, end, count_tokens, room))
    target = 0.0
    if units:
        total = sum(unit.tokens for unit in units)
        # Characters for which the tokenizer has no token take no room at all.
        target = total / max(1, math.ceil(total / room))
    piece: list[_Unit] = []
    used = 0
    for unit in units:
        if piece and (used + unit.tokens > room or used >= target):
            yield _piece(text, piece)
            piece, used = [], 0
        if not piece:
            used = unit.header_tokens
        piece.append(unit)
        used += unit.tokens
    if piece:
        yield _piece(text, piece)


def _piece(text: str, units: list[_Unit]) -> tuple[str, int, int]:
    start, end = units[0].start, units[-1].end
    return units[0].header + text[start:end], start, end


def _units(text: str, start: int, end: int, count_tokens: Callable[[str], int], room: int) -> Iterator[_Unit]:
    for first, last, is_table in _blocks(text, start, end):
        if is_table:
            yield from _rows(text, first, last, count_tokens)
            continue
        for begin, stop in sentence_spans(text[first:last]):
            for cut_begin, cut_stop in _shortened(text, first + begin, first + stop, count_tokens, room):
                yield _Unit(cut_begin, cut_stop, count_tokens(text[cut_begin:cut_stop]))


def _blocks(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(start, end, is_table) of runs of lines that are all rows of a Markdown table, or all not."""
    position = first = start
    table = None
    for line in _LINE.findall(text[start:end]):
        row = bool(_TABLE_ROW.match(line))
        if table is not None and row != table:
            yield first, position, table
            first = position
        table = row
        position += len(line)
    if table is not None:
        yield first, position, table


def _rows(text: str, start: int, end: int, count_tokens: Callable[[str], int]) -> Iterator[_Unit]:
    lines = _LINE.findall(text[start:end])
    has_header = len(lines) > 2 and re.fullmatch(r"[\s|:\-]+", lines[1]) is not None
    header = "".join(lines[:2]) if has_header else ""
    header_tokens = count_tokens(header) if header else 0
    position = start
    for number, line in enumerate(lines):
        stop = position + len(line.rstrip("\n"))
        first_rows = has_header and number <= 2
        if number == 2 and has_header:  # header, rule and first row are one unit: none is of use alone
            yield _Unit(start, stop, header_tokens + count_tokens(line))
        elif not first_rows:
            yield _Unit(position, stop, count_tokens(line), header, header_tokens)
        position += len(line)


def _shortened(
    text: str, start: int, end: int, count_tokens: Callable[[str], int], room: int
) -> Iterator[tuple[int, int]]:
    """The span itself if it has room in a passage; else its parts, cut near the middle at a mark, or at white space."""
    if count_tokens(text[start:end]) <= room:
        yield start, end
        return
    middle = (start + end) // 2
    cut = middle
    for pattern in _CUTS:
        ends = [start + match.end() for match in pattern.finditer(text[start:end])]
        near_middle = [cut for cut in ends if start + (end - start) // 4 < cut < end - (end - start) // 4]
        if near_middle:
            cut = min(near_middle, key=lambda end: abs(end - middle))
            break
    yield from _shortened(text, start, cut, count_tokens, room)
    yield from _shortened(text, cut, end, count_tokens, room)
