"""A document's headings: from its bookmarks or tags, or else from larger letters. Knows nothing of pdfium.

Bookmarks and tags are what the author calls a heading. Larger letters are taken for one only where most of the document
is set in one size, so that a poster or a form does not become a list of headings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest.documents.pdf.layout.blocks import Block
from ingest.documents.pdf.layout.boxes import text_width

# Headings are set at least this much larger than the text …
_LARGER = 1.15
# … in at most this many lines and letters; sizes this close are one level; deeper levels are written as the last.
_HEADING_LINES = 3
_HEADING_WIDTH = 120
_SAME_LEVEL = 1.06
_LEVELS = 3
# At most this many bookmarks of a page are put in where its text does not say them.
_MISSING = 8
# More of the letters in large type than this, and size says nothing; nor do tags that call so many a heading.
_LARGE_SHARE = 0.25
# What LibreOffice writes for a slide without a title, and for one whose title another slide has as well.
_SLIDE = re.compile(r"(?:slide|folie|diapo(?:sitive)?|幻灯片|投影片)\s*\d+", re.IGNORECASE)
_NUMBERED_AGAIN = re.compile(r"(.*\S)\s*\(\d+\)$")
_NO_LETTERS = re.compile(r"[\W_]+")
_SENTENCE = re.compile(r"[.。;；,，:：]$")
_NUMBERING = re.compile(
    r"^(?:(?:chapter|section|part|appendix)\s+)?[\divxa-z]{0,4}(?:[.\-)]\d*)*[.)]?\s+(?=\w)", re.IGNORECASE
)


@dataclass(frozen=True)
class Bookmark:
    """One line of a document's outline: `level` from 1, and where it leads: page from 0, `top` of the place or None.

    A heading that `is_tagged` stands on the page in these words, whatever became of them.
    """

    title: str
    level: int
    page: int
    top: float | None
    is_tagged: bool = False


def mark_bookmarks(page: list[Block], bookmarks: Sequence[Bookmark]) -> list[Block]:
    """The page's blocks with the bookmarks that lead to it as headings; one whose words are not there is put in."""
    marked = list(page)
    keys = [_Key.of(block) for block in marked]
    missing = []
    for bookmark in bookmarks:
        place, count = _find(marked, keys, bookmark)
        if not count and (again := _NUMBERED_AGAIN.match(bookmark.title)):
            place, count = _find(marked, keys, replace(bookmark, title=again[1]))
        if count:
            marked[place : place + count] = [_heading(marked[place : place + count], "#" * min(6, bookmark.level))]
            keys[place : place + count] = [_NEVER]
        elif not bookmark.is_tagged and not _SLIDE.fullmatch(bookmark.title):
            missing.append(bookmark)
    # An outline that names many things a page does not show was kept from a longer document.
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
    """Whether tags can be believed: some programs call every line a heading. `letters` are those of the document."""
    return sum(len(heading.title) for heading in tagged) <= _LARGE_SHARE * letters


def mark_large_lines(pages: Sequence[list[Block]], text_height: float) -> None:
    """Blocks in larger letters become headings in place, several lines of one heading together."""
    letters: Counter[bool] = Counter()
    for page in pages:
        for block in page:
            letters[_is_large(block, text_height)] += len(block.text)
    if letters[True] > _LARGE_SHARE * letters.total():
        return
    sizes: list[float] = []
    for size in sorted({b.height for page in pages for b in page if _is_large(b, text_height)}, reverse=True):
        if not sizes or size * _SAME_LEVEL < sizes[-1]:
            sizes.append(size)
    for page in pages:
        number = 0
        while number < len(page):
            if _is_large(page[number], text_height):
                end = number + 1
                while end < len(page) and _belongs(page[end - 1], page[end]):
                    end += 1
                level = sum(page[number].height * _SAME_LEVEL < size for size in sizes) + 1
                page[number:end] = [_heading(page[number:end], "#" * min(_LEVELS, level))]
            number += 1


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
    """True when a large line only continues the heading above it."""
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
    """A block's letters and figures, to compare; `short` is without the number of the section."""

    whole: str
    short: str

    @classmethod
    def of(cls, block: Block) -> _Key:
        return _NEVER if block.is_table or len(block.text) > 4 * _HEADING_WIDTH else cls.of_text(block.text)

    @classmethod
    def of_text(cls, text: str) -> _Key:
        return cls(_letters(text), _letters(_NUMBERING.sub("", text)))


# What no bookmark says: tables, long paragraphs, and what is a heading already.
_NEVER = _Key("\0", "\0")


def _find(page: list[Block], keys: list[_Key], bookmark: Bookmark) -> tuple[int, int]:
    """(place, how many blocks from there) that say the bookmark's words, nearest to where it leads; 0 blocks: none."""
    key = _Key.of_text(bookmark.title)
    wanted = {key.whole, key.short} - {""}
    found = [(0.0, 0, 0)]
    for number, start in enumerate(keys):
        whole, short = "", start.short
        for count, part in enumerate(keys[number : number + _HEADING_LINES], 1):
            whole, short = whole + part.whole, short if count == 1 else short + part.whole
            if whole in wanted or short in wanted:
                distance = abs(page[number].top - bookmark.top) if bookmark.top is not None else 0.0
                found.append((distance, number, count))
                break
            if not any(one.startswith((whole, short)) for one in wanted):
                break
    _, number, count = min(found[1:] or found)
    return number, count


def _letters(text: str) -> str:
    return _NO_LETTERS.sub("", text.casefold())
