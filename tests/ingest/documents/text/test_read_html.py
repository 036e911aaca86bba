"""Web pages become Markdown: their content without navigation."""

from __future__ import annotations

import pytest

from ingest.base.errors import ReadError
from ingest.documents.text.read_html import read_html, read_mht, to_text


def text(html: str) -> str:
    return to_text(html)[1]


def test_furniture() -> None:
    """Menus, page headers and footers, scripts and hidden parts are left out; the content is kept."""
    html = (
        "<title>A &amp; B</title><body><header>Site</header><nav>Home</nav><div class='sidebar'>More</div>"
        "<main><header><h1>Leave</h1></header><p>Take <b>25</b> days.</p><p hidden>secret</p></main>"
        "<script>x()</script><div id=footer>Imprint</div><footer>Legal</footer>"
    )
    assert to_text(html) == ("A & B", "# Leave\n\nTake **25** days.")


def test_nothing_but_furniture() -> None:
    """An element with most of the page's text is content, whatever its name; mails and books keep every element."""
    assert "the whole text" in text("<div class=menu>This is the whole text of the page.</div>x")
    assert to_text("<header>Dear all</header><p>x", whole=True)[1] == "Dear all\n\nx"


def test_tables() -> None:
    """Merged cells are repeated in their columns, captions come first, cells keep their links, `|` is escaped."""
    html = (
        "<table><caption>Rates</caption><tr><th rowspan=2>City<th colspan=2>2026<tr><th>Q1<th>Q2"
        "<tr><td>Cork|x<td><a href='https://x.example'>120</a><td>130</table>"
    )
    assert text(html) == (
        "Rates\n\n| City | 2026 / Q1 | 2026 / Q2 |\n| --- | --- | --- |\n| Cork\\|x | [120](https://x.example) | 130 |"
    )


def test_layout_tables() -> None:
    """A table that only arranges text becomes plain text."""
    html = "<table><tr><td>Menu<td><h2>Rules</h2><p>one<p>two<table><tr><th>a<th>b<tr><td>1<td>2</table></table>"
    assert text(html).replace("\n\n\n", "\n\n") == (
        "Menu\n\n## Rules\n\none\n\ntwo\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"
    )


def test_links_and_pictures() -> None:
    """Links keep their address unless it says nothing new; pictures become their description."""
    assert text("<a href='https://x.example' title='T'>HR</a>") == '[HR](https://x.example "T")'
    assert text("<p>a<a href='#top'> up </a>b <a href='javascript:x()'>do</a></p>") == "a up b do"
    assert text("<a href='mailto:a@x.example'>a@x.example</a><img src=data:x alt='a plan'>") == "a@x.examplea plan"
    assert text(f"<a href='https://x.example/{'t' * 300}'>tracked</a>") == "tracked"


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        ("gb2312", "gb18030", "员工年假"),
        ("shift_jis", "cp932", "年次休暇"),
        ("utf-8", "gb18030", "员工的年假规定"),
        ("big5", "big5", "員工年假"),
    ],
)
def test_charset(charset: str, encoding: str, text: str) -> None:
    """The declared character set is used unless the bytes contradict it."""
    html = f"<html><head><meta charset='{charset}'></head><p>{text}</p>".encode(encoding)
    assert read_html(html)[1][0].text == text


def test_mht() -> None:
    """A page saved with its pictures becomes the text of the page."""
    data = (
        b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=B\n\n--B\n"
        b"Content-Type: text/html; charset=gb2312\nContent-Transfer-Encoding: quoted-printable\n\n"
        b"<title>T</title><h1>=C4=EA=BC=D9</h1>\n--B\nContent-Type: image/png\n\nxx\n--B--\n"
    )
    title, (page,) = read_mht(data)
    assert (title, page.text) == ("T", "# 年假")
    with pytest.raises(ReadError, match="not a saved web page"):
        read_mht(b"MIME-Version: 1.0\nContent-Type: text/plain\n\nx")


def test_mht_of_chromium() -> None:
    """A page as Chromium saves it: pages in its frames stand where they are shown, once, components have their parts,
    and what leads to a note on the same page is no link."""
    data = (
        "From: <Saved by Blink>\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=B\n\n--B\n"
        "Content-Type: text/html\nContent-Location: https://x.example/a?b&c\n\n"
        '<title>T</title><h1>Rules</h1><iframe src="cid:f@blink"></iframe><iframe src="cid:f@blink"></iframe>'
        '<iframe src="cid:none@blink"></iframe><div><template shadowmode="open"><h2><slot name="head">?</slot></h2>'
        '<p>in <slot></slot></p></template><i>light</i><b slot="head">Named</b></div>'
        '<p>25<a href="https://x.example/a?b&amp;c#fn1"><sup>1</sup></a></p>\n--B\n'
        "Content-Type: text/html\nContent-ID: <f@blink>\n\n<h2>Inner</h2><p>framed</p>"
        '<iframe src="cid:f@blink"></iframe>\n--B--\n'
    )
    title, (page,) = read_mht(data.encode())
    assert (title, page.text) == ("T", "# Rules\n\n## Inner\n\nframed\n\n## **Named**\n\nin *light*\n\n25[1]")


def test_deep_nesting() -> None:
    """Elements nested thousands deep lose their layout and keep their words."""
    assert text("<div>" * 5000 + "hello" + "</div>" * 5000) == "hello"


def test_span_made_to_explode() -> None:
    """Cells that declare a span of thousands of rows and columns cost no memory."""
    html = "<table><tr>" + "<td rowspan=65534 colspan=1000>x</td>" * 50 + "</tr>" + "<tr><td>a<td>b" * 200 + "</table>"
    assert len(text(html)) < 10_000


def test_raised_numbers() -> None:
    """A note's number stands in brackets and its way back is left out; a power is no further digit; hints on how to
    say a character are not text."""
    html = '<p>In 2023<a href="#fn1"><sup>1</sup></a>, 10<sup>6</sup> of 25 m<sup>2</sup> on the 5<sup>th</sup></p>'
    assert text(html) == "In 2023[1], 10^6 of 25 m2 on the 5th"
    assert text('<ol><li>By mail.<a href="#r1">↩︎</a></li></ol>') == "1. By mail."
    assert text("<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby></p>") == "漢"
