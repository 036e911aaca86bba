"""Word's docx as Markdown: headings, numbering, lists, tables, notes, text boxes, links. Knows nothing of files.

Read from its XML (ECMA-376 part 1, 17). The converters that exist lose what people cite, which is automatic numbers
and headings made by outline level, and need twelve times as long. What was deleted under tracked changes, hidden
text, comments, tables of contents, page headers and footers are left out.
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
from ingest.documents.office.package import attribute, local_name, open_package, parse_xml, xml_part
from ingest.documents.office.word_lists import list_counters
from ingest.documents.structure.markdown import flat, heading, join, paragraph
from ingest.documents.structure.numbering import Level
from ingest.documents.structure.tables import Grid, Span, to_markdown

_STRICT = (b"http://purl.oclc.org/ooxml/", b"http://schemas.openxmlformats.org/")
_OFFICE_DOCUMENT = re.compile(r"/officeDocument$")
# Elements whose text a reader does not see: field codes, tracked deletions, comments, the page's furniture.
_UNSEEN = frozenset("del moveFrom instrText delText delInstrText rPr pPr sectPr Fallback annotationRef rt".split())
_LINK_SCHEMES = ("http://", "https://", "mailto:")
_MACHINE_ALT = re.compile(
    r"^\S*\.(?:png|jpe?g|gif|bmp|emf|wmf)$"
    r"|\s*(?:Description automatically generated.*|AI-generated content may be incorrect\.?)$"
)
_OUTLINE_LEVELS = 9
_COUNTED = Level()


def read_docx(data: bytes) -> list[Page]:
    """One page. Raises ReadError for a file made to explode; other errors when it is damaged."""
    archive = open_package(data)
    document = _Document(archive)
    return [Page("", join(document.blocks(document.body)))]


@dataclass
class _Style:
    name: str = ""
    based_on: str = ""
    level: int | None = None
    numbering: tuple[str, int] | None = None
    hidden: bool = False


@dataclass
class _Paragraph:
    """What is said in one paragraph while it is being read; text boxes and notes in it follow after it."""

    text: list[str] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Document:
    """One docx with the parts that its text refers to."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        roots = xml_part(archive, "_rels/.rels")
        main = "word/document.xml"
        for relation in roots if roots is not None else ():
            if _OFFICE_DOCUMENT.search(attribute(relation, "Type")):
                main = attribute(relation, "Target").lstrip("/")
        self._archive = archive
        self._folder, name = posixpath.split(main)
        self.body = next(child for child in self._parsed(main) if local_name(child) == "body")
        relations = xml_part(archive, f"{self._folder}/_rels/{name}.rels")
        relations = [] if relations is None else list(relations)
        self._targets = {attribute(relation, "Id"): attribute(relation, "Target") for relation in relations}
        by_kind = {attribute(r, "Type").rpartition("/")[2]: attribute(r, "Target") for r in relations}
        self._styles = dict(_styles(self._sibling(by_kind.get("styles", ""))))
        self._counters = dict(list_counters(self._sibling(by_kind.get("numbering", ""))))
        self._notes: dict[tuple[str, str], Any] = {
            (kind, attribute(note, "id")): note
            for kind in ("footnote", "endnote")
            for note in self._sibling(by_kind.get(f"{kind}s", ""))
            if local_name(note) == kind and attribute(note, "type") in {"", "normal"}
        }
        self._note_numbers: dict[tuple[str, str], int] = {}

    def _parsed(self, name: str) -> Any:
        return parse_xml(self._archive.read(name).replace(*_STRICT))

    def _sibling(self, target: str) -> Any:
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

    def _lines(self, cell: Any) -> Iterator[str]:
        """The paragraphs of a table cell, those of tables inside it as well."""
        for element in cell:
            if local_name(element) == "p":
                yield from self._paragraph(element)
            elif local_name(element) not in _UNSEEN:
                yield from self._lines(element)

    def _paragraph(self, element: Any) -> Iterator[str]:
        properties = next((child for child in element if local_name(child) == "pPr"), ())
        values = {local_name(child): child for child in properties}
        style = attribute(values["pStyle"], "val") if "pStyle" in values else ""
        said = _Paragraph()
        self._collect(element, said)
        lines = [flat(line) for line in "".join(said.text).split("\n")]
        text = "\n".join(line for line in lines if line)
        chain = list(self._chain(style))
        if text and not any(link.name.startswith("toc ") or link.name == "table of figures" for link in chain):
            yield self._decorated(text, values, chain)
        for box in said.boxes:
            yield from self.blocks(box)
        yield from said.notes

    def _decorated(self, text: str, values: dict[str, Any], chain: list[_Style]) -> str:
        level = int(attribute(values["outlineLvl"], "val", "9")) if "outlineLvl" in values else None
        if level is None:
            level = next((link.level for link in chain if link.level is not None), _OUTLINE_LEVELS)
        numbering = _numbering_of(values.get("numPr"))
        if numbering is None:
            numbering = next((link.numbering for link in chain if link.numbering), None)
        counter = self._counters.get(numbering[0]) if numbering else None
        number = counter.next(numbering[1]) if counter and numbering else ""
        if level < _OUTLINE_LEVELS:
            return heading(level + 1, f"{number} {text}")
        if counter is None or numbering is None or counter.levels.get(numbering[1], _COUNTED).is_bare:
            return paragraph(text)
        return f"{'  ' * numbering[1]}{number or '-'} {flat(text)}"

    def _chain(self, style: str) -> Iterator[_Style]:
        """The style and those it is based on, nearest first."""
        seen: set[str] = set()
        while style in self._styles and style not in seen:
            seen.add(style)
            yield self._styles[style]
            style = self._styles[style].based_on

    def _collect(self, parent: Any, said: _Paragraph) -> None:
        for element in parent:
            name = local_name(element)
            if name in _UNSEEN:
                continue
            if name == "t":
                said.text.append(element.text or "")
            elif name in {"tab", "ptab"}:
                said.text.append(" ")
            elif name in {"br", "cr"}:
                said.text.append("\n")
            elif name == "noBreakHyphen":
                said.text.append("-")
            elif name in {"footnoteReference", "endnoteReference"}:
                self._note(name.removesuffix("Reference"), attribute(element, "id"), said)
            elif name == "hyperlink":
                self._link(element, said)
            elif name == "oMath":
                said.text.append(equation(element))
            elif name == "txbxContent":
                said.boxes.append(element)
            elif name == "docPr":
                said.text.append(_MACHINE_ALT.sub("", attribute(element, "descr")))
            elif name == "r" and _is_hidden(element):
                continue
            elif name == "r" and _is_raised(element) and "".join(said.text[-1:])[-1:].isdigit():
                start = len(said.text)
                self._collect(element, said)
                if "".join(said.text[start:])[:1].isdigit():  # a power is no further digit
                    said.text.insert(start, "^")
            else:
                self._collect(element, said)

    def _link(self, element: Any, said: _Paragraph) -> None:
        start = len(said.text)
        self._collect(element, said)
        text = "".join(said.text[start:])
        target = self._targets.get(attribute(element, "id"), "")
        if text.strip() and target.startswith(_LINK_SCHEMES) and target.removeprefix("mailto:") != text.strip():
            said.text[start:] = [f"[{text}]({target})"]

    def _note(self, kind: str, number: str, said: _Paragraph) -> None:
        note = self._notes.get((kind, number))
        if note is None or (kind, number) in self._note_numbers:
            return
        shown = self._note_numbers[kind, number] = len(self._note_numbers) + 1
        said.text.append(f"[{shown}]")
        said.notes.append(f"[{shown}] " + " ".join(flat(block) for block in self.blocks(note)))

    def _table(self, element: Any) -> Iterator[str]:
        rows = [row for row in _inside(element, "tr") if not any(local_name(e) == "del" for p in row for e in p)]
        cells = [list(_inside(row, "tc")) for row in rows]
        if max(map(len, cells), default=0) <= 1:  # a frame around text
            for row in cells:
                for cell in row:
                    yield from self.blocks(cell)
            return
        grid = Grid()
        open_spans: dict[int, tuple[int, int]] = {}
        for number, row in enumerate(cells):
            column = 0
            for cell in row:
                values = {local_name(value): value for properties in _inside(cell, "tcPr") for value in properties}
                width = max(1, min(int(attribute(values["gridSpan"], "val", "1")), 64)) if "gridSpan" in values else 1
                merge = attribute(values["vMerge"], "val", "continue") if "vMerge" in values else ""
                text = " ".join(flat(re.sub(r"^#+ ", "", block)) for block in self._lines(cell))
                if merge == "continue" and column in open_spans:
                    open_spans[column] = (open_spans[column][0], number)
                    grid.spans.append(Span(open_spans[column][0], column, number, column + width - 1))
                else:
                    open_spans.pop(column, None)
                    grid.put(number, column, text)
                    if merge:
                        open_spans[column] = (number, number)
                    if width > 1:
                        grid.spans.append(Span(number, column, number, column + width - 1))
                column += width
        # A blank row in a table of a text is only an empty line of the same table.
        yield to_markdown(grid.without_blank_rows())


