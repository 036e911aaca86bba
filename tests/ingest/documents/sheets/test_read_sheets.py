"""Spreadsheets (xlsx, xls, csv, tsv), cell by cell as they are shown."""

from __future__ import annotations

import datetime
import io
import struct
import zipfile

import openpyxl
import pytest
from openpyxl.comments import Comment

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.sheets import read_sheets, sheet_notes
from ingest.documents.sheets.read_sheets import read_csv, read_xlsx
from tests.fakes.ole_file import ole_file


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def with_sheet(xml: str) -> bytes:
    """A workbook whose only sheet has this content of its `worksheet` element."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(openpyxl.Workbook()))) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
            sheet = f"<worksheet {space}>{xml}</worksheet>".encode()
            archive.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else source.read(name))
    return buffer.getvalue()


def test_values_as_shown() -> None:
    """Whole numbers have no decimal point; dates, percentages, currencies, times and booleans are shown as such."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Rates"
    sheet.append(["City", "Days", "From", "Share", "Paid", "At", "Open"])
    sheet.append(["Cork", 25.0, datetime.date(2026, 5, 1), 0.035, 1234.5, datetime.time(9, 30), True])
    sheet["D2"].number_format, sheet["E2"].number_format = "0.0%", '#,##0.00 "€"'
    assert read_xlsx(saved(book)) == [
        Page(
            "sheet Rates",
            "## Rates\n\n| City | Days | From | Share | Paid | At | Open |\n"
            "| --- | --- | --- | --- | --- | --- | --- |\n"
            "| Cork | 25 | 2026-05-01 | 3.5% | 1,234.50 € | 09:30 | TRUE |",
        )
    ]


def with_drawing(book: openpyxl.Workbook, shapes: str) -> bytes:
    """The workbook with a drawing on its first sheet, which openpyxl cannot write."""
    space = "http://schemas.openxmlformats.org"
    names = f'xmlns:xdr="{space}/drawingml/2006/spreadsheetDrawing" xmlns:a="{space}/drawingml/2006/main"'
    relation = (
        f'<Relationship Id="d" Type="{space}/officeDocument/2006/relationships/drawing" Target="../drawing.xml"/>'
    )
    rels, buffer = "xl/worksheets/_rels/sheet1.xml.rels", io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(book))) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            if name != rels:
                archive.writestr(name, source.read(name))
        others = source.read(rels).decode().replace("</Relationships>", "")
        archive.writestr(rels, f"{others}{relation}</Relationships>")
        archive.writestr("xl/drawing.xml", f"<xdr:wsDr {names}>{shapes}</xdr:wsDr>")
    return buffer.getvalue()


def test_notes_and_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes and text boxes follow the table, named by their cell, each once and up to a limit."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["City", "Days"])
    sheet.append(["Cork", 25])
    sheet["B2"].comment = Comment("ask HR\n年假", "Ann")
    sheet["AB1"].comment = Comment("far", "Ann")
    box = (
        "<xdr:twoCellAnchor><xdr:from><xdr:col>4</xdr:col><xdr:row>9</xdr:row></xdr:from><xdr:sp><xdr:txBody>"
        "<a:p><a:r><a:t>In thou</a:t></a:r><a:r><a:t>sands</a:t></a:r></a:p><a:p><a:r><a:t>of euros</a:t></a:r></a:p>"
        "</xdr:txBody></xdr:sp></xdr:twoCellAnchor>"
    )
    data = with_drawing(book, box + box)
    (page,) = read_xlsx(data)
    assert page.text.endswith("| Cork | 25 |\n\nAB1: far\nB2: ask HR 年假\nE10: In thousands of euros")
    monkeypatch.setattr(sheet_notes, "_MOST_NOTES", 1)
    assert read_xlsx(data)[0].text.endswith("\n\nAB1: far\n… (2 more)")


