"""One file to Markdown with page, slide and sheet anchors. Knows nothing of passages or the library.

Each kind of file has one reader; what a reader cannot make sense of becomes a ReadError that names the
file's fault and what to do about it. Nothing a document contains is fetched or executed.
"""

from __future__ import annotations

import html
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ingest.errors import ReadError
from ingest.language import EMPHASIS
from ingest.logs import get_logger
from ingest.read_mail import read_mail
from ingest.read_pdf import read_pdf
from ingest.read_text import decode
from ingest.types import Page, ReadDocument

log = get_logger(__name__)

# Office files in the old binary container; a modern suffix on one of these means it is encrypted.
_OLE_SIGNATURE = bytes.fromhex("d0cf11e0a1b11ae1")
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SLIDE = re.compile(r"<!-- Slide number: (\d+) -->")
_SHEET = re.compile(r"^## (.+)$", re.MULTILINE)
# A line break inside a cell, which markitdown writes as these two characters; not part of a path.
_CELL_BREAK = re.compile(r"(?<!\S)\S*?\\[nr]\S*")
_TITLE = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


def read(path: Path) -> ReadDocument:
    """Read one file. Raises ReadError, one line that names the reason; OSError when the file cannot be opened."""
    reader = reader_for(path)
    data = path.read_bytes()
    if not data.strip():
        raise ReadError("the file is empty: fill it or remove it")
    if data.startswith(_OLE_SIGNATURE) and path.suffix.lower() in {".docx", ".pptx", ".xlsx"}:
        raise ReadError("the file is protected by a password: save a copy without one")
    try:
        title, pages = reader(path, data)
    except ReadError:
        raise
    except Exception as error:  # a malformed file can make a parser fail in any way; the run must go on
        log.warning("read.unreadable", path=str(path), exc_info=True)
        raise ReadError(
            f"the file is damaged or not really a {path.suffix.lower()} file: open and save it again"
        ) from error
    pages = [Page(page.label, _clean(page.text)) for page in pages]
    if not any(page.text for page in pages):
        raise ReadError("no text was found in the file: if it is a scan, it needs text recognition (OCR) first")
    return ReadDocument(_title(title, pages, path), tuple(page for page in pages if page.text))


Reader = Callable[[Path, bytes], tuple[str, Sequence[Page]]]


def reader_for(path: Path) -> Reader:
    """What reads files of this kind. Raises ReadError when nothing does; the file itself is not touched."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ReadError(
            f"files of kind '{path.suffix or path.name}' are not read: "
            f"convert it to one of {', '.join(sorted(READERS))}"
        )
    return reader


def _read_text(_path: Path, data: bytes) -> tuple[str, list[Page]]:
    return "", [Page("", decode(data))]


def _read_markdown(_path: Path, data: bytes) -> tuple[str, list[Page]]:
    text = decode(data)
    # A 'front matter' block of settings is for the site generator, except for its title.
    # Text between two rulers is not one: its first line has no key.
    match = re.match(r"---\s*\n((?:#[^\n]*\n|\s*\n)*[\w.-]+[ \t]*:.*?)\n---\s*\n", text, re.DOTALL)
    if match is None:
        return "", [Page("", text)]
    title = re.search(r"^title:\s*[\"']?(.+?)[\"']?\s*$", match.group(1), re.MULTILINE)
    return title.group(1) if title else "", [Page("", text[match.end() :])]


def _read_html(path: Path, data: bytes) -> tuple[str, list[Page]]:
    text = decode(data)
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
    name = _flat(html.unescape(title.group(1))) if title else ""
    return name, [Page("", convert(text.encode(), path.suffix, "utf-8"))]


def _read_word(path: Path, data: bytes) -> tuple[str, list[Page]]:
    return "", [Page("", convert(data, path.suffix))]


def _read_slides(path: Path, data: bytes) -> tuple[str, list[Page]]:
    parts = _SLIDE.split(convert(data, path.suffix))
    return "", [Page(f"slide {number}", text) for number, text in zip(parts[1::2], parts[2::2], strict=True)]


def _read_sheets(path: Path, data: bytes) -> tuple[str, list[Page]]:
    parts = _SHEET.split(convert(data, path.suffix))
    # Empty cells come as NaN, and columns without a heading as 'Unnamed: 3'.
    tidy = [_CELL_BREAK.sub(_spaced, re.sub(r"\bNaN\b|\bUnnamed: \d+\b", "", text)) for text in parts[2::2]]
    return path.stem, [
        Page(f"sheet {name.strip()}", f"## {name.strip()}\n{text}")
        for name, text in zip(parts[1::2], tidy, strict=True)
    ]


def _spaced(word: re.Match[str]) -> str:
    """The cell's line breaks as spaces; `C:\\new` and `\\\\server\\notes` hold none."""
    found = word.group()
    return found if re.search(r"[A-Za-z]:\\|\\\\", found) else re.sub(r"\\[nr]", " ", found)


