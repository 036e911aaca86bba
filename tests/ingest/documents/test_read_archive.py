"""The members of zip archives."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.base.errors import ReadError
from ingest.documents.office.package import Budget
from ingest.documents.read_archive import members
from tests.conftest import zipped


def test_members() -> None:
    """Members come in order with their paths, without folders and files that operating systems add."""
    data = zipped({"b/": b"", "b/x.txt": b"1", "__MACOSX/b/._x.txt": b"2", "b/.DS_Store": b"3", "a.txt": b"4"})
    assert list(members(data, Budget())) == [("b/x.txt", b"1"), ("a.txt", b"4")]


def test_names_lead_nowhere() -> None:
    """A name never leads out of the archive."""
    data = zipped({"../../etc/passwd": b"1", "/root.txt": b"2", "a\\b.txt": b"3"})
    assert [name for name, _ in members(data, Budget())] == ["etc/passwd", "root.txt", "a/b.txt"]


def test_chinese_names() -> None:
    """Names in GB18030, which old programs write without saying so, are read."""
    data = zipped({"XXXXXXXX.txt": b"1"}).replace(b"XXXXXXXX", "年假规定".encode("gb18030"))
    assert [name for name, _ in members(data, Budget())] == ["年假规定.txt"]


def test_protected() -> None:
    """A member with a password is an error of its own; the others are read."""
    data = bytearray(zipped({"a.txt": b"1", "b.txt": b"2"}))
    place = data.rindex(b"PK\x01\x02")
    data[place + 8] |= 1
    (_, first), (name, second) = members(bytes(data), Budget())
    assert (first, name) == (b"1", "b.txt")
    assert isinstance(second, ReadError)
    assert "protected by a password" in str(second)


def test_damaged() -> None:
    """A member with a wrong checksum is damaged; the other members are read."""
    data = zipped({"a.txt": b"hello", "b.txt": b"2"})
    (_, first), (_, second) = members(data.replace(zlib_of(b"hello"), zlib_of(b"jello")), Budget())
    assert isinstance(first, ReadError)
    assert "damaged inside the archive" in str(first)
    assert second == b"2"


def zlib_of(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", data)
        info = archive.getinfo("x")
    return buffer.getvalue()[31 : 31 + info.compress_size]


def test_no_archive() -> None:
    """Bytes that are no zip file raise an error."""
    with pytest.raises(zipfile.BadZipFile):
        list(members(b"hello", Budget()))
