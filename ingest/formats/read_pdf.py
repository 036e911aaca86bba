"""A PDF page by page, with pypdfium2. Knows nothing of files or passages."""

from __future__ import annotations

import re

from ingest.errors import ReadError
from ingest.language import is_wrapped
from ingest.types import Page

# Titles that a program wrote, not a person.
_MACHINE_TITLE = re.compile(r"^(microsoft |untitled|slide 1$|.*\.(docx?|pptx?|xlsx?|html?|indd|tex)$)", re.IGNORECASE)
_CHINESE_END = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]$")


def read_pdf(data: bytes) -> tuple[str, list[Page]]:
    """(title or '', pages labelled 'p. 1', …). Raises ReadError for a damaged or protected file."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ReadError("the file is protected by a password: save a copy without one") from error
        raise ReadError("the file is damaged or not really a PDF: open and save it again") from error
    try:
        title = (document.get_metadata_dict().get("Title") or "").strip()
        pages = []
        for number in range(len(document)):
            page = document[number]
            text_page = page.get_textpage()
            pages.append(Page(f"p. {number + 1}", unwrap(text_page.get_text_bounded())))
            text_page.close()
            page.close()
    except pypdfium2.PdfiumError as error:
        raise ReadError("the file is damaged: one of its pages cannot be read; open and save it again") from error
    finally:
        document.close()
    return ("" if _MACHINE_TITLE.match(title) else title), pages


def unwrap(text: str) -> str:
    """Lines broken by the width of the page, joined again: Chinese without a space, hyphenated words without hyphen."""
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\ufffe", "-").split("\n")]
    joined: list[str] = []
    for previous, line in zip(["", *lines], lines, strict=False):
        if not joined or not is_wrapped(previous, line):
            joined.append(line)
        elif re.search(r"[a-z]-$", previous) and line[:1].islower():
            joined[-1] = joined[-1][:-1] + line
        else:
            joined[-1] += ("" if _CHINESE_END.search(previous) else " ") + line
    return "\n".join(joined)
