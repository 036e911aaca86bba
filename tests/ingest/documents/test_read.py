"""Files of every format become Markdown, and each fault of a file is one line."""

from __future__ import annotations

import zipfile
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import pytest
from pptx import Presentation

from ingest.base.errors import ReadError
from ingest.base.types import Page, ReadDocument, ReadFile
from ingest.documents import read as read_module
from ingest.documents.office import package
from ingest.documents.read import READERS, read
from tests.conftest import zipped
from tests.fakes.ole_file import ole_file
from tests.ingest.documents.pdf.test_read_pdf import pdf
from tests.project import PROJECT

DOCUMENTS = PROJECT / "data" / "documents"


def read_all(tmp_path: Path, name: str, content: str | bytes) -> ReadFile:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path)


def only(file: ReadFile) -> ReadDocument:
    """The document of a file without parts."""
    assert not file.failures
    (document,) = file.documents
    return document


def written(tmp_path: Path, name: str, content: str | bytes) -> ReadDocument:
    return only(read_all(tmp_path, name, content))


def test_markdown(tmp_path: Path) -> None:
    """Markdown stays unchanged, except for comments, addresses of pictures and extra blank lines."""
    text = "# Leave *policy*\r\n\r\n\r\n\r\n<!-- draft -->Staff get 25 days. ![plan](plan.png)  \r\nAsk HR.\r\n"
    assert written(tmp_path, "a.md", text) == ReadDocument(
        "Leave policy", (Page("", "# Leave *policy*\n\nStaff get 25 days. plan\nAsk HR."),)
    )


def test_bullets_of_symbol_fonts(tmp_path: Path) -> None:
    """The private characters that Symbol and Wingdings use for bullets become bullets."""
    assert written(tmp_path, "a.txt", "\uf0b7 one\n\uf0a7 two").text == "• one\n• two"


def test_title(tmp_path: Path) -> None:
    """The title is the one the file declares, else its first heading, else its name; codes keep their underscores."""
    assert written(tmp_path, "a.md", "---\ntitle: 'Travel'\nowner: HR\n---\n# Heading\ntext").title == "Travel"
    assert written(tmp_path, "b.md", "text\n\n# The `DOCENT_HOME` [folder](x.md) #\n").title == "The DOCENT_HOME folder"
    assert written(tmp_path, "休假制度.txt", "text").title == "休假制度"
    assert written(tmp_path, "c.html", "<title>R&amp;D\n rules</title><h1>x</h1>").title == "R&D rules"


def test_front_matter(tmp_path: Path) -> None:
    """Front matter is left out; text between two horizontal rules is text."""
    assert written(tmp_path, "a.md", "---\n# for the site\ntitle: T\ntags: [a]\n---\nBody").text == "Body"
    assert written(tmp_path, "b.md", "---\nMind the gap.\n---\nBody").text == "---\nMind the gap.\n---\nBody"


def test_words_are_kept_apart(tmp_path: Path) -> None:
    """Whichever character ends a line, words stay apart; invisible characters are dropped."""
    text = "one\x0ctwo\x0bthree\u2028four\x85five six\u00a0seven ei\u00adght ni\u200bne\x00"
    assert written(tmp_path, "a.md", text.replace("\x00", "")).text == "one\ntwo three four five six seven eight nine"


def test_html(tmp_path: Path) -> None:
    """Headings, lists and tables become Markdown; scripts and styles are not text; any encoding is read."""
    html = (
        "<html><head><style>p{}</style></head><body><h1>报销</h1><script>evil()</script><ul><li>发票</li></ul>"
        "<table><tr><th>级别</th><th>上限</th></tr><tr><td>A</td><td>500</td></tr></table></body></html>"
    )
    for encoding in ("utf-8", "gb18030", "utf-16"):
        document = written(tmp_path, "a.html", html.encode(encoding))
        assert document == ReadDocument(
            "报销", (Page("", "# 报销\n\n* 发票\n\n| 级别 | 上限 |\n| --- | --- |\n| A | 500 |"),)
        )


def test_slides(tmp_path: Path) -> None:
    """Each slide is a page with its number; a line broken inside a shape keeps its words apart."""
    deck = Presentation()
    for title, body in (("Review\vcycle", "first\vsecond"), ("Dates", "in May")):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    deck.save(str(tmp_path / "deck.pptx"))
    assert only(read(tmp_path / "deck.pptx")) == ReadDocument(
        "Review cycle",
        (Page("slide 1", "# Review cycle\n\nfirst second"), Page("slide 2", "# Dates\n\nin May")),
    )


