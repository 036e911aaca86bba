"""A PDF page by page, with pypdfium2. Knows nothing of files or passages.

Text is read where it stands and put into reading order; pages that are only pictures of text are recognised
when the extra `ocr` is installed. Scripts, links and attachments of the file are never followed or run.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.logs import get_logger
from ingest.base.types import Page
from ingest.documents.pdf.drawn_lines import page_rules
from ingest.documents.pdf.headings import Bookmark, are_headings, mark_bookmarks, mark_large_lines
from ingest.documents.pdf.layout.blocks import blocks, markdown, mend_broken_words
from ingest.documents.pdf.layout.boxes import Box
from ingest.documents.pdf.read_image import NEEDS_OCR, RECOGNISED_PIXELS, can_recognise, recognise
from ingest.documents.pdf.running_lines import without_running_lines
from ingest.documents.pdf.tags import tags_of, with_tagged_tables
from ingest.documents.pdf.text_boxes import form_boxes, page_boxes

log = get_logger(__name__)

# The longest manuals and laws have some 3,000 pages; more is a collection or an attack, and would hold up the rest.
PAGE_LIMIT = 5_000
# An outline is no longer than a few entries a page; one that is much longer loops or is made to.
_BOOKMARK_LIMIT = 20_000
# A single bookmark is the document's title: its headings are still to be found.
_OUTLINE = 2
# Scans are drawn at 200 dots an inch, as far as the recogniser looks.
_SCAN_SCALE = 200 / 72
# Letters drawn as outlines look like a scan; a page with only a few lines and boxes is an empty form.
_DRAWN_OBJECTS = 100

# Titles that a program wrote, not a person.
_MACHINE_TITLE = re.compile(
    r"^(microsoft |untitled|\(anonymous\)|slide 1$|.*\.(docx?|pptx?|xlsx?|html?|indd|tex|jpe?g|png|tiff?)$)",
    re.IGNORECASE,
)


def read_pdf(data: bytes) -> tuple[str, list[Page]]:
    """(title or '', pages labelled 'p. 1', …). A page without text or with only pictures is an empty one.

    Raises ReadError for a damaged or protected file, one of more than `PAGE_LIMIT` pages, and one that holds
    nothing but pictures when they cannot be recognised.
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
        pages, recognised, tagged = _pages(document)
    except pypdfium2.PdfiumError as error:
        raise ReadError("the file is damaged: one of its pages cannot be read; open and save it again") from error
    finally:
        document.close()
    letters = sum(len(box.text) for page in pages for boxes in page for box in boxes)
    if len(bookmarks) < _OUTLINE <= len(tagged) and are_headings(tagged, letters):
        bookmarks = tagged
    texts = _texts(pages, recognised, bookmarks)
    return (
        "" if _MACHINE_TITLE.match(title) else title,
        [Page(f"p. {number}", text) for number, text in enumerate(texts, 1)],
    )


def _pages(document: Any) -> tuple[list[list[list[Box]]], set[int], list[Bookmark]]:
    """For each page its boxes, those that run in the page's main direction first; which pages were recognised; and what
    is tagged as a heading.
    """
    document.init_forms()  # does nothing where there is no form; the build of pdfium that is used cannot run scripts
    pages: list[list[list[Box]]] = []
    pictures: set[int] = set()
    tagged: list[Bookmark] = []
    header: Sequence[str] = ()
    recognises = can_recognise()
    for number in range(len(document)):
        sys.audit("docent.read.page")  # a long document is not a hanging one
        page = document[number]
        text_page = page.get_textpage()
        found = page_boxes(text_page, form_boxes(page, document.formenv), page_rules(page))
        if not found and _is_picture(page):
            pictures.add(number)
            if recognises:
                found = [_recognised(page)]
        elif found:
            headings, tables = tags_of(page, text_page, number)
            tagged += headings
            found[0], header = with_tagged_tables(found[0], tables, header)
        pages.append(found)
        text_page.close()
        page.close()
    if pictures and not recognises:
        if not any(pages):
            raise ReadError(NEEDS_OCR)
        log.warning("read.pictures_left_out", pages=len(pictures), reason=NEEDS_OCR)
    return pages, pictures, tagged


def _is_picture(page: Any) -> bool:
    import pypdfium2.raw as pdfium

    return any(
        thing.type == pdfium.FPDF_PAGEOBJ_IMAGE or number >= _DRAWN_OBJECTS
        for number, thing in enumerate(page.get_objects(max_depth=3))
    )


def _recognised(page: Any) -> list[Box]:
    """What recognition reads on a picture of the page, in the page's own coordinates (1/72 inch)."""
    width, height = page.get_size()
    scale = min(_SCAN_SCALE, (RECOGNISED_PIXELS / max(1.0, width * height)) ** 0.5)
    found = recognise(page.render(scale=scale, rev_byteorder=False, force_bitmap_format=_blue_green_red()).to_numpy())
    return [Box(box.text, box.left / scale, box.right / scale, box.bottom / scale, box.top / scale) for box in found]


def _blue_green_red() -> int:
    import pypdfium2.raw as pdfium

    kind: int = pdfium.FPDFBitmap_BGR
    return kind


def _outline(document: Any) -> list[Bookmark]:
    """The outline's entries that lead to a page, in order."""
    found = []
    for number, entry in enumerate(document.get_toc()):
        if number == _BOOKMARK_LIMIT:
            break
        title = " ".join(entry.get_title().split())
        target = entry.get_dest()
        page = target.get_index() if target else None
        if title and page is not None:
            found.append(Bookmark(title, entry.level + 1, page, _top(*target.get_view())))
    return found


def _top(kind: int, numbers: list[float]) -> float | None:
    """How high on the page a bookmark leads (ISO 32000-1, table 151): XYZ left top zoom, FitH top, FitR … top."""
    import pypdfium2.raw as pdfium

    places = {pdfium.PDFDEST_VIEW_XYZ: 1, pdfium.PDFDEST_VIEW_FITH: 0, pdfium.PDFDEST_VIEW_FITR: 3}
    place = places.get(kind)
    return numbers[place] if place is not None and place < len(numbers) else None


def _texts(pages: list[list[list[Box]]], recognised: set[int], bookmarks: list[Bookmark]) -> list[str]:
    text_height = _text_height(pages)
    main = without_running_lines([page[0] if page else [] for page in pages], text_height)
    by_page: dict[int, list[Bookmark]] = defaultdict(list)
    for bookmark in bookmarks:
        by_page[bookmark.page].append(bookmark)
    found = [mark_bookmarks(blocks(boxes), by_page[number]) for number, boxes in enumerate(main)]
    if len(bookmarks) < _OUTLINE:
        # Recognised lines differ in height by chance.
        mark_large_lines([page for number, page in enumerate(found) if number not in recognised], text_height)
    texts = [
        "\n\n".join([markdown(first), *(markdown(blocks(turned)) for turned in page[1:])])
        for first, page in zip(found, pages, strict=True)
    ]
    return mend_broken_words(texts)


def _text_height(pages: list[list[list[Box]]]) -> float:
    """The height that most letters of the document have."""
    letters: Counter[float] = Counter()
    for page in pages:
        for boxes in page:
            for box in boxes:
                letters[round(box.height * 2) / 2] += len(box.text)
    return letters.most_common(1)[0][0] if letters else 0.0
