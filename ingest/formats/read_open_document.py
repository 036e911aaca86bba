"""OpenDocument texts, slides and sheets (odt, odp, ods). Knows nothing of files.

Read from `content.xml` (OASIS OpenDocument 1.3, part 3). Cells hold what they show as text, so no number has to be
formatted. What was deleted under tracked changes, comments and tables of contents are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.errors import ReadError
from ingest.formats.markdown import flat, heading, join, paragraph
from ingest.formats.package import attribute, local, open_package, parse_xml
from ingest.formats.tables import Grid, Span, to_markdown
from ingest.types import Page

# Elements whose text a reader does not see.
_UNSEEN = frozenset(
    """tracked-changes annotation annotation-end table-of-content alphabetical-index bibliography illustration-index
    forms event-listeners sequence-decls variable-decls user-field-decls scripts shapes settings""".split()
)
_TITLE_STYLES = {"Title"}
_LINK_SCHEMES = ("http://", "https://", "mailto:")
# A row or cell may say how often it repeats: up to a million times, to fill the sheet. With text in it, this often.
_MOST_REPEATS = 1000
_MOST_CELLS = 3_000_000


def read_odt(data: bytes) -> list[Page]:
    """One page. Raises ReadError for a protected file or one made to explode."""
    return [Page("", join(_blocks(_content(data))))]


def read_odp(data: bytes) -> list[Page]:
    """One page a slide, labelled 'slide 1', …"""
    slides = [element for element in _content(data) if local(element) == "page"]
    return [Page(f"slide {number}", join(_slide(slide))) for number, slide in enumerate(slides, start=1)]


def read_ods(data: bytes) -> list[Page]:
    """One page a sheet, labelled 'sheet NAME'."""
    pages = []
    for sheet in (element for element in _content(data) if local(element) == "table"):
        name, body = attribute(sheet, "name"), to_markdown(_grid(sheet))
        pages.append(Page(f"sheet {name}", f"{heading(2, name)}\n\n{body}" if body else ""))
    return pages


def _content(data: bytes) -> Any:
    """The element below the body: text, presentation or spreadsheet."""
    archive = open_package(data)
    if b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise ReadError("the file is protected by a password: save a copy without one")
    root = parse_xml(archive.read("content.xml"))
    # A paragraph's own formatting makes a style without a name that only says which named one it comes from.
    titles = {attribute(e, "name") for e in root.iter() if attribute(e, "parent-style-name") in _TITLE_STYLES}
    for element in root.iter():
        if local(element) == "p" and attribute(element, "style-name") in titles | _TITLE_STYLES:
            element.tag = element.tag.removesuffix("p") + "h"
    return next(iter(next(child for child in root if local(child) == "body")))


def _blocks(parent: Any, depth: int = 0) -> Iterator[str]:
    """The Markdown of what is below an element, in order. `depth` is how many lists it is in."""
    for element in parent:
        name = local(element)
        if name == "h":
            yield from _paragraph(element, int(attribute(element, "outline-level", "1")), depth)
        elif name == "p":
            yield from _paragraph(element, 0, depth)
        elif name == "list":
            yield from _blocks(element, depth + 1)
        elif name == "table":
            yield to_markdown(_grid(element).without_blank_rows())
        elif name and name not in _UNSEEN:
            yield from _blocks(element, depth)


def _paragraph(element: Any, level: int, depth: int) -> Iterator[str]:
    boxes: list[Any] = []
    notes: list[str] = []
    lines = [flat(line) for line in _said(element, boxes, notes).split("\n")]
    text = "\n".join(line for line in lines if line)
    if text and level:
        yield heading(level, text)
    elif text:
        yield f"{'  ' * (depth - 1)}- {flat(text)}" if depth else paragraph(text)
    for box in boxes:
        yield from _blocks(box)
    yield from notes


def _said(parent: Any, boxes: list[Any], notes: list[str]) -> str:
    """The text of a paragraph. Frames in it are put aside, to follow after it, and so are its notes."""
    parts = [parent.text or ""]
    for element in parent:
        name = local(element)
        if name in {"s", "tab"}:
            parts.append(" ")
        elif name == "line-break":
            parts.append("\n")
        elif name == "note":
            citation = next((child for child in element if local(child) == "note-citation"), None)
            mark = "" if citation is None else "".join(citation.itertext())
            body = (block for child in element if local(child) == "note-body" for block in _blocks(child))
            parts.append(f"[{mark}]")
            notes.append(f"[{mark}] " + " ".join(map(flat, body)))
        elif name in {"frame", "custom-shape", "text-box"}:
            boxes.append(element)
        elif name == "a":
            text, target = _said(element, boxes, notes), attribute(element, "href")
            linked = text.strip() and target.startswith(_LINK_SCHEMES) and target.removeprefix("mailto:") != text
            parts.append(f"[{text}]({target})" if linked else text)
        elif name and name not in _UNSEEN:
            parts.append(_said(element, boxes, notes))
        parts.append(element.tail or "")
    return "".join(parts)


def _slide(page: Any) -> Iterator[str]:
    notes: list[str] = []
    for element in page:
        kind = attribute(element, "class")
        if local(element) == "notes":
            for frame in element:
                if attribute(frame, "class") == "notes":
                    notes += _blocks(frame)
        elif kind == "title":
            title = " ".join(flat(block) for block in _blocks(element))
            if title:
                yield heading(1, title)
        elif kind not in {"date-time", "footer", "page-number", "header"}:
            yield from _blocks([element])
    if notes:
        yield heading(3, "Notes")
        yield from notes


def _grid(table: Any) -> Grid:
    grid, cells, row = Grid(), 0, 0
    for element in _rows(table):
        column = 0
        shown = []
        for cell in element:
            if local(cell) not in {"table-cell", "covered-table-cell"}:
                continue
            repeats = _number(cell, "number-columns-repeated")
            text = " ".join(flat(block) for block in _blocks(cell)) if local(cell) == "table-cell" else ""
            if text:
                shown += [(at, text) for at in range(column, column + min(repeats, _MOST_REPEATS))]
            width, height = _number(cell, "number-columns-spanned"), _number(cell, "number-rows-spanned")
            if width > 1 or height > 1:
                grid.spans.append(Span(row, column, row + height - 1, column + width - 1))
            column += repeats
        repeats = _number(element, "number-rows-repeated")
        for number in range(row, row + min(repeats, _MOST_REPEATS) if shown else row):
            for at, text in shown:
                grid.put(number, at, text)
        cells += len(shown) * min(repeats, _MOST_REPEATS)
        if cells > _MOST_CELLS:
            raise ReadError(f"the file has more than {_MOST_CELLS:,} cells with text: split it")
        row += repeats
    return grid


def _rows(parent: Any) -> Iterator[Any]:
    for element in parent:
        if local(element) == "table-row":
            yield element
        elif local(element) in {"table-header-rows", "table-rows", "table-row-group"}:
            yield from _rows(element)


def _number(element: Any, name: str) -> int:
    return max(1, int(attribute(element, name, "1")))