def test_threaded_comments() -> None:
    """The comments of a thread are read, not the placeholder for programs that cannot show threads."""
    book = openpyxl.Workbook()
    book.active["A1"] = "x"
    book.active["A1"].comment = Comment("[Threaded comment] Your version of Excel allows you to read this", "tc=1")
    thread = (
        '<ThreadedComments><threadedComment ref="A1"><text>Why x?</text></threadedComment>'
        '<threadedComment ref="A1"><text>As agreed.</text></threadedComment></ThreadedComments>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(book))) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            relation = '<Relationship Id="t" Type="x/threadedComment" Target="../t.xml"/></Relationships>'
            end = relation if name.endswith("sheet1.xml.rels") else "</Relationships>"
            archive.writestr(name, source.read(name).replace(b"</Relationships>", end.encode()))
        archive.writestr("xl/t.xml", thread)
    assert read_xlsx(buffer.getvalue())[0].text == "## Sheet\n\nx\n\nA1: Why x?\nA1: As agreed."


def test_old_text_boxes() -> None:
    """Text boxes of Excel 97-2003 are found by their records, sheet by sheet; buttons and notes are left out."""

    def record(kind: int, content: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    def shape(kind: int, text: str, row: int, column: int) -> bytes:
        anchor = struct.pack("<HHIHHHHHHHHH", 0, 0xF010, 18, 0, column, 0, row, 0, 0, 0, 0, 0)
        length = bytes(10) + struct.pack("<H", len(text)) + bytes(6)
        continued = [b"\x00" + text[:3].encode("latin-1"), b"\x01" + text[3:].encode("utf-16-le"), bytes(16)]
        parts = [(0xEC, anchor), (0x5D, struct.pack("<HHH", 0x15, 0x12, kind) + bytes(16)), (0x1B6, length)]
        return b"".join(record(*part) for part in parts) + b"".join(record(0x3C, part) for part in continued)

    sheets = [
        record(0x809, bytes(16)) + shape(6, "In 千元", 4, 2) + shape(7, "Press", 1, 1) + record(0xA),
        record(0x809, bytes(16)) + record(0x809) + record(0xA) + shape(0x19, "note", 0, 0) + record(0xA),
    ]
    head = record(0x809, bytes(16)) + 2 * record(0x85, bytes(10)) + record(0xA)
    offsets = (len(head), len(head) + len(sheets[0]))
    sheet_records = b"".join(record(0x85, struct.pack("<I", offset) + bytes(6)) for offset in offsets)
    stream = record(0x809, bytes(16)) + sheet_records + record(0xA) + b"".join(sheets)
    assert sheet_notes.xls_boxes(ole_file({"Workbook": stream})) == [[sheet_notes.Note(4, 2, "In 千元")], []]
    assert sheet_notes.xls_boxes(b"\x09\x04") == []


def test_merged_and_empty() -> None:
    """Merged headers are repeated in each column; an empty sheet stays blank; hidden sheets are read."""
    book = openpyxl.Workbook()
    book.active.title = "Empty"
    sheet = book.create_sheet("Plan")
    sheet.sheet_state = "hidden"
    for row in (["Team", "2026", None], [None, "Q1", "Q2"], ["Sales", 1, 2], [None, None, None]):
        sheet.append(row)
    sheet.merge_cells("B1:C1")
    sheet.merge_cells("A1:A2")
    empty, plan = read_xlsx(saved(book))
    assert empty.text == ""
    assert plan.text.endswith("| Team | 2026 / Q1 | 2026 / Q2 |\n| --- | --- | --- |\n| Sales | 1 | 2 |")


def test_far_cells() -> None:
    """A sheet of the largest size with two cells in it gives these two cells."""
    data = with_sheet(
        '<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>end</t></is></c></row></sheetData>'
        '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    )
    assert [page.text for page in read_xlsx(data)] == ["## Sheet\n\n1\n\nend"]


def test_cells_without_references() -> None:
    """Cells and rows without references follow one another."""
    data = with_sheet("<sheetData><row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row></sheetData>")
    assert read_xlsx(data)[0].text.endswith("| 1 | 2 |\n| --- | --- |\n| 3 |  |")


def test_too_many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet with more cells than the limit is refused."""
    monkeypatch.setattr(read_sheets, "_MOST_CELLS", 3)
    with pytest.raises(ReadError, match="more than 3,000,000 cells with text: split it"):
        read_xlsx(with_sheet("<sheetData>" + "<row><c><v>1</v></c><c><v>1</v></c></row>" * 2 + "</sheetData>"))
    with pytest.raises(ReadError, match="cells with text"):
        read_csv(b"a,b\n1,2\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_delimiters(delimiter: str) -> None:
    """The delimiter is guessed, also where fields contain the others or line breaks."""
    lines = [["City", "Sum, net", "Note"], ["Cork", "1,5", "one\ntwo"], ["Lund; old", "2", "x"]]
    data = "\n".join(delimiter.join(f'"{field}"' for field in line) for line in lines)
    assert read_csv(data.encode())[0].text == (
        "| City | Sum, net | Note |\n| --- | --- | --- |\n| Cork | 1,5 | one two |\n| Lund; old | 2 | x |"
    )


def test_csv_oddities() -> None:
    """Excel's header line names the delimiter; blank lines separate nothing; an open quotation mark is a character."""
    assert read_csv(b"sep=;\r\na;b,c\r\n\r\n1;2")[0].text == "| a | b,c |\n| --- | --- |\n| 1 | 2 |"
    text = read_csv(b'a,b\n"x,y\n' + (b"1,2" + b"0" * 2000 + b"\n") * 600)[0].text
    assert text.startswith('| a | b |\n| --- | --- |\n| "x | y |\n| 1 | 2000')
    assert read_csv(b"a b\tc", "\t")[0].text == "| a b | c |\n| --- | --- |"


@pytest.mark.parametrize("number", ["99", "-1", "1e400"])
def test_missing_shared_text(number: str) -> None:
    """A damaged cell of a workbook costs that cell only."""
    data = with_sheet(f'<sheetData><row><c t="s"><v>{number}</v></c><c><v>2</v></c></row></sheetData>')
    assert read_xlsx(data)[0].text == "## Sheet\n\n2"
