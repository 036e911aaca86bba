"""E-mails: their headers, the text people read in them, and what is wrong with some."""

from __future__ import annotations

import random

import pytest

from ingest.errors import ReadError
from ingest.read import convert
from ingest.read_mail import read_mail


def mail(headers: str, body: bytes) -> bytes:
    return headers.encode() + b"\n\n" + body


def page(data: bytes) -> str:
    _, pages = read_mail(data, convert)
    assert len(pages) == 1
    assert pages[0].label == ""
    return pages[0].text


def test_plain() -> None:
    """The subject is title and heading; who wrote to whom and when stands before the text."""
    data = mail(
        "From: Ann <ann@x.example>\nTo: all@x.example\nSubject: Parking\nDate: Mon, 5 Oct 2026 09:00:00 +0000",
        b"Park\nbehind.",
    )
    subject, _ = read_mail(data, convert)
    assert subject == "Parking"
    assert page(data) == (
        "# Parking\n\n"
        "From: Ann <ann@x.example>\nTo: all@x.example\nDate: Mon, 05 Oct 2026 09:00:00 +0000\n\n"
        "Park\nbehind."
    )


def test_html_only() -> None:
    """A mail that has only HTML is read as Markdown, without its script."""
    html = "<h2>Rota</h2><script>evil()</script><ul><li>Ann</li><li>王芳</li></ul>".encode()
    text = page(mail("From: a@x.example\nSubject: Rota\nContent-Type: text/html; charset=utf-8", html))
    assert "## Rota" in text
    assert "* Ann\n* 王芳" in text
    assert "evil" not in text


def test_plain_is_preferred() -> None:
    """Of a text in two forms the plain one is taken, once."""
    body = (
        b"--B\nContent-Type: text/html\n\n<p>the HTML form</p>\n"
        b"--B\nContent-Type: text/plain\n\nthe plain form\n--B--\n"
    )
    text = page(mail("From: a@x.example\nSubject: s\nContent-Type: multipart/alternative; boundary=B", body))
    assert "the plain form" in text
    assert "HTML form" not in text


def test_chinese_headers() -> None:
    """Encoded headers are read, whichever character set they are encoded in."""
    data = mail(
        "From: =?utf-8?B?5b6Q5L2z?= <xu@x.example>\nSubject: =?gb2312?B?t8W82c2o1qo=?=\n"
        "Content-Type: text/plain; charset=gb2312",
        "十月一日放假。".encode("gb2312"),
    )
    assert read_mail(data, convert)[0] == "放假通知"
    assert page(data) == "# 放假通知\n\nFrom: 徐佳 <xu@x.example>\n\n十月一日放假。"


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "no-such-set", "idna", "utf\0", "hex"])
def test_wrong_charset(charset: str) -> None:
    """A text whose declared character set is wrong, unknown or nonsense is read as what its bytes are."""
    body = "员工的年假为二十五天，未休的部分可以结转。"
    headers = f'From: a@x.example\nSubject: s\nContent-Type: text/plain; charset="{charset}"'
    assert page(mail(headers, body.encode("gb18030"))).endswith(body)


def test_attachments_are_named() -> None:
    """What is attached is not read but can be found by its name."""
    body = (
        b"--B\nContent-Type: text/plain\n\nsee the plan\n"
        b"--B\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=plan.pdf\n\nxx\n"
        b"--B\nContent-Type: application/pdf\n"
        b"Content-Disposition: attachment; filename*=utf-8''%E5%B9%B4%E5%81%87.pdf\n\nxx\n"
        b"--B--\n"
    )
    text = page(mail("From: a@x.example\nSubject: s\nContent-Type: multipart/mixed; boundary=B", body))
    assert "Attachments: plan.pdf, 年假.pdf" in text
    assert text.endswith("see the plan")


def test_no_body() -> None:
    """A mail without text is its headers."""
    assert page(mail("From: a@x.example\nSubject: s", b"")).strip() == "# s\n\nFrom: a@x.example"


@pytest.mark.parametrize(
    "data", [b"just some text\nwithout headers", b"", b"Key: value\n\nnot a mail", b"\x00\xff\xfe"]
)
def test_not_a_mail(data: bytes) -> None:
    """A file with neither sender nor subject is refused as no e-mail."""
    with pytest.raises(ReadError, match="not an e-mail: it has neither sender nor subject"):
        read_mail(data, convert)


def test_transfer_encodings() -> None:
    """Base64 and quoted-printable are undone."""
    headers = "From: a@x.example\nSubject: s\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
    assert page(mail(headers + "base64", b"5bm05YGH")).endswith("年假")
    assert page(mail(headers + "quoted-printable", b"caf=C3=A9 =\nopen")).endswith("café open")


def test_foreign_bytes_in_headers() -> None:
    """Headers that are not ASCII, as old programs write them, do not stop the reading."""
    chosen = random.Random(5)
    for _ in range(50):
        subject = bytes(chosen.choice(b"ab \xc4\xea\xbc\xd9=?<>") for _ in range(20))
        data = b"From: a@x.example\nX-Subject: " + subject + b"\n\nthe text"
        assert page(data).endswith("the text")
