"""OpenDocument texts, presentations and spreadsheets (odt, odp, ods)."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.office.read_open_document import read_odp, read_ods, read_odt

NAMES = "office text table draw presentation style xlink".split()
SPACES = " ".join(f'xmlns:{name}="urn:{name}"' for name in NAMES)


def packed(kind: str, body: str, styles: str = "", manifest: str = "<m/>") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr(
            "content.xml",
            f"<office:document-content {SPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        )
    return buffer.getvalue()


def test_text() -> None:
    """Headings, lists, notes, boxes and links are read; deleted text, comments and tables of contents are not."""
    body = (
        '<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>'
        '<text:p text:style-name="P1">Guide</text:p>'
        '<text:table-of-content><text:p>Leave 3</text:p></text:table-of-content>'
        '<text:h text:outline-level="2">Leave</text:h>'
        '<text:p>Take<text:s/><text:span>25</text:span> days<office:annotation><text:p>why?'
        "</text:p></office:annotation>"
        '<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>A year.</text:p></text:note-body>'
        '</text:note>, ask <text:a xlink:href="https://hr.example">HR</text:a>.<text:line-break/>Now.</text:p>'
        "<text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>two</text:p></text:list-item>"
        "</text:list></text:list-item></text:list>"
        "<text:p><draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame></text:p>"
    )  # fmt: skip
    styles = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    assert read_odt(packed("text", body, styles)) == [
        Page(
            "",
            "# Guide\n\n## Leave\n\nTake 25 days[1], ask [HR](https://hr.example).\nNow.\n\n[1] A year.\n\n"
            "- one\n  - two\n\nboxed",
        )
    ]


def test_numbers() -> None:
    """Headings and items have the numbers of their styles; a list continues another where it says so; only the first
    paragraph of an item has its number, and a level without numbers has none."""
    styles = (
        '<text:outline-style><text:outline-level-style text:level="1" style:num-format="一, 二, 三, ..."'
        ' style:num-prefix="第" style:num-suffix="章"/></text:outline-style><text:list-style style:name="L">'
        '<text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>'
        '<text:list-level-style-number text:level="2" style:num-format="1" text:display-levels="2"/>'
        '<text:list-level-style-bullet text:level="3"/><text:list-level-style-number text:level="4"/></text:list-style>'
    )

    def items(*contents: str, more: str = "") -> str:
        inside = "".join(f"<text:list-item>{item}</text:list-item>" for item in contents)
        return f"<text:list {more}>{inside}</text:list>"

    def line(content: str) -> str:
        return f"<text:p>{content}</text:p>"

    deep = items(items(line("bare")), line("deep"))
    body = '<text:h text:outline-level="1">范围</text:h>' + items(
        line("one") + line("more") + items(line("in")), line("two") + items(deep), more='text:style-name="L" xml:id="a"'
    )
    body += line("between") + items(line("three"), more='text:style-name="L" text:continue-list="a"')
    body += items(line("again"), more='text:style-name="L"') + '<text:h text:outline-level="1">休假</text:h>'
    (page,) = read_odt(packed("text", body, styles))
    assert page.text == (
        "# 第一章 范围\n\n1. one\n\nmore\n\n  1.1 in\n\n2. two\n\nbare\n\n    - deep\n\nbetween\n\n"
        "3. three\n1. again\n\n# 第二章 休假"
    )


def test_hidden_and_inner() -> None:
    """Hidden text is left out; a table inside a cell becomes text of that cell; a chart the table of its values."""
    styles = '<style:style style:name="T1"><style:text-properties text:display="none"/></style:style>'
    inner = f"<table:table><table:table-row>{cell('a')}{cell('b')}</table:table-row></table:table>"
    rows = (f"{cell('City')}{cell('Sum')}", f"{cell('Cork')}<table:table-cell>{inner}</table:table-cell>")
    body = "<text:p>seen<text:span text:style-name='T1'>secret</text:span></text:p><table:table>"
    body += "".join(f"<table:table-row>{row}</table:table-row>" for row in rows) + "</table:table>"
    body += '<text:p><draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    data = io.BytesIO(packed("text", body, styles))
    chart = "".join(
        f"<table:table-row>{row}</table:table-row>" for row in (cell("") + cell("Sum"), cell("Q1") + cell("5"))
    )
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr(
            "Object 1/content.xml",
            f'<x {SPACES} xmlns:chart="urn:c"><chart:chart><chart:title><text:p>Sales</text:p></chart:title>'
            f"<table:table>{chart}</table:table></chart:chart></x>",
        )
    (page,) = read_odt(data.getvalue())
    assert page.text == (
        "seen\n\n| City | Sum |\n| --- | --- |\n| Cork | a b |\n\nSales\n\n|  | Sum |\n| --- | --- |\n| Q1 | 5 |"
    )


def cell(content: str, more: str = "") -> str:
    return f"<table:table-cell {more}><text:p>{content}</text:p></table:table-cell>"


def test_sheets() -> None:
    """Cells are what they show; merged ones are repeated; empty repetitions up to the last row add nothing."""
    twice = 'table:number-columns-repeated="2"'
    header = cell("Team", 'table:number-rows-spanned="2"') + cell("2026", 'table:number-columns-spanned="2"')
    body = (
        f'<table:table table:name="Plan"><table:table-row>{header}<table:covered-table-cell/></table:table-row>'
        f"<table:table-row><table:covered-table-cell/>{cell('Q1')}{cell('Q2')}</table:table-row>"
        f"<table:table-row>{cell('Sales')}{cell('1.5%', twice)}</table:table-row>"
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>'
        '<table:table table:name="Empty"/>'
    )
    plan, empty = read_ods(packed("spreadsheet", body))
    assert plan == Page(
        "sheet Plan",
        "## Plan\n\n| Team | 2026 / Q1 | 2026 / Q2 |\n| --- | --- | --- |\n| Sales | 1.5% | 1.5% |",
    )
    assert empty.text == ""


def test_repeats_made_to_explode() -> None:
    """A cell that declares to fill the whole sheet is written a limited number of times."""
    row = cell("x", 'table:number-columns-repeated="16384"')
    body = f'<table:table><table:table-row table:number-rows-repeated="1048576">{row}</table:table-row></table:table>'
    (page,) = read_ods(packed("spreadsheet", body))
    assert len(page.text) < 5_000_000


def test_slides() -> None:
    """Each slide is a page: its title, text, table and notes, without footers."""
    body = (
        '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>Review</text:p></draw:text-box>'
        '</draw:frame><draw:frame presentation:class="footer"><draw:text-box><text:p>every slide</text:p>'
        "</draw:text-box></draw:frame>"
        "<draw:frame><draw:text-box><text:list><text:list-item><text:p>In May</text:p></text:list-item></text:list>"
        "</draw:text-box></draw:frame>"
        f"<draw:frame><table:table><table:table-row>{cell('a')}{cell('b')}</table:table-row></table:table></draw:frame>"
        '<presentation:notes><draw:page-thumbnail/><draw:frame presentation:class="notes"><draw:text-box>'
        "<text:p>Slowly.</text:p></draw:text-box></draw:frame></presentation:notes></draw:page><draw:page/>"
    )  # fmt: skip
    assert read_odp(packed("presentation", body)) == [
        Page("slide 1", "# Review\n\n- In May\n\n| a | b |\n| --- | --- |\n\n### Notes\n\nSlowly."),
        Page("slide 2", ""),
    ]


def test_protected() -> None:
    """The error for an encrypted file says so."""
    with pytest.raises(ReadError, match="protected by a password"):
        read_odt(packed("text", "", manifest="<m><manifest:encryption-data/></m>"))


def test_beside_cells() -> None:
    """Notes and boxes on the cells of a sheet follow its table, named by the cell."""
    body = (
        '<table:table table:name="Plan"><table:table-row><table:table-cell><text:p>City</text:p></table:table-cell>'
        '<table:table-cell table:number-columns-repeated="2"><office:annotation><text:p>ask</text:p><text:p>HR</text:p>'
        "</office:annotation><text:p>Days</text:p></table:table-cell></table:table-row><table:table-row>"
        "<table:table-cell><draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame>"
        "<text:p>Cork</text:p></table:table-cell></table:table-row></table:table>"
    )
    assert read_ods(packed("spreadsheet", body))[0].text == (
        "## Plan\n\n| City | Days | Days |\n| --- | --- | --- |\n| Cork |  |  |\n\nB1: ask HR\nA2: boxed"
    )


def test_damaged_numbers_of_lists() -> None:
    """A list whose style has no valid start or level counts from one."""
    styles = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="" text:start-value="x"'
        ' style:num-format="1" style:num-suffix="."/></text:list-style>'
    )
    body = '<text:list text:style-name="L"><text:list-item><text:p>one</text:p></text:list-item></text:list>'
    assert read_odt(packed("text", body, styles))[0].text == "1. one"
