"""Read a file of any format as Markdown documents, with page, slide and sheet labels: the entry point of this folder.

Each format has a reader. An error of a reader becomes a ReadError, one line with what is wrong and what to do. The
attachments of an e-mail and the members of an archive are separate documents. No link in a document is fetched, and no
code in it is executed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.base.errors import ReadError
from ingest.base.language import EMPHASIS
from ingest.base.logs import get_logger
from ingest.base.types import Page, ReadDocument, ReadFile
from ingest.documents.mail.read_mail import attachments, read_mail
from ingest.documents.mail.read_msg import msg_attachments, read_msg
from ingest.documents.office.package import Budget
from ingest.documents.office.read_doc import read_doc
from ingest.documents.office.read_open_document import read_odp, read_ods, read_odt
from ingest.documents.office.read_rtf import read_rtf
from ingest.documents.office.read_word import read_docx
from ingest.documents.pdf.read_pdf import read_pdf
from ingest.documents.read_archive import members
from ingest.documents.sheets.read_sheets import read_csv, read_xls, read_xlsx
from ingest.documents.signature import kind_of
from ingest.documents.slides.read_ppt import read_ppt
from ingest.documents.slides.read_slides import read_pptx
from ingest.documents.structure.markdown import flat
from ingest.documents.text.read_data import read_json, read_jsonl
from ingest.documents.text.read_ebook import read_epub
from ingest.documents.text.read_html import read_html, read_mht
from ingest.documents.text.read_markup import from_markdown, from_org, from_rst
from ingest.documents.text.read_text import decode

log = get_logger(__name__)

_FIRST_HEADING = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)
# The fonts Symbol and Wingdings keep their bullets in Unicode's private-use area.
_BULLETS = str.maketrans(dict.fromkeys("\uf0b7\uf0a7\uf0d8\uf0fc\uf06e\uf076\uf071", "•"))
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
# A mail in an archive is opened, and so is an archive attached to that mail; anything deeper is not.
_MAX_DEPTH = 2
_TOO_DEEP = "what is packed this deep is not opened: unpack it"
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif")
# Documents whose text is often in pictures: what to do depends on whether Docent recognises the text of those.
_NO_TEXT = {
    **dict.fromkeys((".pdf", *_PICTURES), "no text was recognised in it: remove it, or scan it again if it has some"),
    **dict.fromkeys(
        (".pptx", ".pptm", ".ppt", ".odp", ".docx", ".docm", ".doc", ".odt", ".rtf"),
        "no text was found in the file, and its pictures are not looked at: save it as PDF to have them read",
    ),
}

# A title, '' for none, and the pages.
Reading = tuple[str, Sequence[Page]]
Reader = Callable[[Path, bytes], Reading]
# The parts of a container: a name, and its bytes, or its text already read, or why it cannot be read.
Parts = Iterator[tuple[str, bytes | Reading | ReadError]]


def read(path: Path) -> ReadFile:
    """Read a file and everything attached to it or packed in it.

    A part that cannot be read is one of the `failures`. Raises ReadError, one line with the reason, when the file
    itself cannot be read; OSError when it cannot be opened.
    """
    reader_for(path)
    outcomes = list(_read_with_parts(path, path.read_bytes(), "", 0, _Unpacking()))
    if not outcomes:
        raise ReadError("the archive is empty: fill it or remove it")
    return ReadFile(
        tuple(outcome for outcome in outcomes if isinstance(outcome, ReadDocument)),
        tuple((outcome.member, outcome.reason) for outcome in outcomes if isinstance(outcome, _Failure)),
    )


def reader_for(path: Path) -> Reader:
    """The reader for files with this suffix. Raises ReadError when there is none; the file itself is not opened."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ReadError(
            f"files of kind '{path.suffix or path.name}' are not read: save it as .pdf, .docx, .txt or another kind "
            "that is, or leave it out with .docentignore"
        )
    return reader


