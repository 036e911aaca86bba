"""Spreadsheets (xlsx, xls, csv, tsv) as Markdown tables, one page for each sheet, each cell as the program shows it.

Workbooks of Excel 2007 and later are read cell by cell from their XML (ECMA-376 part 1, 18). Libraries return full rows
instead: for a sheet with a single cell in its last corner, these are seventeen billion cells.
"""

from __future__ import annotations

import csv
import io
import itertools
import posixpath
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.office.package import (
    attribute,
    children,
    descendants,
    local_name,
    open_package,
    refuse_declarations,
    xml_part,
)
from ingest.documents.sheets.cell_reference import REFERENCE, column_index
from ingest.documents.sheets.number_format import BUILT_IN, format_cell
from ingest.documents.sheets.sheet_notes import Note, note_lines, xls_boxes, xlsx_notes
from ingest.documents.structure.markdown import heading, join
from ingest.documents.structure.tables import Grid, Span, to_markdown
from ingest.documents.text.read_text import decode

# More cells than this are a database, not a document; a million rows of three columns are still read.
_MOST_CELLS = 3_000_000
_TOO_MANY = f"the file has more than {_MOST_CELLS:,} cells with text: split it"
_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


def read_xlsx(data: bytes) -> list[Page]:
    """One page for each sheet, also for hidden ones, labelled 'sheet NAME'; an empty sheet gives a blank page.

    Raises ReadError for a zip bomb, XML entities or too many cells, other errors for a damaged file.
    """
    archive = open_package(data)
    refuse_declarations(archive)
    main = "xl/workbook.xml"
    workbook, relations = xml_part(archive, main), xml_part(archive, "xl/_rels/workbook.xml.rels")
    if workbook is None or relations is None:
        raise zipfile.BadZipFile("the package has no workbook")
    targets = {attribute(relation, "Id"): attribute(relation, "Target") for relation in relations}
    kinds = {attribute(relation, "Type").rpartition("/")[2]: attribute(relation, "Target") for relation in relations}
    names = {kind: posixpath.normpath(posixpath.join("/xl", target)).lstrip("/") for kind, target in kinds.items()}
    texts = _shared_texts(archive, names.get("sharedStrings", ""))
    codes = _format_codes(xml_part(archive, names.get("styles", "")))
    epoch_1904 = any(attribute(e, "date1904") in {"1", "true"} for e in children(workbook, "workbookPr"))
    pages = []
    for sheet in (sheet for sheets in children(workbook, "sheets") for sheet in sheets):
        target = targets.get(sheet.get(_RELATION) or sheet.get(_STRICT_RELATION) or "", "")
        name = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
        if name in archive.namelist() and "chartsheet" not in name:
            with archive.open(name) as stream:
                grid = _sheet(stream, texts, codes, epoch_1904)
            pages.append(_sheet_page(attribute(sheet, "name"), grid, xlsx_notes(archive, name)))
    return pages


def _sheet_page(name: str, grid: Grid, notes: Iterable[Note]) -> Page:
    # A sheet without text stays blank: its name alone would make a passage without content.
    body = join([to_markdown(grid), note_lines(notes)])
    return Page(f"sheet {name.strip()}", f"{heading(2, name)}\n\n{body}" if body else "")


def _shared_texts(archive: zipfile.ZipFile, name: str) -> list[str]:
    root = xml_part(archive, name)
    return [] if root is None else [_text(item) for item in root]


def _text(item: Any) -> str:
    """The text of a string item, without the phonetic hints (rPh) above Chinese and Japanese."""
    runs = [run for run in descendants(item, "t") if not any(local_name(e) == "rPh" for e in run.iterancestors())]
    return "".join(run.text or "" for run in runs)


def _format_codes(styles: Any) -> list[str]:
    """The format code of each cell style, in their order; none when `styles` is None."""
    custom = {int(attribute(e, "numFmtId")): attribute(e, "formatCode") for e in descendants(styles, "numFmt")}
    cell_styles = next(children(styles, "cellXfs"), ())
    numbers = [int(attribute(cell_style, "numFmtId", "0")) for cell_style in cell_styles]
    return [custom.get(number) or BUILT_IN.get(number, "") for number in numbers]


