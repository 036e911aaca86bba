"""Web pages (HTML, MHT) as Markdown: their content without menus and other navigation.

Beautiful Soup parses and markdownify writes; tables are written here, because markdownify loses merged cells and
nested tables.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Mapping
from functools import lru_cache
from html import escape, unescape
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.structure.markdown import flat
from ingest.documents.structure.tables import Grid, Span, to_markdown
from ingest.documents.text.read_text import decode

_NOT_TEXT = (
    "script style noscript template svg canvas iframe object embed button select input textarea datalist map rt rp"
)
_NAVIGATION = (
    "nav, [role=navigation], [role=search], [role=menu], [role=menubar],"
    " [role=toolbar], [hidden], [aria-hidden=true], [style*='display:none'], [style*='display: none']"
)
# Classes and ids that templates give to the elements around the content.
_NAVIGATION_NAMES = re.compile(
    r"(?:main-?|site-?|global-?|page-?|top-?|side-?|left-?|right-?)?(?:nav|navbar|navigation|menu|sidebar|footer|toc)"
    r"|breadcrumbs?|navbox|nav-links|skip-link|cookie-?(?:banner|notice|consent)|noprint|mw-editsection|site-?header",
    re.IGNORECASE,
)
# Only these elements are left out by name; a <main class="sidebar"> is content.
_NAVIGATION_TAGS = ("div", "ul", "ol", "aside", "section", "span", "table", "p", "a", "td")
_CONTENT = ("main", "[role=main]", "article")
# The element taken for the content holds at least this share of the page's text; else it is one of several boxes.
_CONTENT_SHARE = 0.4
# An element taken for navigation holds at most this share of the page's text.
_NAVIGATION_SHARE = 0.5
_LONGEST_LINK = 200
# The link from a note back to its reference.
_BACK_LINK = re.compile(r"[↩↑⏎^]\ufe0e?")
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]{2,40})""", re.IGNORECASE)
_LARGEST_SPAN = 1000  # columns or rows of a cell, as in browsers, and columns of a table


def read_html(data: bytes) -> tuple[str, list[Page]]:
    """(title, one page)."""
    title, text = to_text(decode_html(data))
    return title, [Page("", text)]


def read_mht(data: bytes) -> tuple[str, list[Page]]:
    """(title, one page) of a web page saved with its parts (RFC 2557): the first HTML part, with others in its frames.

    Raises ReadError when there is no HTML part.
    """
    message = email.message_from_bytes(data, policy=email.policy.default)
    texts: list[str] = []
    frames: dict[str, str] = {}
    for part in message.walk():
        if part.get_content_type() in {"text/html", "application/xhtml+xml"}:
            payload = part.get_payload(decode=True)
            data_of_part = payload if isinstance(payload, bytes) else b""
            name, location = str(part.get("Content-ID", "")).strip("<> "), str(part.get("Content-Location", "")).strip()
            html = decode_html(data_of_part, part.get_content_charset() or "")
            # Chromium writes links to another place on the same page with the full address.
            texts.append(html.replace(f'href="{escape(location)}#', 'href="#') if location else html)
            if len(texts) > 1:
                frames |= {f"cid:{name}": texts[-1], location: texts[-1]}
    if not texts:
        raise ReadError("the file is not a saved web page: it holds no HTML; open and save it again")
    title, text = to_text(texts[0], frames=frames)
    return title, [Page("", text)]


def decode_html(data: bytes, charset: str = "") -> str:
    """Decode a page: by the given character set, else by the one that the page declares, else by a guessed one."""
    declared = _CHARSET.search(data[:4096])
    return decode(data, charset or (declared[1].decode("ascii", "replace") if declared else ""))


def to_text(html: str, *, whole: bool = False, frames: Mapping[str, str] | None = None) -> tuple[str, str]:
    """(title, Markdown). `whole` keeps elements that look like navigation: mails and books have no navigation.

    `frames` are the pages shown in frames of this one, by their address; no frame is fetched.
    """
    from bs4 import BeautifulSoup, Comment

    if "<" not in html:  # plain text that was declared to be HTML
        return "", unescape(html)
    # XHTML is parsed as HTML too.
    soup = BeautifulSoup(re.sub(r"^\s*<\?xml[^>]*\?>", "", html), "lxml")
    title = flat(soup.title.get_text()) if soup.title else ""
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    _insert_frames(soup, dict(frames or {}))
    for element in soup.find_all([*_NOT_TEXT.split(), "head"]):
        element.extract()
    for table in soup.find_all("table"):
        if _is_layout(table):
            for element in [table, *(e for e in table.find_all(["tbody", "thead", "tfoot", "tr", "td", "th"])
                                     if e.find_parent("table") is table)]:  # fmt: skip
                element.name = "div"
    body: Any = soup if whole else _content(soup)
    try:
        return title, str(_converter().convert_soup(body)).strip()
    except RecursionError:  # elements nested hundreds deep: the words are kept, their layout is lost
        return title, "\n".join(body.stripped_strings)


def _insert_frames(soup: Any, frames: dict[str, str]) -> None:
    """Replace frames by the pages they show, each page once, and templates of components by their content.

    Changes `soup`, and takes the pages it inserts out of `frames`. The templates are `<template shadowrootmode>`, or
    `shadowmode` in pages saved by older versions of Chromium.
    """
    from bs4 import BeautifulSoup

    while frame := next((e for e in soup.find_all(["iframe", "frame"]) if _framed(e, frames)), None):
        inner = _framed(frame, frames)
        for address in [address for address, html in frames.items() if html == inner]:
            del frames[address]
        page = BeautifulSoup(inner, "lxml")
        frame.replace_with(page.body or page)
        frame.attrs.clear()
    for template in soup.find_all("template"):
        if not (template.get("shadowrootmode") or template.get("shadowmode")) or template.parent is None:
            continue
        for slot in template.find_all("slot"):
            filled = [e for e in template.find_next_siblings() if e.get("slot", "") == slot.get("name", "")]
            if filled:  # else the slot shows its own content
                slot.replace_with(*[element.extract() for element in filled])
        template.unwrap()


