"""Web pages (HTML, MHT) as Markdown: what they say, not how one walks about in them. Knows nothing of files.

Beautiful Soup reads, markdownify writes; tables are ours, because theirs lose merged cells and nested tables.
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
_AROUND = (
    "nav, [role=navigation], [role=search], [role=menu], [role=menubar],"
    " [role=toolbar], [hidden], [aria-hidden=true], [style*='display:none'], [style*='display: none']"
)
# Names that templates give to what stands around the text, as classes or ids.
_AROUND_NAMES = re.compile(
    r"(?:main-?|site-?|global-?|page-?|top-?|side-?|left-?|right-?)?(?:nav|navbar|navigation|menu|sidebar|footer|toc)"
    r"|breadcrumbs?|navbox|nav-links|skip-link|cookie-?(?:banner|notice|consent)|noprint|mw-editsection|site-?header",
    re.IGNORECASE,
)
# Only these can be named so and stand around the text; a <main class="has-sidebar"> is the text.
_AROUND_TAGS = ("div", "ul", "ol", "aside", "section", "span", "table", "p", "a", "td")
_CONTENT = ("main", "[role=main]", "article")
# The chosen part must hold this much of the page's text, else it is one box of several.
_CONTENT_SHARE = 0.4
# What is taken for furniture by its name may hold at most this much of the page's text.
_FURNITURE_SHARE = 0.5
_LONGEST_LINK = 200
# Where a note leads back to what refers to it.
_BACK = re.compile(r"[↩↑⏎^]\ufe0e?")
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]{2,40})""", re.IGNORECASE)
_LARGEST_SPAN = 1000  # of a cell, as browsers have it, and of a table


def read_html(data: bytes) -> tuple[str, list[Page]]:
    """(title, one page)."""
    title, text = to_text(decode_html(data))
    return title, [Page("", text)]


def read_mht(data: bytes) -> tuple[str, list[Page]]:
    """A page saved with its pictures (RFC 2557): its first HTML part, with the others where it shows them in a frame.
    Raises ReadError when there is none."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    texts: list[str] = []
    frames: dict[str, str] = {}
    for part in message.walk():
        if part.get_content_type() in {"text/html", "application/xhtml+xml"}:
            payload = part.get_payload(decode=True)
            raw = payload if isinstance(payload, bytes) else b""
            name, place = str(part.get("Content-ID", "")).strip("<> "), str(part.get("Content-Location", "")).strip()
            html = decode_html(raw, part.get_content_charset() or "")
            # Chromium writes in full what led to another place on the same page.
            texts.append(html.replace(f'href="{escape(place)}#', 'href="#') if place else html)
            if len(texts) > 1:
                frames |= {f"cid:{name}": texts[-1], place: texts[-1]}
    if not texts:
        raise ReadError("the file is not a saved web page: it holds no HTML; open and save it again")
    title, text = to_text(texts[0], frames=frames)
    return title, [Page("", text)]


def decode_html(data: bytes, charset: str = "") -> str:
    """The page's characters: in the given character set, else the one the page declares, else a guess."""
    declared = _CHARSET.search(data[:4096])
    return decode(data, charset or (declared[1].decode("ascii", "replace") if declared else ""))


def to_text(html: str, *, whole: bool = False, frames: Mapping[str, str] | None = None) -> tuple[str, str]:
    """(title, Markdown). `whole` keeps what looks like a page's furniture: mails and books have none. `frames` are
    the pages that this one shows inside, by their address; none is fetched."""
    from bs4 import BeautifulSoup, Comment

    if "<" not in html:  # a text that was only said to be HTML
        return "", unescape(html)
    # A document that says it is XML is read as HTML all the same.
    soup = BeautifulSoup(re.sub(r"^\s*<\?xml[^>]*\?>", "", html), "lxml")
    title = flat(soup.title.get_text()) if soup.title else ""
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    _put_in_place(soup, dict(frames or {}))
    for element in soup.find_all([*_NOT_TEXT.split(), "head"]):
        element.extract()
    for frame in soup.find_all("table"):
        if _is_layout(frame):
            for element in [frame, *(e for e in frame.find_all(["tbody", "thead", "tfoot", "tr", "td", "th"])
                                     if e.find_parent("table") is frame)]:  # fmt: skip
                element.name = "div"
    body: Any = soup if whole else _content(soup)
    try:
        return title, str(_converter().convert_soup(body)).strip()
    except RecursionError:  # boxes in boxes, hundreds deep: the words are there, their order on the page is lost
        return title, "\n".join(body.stripped_strings)


