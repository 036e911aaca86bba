"""OpenDocument texts, slides and sheets (odt, odp, ods). Knows nothing of files.

Read from `content.xml` (OASIS OpenDocument 1.3, part 3). Cells hold what they show as text, so no number has to be
formatted. What was deleted under tracked changes, hidden text, comments and tables of contents are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.office.odf_lists import Lists
from ingest.documents.office.package import (
    attribute,
    local_name,
    open_package,
    parse_xml,
    xml_part,
)
from ingest.documents.sheets.sheet_notes import Note, note_lines
from ingest.documents.structure.markdown import flat, heading, join, markdown_table, paragraph
from ingest.documents.structure.numbering import Counter
from ingest.documents.structure.tables import Grid, Span, to_markdown

# Elements whose text a reader does not see.
_UNSEEN = frozenset(
    """tracked-changes annotation annotation-end table-of-content alphabetical-index bibliography illustration-index
    forms event-listeners sequence-decls variable-decls user-field-decls scripts shapes settings title desc
    ruby-text""".split()
)
# What a sheet's cell may hold beside its text.
_BESIDE = {"annotation", "frame", "custom-shape"}
_TITLE_STYLES = {"Title"}
_LINK_SCHEMES = ("http://", "https://", "mailto:")
# A row or cell may say how often it repeats: up to a million times, to fill the sheet. With text in it, this often.
_MOST_REPEATS = 1000
_MOST_CELLS = 3_000_000


def read_odt(data: bytes) -> list[Page]:
    """One page. Raises ReadError for a protected file or one made to explode."""
    document = _Document(data)
    return [Page("", join(document.blocks(document.body)))]


def read_odp(data: bytes) -> list[Page]:
    """One page a slide, labelled 'slide 1', …"""
    document = _Document(data)
    slides = [element for element in document.body if local_name(element) == "page"]
    return [Page(f"slide {number}", join(document.slide(slide))) for number, slide in enumerate(slides, start=1)]


def read_ods(data: bytes) -> list[Page]:
    """One page a sheet, labelled 'sheet NAME'."""
    document, pages = _Document(data), []
    for sheet in (element for element in document.body if local_name(element) == "table"):
        name, boxes = attribute(sheet, "name"), [element for element in sheet if local_name(element) == "shapes"]
        # A chart stands in the cell below its corner, where its table has no room.
        charts = [
            frame
            for frame in sheet.iter()
            if local_name(frame) == "frame" and any(local_name(e) == "object" for e in frame)
        ]
        for chart in charts:
            chart.getparent().remove(chart)
        notes: list[Note] = []
        table_text = to_markdown(document.grid(sheet, notes))
        text = join([table_text, note_lines(notes), *(text for box in boxes + charts for text in document.blocks(box))])
        pages.append(Page(f"sheet {name}", f"{heading(2, name)}\n\n{text}" if text else ""))
    return pages


@dataclass(frozen=True)
class _Place:
    """Where among lists a block stands: how many it is in, what counts their items, whether it begins an item."""

    depth: int = 0
    counter: Counter | None = None
    begins: bool = False
    in_cell: bool = False


_NOWHERE, _IN_CELL = _Place(), _Place(in_cell=True)


class _Document:
    """One document with the styles, lists and objects that its text refers to."""

    def __init__(self, data: bytes) -> None:
        self._archive = open_package(data)
        if b"encryption-data" in self._archive.read("META-INF/manifest.xml"):
            raise ReadError("the file is protected by a password: save a copy without one")
        root = parse_xml(self._archive.read("content.xml"))
        styles = xml_part(self._archive, "styles.xml")
        roots = [root] if styles is None else [styles, root]
        # A paragraph's own formatting makes a style without a name that only says which named one it comes from.
        found = [element for each in roots for element in each.iter() if local_name(element) == "style"]
        titles = {attribute(e, "name") for e in found if attribute(e, "parent-style-name") in _TITLE_STYLES}
        self._titles = titles | _TITLE_STYLES
        self._hidden = {
            attribute(style, "name")
            for style in found
            if any(local_name(e) == "text-properties" and attribute(e, "display") == "none" for e in style)
        }
        self._lists = Lists(roots)
        # The element below the body: text, presentation or spreadsheet.
        self.body = next(iter(next(child for child in root if local_name(child) == "body")))

    def blocks(self, parent: Any, place: _Place = _NOWHERE) -> Iterator[str]:
        """The Markdown of what is below an element, in order."""
        for element in parent:
            name = local_name(element)
            if name in {"h", "p"}:
                yield from self._paragraph(element, place)
                place = replace(place, begins=False)
            elif name == "list":
                counter = self._lists.counter(element, place.counter, place.depth)
                yield from self.blocks(element, replace(place, depth=place.depth + 1, counter=counter))
            elif name in {"list-item", "list-header"}:
                yield from self.blocks(element, replace(place, begins=name == "list-item"))
            elif name == "table":
                inner = self.grid(element).without_blank_rows()
                if place.in_cell:  # a table inside a cell is told cell by cell
                    yield " ".join(text for row in sorted(inner.rows) for _, text in sorted(inner.rows[row].items()))
                else:
                    yield to_markdown(inner)
            elif name == "object":
                yield from self._chart(attribute(element, "href"))
            elif name and name not in _UNSEEN and attribute(element, "display") != "none":
                yield from self.blocks(element, place)

    def _chart(self, target: str) -> Iterator[str]:
        """A chart as its title and the table it was drawn from, which the document keeps beside it."""
        root = xml_part(self._archive, f"{target.removeprefix('./').rstrip('/')}/content.xml")
        for chart in (e for e in root.iter() if local_name(e) == "chart") if root is not None else ():
            for element in chart:
                if local_name(element) == "title":
                    yield from self.blocks(element)
                elif local_name(element) == "table":
                    rows = self.grid(element).without_blank_rows().rows
                    width = max((max(cells) for cells in rows.values() if cells), default=-1) + 1
                    if len(rows) > 1:
                        yield markdown_table(
                            [[cells.get(column, "") for column in range(width)] for cells in rows.values()]
                        )

    def _paragraph(self, element: Any, place: _Place) -> Iterator[str]:
        boxes: list[Any] = []
        notes: list[str] = []
        lines = [flat(line) for line in self._said(element, boxes, notes).split("\n")]
        text = "\n".join(line for line in lines if line)
        if text:
            yield self._decorated(element, text, place)
        for box in boxes:
            yield from self.blocks(box)
        yield from notes

    def _decorated(self, element: Any, text: str, place: _Place) -> str:
        level = int(attribute(element, "outline-level", "1")) if local_name(element) == "h" else 0
        if not level and attribute(element, "style-name") in self._titles:
            return heading(1, text)
        counter, depth = place.counter if place.begins else None, place.depth - 1
        if counter is None and level and attribute(element, "is-list-header") != "true":
            counter, depth = self._lists.outline, level - 1
        shown = counter is not None and depth in counter.levels
        number = counter.next(depth) if counter is not None and shown else ""
        if level:
            return heading(level, f"{number} {text}")
        if counter is None or (shown and counter.levels[depth].is_bare):
            return paragraph(text)
        return f"{'  ' * depth}{number or '-'} {flat(text)}"

    def _said(self, parent: Any, boxes: list[Any], notes: list[str]) -> str:
        """The text of a paragraph. Frames in it are put aside, to follow after it, and so are its notes."""
        parts = [parent.text or ""]
        for element in parent:
            name = local_name(element)
            if name in {"s", "tab"}:
                parts.append(" ")
            elif name == "line-break":
                parts.append("\n")
            elif name == "note":
                citation = next((child for child in element if local_name(child) == "note-citation"), None)
                mark = "" if citation is None else "".join(citation.itertext())
                body = (block for child in element if local_name(child) == "note-body" for block in self.blocks(child))
                parts.append(f"[{mark}]")
                notes.append(f"[{mark}] " + " ".join(map(flat, body)))
            elif name in {"frame", "custom-shape", "text-box"}:
                boxes.append(element)
            elif name == "a":
                text, target = self._said(element, boxes, notes), attribute(element, "href")
                linked = text.strip() and target.startswith(_LINK_SCHEMES) and target.removeprefix("mailto:") != text
                parts.append(f"[{text}]({target})" if linked else text)
            elif name and name not in _UNSEEN and attribute(element, "style-name") not in self._hidden:
                parts.append(self._said(element, boxes, notes))
            parts.append(element.tail or "")
        return "".join(parts)

    def slide(self, page: Any) -> Iterator[str]:
        notes: list[str] = []
        for element in page:
            kind = attribute(element, "class")
            if local_name(element) == "notes":
                for frame in element:
                    if attribute(frame, "class") == "notes":
                        notes += self.blocks(frame)
            elif kind == "title":
                title = " ".join(flat(block) for block in self.blocks(element))
                if title:
                    yield heading(1, title)
            elif kind not in {"date-time", "footer", "page-number", "header"}:
                yield from self.blocks([element])
        if notes:
            yield heading(3, "Notes")
            yield from notes

    def _cell(self, cell: Any) -> str:
        return " ".join(flat(re.sub(r"^#+ ", "", block)) for block in self.blocks(cell, _IN_CELL))

    def _beside(self, cell: Any, row: int, column: int) -> list[Note]:
        """What a cell holds beside its text, taken out of it."""
        beside = [child for child in cell if local_name(child) in _BESIDE]
        for child in beside:
            cell.remove(child)
        return [Note(row, column, " ".join(map(flat, self.blocks(child, _IN_CELL)))) for child in beside]

    def grid(self, shown: Any, notes: list[Note] | None = None) -> Grid:
        """The cells of a table. `notes`, where given, takes what a sheet's cells have beside their text: notes and
        boxes, which stand in their cell's element."""
        grid, cells, row = Grid(), 0, 0
        for element in _rows(shown):
            column = 0
            said = []
            for cell in element:
                if local_name(cell) not in {"table-cell", "covered-table-cell"}:
                    continue
                if notes is not None:
                    notes += self._beside(cell, row, column)
                repeats = _number(cell, "number-columns-repeated")
                text = self._cell(cell) if local_name(cell) == "table-cell" else ""
                if text:
                    said += [(at, text) for at in range(column, column + min(repeats, _MOST_REPEATS))]
                width, height = _number(cell, "number-columns-spanned"), _number(cell, "number-rows-spanned")
                if width > 1 or height > 1:
                    grid.spans.append(Span(row, column, row + height - 1, column + width - 1))
                column += repeats
            repeats = _number(element, "number-rows-repeated")
            for number in range(row, row + min(repeats, _MOST_REPEATS) if said else row):
                for at, text in said:
                    grid.put(number, at, text)
            cells += len(said) * min(repeats, _MOST_REPEATS)
            if cells > _MOST_CELLS:
                raise ReadError(f"the file has more than {_MOST_CELLS:,} cells with text: split it")
            row += repeats
        return grid


def _rows(parent: Any) -> Iterator[Any]:
    for element in parent:
        if local_name(element) == "table-row":
            yield element
        elif local_name(element) in {"table-header-rows", "table-rows", "table-row-group"}:
            yield from _rows(element)


def _number(element: Any, name: str) -> int:
    return max(1, int(attribute(element, name, "1")))
