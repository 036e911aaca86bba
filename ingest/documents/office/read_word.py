"""Word documents (docx) as Markdown: headings, numbers, lists, tables, notes, text boxes, links.

They are read from their XML (ECMA-376 part 1, 17), because existing converters lose automatic numbers and headings made
by outline level, which people cite, and take twelve times as long. Deleted text of tracked changes, hidden text,
comments, tables of contents, page headers and footers are left out.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.base.types import Page
from ingest.documents.office.equations import equation
from ingest.documents.office.package import attribute, children, local_name, open_package, parse_xml, xml_part
from ingest.documents.office.word_lists import list_counters
from ingest.documents.structure.markdown import flat, heading, join, paragraph
from ingest.documents.structure.numbering import Level
from ingest.documents.structure.tables import Grid, Span, to_markdown

_STRICT = (b"http://purl.oclc.org/ooxml/", b"http://schemas.openxmlformats.org/")
_OFFICE_DOCUMENT = re.compile(r"/officeDocument$")
# Elements whose text a reader does not see: field codes, tracked deletions, comments, page headers and footers.
_UNSEEN = frozenset("del moveFrom instrText delText delInstrText rPr pPr sectPr Fallback annotationRef rt".split())
_CHARACTERS = {"tab": " ", "ptab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_LINK_SCHEMES = ("http://", "https://", "mailto:")
# Picture descriptions that a program wrote: file names and Word's own guesses.
_MACHINE_ALT = re.compile(
    r"^\S*\.(?:png|jpe?g|gif|bmp|emf|wmf)$"
    r"|\s*(?:Description automatically generated.*|AI-generated content may be incorrect\.?)$"
)
_OUTLINE_LEVELS = 9
_DEFAULT_LEVEL = Level()
_MOST_COLUMNS = 64  # Word allows 63


def read_docx(data: bytes) -> list[Page]:
    """One page without a label. Raises ReadError for a zip bomb or XML entities, other errors for a damaged file."""
    archive = open_package(data)
    document = _Document(archive)
    return [Page("", join(document.blocks(document.body)))]


@dataclass
class _Style:
    name: str = ""
    based_on: str = ""
    level: int | None = None
    numbering: tuple[str, int] | None = None


@dataclass
class _Inline:
    """The fragments of a paragraph's text, and its text boxes and notes, which are written after it."""

    fragments: list[str] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.fragments)

    def __iadd__(self, other: _Inline) -> _Inline:
        self.fragments += other.fragments
        self.boxes += other.boxes
        self.notes += other.notes
        return self


