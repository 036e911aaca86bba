"""The headings of a PDF: from its bookmarks or tags, or else from larger letters.

The author decides bookmarks and tags. Larger letters count only when most of the document has one size, so that a
poster or a form does not become a list of headings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.documents.pdf.layout.blocks import Block
from ingest.documents.pdf.layout.boxes import text_width

# Headings are at least this much larger than the text …
_LARGER = 1.15
# … and have at most this many lines and letters. Sizes this close are one level; deeper levels become the last one.
_HEADING_LINES = 3
_HEADING_WIDTH = 120
_SAME_LEVEL = 1.06
_LEVELS = 3
# At most this many bookmarks of a page are added as headings where its text does not contain them.
_MISSING = 8
# With a larger share of letters in headings than this, neither size nor tags can distinguish headings from text.
_LARGE_SHARE = 0.25
# LibreOffice's bookmarks of a slide without a title, and of a slide whose title another slide has too.
_SLIDE = re.compile(r"(?:slide|folie|diapo(?:sitive)?|幻灯片|投影片)\s*\d+", re.IGNORECASE)
_NUMBERED_AGAIN = re.compile(r"(.*\S)\s*\(\d+\)$")
_NO_LETTERS = re.compile(r"[\W_]+")
_SENTENCE = re.compile(r"[.。;；,，:：]$")
_NUMBERING = re.compile(
    r"^(?:(?:chapter|section|part|appendix)\s+)?[\divxa-z]{0,4}(?:[.\-)]\d*)*[.)]?\s+(?=\w)", re.IGNORECASE
)


@dataclass(frozen=True)
class Bookmark:
    """An entry of a document's outline: `level` from 1, `page` from 0, `top` its height on the page or None.

    `is_tagged` for a heading that comes from a tag: its words are on the page, so it is never added as a missing one.
    """

    title: str
    level: int
    page: int
    top: float | None
    is_tagged: bool = False


def mark_bookmarks(page: list[Block], bookmarks: Sequence[Bookmark]) -> list[Block]:
    """The page's blocks, with headings for `bookmarks`, which lead to this page.

    A block with the words of a bookmark becomes a heading. A bookmark without such a block is added as a new heading.
    """
    marked = list(page)
    keys = [_Key.of(block) for block in marked]
    missing = []
    for bookmark in bookmarks:
        start, count = _find(marked, keys, bookmark)
        if not count and (numbered := _NUMBERED_AGAIN.match(bookmark.title)):
            start, count = _find(marked, keys, replace(bookmark, title=numbered[1]))
        if count:
            marked[start : start + count] = [_heading(marked[start : start + count], "#" * min(6, bookmark.level))]
            keys[start : start + count] = [_NEVER]
        elif not bookmark.is_tagged and not _SLIDE.fullmatch(bookmark.title):
            missing.append(bookmark)
    # An outline with many entries that a page does not contain was copied from a longer document.
    for bookmark in missing if len(missing) <= _MISSING else ():
        top = bookmark.top if bookmark.top is not None else max((block.top for block in page), default=0.0)
        below = (
            number
            for number, block in enumerate(marked)
            if block.top <= top + 0.5 * block.height and not (block.text.startswith("#") and block.top >= top)
        )
        heading = Block(f"{'#' * min(6, bookmark.level)} {bookmark.title}", 0.0, 0.0, top, top, 0.0)
        marked.insert(next(below, len(marked)), heading)
    return marked


def are_headings(tagged: Sequence[Bookmark], letters: int) -> bool:
    """Whether the tags are plausible: some programs tag every line as a heading. `letters` counts the document's."""
    return sum(len(heading.title) for heading in tagged) <= _LARGE_SHARE * letters


def mark_large_lines(pages: Sequence[list[Block]], text_height: float) -> list[list[Block]]:
    """The pages with blocks in larger letters as headings, several lines of one heading joined."""
    letters: Counter[bool] = Counter()
    for page in pages:
        for block in page:
            letters[_is_large(block, text_height)] += len(block.text)
    if letters[True] > _LARGE_SHARE * letters.total():
        return list(pages)
    sizes: list[float] = []
    for size in sorted({b.height for page in pages for b in page if _is_large(b, text_height)}, reverse=True):
        if not sizes or size * _SAME_LEVEL < sizes[-1]:
            sizes.append(size)
    return [list(_with_large_headings(page, text_height, sizes)) for page in pages]


def _with_large_headings(page: list[Block], text_height: float, sizes: Sequence[float]) -> Iterator[Block]:
    number = 0
    while number < len(page):
        end = number + 1
        if _is_large(page[number], text_height):
            while end < len(page) and _belongs(page[end - 1], page[end]):
                end += 1
            level = sum(page[number].height * _SAME_LEVEL < size for size in sizes) + 1
            yield _heading(page[number:end], "#" * min(_LEVELS, level))
        else:
            yield page[number]
        number = end


def _is_large(block: Block, text_height: float) -> bool:
    return (
        not block.is_table
        and not block.text.startswith("#")
        and block.height >= _LARGER * text_height
        and block.lines <= _HEADING_LINES
        and text_width(block.text) <= _HEADING_WIDTH
        and sum(letter.isalpha() for letter in block.text) >= 2
        and not _SENTENCE.search(block.text)
    )


def _belongs(above: Block, below: Block) -> bool:
    """True when a large line continues the heading above it."""
    gap = above.bottom - below.top
    return (
        not below.is_table
        and abs(above.height - below.height) < 0.02 * above.height
        and -0.5 * below.height < gap < 0.5 * below.height
        and text_width(above.text) >= 16
        and not re.match(r"[\d第(（•●]", below.text)
    )


def _heading(parts: Sequence[Block], sign: str) -> Block:
    first, last = parts[0], parts[-1]
    text = " ".join(" ".join(part.text.lstrip("# ") for part in parts).split())
    return Block(f"{sign} {text}", first.left, first.right, last.bottom, first.top, first.height)


@dataclass(frozen=True)
class _Key:
    """A block's letters and digits, to compare; `short` is without the section number."""

    whole: str
    short: str

    @classmethod
    def of(cls, block: Block) -> _Key:
        return _NEVER if block.is_table or len(block.text) > 4 * _HEADING_WIDTH else cls.of_text(block.text)

    @classmethod
    def of_text(cls, text: str) -> _Key:
        return cls(_letters(text), _letters(_NUMBERING.sub("", text)))


# The key of blocks that no bookmark can mean: tables, long paragraphs, and blocks that are headings already.
_NEVER = _Key("\0", "\0")


def _find(page: list[Block], keys: list[_Key], bookmark: Bookmark) -> tuple[int, int]:
    """(index of a block, number of blocks) with the bookmark's words, nearest to where it leads; 0 blocks for none."""
    key = _Key.of_text(bookmark.title)
    titles = {key.whole, key.short} - {""}
    matches = [(0.0, 0, 0)]
    for number, start in enumerate(keys):
        whole, short = "", start.short
        for count, part in enumerate(keys[number : number + _HEADING_LINES], 1):
            whole, short = whole + part.whole, short if count == 1 else short + part.whole
            if whole in titles or short in titles:
                distance = abs(page[number].top - bookmark.top) if bookmark.top is not None else 0.0
                matches.append((distance, number, count))
                break
            if not any(title.startswith((whole, short)) for title in titles):
                break
    _, number, count = min(matches[1:] or matches)
    return number, count


def _letters(text: str) -> str:
    return _NO_LETTERS.sub("", text.casefold())
