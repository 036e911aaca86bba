"""One file to Markdown with page, slide and sheet anchors. Knows nothing of passages or the library.

Each kind of file has one reader; what a reader cannot make sense of becomes a ReadError that names the file's fault
and what to do about it. A mail brings its attachments with it, an archive its members, each as a document of its own.
Nothing a document contains is fetched or executed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
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

_TITLE = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)
# Bullets of the fonts Symbol and Wingdings, which stand at places of their own.
_BULLETS = str.maketrans(dict.fromkeys("\uf0b7\uf0a7\uf0d8\uf0fc\uf06e\uf076\uf071", "•"))
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
# A mail in an archive with an archive attached is opened; what lies deeper is not.
_DEEPEST = 2
_TOO_DEEP = "what is packed this deep is not opened: unpack it"
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif")
# What people hide text in pictures in, and where these are looked at or not.
_NO_TEXT = {
    **dict.fromkeys((".pdf", *_PICTURES), "no text was recognised in it: remove it, or scan it again if it has some"),
    **dict.fromkeys(
        (".pptx", ".pptm", ".ppt", ".odp", ".docx", ".docm", ".doc", ".odt", ".rtf"),
        "no text was found in the file, and its pictures are not looked at: save it as PDF to have them read",
    ),
}


Reading = tuple[str, Sequence[Page]]
Reader = Callable[[Path, bytes], Reading]
# What a container holds: a name and the bytes, or the document already read, or why it cannot be.
Parts = Iterator[tuple[str, bytes | Reading | ReadError]]


def read(path: Path) -> ReadFile:
    """Read one file with all it carries. Raises ReadError, one line that names the reason, when nothing of it could be
    read; OSError when the file cannot be opened. A part that cannot be read is among the `failures`."""
    reader_for(path)
    found = _Found()
    found.add(path, path.read_bytes(), "", 0)
    if not found.documents and not found.failures:
        raise ReadError("the archive is empty: fill it or remove it")
    return ReadFile(tuple(found.documents), tuple(found.failures))


def reader_for(path: Path) -> Reader:
    """What reads files of this kind. Raises ReadError when nothing does; the file itself is not touched."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ReadError(
            f"files of kind '{path.suffix or path.name}' are not read: save it as .pdf, .docx, .txt or another kind "
            "that is, or leave it out with .docentignore"
        )
    return reader


@dataclass
class _Found:
    """What has come out of a file so far, and what it may still unpack to."""

    documents: list[ReadDocument] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    members: set[str] = field(default_factory=set)
    budget: Budget = field(default_factory=Budget)

    def add(self, path: Path, data: bytes, member: str, depth: int) -> None:
        """Read a file, or a part of one, and all that it carries. Raises ReadError for its own fault."""
        if not data.strip():
            raise ReadError("the file is empty: fill it or remove it")
        suffix = kind_of(data, path.suffix.lower())
        if suffix not in READERS:
            raise ReadError(f"files of kind '{path.suffix or path.name}' are not read: convert it to one that is")
        subject = ""
        if suffix != ".zip":
            document = _document(path, suffix, READERS[suffix], data, member)
            self.documents.append(document)
            subject = document.title
        elif depth >= _DEEPEST:
            raise ReadError(_TOO_DEEP)
        if suffix in _CONTAINERS:
            try:
                for name, content in _CONTAINERS[suffix](data, self.budget):
                    inner = self._unused(f"{member}/{name}" if member else name)
                    self._add_part(name, ReadError(_TOO_DEEP) if depth >= _DEEPEST else content, inner, subject, depth)
            except ReadError:
                raise
            except Exception as error:
                raise _damaged(path, suffix) from error

    def _add_part(self, name: str, content: bytes | Reading | ReadError, member: str, subject: str, depth: int) -> None:
        before = len(self.documents)
        try:
            if isinstance(content, ReadError):
                raise content
            if isinstance(content, bytes):
                self.add(Path(name), content, member, depth + 1)
            else:
                self.documents.append(_made(content, Path(name), member))
        except ReadError as error:
            self.failures.append((member, str(error)))
        if subject and len(self.documents) > before:
            part = self.documents[before]
            self.documents[before] = replace(part, title=f"{part.title} (attached to '{subject}')")

    def _unused(self, member: str) -> str:
        """Two attachments may bear one name: the second becomes 'name (2).pdf'."""
        stem, dot, suffix = member.rpartition(".")
        number, name = 2, member
        while name in self.members:
            name = f"{stem} ({number}){dot}{suffix}" if stem else f"{member} ({number})"
            number += 1
        self.members.add(name)
        return name


