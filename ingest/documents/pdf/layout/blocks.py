"""A page's boxes as blocks of Markdown in reading order. Knows nothing of PDF or OCR.

What a reader sees at once is found again from the boxes: columns, tables, and which lines only broke at the edge
of the column. Where the boxes do not say it clearly, lines stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ingest.documents.pdf.layout.aligned_tables import fits_a_column, goes_on, table
from ingest.documents.pdf.layout.boxes import BROKEN_WORD, Box, joined, rows, text_width
from ingest.documents.pdf.layout.reading_order import regions
from ingest.documents.structure.markdown import paragraph

# Lines break at the edge of a column that is at least this wide, in letters; shorter ones were meant to be short.
_BROKEN_WIDTH = 45
# … or this wide beside another column, which says that the width is the column's.
_BROKEN_WIDTH_IN_COLUMN = 22
# Lines of one paragraph are less than this apart, in heights of a line, and their letters differ less in height.
_PARAGRAPH_GAP = 0.9
_SAME_SIZE = 1.2
# A group of lines is a paragraph with an edge of its own when it is at least this share of the column wide.
_PARAGRAPH_WIDTH = 0.7
# Words of a justified line may stand this far apart, in heights of a line; cells further.
_JUSTIFIED_GAP = 2.0
_ITEM = re.compile(
    r"(?:[-*+•·◦▪●■–—\uf0a7\uf0b7]|[(（]?(?:\d{1,3}|[a-zA-Z]|[一二三四五六七八九十]+)(?:[.)、．）]|\s*[)）])|\d*(?:\.\d+)+)\s*\S"
)
# Lines of a table of contents: dots that lead to a page, or a page that leads to a title.
_LEADER = re.compile(r"\.{4,}\s*\w*$")
_ENTRY = re.compile(r"\d{1,3}\s+[^\W\d_]")
_SENTENCE_END = re.compile(r"[.!?。！？；：:…][\"'”’」』)）\]]*$")
_BROKEN = re.compile(rf"(\w+){BROKEN_WORD}(\w+)")


@dataclass(slots=True)
class Block:
    """A paragraph, heading or table. `height` is that of its letters; `lines` counts those of the page."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    height: float
    lines: int = 1
    is_table: bool = False


def blocks(boxes: list[Box]) -> list[Block]:
    """The page's blocks in reading order."""
    parts = regions(boxes)
    return [block for part in parts for block in _blocks(rows(part), len(parts) > 1)]


def markdown(found: list[Block]) -> str:
    """The blocks as text: an empty line before and after a table, a heading, and where the page leaves space."""
    parts: list[str] = []
    for above, block in zip([None, *found], found, strict=False):
        if above is not None:
            gap = above.bottom - block.top
            apart = above.is_table or block.is_table or "#" in (above.text[:1], block.text[:1])
            parts.append("\n\n" if apart or gap < -block.height or gap > _PARAGRAPH_GAP * block.height else "\n")
        parts.append(block.text)
    return "".join(parts)


def mend_broken_words(texts: list[str]) -> list[str]:
    """Words broken at the end of a line, whole again; the hyphen stays where the document writes it elsewhere."""
    if not any(BROKEN_WORD in text for text in texts):
        return texts
    words = {word.casefold() for text in texts for word in re.findall(r"\w+(?:-\w+)*", text)}

    def whole(match: re.Match[str]) -> str:
        first, second = match.groups()
        apart = f"{first}-{second}"
        written = apart.casefold() in words and (first + second).casefold() not in words
        return apart if written or not second[0].islower() or not first[-1].islower() else first + second

    return [_BROKEN.sub(whole, text).replace(BROKEN_WORD, "-") for text in texts]


def _blocks(lines: list[list[Box]], beside_another: bool) -> Iterator[Block]:
    """The lines as blocks; tables that were read already are blocks between them."""
    for line in lines:
        if line[0].text[:1] == "#" and not line[0].table:  # a comment in printed code is no heading
            line[0].text = paragraph(line[0].text)
    before: list[list[Box]] = []
    for line in lines:
        tables = [box for box in line if box.table]
        rest = [box for box in line if not box.table]
        before += [rest] if rest else []
        if tables:
            yield from _plain_blocks(before, beside_another)
            before = []
        for box in tables:
            yield Block(box.text, box.left, box.right, box.top - box.depth, box.top, box.height, 2, True)
    yield from _plain_blocks(before, beside_another)


def _plain_blocks(lines: list[list[Box]], beside_another: bool) -> Iterator[Block]:
    least = _BROKEN_WIDTH_IN_COLUMN if beside_another else _BROKEN_WIDTH
    edges = _edges(lines)
    current: Block | None = None
    last: Box | None = None
    for part in _tables(lines):
        if isinstance(part, Block):
            if current:
                yield current
            yield part
            current = last = None
        elif current and last and len(part) == 1 and _continues(current, last, part[0], edges[id(part)], least):
            box = part[0]
            current.text = _continued(current.text, box.text)
            current.left, current.right = min(current.left, box.left), max(current.right, box.right)
            current.bottom, current.lines = box.bottom, current.lines + 1
            last = box
        else:
            if current:
                yield current
            current = Block(
                "  ".join(box.text for box in part),
                part[0].left,
                part[-1].right,
                min(box.bottom for box in part),
                max(box.top for box in part),
                max(box.height for box in part),
            )
            last = part[0] if len(part) == 1 else None
    if current:
        yield current


