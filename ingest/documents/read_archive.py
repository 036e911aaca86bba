"""The members of zip archives. Together they must not unpack to more bytes than the budget of the whole file."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from ingest.base.errors import ReadError
from ingest.documents.office.package import Budget, open_package
from ingest.documents.text.read_text import decode

# Flags of a member (APPNOTE.TXT 4.4.4).
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
# Files that operating systems add to those that people packed.
_SYSTEM_NAMES = re.compile(r"(?:^|/)(?:__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)


def members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes | ReadError]]:
    """(name, its bytes or why they cannot be read) of each file in an archive, in the archive's order.

    Raises ReadError when the archive unpacks to more than `budget` has left, BadZipFile when it is not a zip file.
    """
    with open_package(data, budget) as archive:
        for info in archive.infolist():
            name = _name(info)
            if not info.is_dir() and name and not _SYSTEM_NAMES.search(name):
                yield name, _content(archive, info)


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | ReadError:
    if info.flag_bits & _ENCRYPTED:
        return ReadError("the file is protected by a password: save a copy without one")
    try:
        return archive.read(info)
    except NotImplementedError:
        return ReadError("the file is packed in a way that is not known here: pack it again as an ordinary zip")
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError):
        return ReadError("the file is damaged inside the archive: pack it again")


def _name(info: zipfile.ZipInfo) -> str:
    """The member's path with '/' between folders and without '..'. Old programs write names in GB18030."""
    name = info.filename
    if not info.flag_bits & _UTF8_NAME and not name.isascii():
        try:
            name = decode(name.encode("cp437"))
        except (UnicodeEncodeError, ReadError):
            name = info.filename
    return str(PurePosixPath(*[part for part in re.split(r"[/\\]", name) if part not in {"", ".", ".."}]))