def _read_pdf(_path: Path, data: bytes) -> tuple[str, list[Page]]:
    return read_pdf(data)


def _read_mail(_path: Path, data: bytes) -> tuple[str, list[Page]]:
    return read_mail(data, convert)


READERS: dict[str, Reader] = {
    **dict.fromkeys((".md", ".markdown"), _read_markdown),
    **dict.fromkeys((".txt", ".text", ".log", ".rst"), _read_text),
    **dict.fromkeys((".html", ".htm"), _read_html),
    **dict.fromkeys((".docx", ".csv"), _read_word),
    **dict.fromkeys((".xlsx", ".xls"), _read_sheets),
    ".pptx": _read_slides,
    ".pdf": _read_pdf,
    ".eml": _read_mail,
}


def convert(data: bytes, suffix: str, charset: str | None = None) -> str:
    """Markdown of an Office, HTML or CSV file, by markitdown. Raises ReadError when it cannot be read."""
    from markitdown import StreamInfo

    if suffix.lower() == ".csv":
        charset, data = "utf-8", decode(data).encode()
    try:
        result = _markitdown().convert_stream(
            io.BytesIO(data), stream_info=StreamInfo(extension=suffix.lower(), charset=charset)
        )
    except Exception as error:
        log.warning("read.unreadable", suffix=suffix, exc_info=True)
        raise ReadError(f"the file is damaged or not really a {suffix} file: open and save it again") from error
    return str(result.markdown)


_converters: list[Any] = []


def _markitdown() -> Any:
    """One converter for the whole process, without plug-ins; made on first use because importing it takes a second.

    It knows only the kinds we ask it for: with all of its own it would read a damaged Word file as plain text.
    """
    if not _converters:
        from markitdown import MarkItDown, converters

        converter = MarkItDown(enable_builtins=False, enable_plugins=False)
        for kind in ("Docx", "Pptx", "Xlsx", "Xls", "Csv", "Html"):
            converter.register_converter(getattr(converters, f"{kind}Converter")())
        _converters.append(converter)
    return _converters[0]


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    # Other ways to end a line: a page in plain text, a line on a slide. They stand between words.
    text = re.sub("[\x0b\x85\u2028\u2029]", " ", text.replace("\x0c", "\n"))
    text = _IMAGE.sub(r"\1", _COMMENT.sub("", text))
    text = _UNREADABLE.sub("", text).replace("\u00a0", " ").replace("\u00ad", "").replace("\u200b", "")
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _title(found: str, pages: Sequence[Page], path: Path) -> str:
    heading = next((match for page in pages[:1] if (match := _TITLE.search(page.text))), None)
    title = found or (heading.group(1) if heading else "") or path.stem
    return _flat(re.sub(rf"{EMPHASIS}|\[|\]\([^)]*\)", "", title) if heading and not found else title)


def _flat(text: str) -> str:
    return " ".join(text.split())
