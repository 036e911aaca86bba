"""Spreadsheets, cell by cell as they are shown."""

from __future__ import annotations

import datetime
import io
import zipfile

import openpyxl
import pytest

from ingest.errors import ReadError
from ingest.formats import read_sheets
from ingest.formats.read_sheets import read_csv, read_xlsx
from ingest.types import Page


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def with_sheet(xml: str) -> bytes:
    """A workbook whose one sheet is this XML, below `worksheet`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(openpyxl.Workbook()))) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
            sheet = f"<worksheet {space}>{xml}</worksheet>".encode()
            archive.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else source.read(name))
    return buffer.getvalue()


def test_values_as_shown() -> None:
    """Whole numbers have no point, dates and shares look like ones, formulas are their results, errors their names."""
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


def test_merged_and_empty() -> None:
    """Merged headers are said for each column; an empty sheet is none; hidden sheets are read."""
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
    """A sheet that claims to be as large as sheets get, with two cells in it, is those two."""
    data = with_sheet(
        '<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>end</t></is></c></row></sheetData>'
        '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    )
    assert [page.text for page in read_xlsx(data)] == ["## Sheet\n\n1\n\nend"]


def test_cells_without_places() -> None:
    """Cells and rows that do not say where they are follow one another."""
    data = with_sheet("<sheetData><row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row></sheetData>")
    assert read_xlsx(data)[0].text.endswith("| 1 | 2 |\n| --- | --- |\n| 3 |  |")


def test_too_many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet that is a database is refused."""
    monkeypatch.setattr(read_sheets, "_MOST_CELLS", 3)
    with pytest.raises(ReadError, match="more than 3,000,000 cells with text: split it"):
        read_xlsx(with_sheet("<sheetData>" + "<row><c><v>1</v></c><c><v>1</v></c></row>" * 2 + "</sheetData>"))
    with pytest.raises(ReadError, match="cells with text"):
        read_csv(b"a,b\n1,2\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_delimiters(delimiter: str) -> None:
    """The delimiter is found out, also where the others stand in the text and a field has lines."""
    lines = [["City", "Sum, net", "Note"], ["Cork", "1,5", "one\ntwo"], ["Lund; old", "2", "x"]]
    data = "\n".join(delimiter.join(f'"{field}"' for field in line) for line in lines)
    assert read_csv(data.encode())[0].text == (
        "| City | Sum, net | Note |\n| --- | --- | --- |\n| Cork | 1,5 | one two |\n| Lund; old | 2 | x |"
    )


def test_csv_oddities() -> None:
    """Excel's hint is followed and no text; blank lines part nothing; an open quotation mark costs nothing else."""
    assert read_csv(b"sep=;\r\na;b,c\r\n\r\n1;2")[0].text == "| a | b,c |\n| --- | --- |\n| 1 | 2 |"
    text = read_csv(b'a,b\n"x,y\n' + (b"1,2" + b"0" * 2000 + b"\n") * 600)[0].text
    assert text.startswith('| a | b |\n| --- | --- |\n| "x | y |\n| 1 | 2000')
    assert read_csv(b"a b\tc", "\t")[0].text == "| a b | c |\n| --- | --- |"