class _Document:
    """One docx with the parts that its text refers to."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        package_relations = xml_part(archive, "_rels/.rels")
        main = "word/document.xml"
        for relation in package_relations if package_relations is not None else ():
            if _OFFICE_DOCUMENT.search(attribute(relation, "Type")):
                main = attribute(relation, "Target").lstrip("/")
        self._archive = archive
        self._folder, name = posixpath.split(main)
        self.body = next(children(self._parsed(main), "body"))
        relations_part = xml_part(archive, f"{self._folder}/_rels/{name}.rels")
        relations = [] if relations_part is None else list(relations_part)
        self._targets = {attribute(relation, "Id"): attribute(relation, "Target") for relation in relations}
        by_type = {attribute(r, "Type").rpartition("/")[2]: attribute(r, "Target") for r in relations}
        self._styles = dict(_styles(self._sibling(by_type.get("styles", ""))))
        self._counters = dict(list_counters(self._sibling(by_type.get("numbering", ""))))
        self._notes: dict[tuple[str, str], Any] = {
            (kind, attribute(note, "id")): note
            for kind in ("footnote", "endnote")
            for note in children(self._sibling(by_type.get(f"{kind}s", "")), kind)
            if attribute(note, "type") in {"", "normal"}
        }
        self._note_numbers: dict[tuple[str, str], int] = {}

    def _parsed(self, name: str) -> Any:
        return parse_xml(self._archive.read(name).replace(*_STRICT))

    def _sibling(self, target: str) -> Any:
        """The root element of a part that the document refers to; () when there is none."""
        name = posixpath.normpath(posixpath.join("/", self._folder, target)).lstrip("/")
        return self._parsed(name) if target and name in self._archive.namelist() else ()

    def blocks(self, parent: Any) -> Iterator[str]:
        """The Markdown of each paragraph and table below an element, in order."""
        for element in parent:
            name = local_name(element)
            if name == "p":
                yield from self._paragraph(element)
            elif name == "tbl":
                yield from self._table(element)
            elif name not in _UNSEEN:
                yield from self.blocks(element)

    def _cell_blocks(self, cell: Any) -> Iterator[str]:
        """The paragraphs of a table cell, including those of tables inside it."""
        for element in cell:
            if local_name(element) == "p":
                yield from self._paragraph(element)
            elif local_name(element) not in _UNSEEN:
                yield from self._cell_blocks(element)

    def _paragraph(self, element: Any) -> Iterator[str]:
        properties = {local_name(child): child for child in next(children(element, "pPr"), ())}
        style_id = attribute(properties["pStyle"], "val") if "pStyle" in properties else ""
        inline = self._inline(element)
        lines = [flat(line) for line in inline.text.split("\n")]
        text = "\n".join(line for line in lines if line)
        styles = list(self._style_chain(style_id))
        if text and not any(style.name.startswith("toc ") or style.name == "table of figures" for style in styles):
            yield self._block(text, properties, styles)
        for box in inline.boxes:
            yield from self.blocks(box)
        yield from inline.notes

    def _block(self, text: str, properties: dict[str, Any], styles: list[_Style]) -> str:
        """The paragraph as a heading, a list item or plain text, with its number."""
        level = int(attribute(properties["outlineLvl"], "val", "9")) if "outlineLvl" in properties else None
        if level is None:
            level = next((style.level for style in styles if style.level is not None), _OUTLINE_LEVELS)
        numbering = _numbering_of(properties.get("numPr"))
        if numbering is None:
            numbering = next((style.numbering for style in styles if style.numbering), None)
        counter = self._counters.get(numbering[0]) if numbering else None
        number = counter.next(numbering[1]) if counter and numbering else ""
        if level < _OUTLINE_LEVELS:
            return heading(level + 1, f"{number} {text}")
        if counter is None or numbering is None or counter.levels.get(numbering[1], _DEFAULT_LEVEL).is_bare:
            return paragraph(text)
        return f"{'  ' * numbering[1]}{number or '-'} {flat(text)}"

    def _style_chain(self, style_id: str) -> Iterator[_Style]:
        """The style and those it is based on, nearest first."""
        seen: set[str] = set()
        while style_id in self._styles and style_id not in seen:
            seen.add(style_id)
            yield self._styles[style_id]
            style_id = self._styles[style_id].based_on

    def _inline(self, parent: Any, preceding: str = "") -> _Inline:
        """The text of an element and of what it contains. `preceding` is the fragment before it in its paragraph."""
        inline = _Inline()
        for element in parent:
            name = local_name(element)
            if name == "t":
                inline.fragments.append(element.text or "")
            elif name in _CHARACTERS:
                inline.fragments.append(_CHARACTERS[name])
            elif name not in _UNSEEN:
                inline += self._inline_element(element, inline.fragments[-1] if inline.fragments else preceding)
        return inline

    def _inline_element(self, element: Any, preceding: str) -> _Inline:
        name = local_name(element)
        if name in {"footnoteReference", "endnoteReference"}:
            return self._note(name.removesuffix("Reference"), attribute(element, "id"))
        if name == "hyperlink":
            return self._link(element, preceding)
        if name == "oMath":
            return _Inline([equation(element)])
        if name == "txbxContent":
            return _Inline(boxes=[element])
        if name == "docPr":
            return _Inline([_MACHINE_ALT.sub("", attribute(element, "descr"))])
        if name == "r" and _is_hidden(element):
            return _Inline()
        inline = self._inline(element, preceding)
        is_power = name == "r" and _is_superscript(element) and preceding[-1:].isdigit() and inline.text[:1].isdigit()
        if is_power:  # 10² is not 102
            inline.fragments.insert(0, "^")
        return inline

    def _link(self, element: Any, preceding: str) -> _Inline:
        inline = self._inline(element, preceding)
        text, target = inline.text, self._targets.get(attribute(element, "id"), "")
        if text.strip() and target.startswith(_LINK_SCHEMES) and target.removeprefix("mailto:") != text.strip():
            inline.fragments = [f"[{text}]({target})"]
        return inline

    def _note(self, kind: str, note_id: str) -> _Inline:
        """The mark of a footnote or endnote, and its text where it is first referred to."""
        note = self._notes.get((kind, note_id))
        if note is None or (kind, note_id) in self._note_numbers:
            return _Inline()
        number = self._note_numbers[kind, note_id] = len(self._note_numbers) + 1
        return _Inline([f"[{number}]"], notes=[f"[{number}] " + " ".join(flat(block) for block in self.blocks(note))])

    def _table(self, element: Any) -> Iterator[str]:
        rows = [row for row in _wrapped_children(element, "tr") if not any(any(children(p, "del")) for p in row)]
        cells = [list(_wrapped_children(row, "tc")) for row in rows]
        if max(map(len, cells), default=0) <= 1:  # a frame around text
            for row in cells:
                for cell in row:
                    yield from self.blocks(cell)
            return
        # A blank row in a table of a text is only an empty line of the same table.
        yield to_markdown(self._grid(cells).without_blank_rows())

    def _grid(self, rows: list[list[Any]]) -> Grid:
        grid = Grid()
        first_rows: dict[int, int] = {}  # column: the row in which the cell merged downwards begins
        for number, row in enumerate(rows):
            column = 0
            for cell in row:
                properties = {local_name(p): p for group in _wrapped_children(cell, "tcPr") for p in group}
                width = 1
                if "gridSpan" in properties:
                    width = max(1, min(int(attribute(properties["gridSpan"], "val", "1")), _MOST_COLUMNS))
                merge = attribute(properties["vMerge"], "val", "continue") if "vMerge" in properties else ""
                text = " ".join(flat(re.sub(r"^#+ ", "", block)) for block in self._cell_blocks(cell))
                if merge == "continue" and column in first_rows:
                    grid.spans.append(Span(first_rows[column], column, number, column + width - 1))
                else:
                    first_rows.pop(column, None)
                    grid.put(number, column, text)
                    if merge:
                        first_rows[column] = number
                    if width > 1:
                        grid.spans.append(Span(number, column, number, column + width - 1))
                column += width
        return grid


def _run_property(run: Any, name: str) -> list[str]:
    """The values of a run's property of that name."""
    return [attribute(e, "val", "1") for e in run.iterfind("{*}rPr/{*}" + name)]


