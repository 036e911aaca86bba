"""Outlook messages (msg) as Markdown, and their attachments.

The layout is that of Microsoft's [MS-OXMSG] "Outlook Item (.msg) File Format": each property is a stream named by its
number and type (2.1), properties of fixed length are together in one stream (2.4), attachments and recipients are
storages (2.2). Property numbers are those of [MS-OXPROPS], property types those of [MS-OXCDATA] 2.11.1.
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
_STREAM = 2  # of olefile
_UNICODE, _STRING_8, _BINARY, _TIME = "001F", "001E", "0102", 0x0040
# Bytes before the properties of fixed length: in the message of a file, in a message inside another.
_HEADER, _INNER_HEADER = 32, 24


def read_msg(data: bytes) -> tuple[str, list[Page]]:
    """(subject, one page without a label): the headers that people read, the names of the attachments, the text.

    Raises ReadError when the file is no Outlook message or an encrypted one, other errors for a damaged file.
    """
    with _opened(data) as container:
        return _Message(container, ()).read()


def msg_attachments(data: bytes) -> Iterator[tuple[str, bytes | tuple[str, list[Page]]]]:
    """(file name, content) of each attachment; a forwarded message is read already, as (subject, pages).

    Raises as `read_msg` does.
    """
    with _opened(data) as container:
        yield from _Message(container, ()).attachments()


def _opened(data: bytes) -> Any:
    import olefile

    return olefile.OleFileIO(io.BytesIO(data))


class _Message:
    """A message in a compound file: the outermost one when `path` is empty, else the attached one in that storage."""

    def __init__(self, container: Any, path: tuple[str, ...]) -> None:
        self._container, self._path = container, path
        if not container.exists("/".join([*path, _PROPERTIES])):
            raise ReadError("the file is not an Outlook message: open it in Outlook and save it again")

    def read(self) -> tuple[str, list[Page]]:
        """(subject, one page without a label). Raises ReadError for an encrypted message."""
        if "SMIME" in self._text(_KIND).upper() and "MULTIPARTSIGNED" not in self._text(_KIND).upper():
            raise ReadError("the e-mail is encrypted: decrypt it in the mail program and save it again")
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
        """(file name, content) of each attachment, without pictures of the text."""
        for storage in self._storages("__attach_version1.0_"):
            properties = _Properties(self._container, (*self._path, storage))
            name = flat(properties.text(_LONG_NAME) or properties.text(_SHORT_NAME) or properties.text(_DISPLAY_NAME))
            name = re.sub(r"[/\\\x00-\x1f]+", " ", name) or "unnamed"
            embedded = (*self._path, storage, f"__substg1.0_{_CONTENT}{_EMBEDDED}")
            if self._container.exists("/".join([*embedded, _PROPERTIES])):
                yield f"{name.removesuffix('.msg')}.msg", _Message(self._container, embedded).read()
            elif not (properties.text(_CONTENT_ID) and re.search(r"^image\d+\.(png|jpe?g|gif)$", name)):
                yield name, properties.binary(_CONTENT)

    def _storages(self, prefix: str) -> list[str]:
        depth = len(self._path)
        names = {path[depth] for path in self._container.listdir() if tuple(path[:depth]) == self._path}
        return sorted(name for name in names if name.startswith(prefix))

    def _text(self, number: str) -> str:
        return _Properties(self._container, self._path).text(number)

    def _html(self) -> str:
        properties = _Properties(self._container, self._path)
        raw = properties.binary(_HTML)
        return decode_html(raw) if raw else properties.text(_HTML)

    def _rich_text(self) -> str:
        compressed = _Properties(self._container, self._path).binary(_RICH_TEXT)
        return "\n\n".join(page.text for page in read_rtf(decompress(compressed))) if compressed else ""

    def _date(self) -> str:
        data = self._container.openstream("/".join([*self._path, _PROPERTIES])).read()
        header = _INNER_HEADER if self._path else _HEADER
        times = {}
        for position in range(header, len(data) - 15, 16):
            property_type, number = struct.unpack_from("<HH", data, position)
            if property_type == _TIME:
                (times[number],) = struct.unpack_from("<Q", data, position + 8)
        ticks = times.get(_SUBMITTED) or times.get(_DELIVERED)
        if not ticks:
            return ""
        return f"{_FILE_TIME_EPOCH + timedelta(microseconds=ticks // 10):%Y-%m-%d %H:%M} UTC"


class _Properties:
    """The properties of the message or attachment in the storage at `path`."""

    def __init__(self, container: Any, path: tuple[str, ...]) -> None:
        self._container, self._path = container, path

    def _stream(self, number: str, property_type: str) -> bytes:
        name = "/".join([*self._path, f"__substg1.0_{number}{property_type}"])
        # Where an OLE object is attached, a storage has this name instead of a stream.
        return bytes(self._container.openstream(name).read()) if self._container.get_type(name) == _STREAM else b""

    def text(self, number: str) -> str:
        """A text property, stored in UTF-16 or in the code page of the sender; '' when there is none."""
        utf_16 = self._stream(number, _UNICODE)
        if utf_16:
            return utf_16.decode("utf-16-le", "replace").rstrip("\x00")
        string_8 = self._stream(number, _STRING_8).rstrip(b"\x00")
        return decode(string_8) if string_8 else ""

    def binary(self, number: str) -> bytes:
        """A binary property; b'' when there is none."""
        return self._stream(number, _BINARY)
