"""Rich Text Format (rtf): code pages, structure, and what a reader does not see."""

from __future__ import annotations

import pytest

from ingest.base.errors import ReadError
from ingest.documents.office.read_rtf import read_rtf

FONTS = r"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset134 SimSun;}{\f2\fcharset2 Symbol;}{\f3\fcharset204 Arial;}}"


def text(body: str, start: str = r"\ansi\ansicpg1252\deff0") -> str:
    (page,) = read_rtf(f"{{\\rtf1{start}{FONTS}{body}}}".encode("latin-1"))
    return page.text


def escaped(content: str, encoding: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in content.encode(encoding))


def test_fonts() -> None:
    """The bytes of each font are decoded in its own code page; those of a font without one in the document's."""
    body = rf"\f0 caf\'e9 \f1 {escaped('员工年假', 'gb18030')}\f3 {escaped('отпуск', 'cp1251')}\par"
    assert text(body) == "café 员工年假отпуск"
    assert text(rf"\f0 {escaped('年假', 'gbk')}", r"\ansi\ansicpg936\deff0") == "年假"


def test_unicode() -> None:
    """A Unicode character replaces as many fallback characters as `\\uc` says; two surrogates become one character."""
    assert text(r"\uc1 x\u24180?y\uc2 \u20551\'bc\'d9z\uc0\u8364 5") == "x年y假z€5"
    assert text(r"\uc1\u-10179?\u-8704?") == "😀"


def test_headings() -> None:
    """Headings are recognised by their outline level or by the name of their style."""
    styles = r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 Anything;}{\s2 heading 2;}{\*\cs3 Letters;}}"
    body = rf"{styles}\pard\s1 Guide\par\pard\s2 Leave\par\pard\outlinelevel2 Days\par\pard text\line more\par"
    assert text(body) == "# Guide\n\n## Leave\n\n### Days\n\ntext\nmore"


def test_tables() -> None:
    """Rows of cells become a table; paragraphs inside a cell stay in it."""
    row = r"\trowd\cellx1\cellx2\pard\intbl {0}\cell {1}\cell\row"
    body = row.format("City", "Sum") + row.format(r"Cork\par city", "a|b") + r"\pard after\par"
    assert text(body) == "| City | Sum |\n| --- | --- |\n| Cork city | a\\|b |\n\nafter"


def test_unseen() -> None:
    """Page headers, pictures, settings, field codes, hidden and deleted text are left out."""
    body = (
        r"{\header Page 3}{\info{\title x}}{\*\unknown y}{\pict\pngblip 8950}{\bin4 {{}}a}"
        r"{\field{\*\fldinst HYPERLINK x}{\fldrslt HR}}{\v secret}{\deleted old}\plain b\par"
    )
    assert text(body) == "aHRb"


def test_merged_cells() -> None:
    """The text of a merged cell is repeated in each column and row that it covers."""
    body = (
        r"\trowd\clvmgf\cellx1000\cellx3000\intbl Kind\cell Kept for\cell\row"
        r"\trowd\clvmrg\cellx1000\cellx2000\cellx3000\intbl\cell Active\cell Archive\cell\row"
        r"\trowd\cellx1000\cellx2000\cellx3000\intbl Pay\cell 7\cell 10\cell\row"
    )
    assert text(body) == "| Kind | Kept for / Active | Kept for / Archive |\n| --- | --- | --- |\n| Pay | 7 | 10 |"


def test_lists_and_notes() -> None:
    """Items keep number and depth, any bullet becomes a dash; a note follows its paragraph; text boxes are read."""
    body = (
        r"{\listtext\f2\'b7\tab}one\par{\listtext\pard\plain \u61623\'3f\tab}\ilvl1 two\par"
        r"\pard{\listtext (a)\tab}three\par\pard\outlinelevel0{\listtext 1.2\tab}Four\par"
        r"\pard Two{\footnote In May.} days{\super\chftn}{\*\footnote\chftn In {\i June}.\par}\par"
        r"{\shp{\*\shpinst{\sp{\sn x}{\sv 1}}{\shptxt \pard boxed\par}}}"
    )
    assert text(body) == (
        "- one\n  - two\n(a) three\n\n# 1.2 Four\n\nTwo[1] days[2]\n\n[1] In May.\n\n[2] In June.\n\nboxed"
    )


def test_fields() -> None:
    """A link keeps its target, a table of contents is left out, any other field becomes its result."""
    body = (
        r'{\field{\*\fldinst {\rtlch HYPERLINK "https://hr.example" }}{\fldrslt {\ul HR}}} on page '
        r"{\field{\*\fldinst PAGE}{\fldrslt 3}}\par{\field{\*\fldinst TOC \\o}{\fldrslt Leave 3\par Pay 4}}\par end"
    )
    assert text(body) == "[HR](https://hr.example) on page 3\n\nend"


def test_refused() -> None:
    """A file that is no RTF, or whose groups do not end, is refused as damaged."""
    for data in (b"hello", b"{\\rtf1 " + b"{" * 5000):
        with pytest.raises(ReadError, match="damaged"):
            read_rtf(data)
