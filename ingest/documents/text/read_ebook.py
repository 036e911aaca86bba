"""E-books (EPUB) as Markdown, a page for each chapter in reading order.

The container names a package, and the package its chapters and their order, the spine (EPUB 3.3, sections 5 and 6).
"""

from __future__ import annotations

import posixpath
import zipfile
from typing import Any
from urllib.parse import unquote

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.office.package import attribute, local_name, open_package, parse_xml, xml_part
from ingest.documents.structure.markdown import flat
from ingest.documents.text.read_html import decode_html, to_text

_METADATA = (("creator", "Authors"), ("publisher", "Publisher"), ("date", "Date"), ("description", "Description"))
_TEXT = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml"}
# Fonts are encrypted in books without protection too; a book is protected when its text is encrypted.
_FONTS = (".otf", ".ttf", ".woff", ".woff2")


def read_epub(data: bytes) -> tuple[str, list[Page]]:
    """(title, a page of metadata and one for each chapter). Raises ReadError when the book is protected."""
    archive = open_package(data)
    _refuse_protected(archive)
    container = parse_xml(archive.read("META-INF/container.xml"))
    package = next(attribute(element, "full-path") for element in container.iter() if local_name(element) == "rootfile")
    root = parse_xml(archive.read(package))
    items = {attribute(e, "id"): e for e in root.iter() if local_name(e) == "item"}
    order = [items.get(attribute(e, "idref")) for e in root.iter() if local_name(e) == "itemref"]
    title, description = _metadata(root)
    pages = [Page("", description)]
    for item in order:
        if item is None or attribute(item, "media-type") not in _TEXT or "nav" in attribute(item, "properties").split():
            continue
        target = unquote(attribute(item, "href")).partition("#")[0]
        name = posixpath.normpath(posixpath.join(posixpath.dirname(package), target))
        if name in archive.namelist():
            pages.append(Page("", to_text(decode_html(archive.read(name)), whole=True)[1]))
    return title, pages


def _refuse_protected(archive: zipfile.ZipFile) -> None:
    encryption = xml_part(archive, "META-INF/encryption.xml")
    for element in encryption.iter() if encryption is not None else ():
        target = attribute(element, "URI").lower() if local_name(element) == "CipherReference" else ""
        if target and not target.endswith(_FONTS):
            raise ReadError("the book is protected against copying: get a copy without protection")


def _metadata(root: Any) -> tuple[str, str]:
    """(title, the lines of metadata)."""
    metadata = [(local_name(e), flat(to_text(e.text or "")[1])) for e in root.iter() if e.text and e.text.strip()]
    title = next((text for name, text in metadata if name == "title"), "")
    lines = [f"**Title:** {title}"] if title else []
    for element, label in _METADATA:
        values = [text for name, text in metadata if name == element and text]
        if values:
            lines.append(f"**{label}:** {', '.join(values)}")
    return title, "\n".join(lines)
