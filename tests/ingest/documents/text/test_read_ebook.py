"""E-books become Markdown in reading order."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.base.errors import ReadError
from ingest.documents.text.read_ebook import read_epub

PACKAGE = (
    '<package xmlns:dc="urn:dc"><metadata><dc:title>Guide &amp; rules</dc:title><dc:creator>Ann</dc:creator>'
    "<dc:creator>Bob</dc:creator><dc:description>&lt;p&gt;For all&lt;/p&gt;</dc:description></metadata><manifest>"
    '<item id="one" href="text/one%20a.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="two" href="two.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    '<item id="pic" href="a.png" media-type="image/png"/></manifest>'
    '<spine><itemref idref="nav"/><itemref idref="two"/><itemref idref="pic"/><itemref idref="one"/></spine></package>'
)


def book(**more: str) -> bytes:
    parts = {
        "META-INF/container.xml": '<container><rootfile full-path="OEBPS/book.opf"/></container>',
        "OEBPS/book.opf": PACKAGE,
        "OEBPS/text/one a.xhtml": "<?xml version='1.0'?><html><title>x</title><h1>第一章</h1><p>One</p></html>",
        "OEBPS/two.xhtml": "<html><body><header><h2>Preface</h2></header><ul><li>a</li></ul></body></html>",
        "OEBPS/nav.xhtml": "<html><body><nav>Contents</nav></body></html>",
    }  # fmt: skip
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**parts, **more}.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def test_chapters() -> None:
    """Title and author come first; chapters follow in the order of the spine, without the table of contents."""
    title, pages = read_epub(book())
    assert title == "Guide & rules"
    assert [page.text for page in pages] == [
        "**Title:** Guide & rules\n**Authors:** Ann, Bob\n**Description:** For all",
        "## Preface\n\n* a",
        "# 第一章\n\nOne",
    ]


def test_protected() -> None:
    """A book with encrypted text is refused as protected; encrypted fonts are no protection."""
    encryption = '<encryption><EncryptedData><CipherReference URI="OEBPS/{}"/></EncryptedData></encryption>'
    assert read_epub(book(**{"META-INF__encryption.xml": encryption.format("a.ttf")}))[0]
    with pytest.raises(ReadError, match="protected against copying"):
        read_epub(book(**{"META-INF__encryption.xml": encryption.format("two.xhtml")}))
