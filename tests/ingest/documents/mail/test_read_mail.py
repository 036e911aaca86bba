"""E-mails (eml): headers, text, attachments, and faults that occur."""

from __future__ import annotations

import random
from email.message import EmailMessage

import pytest

from ingest.base.errors import ReadError
from ingest.documents.mail.read_mail import attachments, read_mail


def mail(headers: str, body: bytes) -> bytes:
    return headers.encode() + b"\n\n" + body


def page(data: bytes) -> str:
    _, pages = read_mail(data)
    assert len(pages) == 1
    assert pages[0].label == ""
    return pages[0].text


def test_plain() -> None:
    """The subject is title and heading; sender, recipients and date stand before the text."""
    data = mail(
        "From: Ann <ann@x.example>\nTo: all@x.example\nSubject: Parking\nDate: Mon, 5 Oct 2026 09:00:00 +0000",
        b"Park\nbehind.",
    )
    subject, _ = read_mail(data)
    assert subject == "Parking"
    assert page(data) == (
        "# Parking\n\n"
        "From: Ann <ann@x.example>\nTo: all@x.example\nDate: Mon, 05 Oct 2026 09:00:00 +0000\n\n"
        "Park\nbehind."
    )


def test_html_only() -> None:
    """An e-mail with HTML only is read as Markdown, without its script."""
    html = "<h2>Rota</h2><script>evil()</script><ul><li>Ann</li><li>王芳</li></ul>".encode()
    text = page(mail("From: a@x.example\nSubject: Rota\nContent-Type: text/html; charset=utf-8", html))
    assert "## Rota" in text
    assert "* Ann\n* 王芳" in text
    assert "evil" not in text


def test_plain_is_preferred() -> None:
    """Of a text in two forms the plain one is read, once."""
    body = (
        b"--B\nContent-Type: text/html\n\n<p>the HTML form</p>\n"
        b"--B\nContent-Type: text/plain\n\nthe plain form\n--B--\n"
    )
    text = page(mail("From: a@x.example\nSubject: s\nContent-Type: multipart/alternative; boundary=B", body))
    assert "the plain form" in text
    assert "HTML form" not in text


def test_chinese_headers() -> None:
    """Encoded headers are decoded from any character set."""
    data = mail(
        "From: =?utf-8?B?5b6Q5L2z?= <xu@x.example>\nSubject: =?gb2312?B?t8W82c2o1qo=?=\n"
        "Content-Type: text/plain; charset=gb2312",
        "十月一日放假。".encode("gb2312"),
    )
    assert read_mail(data)[0] == "放假通知"
    assert page(data) == "# 放假通知\n\nFrom: 徐佳 <xu@x.example>\n\n十月一日放假。"


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "no-such-set", "idna", "utf\0", "hex"])
def test_wrong_charset(charset: str) -> None:
    """A text whose declared character set is wrong or unknown is decoded by what its bytes are."""
    body = "员工的年假为二十五天，未休的部分可以结转。"
    headers = f'From: a@x.example\nSubject: s\nContent-Type: text/plain; charset="{charset}"'
    assert page(mail(headers, body.encode("gb18030"))).endswith(body)


def test_attachments_are_named() -> None:
    """Attachments are named in the text of the e-mail, and returned with their content."""
    body = (
        b"--B\nContent-Type: text/plain\n\nsee the plan\n"
        b"--B\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=plan.pdf\n\nxx\n"
        b"--B\nContent-Type: application/pdf\n"
        b"Content-Disposition: attachment; filename*=utf-8''%E5%B9%B4%E5%81%87.pdf\n\nxx\n"
        b"--B--\n"
    )
    data = mail("From: a@x.example\nSubject: s\nContent-Type: multipart/mixed; boundary=B", body)
    assert "Attachments: plan.pdf, 年假.pdf" in page(data)
    assert page(data).endswith("see the plan")
    assert list(attachments(data)) == [("plan.pdf", b"xx"), ("年假.pdf", b"xx")]


def test_pictures_of_the_text() -> None:
    """A picture that the HTML text shows is no attachment; another one is."""
    body = (
        b"--B\nContent-Type: text/html\n\n<img src='cid:logo'>hello\n"
        b"--B\nContent-Type: image/png\nContent-ID: <logo>\nContent-Disposition: inline; filename=logo.png\n\nxx\n"
        b"--B\nContent-Type: image/png\nContent-ID: <b>\nContent-Disposition: attachment; filename=scan.png\n\nyy\n"
        b"--B--\n"
    )
    data = mail("From: a@x.example\nSubject: s\nContent-Type: multipart/mixed; boundary=B", body)
    assert list(attachments(data)) == [("scan.png", b"yy")]