def test_sheets(tmp_path: Path) -> None:
    """Each sheet is a page with its name; empty cells are empty, a cell of two lines is one row, paths stay whole."""
    book = openpyxl.Workbook()
    rates = book.active
    rates.title = "Rates 2026"
    rates.append(["City", "Hotel", None])
    rates.append(["Cork\nand Dublin", None, "C:\\new\\rates"])
    book.create_sheet("说明").append(["only a heading"])
    book.save(tmp_path / "rates.xlsx")
    document = only(read(tmp_path / "rates.xlsx"))
    assert document.title == "rates"
    assert [page.label for page in document.pages] == ["sheet Rates 2026", "sheet 说明"]
    assert document.pages[0].text == (
        "## Rates 2026\n\n| City | Hotel |  |\n| --- | --- | --- |\n| Cork and Dublin |  | C:\\new\\rates |"
    )
    assert "only a heading" in document.pages[1].text


def test_csv(tmp_path: Path) -> None:
    """A CSV file becomes a table, in every encoding that spreadsheet programs write."""
    text = "姓名,部门\n张三,财务部\n李四,采购部\n"
    for encoding in ("utf-8", "utf-8-sig", "gbk"):
        assert written(tmp_path, "a.csv", text.encode(encoding)).text == (
            "| 姓名 | 部门 |\n| --- | --- |\n| 张三 | 财务部 |\n| 李四 | 采购部 |"
        )


