"""PDFs: their pages in order, their lines mended, and those that cannot be opened."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ingest.errors import ReadError
from ingest.read_pdf import read_pdf, unwrap

DOCUMENTS = Path(__file__).parent.parent / "data" / "documents"
PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def pdf(pages: list[list[str]], title: str = "", password: str = "") -> bytes:
    """A PDF of lines of Helvetica, protected by a password when one is given."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        shown = " T* ".join(f"({line}) Tj" for line in lines)
        content = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        kids.append(len(objects) + 1)
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {len(objects)} 0 R >>"
        )
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>"
    objects.append(f"<< /Title ({title}) >>")
    trailer = f"/Root 1 0 R /Info {len(objects)} 0 R"
    if password:
        objects.append(encryption(password))
        trailer += f" /Encrypt {len(objects)} 0 R /ID [<{'00' * 16}> <{'00' * 16}>]"
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} {trailer} >>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def encryption(password: str) -> str:
    """The dictionary of the standard security handler, revision 2 (ISO 32000-1, 7.6.3)."""
    padded = (password.encode() + PADDING)[:32]
    owner = rc4(hashlib.md5(padded).digest()[:5], padded)
    rights = (-4).to_bytes(4, "little", signed=True)
    key = hashlib.md5(padded + owner + rights + bytes(16)).digest()[:5]
    return f"<< /Filter /Standard /V 1 /R 2 /P -4 /O <{owner.hex()}> /U <{rc4(key, PADDING).hex()}> >>"


def rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def test_pages_in_order() -> None:
    """Each page is labelled with its number and has its own lines; the title is the document's."""
    title, pages = read_pdf(pdf([["Leave", "25 days a year."], ["Travel", "150 euros a night."]], title="Handbook"))
    assert title == "Handbook"
    assert [(page.label, page.text) for page in pages] == [
        ("p. 1", "Leave\n25 days a year."),
        ("p. 2", "Travel\n150 euros a night."),
    ]


@pytest.mark.parametrize("title", ["Microsoft Word - draft", "report.docx", "Untitled", "untitled 3", "layout.indd"])
def test_titles_of_programs(title: str) -> None:
    """What a program wrote as title is no title."""
    assert read_pdf(pdf([["text"]], title=title))[0] == ""


def test_lines_broken_by_the_page() -> None:
    """Lines of a paragraph are joined; a short line and the next item stay by themselves."""
    lines = [
        "Expenses",
        "Every employee who travels for the company keeps the",
        "receipts until they are paid.",
        "- taxi",
    ]
    assert read_pdf(pdf([lines]))[1][0].text == (
        "Expenses\nEvery employee who travels for the company keeps the receipts until they are paid.\n- taxi"
    )


def test_unwrap() -> None:
    """Chinese is joined without a space, a hyphenated word without its hyphen, other words with a space."""
    long = "员工因公出差所发生的交通费住宿费和餐饮补贴应当在返回公司之后的十四个"
    assert unwrap(f"{long}\n自然日内报销。") == f"{long}自然日内报销。"
    english = "The certificate of every laptop is renewed by the admin"
    assert unwrap(f"{english}-\nistrator each year.") == f"{english}istrator each year."
    assert unwrap(f"{english}\ufffe\nistrator each year.") == f"{english}istrator each year."
    assert unwrap(f"{english}\r\nof the site.") == f"{english} of the site."
    assert unwrap("Hours\n9 to 17") == "Hours\n9 to 17"
    assert unwrap("") == ""


def test_sample_documents() -> None:
    """Chinese and English PDFs of the sample company: every page has text, none is joined to the next."""
    for name in ("hr/员工手册.pdf", "product/aq-400-operator-manual.pdf"):
        _, pages = read_pdf((DOCUMENTS / name).read_bytes())
        assert [page.label for page in pages] == [f"p. {number}" for number in range(1, len(pages) + 1)]
        assert all(len(page.text) > 50 for page in pages)
    assert "年假" in "".join(page.text for page in read_pdf((DOCUMENTS / "hr/员工手册.pdf").read_bytes())[1])


@pytest.mark.parametrize("data", [b"%PDF-1.4\nnothing more", b"not a PDF at all", pdf([["x"]])[:60]])
def test_damaged(data: bytes) -> None:
    """A file that is no PDF is said in one line with what to do."""
    with pytest.raises(ReadError, match="damaged or not really a PDF: open and save it again"):
        read_pdf(data)


def test_password() -> None:
    """A protected file is called that, not damaged."""
    with pytest.raises(ReadError, match="protected by a password: save a copy without one"):
        read_pdf(pdf([["secret"]], password="open sesame"))


def test_no_text() -> None:
    """A page without text, as a scan has, is an empty page, not a fault of the file."""
    assert [page.text for page in read_pdf(pdf([[]]))[1]] == [""]
