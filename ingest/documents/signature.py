"""The format of a file by its first bytes.

People rename files, and programs save web pages under the name `.xls`. The content decides instead of the name only
when it is certain.
"""

from __future__ import annotations

import io
import re
import zipfile

from ingest.base.errors import ReadError

# The container of Office files before 2007 and of .msg (Microsoft's compound file binary format).
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SIGNATURES = (
    (b"%PDF-", ".pdf"), (b"{\\rtf", ".rtf"), (b"\x89PNG\r\n", ".png"), (b"\xff\xd8\xff", ".jpg"),
    (b"GIF87a", ".gif"), (b"GIF89a", ".gif"), (b"II*\x00", ".tiff"), (b"MM\x00*", ".tiff"),
)  # fmt: skip
_OFFICE_PARTS = {"word/document.xml": ".docx", "ppt/presentation.xml": ".pptx", "xl/workbook.xml": ".xlsx"}
_DECLARED_TYPES = {
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/epub+zip": ".epub",
}
_OLE_STREAMS = {
    "EncryptedPackage": "", "WordDocument": ".doc", "PowerPoint Document": ".ppt", "Workbook": ".xls", "Book": ".xls",
    "__properties_version1.0": ".msg",
}  # fmt: skip
# Formats that never begin like a web page or a mail; a file that does has another format than its name says.
_NOT_TEXT = {".doc", ".docx", ".docm", ".xls", ".xlsx", ".xlsm", ".ppt", ".pptx", ".pptm", ".mht", ".mhtml"}
_MAIL_HEADERS = re.compile(rb"\s*(?:[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*?mime-version:", re.IGNORECASE)
_WEB_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*)*<(?:!doctype html|html|table|meta|head)\b", re.I | re.S
)
_PROTECTED = "the file is protected by a password: save a copy without one"


def kind_of(data: bytes, suffix: str) -> str:
    """The suffix of the format that the content has: `suffix`, in lower case, unless the content shows another.

    Raises ReadError when the file is protected by a password, or is a binary workbook (.xlsb).
    """
    if data.startswith(_OLE):
        return _ole_kind(data, suffix)
    if data.startswith(_ZIP):
        return _zip_kind(data, suffix)
    # Some programs put a byte order mark or blank lines in front.
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if suffix in {*_NOT_TEXT, ".html", ".htm"} and _MAIL_HEADERS.match(head) and b"multipart/related" in head.lower():
        return ".mht"
    if suffix in _NOT_TEXT and _WEB_PAGE.match(_without_zero_bytes(head)):
        return ".html"
    if suffix == ".xls" and b"\t" in head.partition(b"\n")[0] and b"\x00" not in data:
        return ".tsv"
    return suffix


def _without_zero_bytes(head: bytes) -> bytes:
    """UTF-16 with one byte a character, which is enough to recognise the beginning of a web page."""
    return head[2:].replace(b"\x00", b"") if head.startswith((b"\xff\xfe", b"\xfe\xff")) else head


def _ole_kind(data: bytes, suffix: str) -> str:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            kind = next((kind for stream, kind in _OLE_STREAMS.items() if container.exists(stream)), suffix)
    except (OSError, ValueError, IndexError, TypeError):  # damaged: its reader will say what is wrong
        kind = suffix
    # Office files since 2007 are in such a container only when they are encrypted.
    if kind in {"", ".docx", ".docm", ".pptx", ".pptm", ".xlsx", ".xlsm"}:
        raise ReadError(_PROTECTED)
    return kind


def _zip_kind(data: bytes, suffix: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            # A type is a few bytes long; anything longer is not one.
            is_short = archive.getinfo("mimetype").file_size < 200 if "mimetype" in names else False
            mime = archive.read("mimetype").decode("ascii", "replace").strip() if is_short else ""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return suffix
    if "xl/workbook.bin" in names:
        raise ReadError("binary workbooks (.xlsb) are not read: save it as .xlsx")
    kind = _DECLARED_TYPES.get(mime) or next((kind for part, kind in _OFFICE_PARTS.items() if part in names), "")
    if kind:
        return kind
    return suffix if suffix in _NOT_TEXT or suffix in _DECLARED_TYPES.values() else ".zip"
