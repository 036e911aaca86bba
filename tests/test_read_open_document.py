"""OpenDocument texts, slides and sheets."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.errors import ReadError
from ingest.formats.read_open_document import read_odp, read_ods, read_odt
from ingest.types import Page

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
    """Headings, lists, notes, boxes and links are kept; deleted text, comments and contents are not."""
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


def cell(said: str, more: str = "") -> str:
    return f"<table:table-cell {more}><text:p>{said}</text:p></table:table-cell>"


def test_sheets() -> None:
    """Cells are what they show; merged ones are said where they reach; empty repeats up to the last row are nothing."""
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
    """A cell that says it fills the whole sheet is written a bounded number of times."""
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
    """An encrypted file is named as one."""
    with pytest.raises(ReadError, match="protected by a password"):
        read_odt(packed("text", "", manifest="<m><manifest:encryption-data/></m>"))
