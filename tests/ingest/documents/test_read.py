"""One file of every kind to Markdown, and every way in which a file can be unreadable."""

from __future__ import annotations

import zipfile
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import pytest
from pptx import Presentation

from ingest.base.errors import ReadError
from ingest.base.types import Page, ReadDocument, ReadFile
from ingest.documents import read as reading
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
    """The one document of a file that carries nothing else."""
    assert not file.failures
    (document,) = file.documents
    return document


def written(tmp_path: Path, name: str, content: str | bytes) -> ReadDocument:
    return only(read_all(tmp_path, name, content))


def test_markdown(tmp_path: Path) -> None:
    """Markdown stays as it is, without comments, addresses of pictures and needless blank lines."""
    text = "# Leave *policy*\r\n\r\n\r\n\r\n<!-- draft -->Staff get 25 days. ![plan](plan.png)  \r\nAsk HR.\r\n"
    assert written(tmp_path, "a.md", text) == ReadDocument(
        "Leave policy", (Page("", "# Leave *policy*\n\nStaff get 25 days. plan\nAsk HR."),)
    )


def test_bullets_of_symbol_fonts(tmp_path: Path) -> None:
    """The places that Symbol and Wingdings have for bullets are told as bullets."""
    assert written(tmp_path, "a.txt", "\uf0b7 one\n\uf0a7 two").text == "• one\n• two"


def test_title(tmp_path: Path) -> None:
    """The title is what the file itself names, else its first heading, else its name; codes keep their underscores."""
    assert written(tmp_path, "a.md", "---\ntitle: 'Travel'\nowner: HR\n---\n# Heading\ntext").title == "Travel"
    assert written(tmp_path, "b.md", "text\n\n# The `DOCENT_HOME` [folder](x.md) #\n").title == "The DOCENT_HOME folder"
    assert written(tmp_path, "休假制度.txt", "text").title == "休假制度"
    assert written(tmp_path, "c.html", "<title>R&amp;D\n rules</title><h1>x</h1>").title == "R&D rules"


def test_front_matter(tmp_path: Path) -> None:
    """A block of settings in front is left out; text between two rulers is text."""
    assert written(tmp_path, "a.md", "---\n# for the site\ntitle: T\ntags: [a]\n---\nBody").text == "Body"
    assert written(tmp_path, "b.md", "---\nMind the gap.\n---\nBody").text == "---\nMind the gap.\n---\nBody"


def test_words_are_kept_apart(tmp_path: Path) -> None:
    """However a line was ended, its last word and the next one stay two; invisible characters are dropped."""
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
    """A CSV file is a table, in whichever encoding the spreadsheet program wrote it."""
    text = "姓名,部门\n张三,财务部\n李四,采购部\n"
    for encoding in ("utf-8", "utf-8-sig", "gbk"):
        assert written(tmp_path, "a.csv", text.encode(encoding)).text == (
            "| 姓名 | 部门 |\n| --- | --- |\n| 张三 | 财务部 |\n| 李四 | 采购部 |"
        )


