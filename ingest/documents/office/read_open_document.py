"""OpenDocument texts, presentations and spreadsheets (odt, odp, ods) as Markdown.

Read from `content.xml` (OASIS OpenDocument 1.3, part 3). Cells store the text they show, so no number has to be
formatted. Deleted text of tracked changes, hidden text, comments and tables of contents are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.office.odf_lists import Lists
from ingest.documents.office.package import (
    attribute,
    children,
    descendants,
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
# Children of a sheet's cell that are not its value.
_NOT_THE_VALUE = ("annotation", "frame", "custom-shape")
_SLIDE_FURNITURE = {"date-time", "footer", "page-number", "header"}
_TITLE_STYLES = {"Title"}
_LINK_SCHEMES = ("http://", "https://", "mailto:")
# A row or cell may declare up to a million repetitions, to fill the sheet. One with text is repeated this often.
_MOST_REPEATS = 1000
_MOST_CELLS = 3_000_000


def read_odt(data: bytes) -> list[Page]:
    """One page without a label. Raises ReadError for a protected file or a zip bomb, other errors for a damaged one."""
    document = _Document(data)
    return [Page("", join(document.blocks(document.body)))]


def read_odp(data: bytes) -> list[Page]:
    """One page for each slide, labelled 'slide 1', … Raises as `read_odt` does."""
    document = _Document(data)
    slides = children(document.body, "page")
    return [Page(f"slide {number}", join(document.slide(slide))) for number, slide in enumerate(slides, start=1)]


def read_ods(data: bytes) -> list[Page]:
    """One page for each sheet, labelled 'sheet NAME'; an empty sheet gives a blank page. Raises as `read_odt` does."""
    document, pages = _Document(data), []
    for sheet in children(document.body, "table"):
        name, boxes = attribute(sheet, "name"), list(children(sheet, "shapes"))
        # The frame of a chart is in the cell at its corner; the chart's table is written after that of the sheet.
        charts = [frame for frame in descendants(sheet, "frame") if any(children(frame, "object"))]
        for chart in charts:
            chart.getparent().remove(chart)
        grid, notes = document.grid_and_notes(sheet)
        blocks = [to_markdown(grid), note_lines(notes)]
        text = join([*blocks, *(block for box in boxes + charts for block in document.blocks(box))])
        pages.append(Page(f"sheet {name}", f"{heading(2, name)}\n\n{text}" if text else ""))
    return pages


@dataclass(frozen=True)
class _Context:
    """The lists around a block: their number, the counter of their items, whether the block begins an item."""

    depth: int = 0
    counter: Counter | None = None
    begins_item: bool = False
    in_cell: bool = False


_BODY, _IN_CELL = _Context(), _Context(in_cell=True)


@dataclass
class _Inline:
    """The text of a paragraph, and its frames and notes, which are written after it."""

    text: str = ""
    frames: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __add__(self, other: _Inline) -> _Inline:
        return _Inline(self.text + other.text, self.frames + other.frames, self.notes + other.notes)


class _Document:
    """One document with the styles, lists and objects that its text refers to."""

    def __init__(self, data: bytes) -> None:
        self._archive = open_package(data)
        if b"encryption-data" in self._archive.read("META-INF/manifest.xml"):
            raise ReadError("the file is protected by a password: save a copy without one")
        content = parse_xml(self._archive.read("content.xml"))
        styles_part = xml_part(self._archive, "styles.xml")
        roots = [content] if styles_part is None else [styles_part, content]
        styles = [style for root in roots for style in descendants(root, "style")]
        # Formatting a paragraph by hand makes an automatic style, which only refers to the named one.
        titles = {attribute(s, "name") for s in styles if attribute(s, "parent-style-name") in _TITLE_STYLES}
        self._title_styles = titles | _TITLE_STYLES
        self._hidden_styles = {
            attribute(style, "name")
            for style in styles
            if any(attribute(e, "display") == "none" for e in children(style, "text-properties"))
        }
        self._lists = Lists(roots)
        # The only child of the body: text, presentation or spreadsheet.
        self.body = next(iter(next(children(content, "body"))))

    def blocks(self, parent: Any, context: _Context = _BODY) -> Iterator[str]:
        """The Markdown blocks of the elements below `parent`, in order."""
        for element in parent:
            name = local_name(element)
            if name in {"h", "p"}:
                yield from self._paragraph(element, context)
                context = replace(context, begins_item=False)
            elif name == "list":
                counter = self._lists.counter(element, context.counter, context.depth)
                yield from self.blocks(element, replace(context, depth=context.depth + 1, counter=counter))
            elif name in {"list-item", "list-header"}:
                yield from self.blocks(element, replace(context, begins_item=name == "list-item"))
            elif name == "table":
                grid = self._grid(element)
                if context.in_cell:  # a table inside a cell becomes the text of that cell
                    yield " ".join(text for row in sorted(grid.rows) for _, text in sorted(grid.rows[row].items()))
                else:
                    yield to_markdown(grid)
            elif name == "object":
                yield from self._chart(attribute(element, "href"))
            elif name and name not in _UNSEEN and attribute(element, "display") != "none":
                yield from self.blocks(element, context)

    def _chart(self, target: str) -> Iterator[str]:
        """A chart as its title and the table of its values, which the package stores in the chart's folder."""
        root = xml_part(self._archive, f"{target.removeprefix('./').rstrip('/')}/content.xml")
        for chart in descendants(root, "chart"):
            for element in chart:
                if local_name(element) == "title":
                    yield from self.blocks(element)
                elif local_name(element) == "table":
                    rows = self._grid(element).rows
                    width = max((max(cells) for cells in rows.values() if cells), default=-1) + 1
                    full_rows = [[cells.get(column, "") for column in range(width)] for cells in rows.values()]
                    if len(rows) > 1:
                        yield markdown_table(full_rows)

    def _paragraph(self, element: Any, context: _Context) -> Iterator[str]:
        inline = self._inline(element)
        lines = [flat(line) for line in inline.text.split("\n")]
        text = "\n".join(line for line in lines if line)
        if text:
            yield self._block(element, text, context)
        for frame in inline.frames:
            yield from self.blocks(frame)
        yield from inline.notes

    def _block(self, element: Any, text: str, context: _Context) -> str:
        """The paragraph as a heading, a list item or plain text, with its number."""
        level = int(attribute(element, "outline-level", "1")) if local_name(element) == "h" else 0
        if not level and attribute(element, "style-name") in self._title_styles:
            return heading(1, text)
        counter, depth = context.counter if context.begins_item else None, context.depth - 1
        if counter is None and level and attribute(element, "is-list-header") != "true":
            counter, depth = self._lists.outline, level - 1
        is_counted = counter is not None and depth in counter.levels
        number = counter.next(depth) if counter is not None and is_counted else ""
        if level:
            return heading(level, f"{number} {text}")
        if counter is None or (is_counted and counter.levels[depth].is_bare):
            return paragraph(text)
        return f"{'  ' * depth}{number or '-'} {flat(text)}"

    def _inline(self, parent: Any) -> _Inline:
        """The text of an element and of what it contains, frames and notes apart."""
        inline = _Inline(parent.text or "")
        for element in parent:
            inline += self._inline_element(element)
            inline.text += element.tail or ""
        return inline

    def _inline_element(self, element: Any) -> _Inline:
        name = local_name(element)
        if name in {"s", "tab"}:
            return _Inline(" ")
        if name == "line-break":
            return _Inline("\n")
        if name == "note":
            citation = next(children(element, "note-citation"), None)
            mark = "" if citation is None else "".join(citation.itertext())
            blocks = (block for body in children(element, "note-body") for block in self.blocks(body))
            return _Inline(f"[{mark}]", notes=[f"[{mark}] " + " ".join(map(flat, blocks))])
        if name in {"frame", "custom-shape", "text-box"}:
            return _Inline(frames=[element])
        if name == "a":
            inline, target = self._inline(element), attribute(element, "href")
            text = inline.text
            if text.strip() and target.startswith(_LINK_SCHEMES) and target.removeprefix("mailto:") != text:
                inline.text = f"[{text}]({target})"
            return inline
        if name and name not in _UNSEEN and attribute(element, "style-name") not in self._hidden_styles:
            return self._inline(element)
        return _Inline()

    def slide(self, page: Any) -> Iterator[str]:
        """The Markdown blocks of a slide, its speaker notes last."""
        notes: list[str] = []
        for element in page:
            presentation_class = attribute(element, "class")
            if local_name(element) == "notes":
                for frame in element:
                    if attribute(frame, "class") == "notes":
                        notes += self.blocks(frame)
            elif presentation_class == "title":
                title = " ".join(flat(block) for block in self.blocks(element))
                if title:
                    yield heading(1, title)
            elif presentation_class not in _SLIDE_FURNITURE:
                yield from self.blocks([element])
        if notes:
            yield heading(3, "Notes")
            yield from notes

    def _grid(self, table: Any) -> Grid:
        """The cells of a table in a text, on a slide or of a chart."""
        return self._cells(table, notes_apart=False)[0].without_blank_rows()

    def grid_and_notes(self, sheet: Any) -> tuple[Grid, list[Note]]:
        """The cells of a sheet, and the notes and boxes on them. These are removed from the tree."""
        return self._cells(sheet, notes_apart=True)

    def _cells(self, table: Any, *, notes_apart: bool) -> tuple[Grid, list[Note]]:
        grid, notes, filled, row = Grid(), [], 0, 0
        for row_element in _rows(table):
            texts: list[tuple[int, str]] = []  # (column, text)
            column = 0
            for cell in children(row_element, "table-cell", "covered-table-cell"):
                if notes_apart:
                    notes += self._take_notes(cell, row, column)
                repeats = _count(cell, "number-columns-repeated")
                text = self._cell_text(cell) if local_name(cell) == "table-cell" else ""
                if text:
                    texts += [(column + step, text) for step in range(min(repeats, _MOST_REPEATS))]
                width, height = _count(cell, "number-columns-spanned"), _count(cell, "number-rows-spanned")
                if width > 1 or height > 1:
                    grid.spans.append(Span(row, column, row + height - 1, column + width - 1))
                column += repeats
            repeats = _count(row_element, "number-rows-repeated")
            written_rows = min(repeats, _MOST_REPEATS) if texts else 0
            for number in range(row, row + written_rows):
                for column, text in texts:
                    grid.put(number, column, text)
            filled += len(texts) * written_rows
            if filled > _MOST_CELLS:
                raise ReadError(f"the file has more than {_MOST_CELLS:,} cells with text: split it")
            row += repeats
        return grid, notes

    def _cell_text(self, cell: Any) -> str:
        return " ".join(flat(re.sub(r"^#+ ", "", block)) for block in self.blocks(cell, _IN_CELL))

    def _take_notes(self, cell: Any, row: int, column: int) -> list[Note]:
        """The notes and boxes of a cell, removed from it."""
        elements = list(children(cell, *_NOT_THE_VALUE))
        for element in elements:
            cell.remove(element)
        return [Note(row, column, " ".join(map(flat, self.blocks(element, _IN_CELL)))) for element in elements]


def _rows(parent: Any) -> Iterator[Any]:
    for element in parent:
        if local_name(element) == "table-row":
            yield element
        elif local_name(element) in {"table-header-rows", "table-rows", "table-row-group"}:
            yield from _rows(element)


def _count(element: Any, name: str) -> int:
    """How often an element repeats, or how many rows or columns it spans: at least 1."""
    return max(1, int(attribute(element, name, "1")))