def _is_hidden(run: Any) -> bool:
    return any(value not in {"0", "false", "off"} for value in _run_property(run, "vanish"))


def _is_superscript(run: Any) -> bool:
    return "superscript" in _run_property(run, "vertAlign")


def _wrapped_children(parent: Any, name: str) -> Iterator[Any]:
    """The children of that name, also those inside content controls and tracked insertions."""
    for child in parent:
        if local_name(child) == name:
            yield child
        elif local_name(child) in {"sdt", "sdtContent", "ins", "customXml", "moveTo"}:
            yield from _wrapped_children(child, name)


def _styles(root: Any) -> Iterator[tuple[str, _Style]]:
    """(style id, style) of each paragraph style."""
    for element in children(root, "style"):
        if attribute(element, "type") != "paragraph":
            continue
        style = _Style()
        for child in element:
            if local_name(child) == "name":
                style.name = attribute(child, "val").lower()
            elif local_name(child) == "basedOn":
                style.based_on = attribute(child, "val")
            elif local_name(child) == "pPr":
                for value in child:
                    if local_name(value) == "outlineLvl":
                        style.level = int(attribute(value, "val", "9"))
                    elif local_name(value) == "numPr":
                        style.numbering = _numbering_of(value)
        if built_in := re.fullmatch(r"heading ([1-9])", style.name):
            style.level = int(built_in[1]) - 1
            if style.numbering:
                style.numbering = (style.numbering[0], style.numbering[1] or style.level)
        elif style.name == "title":
            style.level = 0
        yield attribute(element, "styleId"), style


def _numbering_of(element: Any) -> tuple[str, int] | None:
    """(list id, depth). The list '0', which no document defines, removes the numbering of a style."""
    if element is None:
        return None
    values = {local_name(child): attribute(child, "val") for child in element}
    return values.get("numId", ""), min(8, int(values.get("ilvl", "0")))
