"""A page's boxes as blocks of Markdown in reading order.

The positions of the boxes show columns, tables, and which lines were only broken at the edge of the column. Where they
do not show this clearly, lines stay separate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from ingest.documents.pdf.layout.aligned_tables import continues_cells, fits_a_column, table
from ingest.documents.pdf.layout.boxes import BROKEN_WORD, Box, joined, rows, text_width
from ingest.documents.pdf.layout.reading_order import regions
from ingest.documents.structure.markdown import paragraph

# Only lines of at least this width, in letters, may have been broken at the column's edge; shorter ones end by intent.
_BROKEN_WIDTH = 45
# … or of this width beside another column, which shows that the width is the column's.
_BROKEN_WIDTH_IN_COLUMN = 22
# Lines of one paragraph are less than this apart, in heights of a line, and their letters differ less in height.
_PARAGRAPH_GAP = 0.9
_SAME_SIZE = 1.2
# A group of lines has a right edge of its own when it is at least this share of the column wide.
_PARAGRAPH_WIDTH = 0.7
# Words of a justified line are at most this far apart, in heights of a line; cells are further apart.
_JUSTIFIED_GAP = 2.0
_ITEM = re.compile(
    r"(?:[-*+•·◦▪●■–—\uf0a7\uf0b7]|[(（]?(?:\d{1,3}|[a-zA-Z]|[一二三四五六七八九十]+)(?:[.)、．）]|\s*[)）])|\d*(?:\.\d+)+)\s*\S"
)
# Lines of a table of contents: dots before a page number, or a page number before a title.
_LEADER = re.compile(r"\.{4,}\s*\w*$")
_ENTRY = re.compile(r"\d{1,3}\s+[^\W\d_]")
_SENTENCE_END = re.compile(r"[.!?。！？；：:…][\"'”’」』)）\]]*$")
_BROKEN = re.compile(rf"(\w+){BROKEN_WORD}(\w+)")


@dataclass(slots=True)
class Block:
    """A paragraph, heading or table of a page. `height` is that of its letters, `lines` how many lines it has."""

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


def markdown(blocks: list[Block]) -> str:
    """The blocks as text, with an empty line around tables and headings, and where the page has one."""
    parts: list[str] = []
    for above, block in zip([None, *blocks], blocks, strict=False):
        if above is not None:
            gap = above.bottom - block.top
            is_apart = above.is_table or block.is_table or "#" in (above.text[:1], block.text[:1])
            parts.append("\n\n" if is_apart or gap < -block.height or gap > _PARAGRAPH_GAP * block.height else "\n")
        parts.append(block.text)
    return "".join(parts)


def join_broken_words(texts: list[str]) -> list[str]:
    """Join the words that were broken at the end of a line.

    The hyphen stays when the texts have the word with a hyphen elsewhere and never without it, and unless the letters
    on both sides of it are lower case.
    """
    if not any(BROKEN_WORD in text for text in texts):
        return texts
    words = {word.casefold() for text in texts for word in re.findall(r"\w+(?:-\w+)*", text)}

    def whole(match: re.Match[str]) -> str:
        first, second = match.groups()
        hyphenated = f"{first}-{second}"
        is_compound = hyphenated.casefold() in words and (first + second).casefold() not in words
        return hyphenated if is_compound or not second[0].islower() or not first[-1].islower() else first + second

    return [_BROKEN.sub(whole, text).replace(BROKEN_WORD, "-") for text in texts]


def _blocks(lines: list[list[Box]], beside_another: bool) -> Iterator[Block]:
    """The lines as blocks; boxes that are tables already are blocks between them."""
    text_lines: list[list[Box]] = []
    for line in map(_without_heading_mark, lines):
        tables = [box for box in line if box.table]
        text_boxes = [box for box in line if not box.table]
        text_lines += [text_boxes] if text_boxes else []
        if tables:
            yield from _plain_blocks(text_lines, beside_another)
            text_lines = []
        for box in tables:
            yield Block(box.text, box.left, box.right, box.top - box.depth, box.top, box.height, 2, True)
    yield from _plain_blocks(text_lines, beside_another)


def _without_heading_mark(line: list[Box]) -> list[Box]:
    """The line, escaped when it begins with '#': a comment in printed code is not a heading."""
    first = line[0]
    if first.table or not first.text.startswith("#"):
        return line
    return [replace(first, text=paragraph(first.text)), *line[1:]]


def _plain_blocks(lines: list[list[Box]], beside_another: bool) -> Iterator[Block]:
    least_width = _BROKEN_WIDTH_IN_COLUMN if beside_another else _BROKEN_WIDTH
    edges = _edges(lines)
    current: Block | None = None
    last: Box | None = None  # the last line of the current block, when it may go on
    for number, part in _with_tables(lines):
        if isinstance(part, Block):
            if current:
                yield current
            yield part
            current = last = None
        elif current and last and len(part) == 1 and _continues(current, last, part[0], edges[number], least_width):
            last = part[0]
            current = replace(
                current,
                text=_continued(current.text, last.text),
                left=min(current.left, last.left),
                right=max(current.right, last.right),
                bottom=last.bottom,
                lines=current.lines + 1,
            )
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


def _edges(lines: list[list[Box]]) -> list[float]:
    """For each line the right edge of the lines around it; of all lines when those around it are narrow."""
    right = max((row[-1].right for row in lines), default=0.0)
    groups: list[list[list[Box]]] = []
    for row in lines:
        above = groups[-1][-1] if groups else None
        if above and _close(above[0], row[0]):
            groups[-1].append(row)
        else:
            groups.append([row])
    least_width = _PARAGRAPH_WIDTH * _width(lines) if lines else 0.0
    edges: list[float] = []
    for group in groups:
        edge = max(row[-1].right for row in group) if _width(group) >= least_width else right
        edges += [edge] * len(group)
    return edges


def _width(lines: list[list[Box]]) -> float:
    return max(row[-1].right for row in lines) - min(row[0].left for row in lines)


def _close(above: Box, below: Box) -> bool:
    gap, height = above.bottom - below.top, max(above.height, below.height)
    same = above.bold == below.bold and height <= _SAME_SIZE * min(above.height, below.height)
    return same and -0.5 * height < gap < _PARAGRAPH_GAP * height


def _with_tables(lines: list[list[Box]]) -> Iterator[tuple[int, Block | list[Box]]]:
    """Tables as blocks, and the lines between them; each with the number of the line that it begins in."""
    start = no_table = 0
    while start < len(lines):
        end = _run_of_rows(lines, start) if start >= no_table else start + 1
        far = _end_of_cells(lines, start, end) if end - start > 1 else end
        # A title over the table, or a total below it, may reach over several columns: look again without it.
        spaced = ((start, far), (start + 1, far)) if far > end else ()
        for first, stop in (*spaced, (start, end), (start + 1, end), (start, end - 1), (start + 2, end)):
            text = table(lines[first:stop], spaced=stop > end) if stop - first >= 2 else ""
            if text:
                yield from enumerate(lines[start:first], start)
                yield first, _table_block(text, lines[first:stop])
                start = stop
                break
        else:
            no_table = max(no_table, end)
            yield start, _justified(lines[start])
            start += 1


def _table_block(text: str, lines: list[list[Box]]) -> Block:
    boxes = [box for row in lines for box in row]
    return Block(
        text,
        min(box.left for box in boxes),
        max(box.right for box in boxes),
        min(box.bottom for box in boxes),
        max(box.top for box in boxes),
        median(box.height for box in boxes),
        len(lines),
        is_table=True,
    )


def _justified(row: list[Box]) -> list[Box]:
    """The words of one line of text as one box; cells stay separate."""
    if any(right.left - left.right >= _JUSTIFIED_GAP * right.height for left, right in pairwise(row)):
        return row
    line = row[0]
    for box in row[1:]:
        line = replace(
            line,
            text=joined(line.text, box.text),
            right=box.right,
            bottom=min(line.bottom, box.bottom),
            top=max(line.top, box.top),
        )
    return [line]


def _run_of_rows(lines: list[list[Box]], start: int) -> int:
    """The end of the rows that begin at `start`: lines of several cells, with single cells on lines between them."""
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
    """The end of the rows when the lines after them belong to their cells, and more rows follow those."""
    while end < len(lines) and continues_cells(lines[end], lines[start:end]):
        end += 1
        while (
            end < len(lines)
            and len(lines[end]) > 1
            and lines[end - 1][0].bottom - lines[end][0].top < lines[end][0].height
        ):
            end += 1
    return end


def _continues(block: Block, last: Box, box: Box, edge: float, least_width: int) -> bool:
    """True when the line was only broken at the edge of its column: the next line's first word had no room on it."""
    if not _close(last, box):
        return False
    height = max(last.height, box.height)
    if last.text.endswith(BROKEN_WORD):
        return True
    if _ITEM.match(box.text) or text_width(last.text) < least_width or _LEADER.search(last.text):
        return False
    if _ENTRY.match(box.text) and _ENTRY.match(last.text):
        return False
    is_indented = box.left > last.left + 0.8 * height and not (block.lines == 1 and _ITEM.match(block.text))
    if is_indented and (_SENTENCE_END.search(last.text) or block.lines > 1):
        return False
    letter_width = (box.right - box.left) / max(1, text_width(box.text))
    first_word = box.text.split(None, 1)[0]
    needed = letter_width * (min(text_width(first_word), 4 if text_width(first_word[:1]) > 1 else 99) + 1)
    return last.right + needed > edge - 0.5 * height


def _continued(text: str, following: str) -> str:
    if text.endswith(BROKEN_WORD):
        return text + following
    if re.search(r"[a-zà-ÿ]-$", text) and following[:1].islower():
        return text[:-1] + BROKEN_WORD + following
    return joined(text, following)