@dataclass(frozen=True)
class _Failure:
    """A part that could not be read, and why."""

    member: str
    reason: str


class _Unpacking:
    """Shared by all archives and mails inside one file: the bytes that they may unpack to, and the names in use."""

    def __init__(self) -> None:
        self.budget = Budget()
        self._names: set[str] = set()

    def unique_name(self, name: str) -> str:
        """The name, or for the second part with the same name 'name (2).pdf'."""
        stem, dot, suffix = name.rpartition(".")
        number, unique = 2, name
        while unique in self._names:
            unique = f"{stem} ({number}){dot}{suffix}" if stem else f"{name} ({number})"
            number += 1
        self._names.add(unique)
        return unique


def _read_with_parts(
    path: Path, data: bytes, member: str, depth: int, unpacking: _Unpacking
) -> Iterator[ReadDocument | _Failure]:
    """Read a file or a part of one, then what it contains. Raises ReadError for a fault of the file or part itself."""
    if not data.strip():
        raise ReadError("the file is empty: fill it or remove it")
    suffix = kind_of(data, path.suffix.lower())
    if suffix not in READERS:
        raise ReadError(f"files of kind '{path.suffix or path.name}' are not read: convert it to one that is")
    title = ""
    if suffix != ".zip":
        document = _read_document(path, suffix, data, member)
        yield document
        title = document.title
    elif depth >= _MAX_DEPTH:
        raise ReadError(_TOO_DEEP)
    if suffix not in _CONTAINERS:
        return
    try:
        for name, content in _CONTAINERS[suffix](data, unpacking.budget):
            part = unpacking.unique_name(f"{member}/{name}" if member else name)
            content = ReadError(_TOO_DEEP) if depth >= _MAX_DEPTH else content
            outcomes = _read_part(name, content, part, depth + 1, unpacking)
            yield from _attached_to(title, outcomes) if title else outcomes
    except ReadError:
        raise
    except Exception as error:
        raise _damaged(path, suffix) from error


def _read_part(
    name: str, content: bytes | Reading | ReadError, member: str, depth: int, unpacking: _Unpacking
) -> Iterator[ReadDocument | _Failure]:
    try:
        if isinstance(content, ReadError):
            raise content
        if isinstance(content, bytes):
            yield from _read_with_parts(Path(name), content, member, depth, unpacking)
        else:
            yield _to_document(content, Path(name), member)
    except ReadError as error:
        yield _Failure(member, str(error))


def _attached_to(title: str, outcomes: Iterator[ReadDocument | _Failure]) -> Iterator[ReadDocument | _Failure]:
    """The outcomes of an attachment; the title of its first document gets the title of the mail."""
    is_named = False
    for outcome in outcomes:
        if isinstance(outcome, ReadDocument) and not is_named:
            outcome = replace(outcome, title=f"{outcome.title} (attached to '{title}')")
            is_named = True
        yield outcome


def _read_document(path: Path, suffix: str, data: bytes, member: str) -> ReadDocument:
    try:
        return _to_document(READERS[suffix](path, data), path, member)
    except ReadError:
        raise
    except Exception as error:  # a malformed file can make a parser raise anything
        raise _damaged(path, suffix) from error


def _damaged(path: Path, suffix: str) -> ReadError:
    log.warning("read.unreadable", path=str(path), exc_info=True)
    return ReadError(f"the file is damaged or not really a {suffix} file: open and save it again")


def _to_document(reading: Reading, path: Path, member: str) -> ReadDocument:
    title, pages = reading
    pages = [Page(page.label, _clean(page.text)) for page in pages]
    if not any(page.text for page in pages):
        raise ReadError(_NO_TEXT.get(path.suffix.lower(), "no text was found in the file: fill it or remove it"))
    return ReadDocument(_title(title, pages, path), tuple(page for page in pages if page.text), member)


