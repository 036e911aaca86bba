"""An Outlook message (msg) as Markdown, and what is attached to it. Knows nothing of files.

The layout is that of Microsoft's [MS-OXMSG] "Outlook Item (.msg) File Format": each property is a stream named by its
number and type (2.1), those of fixed length lie together in one stream (2.4), attachments and recipients are
storages (2.2). The property numbers are those of [MS-OXPROPS].
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.mail.rtf_compressed import decompress
from ingest.documents.office.read_rtf import read_rtf
from ingest.documents.structure.markdown import flat
from ingest.documents.text.read_html import decode_html, to_text
from ingest.documents.text.read_text import decode

_SUBJECT, _BODY, _HTML, _RICH_TEXT, _KIND = "0037", "1000", "1013", "1009", "001A"
_SENDER, _SENDER_ADDRESS, _SENDER_SMTP = "0C1A", "0C1F", "5D01"
_TO, _COPIES = "0E04", "0E03"
_SUBMITTED, _DELIVERED = 0x0039, 0x0E06
_LONG_NAME, _SHORT_NAME, _CONTENT, _CONTENT_ID = "3707", "3704", "3701", "3712"
_DISPLAY_NAME = "3001"
_EMBEDDED = "000D"
_FILE_TIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_PROPERTIES = "__properties_version1.0"
# Length of what stands before the properties: of a message in a file, and of one inside another.
_HEADER, _INNER_HEADER = 32, 24


def read_msg(data: bytes) -> tuple[str, list[Page]]:
    """(subject, one page). Raises ReadError for an encrypted message; other errors when it is damaged."""
    with _opened(data) as container:
        return _Message(container, ()).read()


def msg_attachments(data: bytes) -> Iterator[tuple[str, bytes | tuple[str, list[Page]]]]:
    """(name, content) of what is attached; a forwarded message comes read already, as (subject, pages)."""
    with _opened(data) as container:
        yield from _Message(container, ()).attachments()


def _opened(data: bytes) -> Any:
    import olefile

    return olefile.OleFileIO(io.BytesIO(data))


class _Message:
    """A message in a container: the file itself, or below `path` one that is attached to it."""

    def __init__(self, container: Any, path: tuple[str, ...]) -> None:
        self._container, self._path = container, path
        if not container.exists("/".join([*path, _PROPERTIES])):
            raise ReadError("the file is not an Outlook message: open it in Outlook and save it again")

    def read(self) -> tuple[str, list[Page]]:
        if "SMIME" in self._text(_KIND).upper() and "MULTIPARTSIGNED" not in self._text(_KIND).upper():
            raise ReadError("the e-mail is encrypted: save its text where it can be read")
        subject = flat(self._text(_SUBJECT))
        sender, address = flat(self._text(_SENDER)), self._text(_SENDER_SMTP) or self._text(_SENDER_ADDRESS)
        if "@" in address and address != sender:
            sender = f"{sender} <{address}>".strip()
        headers = {"From": sender, "To": flat(self._text(_TO)), "Cc": flat(self._text(_COPIES)), "Date": self._date()}
        headers["Attachments"] = ", ".join(name for name, _ in self.attachments())
        lines = [f"{name}: {value}" for name, value in headers.items() if value]
        text = self._text(_BODY)
        if not text.strip():
            text = to_text(self._html(), whole=True)[1] or self._rich_text()
        return subject, [Page("", (f"# {subject}\n\n" if subject else "") + "\n".join(lines) + "\n\n" + text)]

    def attachments(self) -> Iterator[tuple[str, bytes | tuple[str, list[Page]]]]:
        for storage in self._storages("__attach_version1.0_"):
            part = _Part(self._container, (*self._path, storage))
            name = flat(part.text(_LONG_NAME) or part.text(_SHORT_NAME) or part.text(_DISPLAY_NAME))
            name = re.sub(r"[/\\\x00-\x1f]+", " ", name) or "unnamed"
            embedded = (*self._path, storage, f"__substg1.0_{_CONTENT}{_EMBEDDED}")
            if self._container.exists("/".join([*embedded, _PROPERTIES])):
                yield f"{name.removesuffix('.msg')}.msg", _Message(self._container, embedded).read()
            elif not (part.text(_CONTENT_ID) and re.search(r"^image\d+\.(png|jpe?g|gif)$", name)):
                yield name, part.binary(_CONTENT)

    def _storages(self, prefix: str) -> list[str]:
        depth = len(self._path)
        found = (path[depth] for path in self._container.listdir() if tuple(path[:depth]) == self._path)
        return sorted({name for name in found if name.startswith(prefix)})

    def _text(self, number: str) -> str:
        return _Part(self._container, self._path).text(number)

    def _html(self) -> str:
        part = _Part(self._container, self._path)
        raw = part.binary(_HTML)
        return decode_html(raw) if raw else part.text(_HTML)

    def _rich_text(self) -> str:
        packed = _Part(self._container, self._path).binary(_RICH_TEXT)
        return "\n\n".join(page.text for page in read_rtf(decompress(packed))) if packed else ""

    def _date(self) -> str:
        data = self._container.openstream("/".join([*self._path, _PROPERTIES])).read()
        header = _INNER_HEADER if self._path else _HEADER
        times = {}
        for position in range(header, len(data) - 15, 16):
            kind, number = struct.unpack_from("<HH", data, position)
            if kind == 0x0040:
                (times[number],) = struct.unpack_from("<Q", data, position + 8)
        ticks = times.get(_SUBMITTED) or times.get(_DELIVERED)
        if not ticks:
            return ""
        return f"{_FILE_TIME_EPOCH + timedelta(microseconds=ticks // 10):%Y-%m-%d %H:%M} UTC"


class _Part:
    """The properties of a message or an attachment."""

    def __init__(self, container: Any, path: tuple[str, ...]) -> None:
        self._container, self._path = container, path

    def _stream(self, number: str, kind: str) -> bytes:
        name = "/".join([*self._path, f"__substg1.0_{number}{kind}"])
        # A storage of that name is no stream: OLE objects lie in one.
        return bytes(self._container.openstream(name).read()) if self._container.get_type(name) == 2 else b""

    def text(self, number: str) -> str:
        """A text property, in UTF-16 or in the sender's code page."""
        wide = self._stream(number, "001F")
        if wide:
            return wide.decode("utf-16-le", "replace").rstrip("\x00")
        narrow = self._stream(number, "001E").rstrip(b"\x00")
        return decode(narrow) if narrow else ""

    def binary(self, number: str) -> bytes:
        return self._stream(number, "0102")