def _framed(frame: Any, frames: Mapping[str, str]) -> str:
    """The HTML that a frame shows; '' when the file does not contain it."""
    return str(frame.get("srcdoc") or frames.get((frame.get("src") or "").strip(), ""))


def _is_layout(table: Any) -> bool:
    """True for a table that only arranges text on the page, as was common before style sheets."""
    if table.find("table"):
        return True
    return max((len(row.find_all(["td", "th"], recursive=False)) for row in table.find_all("tr")), default=0) <= 1


def _content(soup: Any) -> Any:
    """The element with the page's content, after removing navigation; the page when no element has enough text."""
    most = _NAVIGATION_SHARE * len(soup.get_text())
    # Extracted, not destroyed: elements inside may still be visited below.
    for element in soup.select(_NAVIGATION):
        if len(element.get_text()) <= most:
            element.extract()
    for element in soup.select("header, footer, [role=banner], [role=contentinfo]"):
        if not element.find_parent(["main", "article", "section"]) and not element.find(["h1", "main", "article"]):
            element.extract()
    for element in soup.find_all(_NAVIGATION_TAGS):
        names = [*element.get("class", []), element.get("id") or ""] if element.attrs else []
        if any(map(_NAVIGATION_NAMES.fullmatch, names)) and len(element.get_text()) <= most:
            element.extract()
    characters = len(soup.get_text(strip=True))
    for selector in _CONTENT:
        elements = soup.select(selector)
        if len(elements) == 1 and len(elements[0].get_text(strip=True)) >= _CONTENT_SHARE * characters:
            return elements[0]
    return soup


@lru_cache(maxsize=1)
def _converter() -> Any:
    """The Markdown writer, made on first use because importing markdownify takes time."""
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """Plain tables, short links, no pictures. `text` is the content of an element, already in Markdown."""

        def convert_a(self, element: Any, text: str, **_context: Any) -> str:
            target, title = (element.get("href") or "").strip(), flat(element.get("title") or "")
            is_address = target and not target.lower().startswith(("javascript:", "data:", "#"))
            name = flat(text)
            if target.startswith("#") and _BACK_LINK.fullmatch(name):
                return ""
            if not is_address or not name or len(target) > _LONGEST_LINK or target in {name, f"mailto:{name}"}:
                return text
            before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
            quoted_title = f' "{title}"' if title and '"' not in title else ""
            return f"{before}[{name}]({target}{quoted_title}){after}"

        def convert_sup(self, element: Any, text: str, **_context: Any) -> str:
            """A note's number gets brackets and a power the sign ^; without them it would read as part of the text."""
            link = element.find_parent("a") or element.find("a")
            if link is not None and (link.get("href") or "").startswith("#") and re.fullmatch(r"\d{1,3}|[*†‡]", text):
                return f"[{text}]"
            before = element.previous_sibling
            is_power = isinstance(before, str) and before[-1:].isdigit() and re.match(r"[-−+]?\d", text)
            return f"^{text}" if is_power else text

        def convert_img(self, element: Any, _text: str, **_context: Any) -> str:
            return flat(element.get("alt") or "")

        def convert_td(self, element: Any, text: str, **_context: Any) -> str:
            element["data-markdown"] = flat(text)
            return ""

        convert_th = convert_td

        def convert_tr(self, _element: Any, _text: str, **_context: Any) -> str:
            return ""

        def convert_caption(self, _element: Any, _text: str, **_context: Any) -> str:
            return ""

        def convert_table(self, element: Any, _text: str, **_context: Any) -> str:
            rows = [row.find_all(["td", "th"], recursive=False) for row in element.find_all("tr")]
            caption = element.find("caption")
            title = f"{flat(caption.get_text())}\n\n" if caption else ""
            return f"\n\n{title}{to_markdown(_grid(rows))}\n\n"

    return Converter(
        heading_style="atx", bullets="*", escape_asterisks=False, escape_underscores=False, escape_misc=False,
        table_infer_header=True, autolinks=False,
    )  # fmt: skip


def _grid(rows: list[Any]) -> Grid:
    """The table's cells, at the rows and columns where a browser shows them."""
    grid = Grid()
    blocked: dict[int, int] = {}  # column: the last row that a cell from above reaches
    for number, cells in enumerate(rows):
        column = 0
        for cell in cells:
            while blocked.get(column, -1) >= number:
                column += 1
            width, height = _span(cell, "colspan"), min(_span(cell, "rowspan"), len(rows) - number)
            if column + width > _LARGEST_SPAN:
                break
            grid.put(number, column, str(cell.get("data-markdown", "")))
            if width > 1 or height > 1:
                grid.spans.append(Span(number, column, number + height - 1, column + width - 1))
            if height > 1:
                blocked.update(dict.fromkeys(range(column, column + width), number + height - 1))
            column += width
    return grid.without_blank_rows()


def _span(cell: Any, name: str) -> int:
    number = re.match(r"\s*(\d{1,5})", str(cell.get(name, "")))
    return max(1, min(int(number[1]), _LARGEST_SPAN)) if number else 1