def _clean(text: str) -> str:
    """The text in NFC, without invisible characters, with one kind of line end and at most one blank line in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    # Other marks of a line's or page's end, as in plain text and on slides; they separate words.
    text = re.sub("[\x0b\x85\u2028\u2029]", " ", text.replace("\x0c", "\n"))
    text = re.sub("[\u00ad\u200b\ufeff]", "", _UNREADABLE.sub("", text)).replace("\u00a0", " ").translate(_BULLETS)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _title(declared: str, pages: Sequence[Page], path: Path) -> str:
    """The title that the file declares, else the first heading of its first page without Markdown, else its name."""
    heading = next((match for page in pages[:1] if (match := _FIRST_HEADING.search(page.text))), None)
    title = flat(_clean(declared)) or (heading.group(1) if heading else "") or path.stem
    return flat(re.sub(rf"{EMPHASIS}|\[|\]\([^)]*\)", "", title) if heading and not declared else title)


def _titled_by_heading(reader: Callable[[bytes], list[Page]]) -> Reader:
    """A format whose title is its first heading."""
    return lambda _path, data: ("", reader(data))


def _titled_by_name(reader: Callable[[bytes], list[Page]]) -> Reader:
    """A format whose only title is the file's name: its first heading is the name of a sheet or of a key."""
    return lambda path, data: (path.stem, reader(data))


def _titled(reader: Callable[[bytes], tuple[str, list[Page]]]) -> Reader:
    """A format that declares its title."""
    return lambda _path, data: reader(data)


def _plain_text(to_markdown: Callable[[str], tuple[str, str]]) -> Reader:
    """A format of plain text; `to_markdown` turns it into a title and Markdown."""

    def reader(_path: Path, data: bytes) -> Reading:
        title, text = to_markdown(decode(data))
        return title, [Page("", text)]

    return reader


def _read_image(_path: Path, data: bytes) -> Reading:
    from ingest.documents.pdf.read_image import read_image

    return read_image(data)


READERS: dict[str, Reader] = {
    **dict.fromkeys((".md", ".markdown"), _plain_text(from_markdown)),
    **dict.fromkeys((".txt", ".text", ".log"), _plain_text(lambda text: ("", text))),
    ".rst": _plain_text(lambda text: ("", from_rst(text))),
    ".org": _plain_text(from_org),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _titled(read_html)),
    **dict.fromkeys((".mht", ".mhtml"), _titled(read_mht)),
    **dict.fromkeys((".docx", ".docm"), _titled_by_heading(read_docx)),
    ".doc": _titled_by_heading(read_doc),
    ".odt": _titled_by_heading(read_odt),
    ".rtf": _titled_by_heading(read_rtf),
    **dict.fromkeys((".pptx", ".pptm"), _titled_by_heading(read_pptx)),
    ".ppt": _titled_by_heading(read_ppt),
    ".odp": _titled_by_heading(read_odp),
    **dict.fromkeys((".xlsx", ".xlsm"), _titled_by_name(read_xlsx)),
    ".xls": _titled_by_name(read_xls),
    ".ods": _titled_by_name(read_ods),
    ".csv": _titled_by_heading(read_csv),
    ".tsv": _titled_by_heading(lambda data: read_csv(data, "\t")),
    ".json": _titled_by_name(read_json),
    **dict.fromkeys((".jsonl", ".ndjson"), _titled_by_name(read_jsonl)),
    ".epub": _titled(read_epub),
    ".eml": _titled(read_mail),
    ".msg": _titled(read_msg),
    ".pdf": _titled(read_pdf),
    **dict.fromkeys(_PICTURES, _read_image),
    ".zip": lambda _path, _data: ("", []),  # an archive has no text of its own
}

_CONTAINERS: dict[str, Callable[[bytes, Budget], Parts]] = {
    ".eml": lambda data, _budget: iter(attachments(data)),
    ".msg": lambda data, _budget: iter(msg_attachments(data)),
    ".zip": members,
}
