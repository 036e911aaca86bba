"""The format of a file by its content."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.base.errors import ReadError
from ingest.documents.signature import kind_of
from tests.fakes.ole_file import ole_file


def zipped(*names: str, mimetype: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "suffix", "kind"),
    [
        (zipped("word/document.xml"), ".doc", ".docx"),
        (zipped("xl/workbook.xml"), ".xls", ".xlsx"),
        (zipped("ppt/presentation.xml"), ".ppt", ".pptx"),
        (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"), ".xlsx", ".ods"),
        (zipped(mimetype="application/epub+zip"), ".zip", ".epub"),
        (zipped("a.txt"), ".txt", ".zip"),
        (zipped("a.txt"), ".docx", ".docx"),
        (ole_file({"WordDocument": b"x"}), ".txt", ".doc"),
        (ole_file({"Workbook": b"x"}), ".doc", ".xls"),
        (ole_file({"PowerPoint Document": b"x"}), ".ppt", ".ppt"),
        (ole_file({"__properties_version1.0": b"x"}), ".eml", ".msg"),
        (b"\n%PDF-1.7", ".docx", ".pdf"),
        (b"{\\rtf1", ".doc", ".rtf"),
        (b"\x89PNG\r\n\x1a\n", ".jpg", ".png"),
        (b"RIFF\x00\x00\x00\x00WEBP", ".png", ".webp"),
        (b"\xef\xbb\xbf <!DOCTYPE html><html>", ".xls", ".html"),
        ("<html>".encode("utf-16"), ".doc", ".html"),
        (b"<html>", ".txt", ".txt"),
        (b"MIME-Version: 1.0\nContent-Type: multipart/related\n\n", ".doc", ".mht"),
        (b"From: <Saved by x>\nMIME-Version: 1.0\nContent-Type: multipart/related\n\n", ".html", ".mht"),
        (b"a\tb\n", ".xls", ".tsv"),
        (b"hello", ".docx", ".docx"),
    ],
)  # fmt: skip
def test_kind(data: bytes, suffix: str, kind: str) -> None:
    """Content whose format is beyond doubt overrules the name; other content does not."""
    assert kind_of(data, suffix) == kind


def test_refused() -> None:
    """Encrypted files and binary workbooks are refused with the reason."""
    with pytest.raises(ReadError, match="protected by a password"):
        kind_of(ole_file({"EncryptedPackage": b"x"}), ".docx")
    with pytest.raises(ReadError, match=r"save it as \.xlsx"):
        kind_of(zipped("xl/workbook.bin"), ".xlsx")


def test_damaged_containers() -> None:
    """A damaged container keeps the format of its name, whose reader then says what is wrong."""
    assert kind_of(b"PK\x03\x04 nonsense", ".docx") == ".docx"
    assert kind_of(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), ".doc") == ".doc"