def _set(run: Any, name: str) -> list[str]:
    """What a run's property of that name is set to."""
    return [attribute(e, "val", "1") for e in run.iterfind("{*}rPr/{*}" + name)]


def _is_hidden(run: Any) -> bool:
    return any(value not in {"0", "false", "off"} for value in _set(run, "vanish"))


def _is_raised(run: Any) -> bool:
    return "superscript" in _set(run, "vertAlign")


def _inside(parent: Any, name: str) -> Iterator[Any]:
    """The children of that name, also those wrapped in content controls and tracked insertions."""
    for child in parent:
        if local_name(child) == name:
            yield child
        elif local_name(child) in {"sdt", "sdtContent", "ins", "customXml", "moveTo"}:
            yield from _inside(child, name)


def _styles(root: Any) -> Iterator[tuple[str, _Style]]:
    for element in root:
        if local_name(element) != "style" or attribute(element, "type") != "paragraph":
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
        if found := re.fullmatch(r"heading ([1-9])", style.name):
            style.level = int(found[1]) - 1
            if style.numbering:
                style.numbering = (style.numbering[0], style.numbering[1] or style.level)
        elif style.name == "title":
            style.level = 0
        yield attribute(element, "styleId"), style


def _numbering_of(element: Any) -> tuple[str, int] | None:
    """(list, depth); the list '0' takes numbering away, which is a list that nobody defined."""
    if element is None:
        return None
    values = {local_name(child): attribute(child, "val") for child in element}
    return values.get("numId", ""), min(8, int(values.get("ilvl", "0")))