def _document(path: Path, suffix: str, reader: Reader, data: bytes, member: str) -> ReadDocument:
    try:
        return _made(reader(path, data), path, member)
    except ReadError:
        raise
    except Exception as error:  # a malformed file can make a parser fail in any way; the run must go on
        raise _damaged(path, suffix) from error


def _damaged(path: Path, suffix: str) -> ReadError:
    log.warning("read.unreadable", path=str(path), exc_info=True)
    return ReadError(f"the file is damaged or not really a {suffix} file: open and save it again")


def _made(reading: Reading, path: Path, member: str) -> ReadDocument:
    title, pages = reading
    pages = [Page(page.label, _clean(page.text)) for page in pages]
    if not any(page.text for page in pages):
        raise ReadError(_NO_TEXT.get(path.suffix.lower(), "no text was found in the file: fill it or remove it"))
    return ReadDocument(_title(title, pages, path), tuple(page for page in pages if page.text), member)


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    # Other ways to end a line: a page in plain text, a line on a slide. They stand between words.
    text = re.sub("[\x0b\x85\u2028\u2029]", " ", text.replace("\x0c", "\n"))
    text = re.sub("[\u00ad\u200b\ufeff]", "", _UNREADABLE.sub("", text)).replace("\u00a0", " ").translate(_BULLETS)
    text = re.sub(r"[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _title(found: str, pages: Sequence[Page], path: Path) -> str:
    heading = next((match for page in pages[:1] if (match := _TITLE.search(page.text))), None)
    title = flat(_clean(found)) or (heading.group(1) if heading else "") or path.stem
    return flat(re.sub(rf"{EMPHASIS}|\[|\]\([^)]*\)", "", title) if heading and not found else title)


def _untitled(reader: Callable[[bytes], list[Page]]) -> Reader:
    """A kind whose title is its first heading."""
    return lambda _path, data: ("", reader(data))


def _named(reader: Callable[[bytes], list[Page]]) -> Reader:
    """A kind that has no title but the file's name: the first heading is the name of a sheet or of a key."""
    return lambda path, data: (path.stem, reader(data))


def _titled(reader: Callable[[bytes], tuple[str, list[Page]]]) -> Reader:
    return lambda _path, data: reader(data)


def _marked_up(translate: Callable[[str], tuple[str, str]]) -> Reader:
    def reader(_path: Path, data: bytes) -> Reading:
        title, text = translate(decode(data))
        return title, [Page("", text)]

    return reader


def _read_image(_path: Path, data: bytes) -> Reading:
    from ingest.documents.pdf.read_image import read_image

    return read_image(data)


READERS: dict[str, Reader] = {
    **dict.fromkeys((".md", ".markdown"), _marked_up(from_markdown)),
    **dict.fromkeys((".txt", ".text", ".log"), _marked_up(lambda text: ("", text))),
    ".rst": _marked_up(lambda text: ("", from_rst(text))),
    ".org": _marked_up(from_org),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _titled(read_html)),
    **dict.fromkeys((".mht", ".mhtml"), _titled(read_mht)),
    **dict.fromkeys((".docx", ".docm"), _untitled(read_docx)),
    ".doc": _untitled(read_doc),
    ".odt": _untitled(read_odt),
    ".rtf": _untitled(read_rtf),
    **dict.fromkeys((".pptx", ".pptm"), _untitled(read_pptx)),
    ".ppt": _untitled(read_ppt),
    ".odp": _untitled(read_odp),
    **dict.fromkeys((".xlsx", ".xlsm"), _named(read_xlsx)),
    ".xls": _named(read_xls),
    ".ods": _named(read_ods),
    ".csv": _untitled(read_csv),
    ".tsv": _untitled(lambda data: read_csv(data, "\t")),
    ".json": _named(read_json),
    **dict.fromkeys((".jsonl", ".ndjson"), _named(read_jsonl)),
    ".epub": _titled(read_epub),
    ".eml": _titled(read_mail),
    ".msg": _titled(read_msg),
    ".pdf": _titled(read_pdf),
    **dict.fromkeys(_PICTURES, _read_image),
    ".zip": lambda _path, _data: ("", []),  # an archive says nothing itself
}

_CONTAINERS: dict[str, Callable[[bytes, Budget], Parts]] = {
    ".eml": lambda data, _budget: iter(attachments(data)),
    ".msg": lambda data, _budget: iter(msg_attachments(data)),
    ".zip": members,
}