@pytest.mark.parametrize(
    ("name", "labels", "said"),
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
def test_sample_company(name: str, labels: list[str] | str, said: str) -> None:
    """Real files of every kind give a title, text and the labels that citations need."""
    document = only(read(DOCUMENTS / name))
    assert document.title
    assert said.lower() in document.text.lower()
    found = [page.label for page in document.pages]
    assert found == labels if isinstance(labels, list) else all(label.startswith(labels) for label in found)


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
    """Each fault is one line that names it and says what to do."""
    with pytest.raises(ReadError, match=reason) as caught:
        written(tmp_path, name, content)
    assert "\n" not in str(caught.value)


def test_without_text(tmp_path: Path) -> None:
    """Who has put pictures where they are not looked at learns what to do; a page without text is no scan."""
    Presentation().save(tmp_path / "pictures.pptx")
    (tmp_path / "blank.pdf").write_bytes(pdf([[]]))
    with pytest.raises(ReadError, match="its pictures are not looked at: save it as PDF to have them read"):
        read(tmp_path / "pictures.pptx")
    with pytest.raises(ReadError, match="no text was recognised in it: remove it, or scan it again if it has some"):
        read(tmp_path / "blank.pdf")


def test_truncated_word_file(tmp_path: Path) -> None:
    """Half a real document is damaged, and so is a whole one without its text."""
    data = (DOCUMENTS / "finance/travel-policy.docx").read_bytes()
    with pytest.raises(ReadError, match="damaged"):
        written(tmp_path, "half.docx", data[: len(data) // 2])
    with zipfile.ZipFile(tmp_path / "hollow.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(ReadError, match="damaged"):
        read(tmp_path / "hollow.docx")


def test_a_parser_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whichever way a parser fails on a malformed file, that file is damaged; the program goes on."""

    def broken(_path: Path, _data: bytes) -> tuple[str, list[Page]]:
        raise IndexError("string index out of range")

    monkeypatch.setitem(reading.READERS, ".md", broken)
    with pytest.raises(ReadError, match=r"damaged or not really a \.md file"):
        written(tmp_path, "a.md", "text")


def test_malformed_mail_header(tmp_path: Path) -> None:
    """Headers that Python's own parser stumbles over are the file's fault."""
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
    """A file that is gone is the system's error, for the caller to name."""
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "gone.md")


def test_kinds(tmp_path: Path) -> None:
    """The suffix decides, in capitals or not."""
    assert set(READERS) >= set(
        """.pdf .docx .doc .odt .rtf .pptx .ppt .odp .xlsx .xls .ods .csv .tsv .html .mht .md .rst .txt .org .eml .msg
        .epub .json .jsonl .zip .png .jpg .tif""".split()
    )
    assert written(tmp_path, "A.TXT", "text").text == "text"


def test_archive(tmp_path: Path) -> None:
    """Each member is a document of its own, named by where it lies; what cannot be read is named with its reason."""
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
    """Archives are opened one level down and no further."""
    data = zipped({"lowest.txt": b"x"})
    for _ in range(3):
        data = zipped({"in.zip": data, "note.txt": b"a note"})
    file = read_all(tmp_path, "deep.zip", data)
    assert [document.member for document in file.documents] == ["in.zip/note.txt", "note.txt"]
    assert file.failures == (("in.zip/in.zip", "what is packed this deep is not opened: unpack it"),)


def test_deep_mail(tmp_path: Path) -> None:
    """A mail two levels down is read; what is attached to it is named as too deep, and nothing is when nothing is."""
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
    """An archive that holds nothing says so."""
    with pytest.raises(ReadError, match="the archive is empty"):
        read_all(tmp_path, "a.zip", zipped({"__MACOSX/x.txt": b"x"}))


def test_nested_archives_share_one_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be unpacked counts over all archives in a file: nesting does not multiply it."""
    monkeypatch.setattr(package.Budget, "__init__", lambda self: self.__dict__.update(members=100, size=2500))
    inner = zipped({"a.txt": b"a" * 1000})
    file = read_all(tmp_path, "a.zip", zipped({"1.zip": inner, "2.zip": inner, "3.zip": inner}))
    assert [document.member for document in file.documents] == ["1.zip/a.txt", "2.zip/a.txt"]
    assert [name for name, _ in file.failures] == ["3.zip"]


def test_attachments(tmp_path: Path) -> None:
    """What is attached to a mail is a document of its own that names its parent, also a mail with a file of its own."""
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
    """A file is read as what it plainly is: a web page called .xls, Word's new kind called .doc, RTF called .doc."""
    assert "| a | b |" in written(tmp_path, "a.xls", "<html><table><tr><td>a<td>b<tr><td>1<td>2</table>").text
    assert written(tmp_path, "b.xls", "a\tb\n1\t2\n").text.startswith("| a | b |")
    assert written(tmp_path, "a.doc", r"{\rtf1\ansi Hello}").text == "Hello"
    word = (DOCUMENTS / "finance/travel-policy.docx").read_bytes()
    assert written(tmp_path, "b.doc", word).title == "Travel policy"
    assert written(tmp_path, "c.txt", word).title == "Travel policy"


def test_encrypted(tmp_path: Path) -> None:
    """A newer Office file under a password lies encrypted in the old container, whatever its name."""
    data = ole_file({"EncryptedPackage": b"x" * 5000, "EncryptionInfo": b"x"})
    for name in ("a.docx", "a.xlsx", "a.doc", "a.xls"):
        with pytest.raises(ReadError, match="protected by a password: save a copy without one"):
            written(tmp_path, name, data)