@pytest.mark.parametrize(
    ("name", "labels", "words"),
    [
        ("finance/travel-policy.docx", [""], "hotel"),
        ("finance/差旅管理办法.docx", [""], "住宿"),
        ("hr/performance-review-2026.pptx", "slide", "review"),
        ("finance/budget-2026.xlsx", "sheet", "| --- |"),
        ("hr/员工手册.pdf", "p.", "年假"),
        ("meetings/国庆放假与值班安排.eml", [""], "From:"),
        ("it/it-helpdesk-faq.html", [""], "new starter"),
        ("facilities/苏州办公室指南.txt", [""], "办公室"),
    ],
)
def test_sample_company(name: str, labels: list[str] | str, words: str) -> None:
    """Real files of every format give a title, text and the page labels that citations need."""
    document = only(read(DOCUMENTS / name))
    assert document.title
    assert words.lower() in document.text.lower()
    pages = [page.label for page in document.pages]
    assert pages == labels if isinstance(labels, list) else all(label.startswith(labels) for label in pages)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.md", b"", "the file is empty: fill it or remove it"),
        ("a.docx", b" \n\t ", "the file is empty"),
        (
            "a.exe",
            b"x",
            r"files of kind '\.exe' are not read: save it as \.pdf, .* with \.docentignore",
        ),
        ("README", b"x", "files of kind 'README' are not read"),
        ("a.docx", b"PK\x03\x04 nonsense", r"damaged or not really a \.docx file: open and save it again"),
        ("a.pptx", b"nonsense", r"damaged or not really a \.pptx file"),
        ("a.xlsx", b"nonsense", r"damaged or not really a \.xlsx file"),
        ("a.docx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "protected by a password: save a copy without one"),
        ("a.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "protected by a password"),
        ("a.pdf", b"%PDF-1.7 nonsense", "damaged or not really a PDF"),
        ("a.txt", b"MZ\x00\x00\x01\x00\x02\x00" * 30, "binary data, not text"),
        ("a.eml", b"hello", "not an e-mail"),
        ("a.msg", b"hello", r"damaged or not really a \.msg file"),
        ("a.doc", b"hello", r"damaged or not really a \.doc file"),
        ("a.ppt", b"hello", r"damaged or not really a \.ppt file"),
        ("a.xls", b"hello", r"damaged or not really a \.xls file"),
        ("a.rtf", b"hello", r"damaged or not really a \.rtf file"),
        ("a.odt", b"hello", r"damaged or not really a \.odt file"),
        ("a.epub", b"hello", r"damaged or not really a \.epub file"),
        ("a.zip", b"hello", r"damaged or not really a \.zip file"),
        ("a.mht", b"hello", "not a saved web page"),
        ("a.json", b"{", "not JSON from line 1"),
        ("a.html", b"<html><script>x</script></html>", "no text was found in the file: fill it or remove it"),
        ("a.md", "\u200b\n".encode(), "no text was found"),
    ],
)
def test_unreadable(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """The message of each fault is one line with the reason and what to do."""
    with pytest.raises(ReadError, match=reason) as caught:
        written(tmp_path, name, content)
    assert "\n" not in str(caught.value)


def test_without_text(tmp_path: Path) -> None:
    """The message says what to do where pictures are not read, and where none of their text was recognised."""
    Presentation().save(tmp_path / "pictures.pptx")
    (tmp_path / "blank.pdf").write_bytes(pdf([[]]))
    with pytest.raises(ReadError, match="its pictures are not looked at: save it as PDF to have them read"):
        read(tmp_path / "pictures.pptx")
    with pytest.raises(ReadError, match="no text was recognised in it: remove it, or scan it again if it has some"):
        read(tmp_path / "blank.pdf")


def test_truncated_word_file(tmp_path: Path) -> None:
    """Half a real document is damaged, and so is a package without its main part."""
    data = (DOCUMENTS / "finance/travel-policy.docx").read_bytes()
    with pytest.raises(ReadError, match="damaged"):
        written(tmp_path, "half.docx", data[: len(data) // 2])
    with zipfile.ZipFile(tmp_path / "hollow.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(ReadError, match="damaged"):
        read(tmp_path / "hollow.docx")


def test_a_parser_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a parser raises on a malformed file becomes one message about that file."""

    def broken(_path: Path, _data: bytes) -> tuple[str, list[Page]]:
        raise IndexError("string index out of range")

    monkeypatch.setitem(read_module.READERS, ".md", broken)
    with pytest.raises(ReadError, match=r"damaged or not really a \.md file"):
        written(tmp_path, "a.md", "text")


def test_malformed_mail_header(tmp_path: Path) -> None:
    """Headers that make Python's mail parser fail are a fault of the file."""
    for header in (
        b"To: a@b, :;<@>,,[",
        b'Content-Type: text/plain; charset*="',
        b"Date: ,,,,",
        b'From: "',
        b"To: :;@[",
    ):
        data = b"Subject: s\n" + header + b"\n\nthe text"
        try:
            assert "the text" in written(tmp_path, "a.eml", data).text
        except ReadError as error:
            assert "damaged" in str(error)


def test_vanished(tmp_path: Path) -> None:
    """A file that has disappeared raises the system's error; the caller names it."""
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "gone.md")


def test_kinds(tmp_path: Path) -> None:
    """The suffix chooses the reader, in capitals or small letters."""
    assert set(READERS) >= set(
        """.pdf .docx .doc .odt .rtf .pptx .ppt .odp .xlsx .xls .ods .csv .tsv .html .mht .md .rst .txt .org .eml .msg
        .epub .json .jsonl .zip .png .jpg .tif""".split()
    )
    assert written(tmp_path, "A.TXT", "text").text == "text"


def test_archive(tmp_path: Path) -> None:
    """Each member is a document of its own with its path in the archive; unreadable ones are named with a reason."""
    inner = zipped({"deep.txt": b"deep"})
    file = read_all(
        tmp_path,
        "all.zip",
        zipped({"a.md": b"# First", "minutes/may.txt": b"May", "x.exe": b"MZ", "e.txt": b"", "in.zip": inner}),
    )
    assert [(document.member, document.title, document.text) for document in file.documents] == [
        ("a.md", "First", "# First"),
        ("minutes/may.txt", "may", "May"),
        ("in.zip/deep.txt", "deep", "deep"),
    ]
    assert file.failures == (
        ("x.exe", "files of kind '.exe' are not read: convert it to one that is"),
        ("e.txt", "the file is empty: fill it or remove it"),
    )


def test_archive_depth(tmp_path: Path) -> None:
    """An archive in an archive is opened, one inside that is not."""
    data = zipped({"lowest.txt": b"x"})
    for _ in range(3):
        data = zipped({"in.zip": data, "note.txt": b"a note"})
    file = read_all(tmp_path, "deep.zip", data)
    assert [document.member for document in file.documents] == ["in.zip/note.txt", "note.txt"]
    assert file.failures == (("in.zip/in.zip", "what is packed this deep is not opened: unpack it"),)


def test_deep_mail(tmp_path: Path) -> None:
    """A mail two levels down is read; only its attachments, if it has any, are named as too deep."""
    plain = EmailMessage()
    plain["From"], plain["Subject"] = "a@x.example", "Plain"
    plain.set_content("hello")
    full = EmailMessage()
    full["From"], full["Subject"] = "a@x.example", "Full"
    full.add_attachment(b"x", maintype="text", subtype="plain", filename="x.txt")
    inner = zipped({"plain.eml": plain.as_bytes(), "full.eml": full.as_bytes()})
    file = read_all(tmp_path, "a.zip", zipped({"in.zip": inner}))
    assert [document.title for document in file.documents] == ["Plain", "Full"]
    assert file.failures == (("in.zip/full.eml/x.txt", "what is packed this deep is not opened: unpack it"),)


def test_empty_archive(tmp_path: Path) -> None:
    """An archive without files is an error that says so."""
    with pytest.raises(ReadError, match="the archive is empty"):
        read_all(tmp_path, "a.zip", zipped({"__MACOSX/x.txt": b"x"}))


def test_nested_archives_share_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All archives in a file share one limit of bytes to unpack: nesting does not multiply it."""
    monkeypatch.setattr(package.Budget, "__init__", lambda self: self.__dict__.update(members=100, size=2500))
    inner = zipped({"a.txt": b"a" * 1000})
    file = read_all(tmp_path, "a.zip", zipped({"1.zip": inner, "2.zip": inner, "3.zip": inner}))
    assert [document.member for document in file.documents] == ["1.zip/a.txt", "2.zip/a.txt"]
    assert [name for name, _ in file.failures] == ["3.zip"]


def test_attachments(tmp_path: Path) -> None:
    """Each attachment is a document whose title names its mail, also an attached mail and the file attached to that."""
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "b@x.example", "Old news"
    inner.set_content("as said")
    inner.add_attachment("# Plan\n\nsteps", subtype="markdown", filename="plan.md")
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "a@x.example", "Quarter"
    mail.set_content("see below")
    mail.add_attachment(b"name,sum\nAnn,5\n", maintype="text", subtype="csv", filename="sums.csv")
    mail.add_attachment(b"name,sum\nBob,6\n", maintype="text", subtype="csv", filename="sums.csv")
    mail.add_attachment(inner)
    file = read_all(tmp_path, "q.eml", mail.as_bytes())
    assert [(document.member, document.title) for document in file.documents] == [
        ("", "Quarter"),
        ("sums.csv", "sums (attached to 'Quarter')"),
        ("sums (2).csv", "sums (attached to 'Quarter')"),
        ("Old news.eml", "Old news (attached to 'Quarter')"),
        ("Old news.eml/plan.md", "Plan (attached to 'Old news')"),
    ]
    assert file.documents[1].text == "| name | sum |\n| --- | --- |\n| Ann | 5 |"
    assert file.failures == ()


def test_content_overrules_the_name(tmp_path: Path) -> None:
    """The content decides where it is beyond doubt: a web page named .xls, a .docx file named .doc, RTF named .doc."""
    assert "| a | b |" in written(tmp_path, "a.xls", "<html><table><tr><td>a<td>b<tr><td>1<td>2</table>").text
    assert written(tmp_path, "b.xls", "a\tb\n1\t2\n").text.startswith("| a | b |")
    assert written(tmp_path, "a.doc", r"{\rtf1\ansi Hello}").text == "Hello"
    word = (DOCUMENTS / "finance/travel-policy.docx").read_bytes()
    assert written(tmp_path, "b.doc", word).title == "Travel policy"
    assert written(tmp_path, "c.txt", word).title == "Travel policy"


def test_encrypted(tmp_path: Path) -> None:
    """An Office file with a password is an encrypted stream in an OLE container, whatever its name."""
    data = ole_file({"EncryptedPackage": b"x" * 5000, "EncryptionInfo": b"x"})
    for name in ("a.docx", "a.xlsx", "a.doc", "a.xls"):
        with pytest.raises(ReadError, match="protected by a password: save a copy without one"):
            written(tmp_path, name, data)
