"""What a file is by its first bytes, whatever its name says. Knows nothing of how it is read.

People rename files, and programs write web pages and call them `.xls`. Only what the content says beyond doubt
overrules the name.
"""

from __future__ import annotations

import io
import re
import zipfile

from ingest.base.errors import ReadError

_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_STARTS = (
    (b"%PDF-", ".pdf"), (b"{\\rtf", ".rtf"), (b"\x89PNG\r\n", ".png"), (b"\xff\xd8\xff", ".jpg"),
    (b"GIF87a", ".gif"), (b"GIF89a", ".gif"), (b"II*\x00", ".tiff"), (b"MM\x00*", ".tiff"),
)  # fmt: skip
_PARTS = {"word/document.xml": ".docx", "ppt/presentation.xml": ".pptx", "xl/workbook.xml": ".xlsx"}
_MIME_TYPES = {
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/epub+zip": ".epub",
}
_STREAMS = {
    "EncryptedPackage": "", "WordDocument": ".doc", "PowerPoint Document": ".ppt", "Workbook": ".xls", "Book": ".xls",
    "__properties_version1.0": ".msg",
}  # fmt: skip
# Kinds whose files are never text themselves, or begin with headers of their own, so that text in them is another.
_NO_PAGES = {".doc", ".docx", ".docm", ".xls", ".xlsx", ".xlsm", ".ppt", ".pptx", ".pptm", ".mht", ".mhtml"}
_HEADERS = re.compile(rb"\s*(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*?mime-version:", re.IGNORECASE)
_WEB_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*)*<(?:!doctype html|html|table|meta|head)\b", re.I | re.S
)
_PROTECTED = "the file is protected by a password: save a copy without one"


def kind_of(data: bytes, suffix: str) -> str:
    """The suffix of what the file really is, which is mostly its own. Raises ReadError when it is protected."""
    if data.startswith(_OLE):
        return _ole_kind(data, suffix)
    if data.startswith(_ZIP):
        return _zip_kind(data, suffix)
    # Some programs put a byte order mark or blank lines in front.
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if suffix in {*_NO_PAGES, ".html", ".htm"} and _HEADERS.match(head) and b"multipart/related" in head.lower():
        return ".mht"
    if suffix in _NO_PAGES and _WEB_PAGE.match(_narrow(head)):
        return ".html"
    if suffix == ".xls" and b"\t" in head.partition(b"\n")[0] and b"\x00" not in data:
        return ".tsv"
    return suffix


def _narrow(head: bytes) -> bytes:
    """UTF-16 as if each character were one byte: enough to see how a page begins."""
    return head[2:].replace(b"\x00", b"") if head.startswith((b"\xff\xfe", b"\xfe\xff")) else head


def _ole_kind(data: bytes, suffix: str) -> str:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            kind = next((kind for stream, kind in _STREAMS.items() if container.exists(stream)), suffix)
    except (OSError, ValueError, IndexError, TypeError):  # damaged: what its reader says of it will be shown
        kind = suffix
    # The newer kinds lie in such a container only when they are encrypted.
    if kind in {"", ".docx", ".docm", ".pptx", ".pptm", ".xlsx", ".xlsm"}:
        raise ReadError(_PROTECTED)
    return kind


def _zip_kind(data: bytes, suffix: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            # A declared type is a few bytes; one that is long is none.
            declared = archive.getinfo("mimetype").file_size < 200 if "mimetype" in names else False
            mime = archive.read("mimetype").decode("ascii", "replace").strip() if declared else ""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return suffix
    if "xl/workbook.bin" in names:
        raise ReadError("binary workbooks (.xlsb) are not read: save it as .xlsx")
    found = _MIME_TYPES.get(mime) or next((kind for part, kind in _PARTS.items() if part in names), "")
    if found:
        return found
    return suffix if suffix in _NO_PAGES or suffix in _MIME_TYPES.values() else ".zip"
