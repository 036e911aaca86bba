"""PDF files to Markdown, one text per page, with pypdfium2.

Text is read with its position and put into reading order; the text of pages that are only pictures is recognised when
the extra `ocr` is installed. Scripts in the file are never run, its links and attachments never followed.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.logs import get_logger
from ingest.base.types import Page
from ingest.documents.pdf.drawn_lines import page_rules
from ingest.documents.pdf.headings import Bookmark, are_headings, mark_bookmarks, mark_large_lines
from ingest.documents.pdf.layout.blocks import Block, blocks, join_broken_words, markdown
from ingest.documents.pdf.layout.boxes import Box
from ingest.documents.pdf.read_image import NEEDS_OCR, RECOGNISED_PIXELS, can_recognise, recognise
from ingest.documents.pdf.running_lines import without_running_lines
from ingest.documents.pdf.tags import tags_of, with_tagged_tables
from ingest.documents.pdf.text_boxes import form_boxes, page_boxes

log = get_logger(__name__)

# The longest manuals and laws have some 3,000 pages; a longer file is a collection or an attack and would delay others.
PAGE_LIMIT = 5_000
# An outline has a few entries a page; one with more than this refers to itself or is an attack.
_BOOKMARK_LIMIT = 20_000
# A single bookmark is the document's title, not one of its headings.
_FEWEST_BOOKMARKS = 2
# Scans are rendered at 200 dots an inch, within the number of pixels that text recognition uses.
_SCAN_SCALE = 200 / 72
# A page with this many drawn objects but no text has letters drawn as outlines; with fewer it is an empty form.
_DRAWN_OBJECTS = 100

# Titles written by a program, not by a person.
_MACHINE_TITLE = re.compile(
    r"^(microsoft |untitled|\(anonymous\)|slide 1$|.*\.(docx?|pptx?|xlsx?|html?|indd|tex|jpe?g|png|tiff?)$)",
    re.IGNORECASE,
)


def read_pdf(data: bytes) -> tuple[str, list[Page]]:
    """(title or '', pages labelled 'p. 1', …). A page without text, or whose picture is not recognised, is empty.

    Raises ReadError for a damaged or protected file, for one of more than `PAGE_LIMIT` pages, and for one that has
    nothing but pictures when their text cannot be recognised.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ReadError("the file is protected by a password: save a copy without one") from error
        raise ReadError("the file is damaged or not really a PDF: open and save it again") from error
    try:
        if len(document) > PAGE_LIMIT:
            raise ReadError(
                f"the file has {len(document):,} pages, and at most {PAGE_LIMIT:,} are read: split it into several"
            )
        title = (document.get_metadata_dict().get("Title") or "").strip()
        bookmarks = _outline(document)
        content = _read_pages(document)
    except pypdfium2.PdfiumError as error:
        raise ReadError("the file is damaged: one of its pages cannot be read; open and save it again") from error
    finally:
        document.close()
    letters = sum(len(box.text) for page in content.pages for boxes in page for box in boxes)
    if len(bookmarks) < _FEWEST_BOOKMARKS <= len(content.tagged) and are_headings(content.tagged, letters):
        bookmarks = content.tagged
    texts = _texts(content, bookmarks)
    return (
        "" if _MACHINE_TITLE.match(title) else title,
        [Page(f"p. {number}", text) for number, text in enumerate(texts, 1)],
    )


@dataclass(frozen=True)
class _Content:
    """For each page its boxes, a list for each direction of text with the main one first; which pages (from 0) are
    pictures; and the headings that the file's tags name."""

    pages: list[list[list[Box]]]
    pictures: set[int]
    tagged: list[Bookmark]


def _read_pages(document: Any) -> _Content:
    document.init_forms()  # does nothing where there is no form; this build of pdfium cannot run scripts
    pages: list[list[list[Box]]] = []
    pictures: set[int] = set()
    tagged: list[Bookmark] = []
    header: Sequence[str] = ()
    recognises = can_recognise()
    for number in range(len(document)):
        sys.audit("docent.read.page")  # tells the parent process that reading makes progress
        page = document[number]
        text_page = page.get_textpage()
        directions = page_boxes(text_page, form_boxes(page, document.formenv), page_rules(page))
        if not directions and _is_picture(page):
            pictures.add(number)
            if recognises:
                directions = [_recognised(page)]
        elif directions:
            headings, tables = tags_of(page, text_page, number)
            tagged += headings
            main, header = with_tagged_tables(directions[0], tables, header)
            directions = [main, *directions[1:]]
        pages.append(directions)
        text_page.close()
        page.close()
    if pictures and not recognises:
        if not any(pages):
            raise ReadError(NEEDS_OCR)
        log.warning("read.pictures_left_out", pages=len(pictures), reason=NEEDS_OCR)
    return _Content(pages, pictures, tagged)


