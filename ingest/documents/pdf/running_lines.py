"""Headers, footers and page numbers: lines that repeat at the edge of one page after another.

A line is removed when it is at the outer edge, in letters no larger than the text, at the same height on at least three
pages, with the same words or with a number that increases with the pages. The outermost line may be at any height,
because pages differ in size. In a document of two pages, two equal lines or 'page 1 of 2' are enough. Of lines with the
same words the first one stays, so that their words are not lost; lines with an increasing number are all removed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ingest.documents.pdf.layout.boxes import Box, on_one_line

# Running lines are in this share of the text's height, from its upper and lower end.
_EDGE = 0.15
_LINES = 4
_PAGES = 3
# The next occurrence is at most this many pages away: left and right pages may differ.
_REACH = 2
# White space between a running line and the text, in heights of a line; a table's repeated header has less.
_GAP = 0.5
_LARGE = 1.25
_NUMBER = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"[\W_]*(?:(?:page|p|pg|seite|第|共|of|von|页)?[\W_]*#?){1,4}", re.IGNORECASE)

Row = list[Box]


def without_running_lines(pages: Sequence[list[Box]], text_height: float) -> list[list[Box]]:
    """The pages' boxes without running lines. `text_height` is the height of most letters of the document."""
    tops = [box.top for page in pages for box in page]
    if len(pages) < 2 or not tops:
        return list(pages)
    upper, lower = max(tops), min(box.bottom for page in pages for box in page)
    edge = _EDGE * (upper - lower)
    edges = [
        (_outer_rows(page, _limit(page, upper, edge), True), _outer_rows(page, lower + edge, False))
        if page
        else ([], [])
        for page in pages
    ]
    pages_of_key: dict[str, list[int]] = defaultdict(list)
    for number, (above, below) in enumerate(edges):
        for row in above + below:
            for key in _keys(row, number, len(pages)):
                pages_of_key[key].append(number)
        for row, end in [(rows[0], end) for rows, end in ((above, "top"), (below, "bottom")) if rows]:
            pages_of_key[f"{end} {_text(row)}"].append(number)
    # Two pages with mostly the same text are copies, and have no running lines.
    is_pair = len(pages) == 2 and 2 * len({b.text for b in pages[0]} & {b.text for b in pages[1]}) <= len(pages[1])
    remaining_pages: list[list[Box]] = []
    for number, (page, both) in enumerate(zip(pages, edges, strict=True)):
        running = {
            id(box)
            for rows, from_above in zip(both, (True, False), strict=True)
            for row in _running(rows, page, number, pages_of_key, text_height, from_above, len(pages), is_pair)
            for box in row
        }
        remaining = [box for box in page if id(box) not in running]
        remaining_pages.append(remaining or page)
    return remaining_pages


def _limit(page: list[Box], upper: float, edge: float) -> float:
    """The height above which the page's upper lines are; a page in landscape format ends lower than the others."""
    top = max(box.top for box in page)
    return (upper if top > upper - edge else top) - edge


def _outer_rows(page: list[Box], limit: float, from_above: bool) -> list[Row]:
    """The first lines from the page's upper or lower end that are beyond `limit`, outermost first."""
    sign = 1 if from_above else -1
    rows: list[Row] = []
    for box in sorted(page, key=lambda box: -sign * box.middle):
        if rows and on_one_line(rows[-1][0], box):
            rows[-1].append(box)
        elif len(rows) == _LINES or sign * (box.middle - limit) < 0:
            break
        else:
            rows.append([box])
    return rows


def _text(row: Row) -> str:
    return " ".join(box.text for box in sorted(row, key=lambda box: box.left))


def _keys(row: Row, page: int, pages: int) -> Iterator[str]:
    """Keys that running lines of several pages share: the words, or the words and how a number increases."""
    text = _text(row)
    height = round(row[0].middle / 4)
    yield f"{height} {text}"
    for match in list(_NUMBER.finditer(text))[:6]:
        if len(match.group()) <= 5:
            if int(match.group()) == page + 1 and re.match(
                rf"\s*(?:/|of|von|sur|de|共)\s*{pages}\b", text[match.end() :]
            ):
                yield f"{height} of {text[: match.start()]}#{text[match.end() :]}"
            yield f"{height} {text[: match.start()]}#{int(match.group()) - page}#{text[match.end() :]}"


def _running(
    rows: list[Row],
    page: list[Box],
    number: int,
    pages_of_key: dict[str, list[int]],
    text_height: float,
    from_above: bool,
    pages: int,
    is_pair: bool,
) -> list[Row]:
    """Those of the outer `rows` of page `number` that are removed; `pages_of_key` are the pages with each key."""
    running: list[tuple[Row, bool]] = []  # whether the line is removed from this page
    for row in rows:
        same, *counting = _keys(row, number, pages)
        anywhere = f"{'top' if from_above else 'bottom'} {_text(row)}"
        if row is rows[0] and len(set(pages_of_key[anywhere])) >= _PAGES:
            same = anywhere
        if max(box.height for box in row) > _LARGE * text_height:
            break
        if any(_repeats(pages_of_key[key], number, bare=_is_page_number(key) or " of " in key[:8]) for key in counting):
            running.append((row, True))
        elif len(row) < 3 and _repeats(pages_of_key[same], number, bare=is_pair):  # three cells may be a table's header
            running.append((row, pages_of_key[same][0] != number))
        else:
            break
    while running and not _is_apart([row for row, _ in running], page, from_above):
        running.pop()
    return [row for row, removed in running if removed]


def _is_page_number(key: str) -> bool:
    return _PAGE_NUMBER.fullmatch(_NUMBER.sub("#", re.sub(r"#-?\d+#", "#", key.split(" ", 1)[1]))) is not None


def _repeats(pages: list[int], number: int, bare: bool) -> bool:
    """Whether a page near `number` has the line too, and at least three pages do; two are enough if `bare`."""
    distinct = set(pages)
    return len(distinct) >= (2 if bare else _PAGES) and any(
        number + step in distinct for step in range(-_REACH, _REACH + 1) if step
    )


def _is_apart(rows: list[Row], page: list[Box], from_above: bool) -> bool:
    """True when white space separates the innermost of the lines from the rest of the page."""
    running = {id(box) for row in rows for box in row}
    inner = rows[-1]
    others = [box for box in page if id(box) not in running]
    if not others:
        return False
    if from_above:
        gap = min(box.bottom for box in inner) - max(box.top for box in others)
    else:
        gap = min(box.bottom for box in others) - max(box.top for box in inner)
    return gap >= _GAP * max(box.height for box in inner)