def _sheet(stream: Any, texts: list[str], codes: list[str], epoch_1904: bool) -> Grid:
    from lxml import etree

    grid, cells, row = Grid(), 0, -1
    for _, element in etree.iterparse(
        stream, tag=("{*}row", "{*}mergeCell"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    ):
        if local_name(element) == "mergeCell":
            corners = REFERENCE.findall(element.get("ref", ""))
            if len(corners) == 2:
                (left, top), (right, bottom) = corners
                grid.spans.append(Span(int(top) - 1, column_index(left), int(bottom) - 1, column_index(right)))
            continue
        row, column = int(element.get("r", row + 2)) - 1, -1
        for cell in element:
            reference = REFERENCE.match(cell.get("r", ""))
            column = column_index(reference[1]) if reference else column + 1
            grid.put(row, column, _value(cell, texts, codes, epoch_1904))
        cells += len(element)
        if cells > _MOST_CELLS:
            raise ReadError(_TOO_MANY)
        # Free the row that was read and those before it.
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return grid


def _value(cell: Any, texts: list[str], codes: list[str], epoch_1904: bool) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    value = next((child.text or "" for child in cell if child.tag.endswith("}v")), "").strip()
    if not value:
        return ""
    if kind == "s":
        number = int(value) if value.isdecimal() else len(texts)
        return texts[number] if number < len(texts) else ""  # a damaged cell must not make the file unreadable
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    if kind == "d":
        return value.removesuffix("T00:00:00").replace("T", " ")
    if kind == "n":
        style = int(cell.get("s", "0"))
        return format_cell(float(value), codes[style] if style < len(codes) else "", epoch_1904=epoch_1904)
    return value


def read_xls(data: bytes) -> list[Page]:
    """As `read_xlsx`, for Excel 97-2003 and older. Raises ReadError for a protected file, xlrd's errors for damage."""
    import xlrd

    try:
        book = xlrd.open_workbook(
            file_contents=data, formatting_info=True, on_demand=True, ragged_rows=True, logfile=io.StringIO()
        )
    except xlrd.XLRDError as error:
        if "encrypted" in str(error).lower():
            raise ReadError("the file is protected by a password: save a copy without one") from error
        raise
    pages, boxes = [], xls_boxes(data)
    for number, sheet in enumerate(book.sheets()):
        grid = Grid()
        for row in range(sheet.nrows):
            for column, cell in enumerate(sheet.row(row)):
                grid.put(row, column, _xls_value(book, cell))
        for top, bottom, left, right in sheet.merged_cells:
            grid.spans.append(Span(top, left, bottom - 1, right - 1))
        notes = [Note(row, column, note.text) for (row, column), note in sheet.cell_note_map.items()]
        pages.append(_sheet_page(sheet.name, grid, notes + (boxes[number] if number < len(boxes) else [])))
    return pages


def _xls_value(book: Any, cell: Any) -> str:
    import xlrd

    if cell.ctype in {xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE}:
        code = book.format_map[book.xf_list[cell.xf_index].format_key].format_str
        return format_cell(cell.value, code or "", epoch_1904=bool(book.datemode))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ""))
    return str(cell.value)


def read_csv(data: bytes, delimiter: str = "") -> list[Page]:
    """One page without a label; the delimiter is guessed when none is given. Raises ReadError for too many cells."""
    text = decode(data).removeprefix("\ufeff")
    if hint := re.match(r"sep=(.)\r?\n", text):  # Excel's own header line
        delimiter, text = hint[1], text[hint.end() :]
    grid, cells = Grid(), 0
    # A blank line of a text file means nothing; a blank row of a sheet separates tables.
    for number, record in enumerate(filter(any, _records(text, delimiter or _delimiter(text)))):
        cells += len(record)
        if cells > _MOST_CELLS:
            raise ReadError(_TOO_MANY)
        for column, value in enumerate(record):
            grid.put(number, column, value)
    return [Page("", to_markdown(grid))]


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(max(csv.field_size_limit(), 1_000_000))
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:  # a quotation mark without its partner: read quotation marks as ordinary characters
        records = list(csv.reader(io.StringIO(text), delimiter=delimiter, quoting=csv.QUOTE_NONE))
    return iter(records)


def _delimiter(text: str) -> str:
    """The usual delimiter that divides the most lines into the same number of fields, more than one."""

    def agreement(delimiter: str) -> tuple[int, int]:
        sample = itertools.islice(io.StringIO(text, newline=""), _SAMPLE_LINES)
        try:
            widths = [len(record) for record in csv.reader(sample, delimiter=delimiter) if record]
        except csv.Error:
            return (0, 0)
        width = max(set(widths), key=lambda w: (widths.count(w), w), default=1)
        return (widths.count(width), width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=agreement)