def _edges(lines: list[list[Box]]) -> dict[int, float]:
    """For each line the right edge of the lines it stands among; of the whole part when they are narrow."""
    whole = max((row[-1].right for row in lines), default=0.0)
    groups: list[list[list[Box]]] = []
    for row in lines:
        above = groups[-1][-1] if groups else None
        if above and _close(above[0], row[0]):
            groups[-1].append(row)
        else:
            groups.append([row])
    least = _PARAGRAPH_WIDTH * _width(lines) if lines else 0.0
    edges: dict[int, float] = {}
    for group in groups:
        edge = max(row[-1].right for row in group) if _width(group) >= least else whole
        edges.update((id(row), edge) for row in group)
    return edges


def _width(lines: list[list[Box]]) -> float:
    return max(row[-1].right for row in lines) - min(row[0].left for row in lines)


def _close(above: Box, below: Box) -> bool:
    gap, height = above.bottom - below.top, max(above.height, below.height)
    same = above.bold == below.bold and height <= _SAME_SIZE * min(above.height, below.height)
    return same and -0.5 * height < gap < _PARAGRAPH_GAP * height


def _tables(lines: list[list[Box]]) -> Iterator[Block | list[Box]]:
    """Tables as blocks, and the lines between them."""
    start = no_table = 0
    while start < len(lines):
        end = _run_of_rows(lines, start) if start >= no_table else start + 1
        far = _end_of_cells(lines, start, end) if end - start > 1 else end
        # A title over the table, or a total below it, may reach over several columns: leave it out and look again.
        spaced = ((start, far), (start + 1, far)) if far > end else ()
        for first, stop in (*spaced, (start, end), (start + 1, end), (start, end - 1), (start + 2, end)):
            text = table(lines[first:stop], spaced=stop > end) if stop - first >= 2 else ""
            if text:
                yield from lines[start:first]
                inside = [box for row in lines[first:stop] for box in row]
                yield Block(
                    text,
                    min(box.left for box in inside),
                    max(box.right for box in inside),
                    min(box.bottom for box in inside),
                    max(box.top for box in inside),
                    median(box.height for box in inside),
                    stop - first,
                    True,
                )
                start = stop
                break
        else:
            no_table = max(no_table, end)
            yield _justified(lines[start])
            start += 1


def _justified(row: list[Box]) -> list[Box]:
    """The words of one line of text as one box, in place; cells stay apart."""
    if any(right.left - left.right >= _JUSTIFIED_GAP * right.height for left, right in pairwise(row)):
        return row
    for box in row[1:]:
        first = row[0]
        first.text, first.right = joined(first.text, box.text), box.right
        first.bottom, first.top = min(first.bottom, box.bottom), max(first.top, box.top)
    del row[1:]
    return row


def _run_of_rows(lines: list[list[Box]], start: int) -> int:
    """Where the rows that begin at `start` end: lines of several cells, and cells alone on a line between them."""
    if len(lines[start]) < 2:
        return start + 1
    end = last = start + 1
    while end < len(lines) and end - last < 2:
        row = lines[end]
        gap = lines[end - 1][0].bottom - row[0].top
        if gap > 3 * row[0].height:
            break
        if len(row) > 1:
            last = end + 1
        elif not fits_a_column(row[0], lines[start:last]):
            break
        elif row[0].left > lines[start][0].right and gap < row[0].height:
            last = end + 1
        end += 1
    return last


def _end_of_cells(lines: list[list[Box]], start: int, end: int) -> int:
    """Where the rows end when what follows them is taken for further lines of their cells, and further rows."""
    while end < len(lines) and goes_on(lines[end], lines[start:end]):
        end += 1
        while (
            end < len(lines)
            and len(lines[end]) > 1
            and lines[end - 1][0].bottom - lines[end][0].top < lines[end][0].height
        ):
            end += 1
    return end


def _continues(block: Block, last: Box, box: Box, edge: float, least: int) -> bool:
    """True when the line was only broken at the edge of its column: the next line's first word had no room on it."""
    if not _close(last, box):
        return False
    height = max(last.height, box.height)
    if last.text.endswith(BROKEN_WORD):
        return True
    if _ITEM.match(box.text) or text_width(last.text) < least or _LEADER.search(last.text):
        return False
    if _ENTRY.match(box.text) and _ENTRY.match(last.text):
        return False
    indented = box.left > last.left + 0.8 * height and not (block.lines == 1 and _ITEM.match(block.text))
    if indented and (_SENTENCE_END.search(last.text) or block.lines > 1):
        return False
    letter = (box.right - box.left) / max(1, text_width(box.text))
    first_word = box.text.split(None, 1)[0]
    needed = letter * (min(text_width(first_word), 4 if text_width(first_word[:1]) > 1 else 99) + 1)
    return last.right + needed > edge - 0.5 * height


def _continued(text: str, following: str) -> str:
    if text.endswith(BROKEN_WORD):
        return text + following
    if re.search(r"[a-zà-ÿ]-$", text) and following[:1].islower():
        return text[:-1] + BROKEN_WORD + following
    return joined(text, following)
