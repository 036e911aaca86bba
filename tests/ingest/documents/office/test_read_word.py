"""Word documents (docx): headings, numbers, tables, notes, and what a reader does not see."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.base.errors import ReadError
from ingest.documents.office.read_word import read_docx

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def word(body: str, **parts: str) -> bytes:
    """A docx with this body; `parts` are contents of styles, numbering, footnotes; 'links' relationships."""
    links = parts.pop("links", "")
    relations = "".join(f'<Relationship Id="{name}" Type="{TYPES}/{name}" Target="{name}.xml"/>' for name in parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", f"<w:document {W} {R}><w:body>{body}</w:body></w:document>")
        archive.writestr("word/_rels/document.xml.rels", f"<Relationships>{relations}{links}</Relationships>")
        for name, content in parts.items():
            archive.writestr(f"word/{name}.xml", f"<w:{name} {W} {R}>{content}</w:{name}>")
    return buffer.getvalue()


def text(body: str, **parts: str) -> str:
    (page,) = read_docx(word(body, **parts))
    assert page.label == ""
    return page.text


def paragraph(content: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{content}</w:t></w:r></w:p>"


STYLES = (
    '<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="C"><w:name w:val="二级"/><w:basedOn w:val="B"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="B"><w:name w:val="base"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="O"><w:name w:val="toc 1"/></w:style>'
)


def styled(content: str, style: str) -> str:
    return paragraph(content, f'<w:pStyle w:val="{style}"/>')


def test_headings() -> None:
    """Headings are recognised by the name of their style, or by the outline level of a base style, or their own."""
    body = (
        styled("Guide", "T") + styled("Leave", "1") + styled("年假", "C") + paragraph("x", '<w:outlineLvl w:val="2"/>')
    )
    assert text(body + paragraph("text"), styles=STYLES) == "# Guide\n\n# Leave\n\n## 年假\n\n### x\n\ntext"


def test_numbering() -> None:
    """Headings and list items have the automatic numbers that Word shows; bullets become dashes."""
    levels = (
        '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="chineseCountingThousand"/>'
        '<w:lvlText w:val="第%1条"/></w:lvl>'
        '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%2)"/></w:lvl>'
    )
    numbering = (
        f'<w:abstractNum w:abstractNumId="7">{levels}</w:abstractNum>'
        '<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
    )

    def item(content: str, number: int, depth: int, more: str = "") -> str:
        return paragraph(content, f'{more}<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>')

    body = (
        item("范围", 1, 0, '<w:pStyle w:val="1"/>')
        + item("a", 1, 1)
        + item("b", 1, 1)
        + item("休假", 1, 0)
        + item("c", 2, 0)
    )
    assert text(body, styles=STYLES, numbering=numbering) == "# 第一条 范围\n\n  1) a\n  2) b\n\n第二条 休假\n\n- c"


def test_unseen() -> None:
    """Deleted and hidden text, field codes, comments and tables of contents are left out."""
    body = (
        '<w:p><w:r><w:t xml:space="preserve">Take </w:t></w:r><w:del><w:r><w:delText>20</w:delText></w:r></w:del>'
        "<w:ins><w:r><w:t>25</w:t></w:r></w:ins><w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:t> days</w:t><w:br/><w:t>a year</w:t></w:r></w:p>"
    )
    assert text(styled("Leave 3", "O") + body, styles=STYLES) == "Take 25 days\na year"


def test_tables() -> None:
    """The first row is the header; merged cells are repeated; a table of one cell is a frame and becomes its text."""

    def cell(content: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(content)}</w:tc>"

    rows = (
        cell("Region", '<w:vMerge w:val="restart"/>') + cell("2026", '<w:gridSpan w:val="2"/>'),
        cell("", "<w:vMerge/>") + cell("Q1") + cell("Q2"),
        cell("North", '<w:vMerge w:val="restart"/>') + cell("1") + cell("a|b"),
        cell("", "<w:vMerge/>") + cell("3") + cell("4"),
    )
    body = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    assert text(body) == (
        "| Region | 2026 / Q1 | 2026 / Q2 |\n| --- | --- | --- |\n| North | 1 | a\\|b |\n| North | 3 | 4 |"
    )
    frame = f"<w:tbl><w:tr><w:tc>{styled('Note', '1')}{paragraph('Mind.')}</w:tc></w:tr></w:tbl>"
    assert text(frame, styles=STYLES) == "# Note\n\nMind."


def test_notes_and_boxes() -> None:
    """A note follows the paragraph that refers to it, and so does a text box, once."""
    body = (
        '<w:p><w:r><w:t>As agreed</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
        '<mc:AlternateContent xmlns:mc="urn:mc"><mc:Choice><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p>'
        "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p>"
        "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:p>"
    )
    footnotes = f'<w:footnote w:id="2">{paragraph("In May.")}</w:footnote>'
    assert text(body + paragraph("end"), footnotes=footnotes) == "As agreed[1]\n\nIn a box\n\n[1] In May.\n\nend"


def test_links_and_equations() -> None:
    """A link keeps its target; an equation becomes one line."""
    links = '<Relationship Id="l" Type="hyperlink" Target="https://hr.example" TargetMode="External"/>'
    body = '<w:p><w:hyperlink r:id="l"><w:r><w:t>HR</w:t></w:r></w:hyperlink></w:p>'
    assert text(body, links=links) == "[HR](https://hr.example)"
    fraction = (
        '<w:p xmlns:m="urn:m"><m:oMath><m:r><m:t>a=</m:t></m:r><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num>'
        "<m:den><m:sSup><m:e><m:r><m:t>b</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:den></m:f>"
        "</m:oMath></w:p>"
    )
    assert text(fraction) == "a=(1)/(b^2)"


def test_powers() -> None:
    """A superscript number after a number is a power, not a further digit."""
    raised = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>{}</w:t></w:r>'
    body = f"<w:p><w:r><w:t>10</w:t></w:r>{raised.format(6)}<w:r><w:t> or 5</w:t></w:r>{raised.format('th')}</w:p>"
    assert text(body) == "10^6 or 5th"


def test_strict() -> None:
    """Files saved as 'Strict Open XML', which uses other namespaces, are read."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive, zipfile.ZipFile(io.BytesIO(word(paragraph("Leave")))) as source:
        for name in source.namelist():
            strict = source.read(name).replace(b"http://schemas.openxmlformats.org/", b"http://purl.oclc.org/ooxml/")
            archive.writestr(name, strict)
    assert read_docx(data.getvalue())[0].text == "Leave"


def test_entities() -> None:
    """A file is refused when any of its parts declares entities, not only its text."""
    buffer = io.BytesIO(word(paragraph("x"), styles=STYLES))
    with zipfile.ZipFile(buffer) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    for name in ("word/document.xml", "word/styles.xml"):
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w") as archive:
            for part, data in parts.items():
                archive.writestr(part, b'<!DOCTYPE x [<!ENTITY a "b">]>' + data if part == name else data)
        with pytest.raises(ReadError, match="declares XML entities"):
            read_docx(bomb.getvalue())