def test_attached_mail() -> None:
    """A forwarded e-mail is an attachment named after its subject; names contain no folders."""
    body = (
        b"--B\nContent-Type: message/rfc822\n\nFrom: c@x.example\nSubject: Old / new\n\nas said\n"
        b'--B\nContent-Type: text/csv\nContent-Disposition: attachment; filename="../a.csv"\n\n1,2\n--B--\n'
    )
    data = mail("From: a@x.example\nSubject: s\nContent-Type: multipart/mixed; boundary=B", body)
    (name, inner), (other, _) = attachments(data)
    assert name == "Old new.eml"
    assert read_mail(inner)[0] == "Old / new"
    assert other == ".. a.csv"


def test_encrypted() -> None:
    """The error for an encrypted e-mail says so; a signed one is read, and its signature is no attachment."""
    with pytest.raises(ReadError, match="encrypted"):
        read_mail(mail("From: a@x.example\nSubject: s\nContent-Type: application/pkcs7-mime", b"MIIB"))
    body = (
        b"--B\nContent-Type: text/plain\n\nthe text\n"
        b"--B\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nxx\n--B--\n"
    )
    signed = mail("From: a@x.example\nSubject: s\nContent-Type: multipart/signed; boundary=B", body)
    assert page(signed).endswith("the text")
    assert list(attachments(signed)) == []


def test_utf_16() -> None:
    """An e-mail that a text editor saved as UTF-16 is read."""
    data = "From: a@x.example\nSubject: Rota\n\n年假".encode("utf-16")
    assert read_mail(data)[0] == "Rota"
    assert page(data).endswith("年假")


def test_no_body() -> None:
    """An e-mail without text gives its headers."""
    assert page(mail("From: a@x.example\nSubject: s", b"")).strip() == "# s\n\nFrom: a@x.example"


@pytest.mark.parametrize(
    "data", [b"just some text\nwithout headers", b"", b"Key: value\n\nnot a mail", b"\x00\xff\xfe"]
)
def test_not_a_mail(data: bytes) -> None:
    """A file with neither sender nor subject is refused as no e-mail."""
    with pytest.raises(ReadError, match="not an e-mail: it has neither sender nor subject"):
        read_mail(data)


def test_transfer_encodings() -> None:
    """Base64 and quoted-printable are decoded."""
    headers = "From: a@x.example\nSubject: s\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
    assert page(mail(headers + "base64", b"5bm05YGH")).endswith("年假")
    assert page(mail(headers + "quoted-printable", b"caf=C3=A9 =\nopen")).endswith("café open")


def test_foreign_bytes_in_headers() -> None:
    """Non-ASCII headers, as old programs write them, do not stop the reading."""
    generator = random.Random(5)
    for _ in range(50):
        subject = bytes(generator.choice(b"ab \xc4\xea\xbc\xd9=?<>") for _ in range(20))
        data = b"From: a@x.example\nX-Subject: " + subject + b"\n\nthe text"
        assert page(data).endswith("the text")


def test_unencoded_headers() -> None:
    """Headers with unencoded Chinese, in UTF-8 or GBK, are read."""
    headers = "From: 李雷 <li@example.com>\nSubject: 周报 第12周\nContent-Type: text/plain; charset="
    for code in ("utf-8", "gbk"):
        subject, (only_page,) = read_mail(f"{headers}{code}\n\n本周完成三项任务。\n".encode(code))
        assert subject == "周报 第12周"
        assert only_page.text.startswith("# 周报 第12周\n\nFrom: 李雷 <li@example.com>")


def test_placeholder_text() -> None:
    """A plain text that only says that the e-mail is HTML is replaced by the text of the HTML."""
    message = EmailMessage()
    message["Subject"] = "Minutes"
    message.set_content("This message needs an HTML viewer.")
    message.add_alternative("<p>The committee decided to open a second plant.</p>" * 5, subtype="html")
    text = page(message.as_bytes())
    assert "second plant" in text
    assert "viewer" not in text


def test_invitation() -> None:
    """An invitation without a text gives its summary, begin, end, place and description."""
    event = (
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Budget\nDTSTART;TZID=Europe/Berlin:20260601T090000\n"
        b"DTEND:20260601T080000Z\nLOCATION:Room 5\nDESCRIPTION:Bring the figures\\, ple\n ase.\nEND:VEVENT\n"
    )
    assert page(mail("Subject: Invitation\nContent-Type: text/calendar; charset=utf-8", event)).endswith(
        "What: Budget\nBegins: 2026-06-01 09:00\nEnds: 2026-06-01 08:00 UTC\nWhere: Room 5\n"
        "About: Bring the figures, please."
    )