def _put_in_place(soup: Any, frames: dict[str, str]) -> None:
    """Put what a page shows from elsewhere in itself where it shows it: pages in frames, each once, and the parts of
    components (`<template shadowrootmode>`; Chromium saves pages with the older `shadowmode`)."""
    from bs4 import BeautifulSoup

    while found := next((e for e in soup.find_all(["iframe", "frame"]) if _framed(e, frames)), None):
        inner = _framed(found, frames)
        for address in [address for address, html in frames.items() if html == inner]:
            del frames[address]
        page = BeautifulSoup(inner, "lxml")
        found.replace_with(page.body or page)
        found.attrs.clear()
    for template in soup.find_all("template"):
        if not (template.get("shadowrootmode") or template.get("shadowmode")) or template.parent is None:
            continue
        for slot in template.find_all("slot"):
            filled = [e for e in template.find_next_siblings() if e.get("slot", "") == slot.get("name", "")]
            if filled:  # else what the slot itself holds is shown
                slot.replace_with(*[element.extract() for element in filled])
        template.unwrap()


def _framed(frame: Any, frames: Mapping[str, str]) -> str:
    return str(frame.get("srcdoc") or frames.get((frame.get("src") or "").strip(), ""))


def _is_layout(table: Any) -> bool:
    """True for a table that only puts text in its place, as pages did before style sheets."""
    if table.find("table"):
        return True
    return max((len(row.find_all(["td", "th"], recursive=False)) for row in table.find_all("tr")), default=0) <= 1


def _content(soup: Any) -> Any:
    """What the page is about. A page that would have nothing left is taken whole."""
    most = _FURNITURE_SHARE * len(soup.get_text())
    # Taken out, not destroyed: what lies inside may still come up below.
    for element in soup.select(_AROUND):
        if len(element.get_text()) <= most:
            element.extract()
    for element in soup.select("header, footer, [role=banner], [role=contentinfo]"):
        if not element.find_parent(["main", "article", "section"]) and not element.find(["h1", "main", "article"]):
            element.extract()
    for element in soup.find_all(_AROUND_TAGS):
        names = [*element.get("class", []), element.get("id") or ""] if element.attrs else []
        if any(map(_AROUND_NAMES.fullmatch, names)) and len(element.get_text()) <= most:
            element.extract()
    left = len(soup.get_text(strip=True))
    for selector in _CONTENT:
        found = soup.select(selector)
        if len(found) == 1 and len(found[0].get_text(strip=True)) >= _CONTENT_SHARE * left:
            return found[0]
    return soup


@lru_cache(maxsize=1)
def _converter() -> Any:
    """The writer, made on first use because importing it takes a while."""
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """Plain tables, short links, no pictures. What is inside an element comes in as Markdown already."""

        def convert_a(self, element: Any, text: str, **_context: Any) -> str:
            target, title = (element.get("href") or "").strip(), flat(element.get("title") or "")
            kept = target and not target.lower().startswith(("javascript:", "data:", "#"))
            name = flat(text)
            if target.startswith("#") and _BACK.fullmatch(name):
                return ""
            if not kept or not name or len(target) > _LONGEST_LINK or target in {name, f"mailto:{name}"}:
                return text
            before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
            said = f' "{title}"' if title and '"' not in title else ""
            return f"{before}[{name}]({target}{said}){after}"

        def convert_sup(self, element: Any, text: str, **_context: Any) -> str:
            """A note's number stands in brackets, and a power is no further digit."""
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
            said = f"{flat(caption.get_text())}\n\n" if caption else ""
            return f"\n\n{said}{to_markdown(_grid(rows))}\n\n"

    return Converter(
        heading_style="atx", bullets="*", escape_asterisks=False, escape_underscores=False, escape_misc=False,
        table_infer_header=True, autolinks=False,
    )  # fmt: skip


def _grid(rows: list[Any]) -> Grid:
    """The table's cells, placed as a browser places them."""
    grid = Grid()
    blocked: dict[int, int] = {}  # column: the last row that a cell above reaches down to
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
    found = re.match(r"\s*(\d{1,5})", str(cell.get(name, "")))
    return max(1, min(int(found[1]), _LARGEST_SPAN)) if found else 1