def _is_picture(page: Any) -> bool:
    import pypdfium2.raw as pdfium

    return any(
        drawn.type == pdfium.FPDF_PAGEOBJ_IMAGE or number >= _DRAWN_OBJECTS
        for number, drawn in enumerate(page.get_objects(max_depth=3))
    )


def _recognised(page: Any) -> list[Box]:
    """The text recognised on a picture of the page, in the page's coordinates (points, 1/72 inch)."""
    width, height = page.get_size()
    scale = min(_SCAN_SCALE, (RECOGNISED_PIXELS / max(1.0, width * height)) ** 0.5)
    picture = page.render(scale=scale, rev_byteorder=False, force_bitmap_format=_blue_green_red())
    return [
        Box(box.text, box.left / scale, box.right / scale, box.bottom / scale, box.top / scale)
        for box in recognise(picture.to_numpy())
    ]


def _blue_green_red() -> int:
    import pypdfium2.raw as pdfium

    kind: int = pdfium.FPDFBitmap_BGR
    return kind


def _outline(document: Any) -> list[Bookmark]:
    """The outline's entries that lead to a page, in order."""
    bookmarks = []
    for number, entry in enumerate(document.get_toc()):
        if number == _BOOKMARK_LIMIT:
            break
        title = " ".join(entry.get_title().split())
        target = entry.get_dest()
        page = target.get_index() if target else None
        if title and page is not None:
            bookmarks.append(Bookmark(title, entry.level + 1, page, _top(*target.get_view())))
    return bookmarks


def _top(kind: int, numbers: list[float]) -> float | None:
    """The height that a bookmark leads to (ISO 32000-1, table 151): XYZ left top zoom, FitH top, FitR … top."""
    import pypdfium2.raw as pdfium

    indexes = {pdfium.PDFDEST_VIEW_XYZ: 1, pdfium.PDFDEST_VIEW_FITH: 0, pdfium.PDFDEST_VIEW_FITR: 3}
    index = indexes.get(kind)
    return numbers[index] if index is not None and index < len(numbers) else None


def _texts(content: _Content, bookmarks: list[Bookmark]) -> list[str]:
    """The Markdown of each page."""
    text_height = _text_height(content.pages)
    main = without_running_lines([page[0] if page else [] for page in content.pages], text_height)
    by_page: dict[int, list[Bookmark]] = defaultdict(list)
    for bookmark in bookmarks:
        by_page[bookmark.page].append(bookmark)
    marked = [mark_bookmarks(blocks(boxes), by_page[number]) for number, boxes in enumerate(main)]
    if len(bookmarks) < _FEWEST_BOOKMARKS:
        marked = _with_large_lines(marked, content.pictures, text_height)
    texts = [
        "\n\n".join([markdown(first), *(markdown(blocks(turned)) for turned in page[1:])])
        for first, page in zip(marked, content.pages, strict=True)
    ]
    return join_broken_words(texts)


def _with_large_lines(pages: list[list[Block]], pictures: set[int], text_height: float) -> list[list[Block]]:
    """The pages with large lines as headings, except pictures: recognised lines differ in height by chance."""
    printed = [number for number in range(len(pages)) if number not in pictures]
    marked = dict(zip(printed, mark_large_lines([pages[number] for number in printed], text_height), strict=True))
    return [marked.get(number, page) for number, page in enumerate(pages)]


def _text_height(pages: list[list[list[Box]]]) -> float:
    """The height that most letters of the document have, in points; 0 without letters."""
    letters: Counter[float] = Counter()
    for page in pages:
        for boxes in page:
            for box in boxes:
                letters[round(box.height * 2) / 2] += len(box.text)
    return letters.most_common(1)[0][0] if letters else 0.0
