"""E-mails (RFC 5322, MIME) as Markdown, and their attachments."""

from __future__ import annotations

import base64
import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart

from ingest.base.errors import ReadError
from ingest.base.types import Page
from ingest.documents.structure.markdown import flat
from ingest.documents.text.read_html import decode_html, to_text
from ingest.documents.text.read_text import decode

_SHOWN_HEADERS = ("From", "To", "Cc", "Date")
# Signatures and keys, which mail programs attach for other programs.
_MACHINE_PARTS = re.compile(r"application/(?:pkcs7-signature|x-pkcs7-signature|pgp-signature|pgp-keys)")
# Plain text shorter than this is a placeholder ('your program cannot show HTML') if the HTML is this much longer.
_STUB_LENGTH = 200
_STUB_RATIO = 3
_EVENT = {"SUMMARY": "What", "DTSTART": "Begins", "DTEND": "Ends", "LOCATION": "Where", "DESCRIPTION": "About"}
_ENCRYPTED_PARTS = re.compile(r"application/(?:x-)?pkcs7-mime|multipart/encrypted")


def read_mail(data: bytes) -> tuple[str, list[Page]]:
    """(subject, one page without a label): the headers that people read, the names of the attachments, the text.

    Raises ReadError when the file is no e-mail, or an encrypted one.
    """
    message = _parsed(data)
    if _ENCRYPTED_PARTS.match(message.get_content_type()) and "signed-data" not in str(message.get("Content-Type", "")):
        raise ReadError("the e-mail is encrypted: decrypt it in the mail program and save it again")
    subject = flat(str(message.get("Subject", "")))
    lines = [f"{name}: {flat(str(message[name]))}" for name in _SHOWN_HEADERS if message[name]]
    attached = [name for name, _ in attachments(data)]
    if attached:
        lines.append(f"Attachments: {', '.join(attached)}")
    return subject, [Page("", (f"# {subject}\n\n" if subject else "") + "\n".join(lines) + "\n\n" + _text(message))]


def _parsed(data: bytes) -> EmailMessage:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) or b"\x00" in data[:64]:
        # Saved by a text editor: an e-mail itself is never in UTF-16 and has no byte order mark.
        try:
            data = decode(data).encode()
        except ReadError:
            data = b""
    message = email.message_from_bytes(_encoded_headers(data.lstrip()), policy=email.policy.default)
    if not message.keys() or not any(name in message for name in ("From", "Subject", "Date")):
        raise ReadError(
            "the file is not an e-mail: it has neither sender nor subject; save it again from the mail program"
        )
    return message


def _encoded_headers(data: bytes) -> bytes:
    """The e-mail with unencoded non-ASCII letters of its headers encoded as RFC 2047 demands."""
    end = re.search(rb"\r?\n\r?\n", data)
    head = data[: end.start()] if end else data
    if head.isascii():
        return data
    try:
        text = decode(head)
    except ReadError:
        return data

    def encoded(match: re.Match[str]) -> str:
        return f"=?utf-8?b?{base64.b64encode(match[0].encode()).decode()}?="

    return re.sub(r"[^\x00-\x7f]+(?: +[^\x00-\x7f]+)*", encoded, text).encode() + data[len(head) :]


def attachments(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(file name, content) of each attachment. A forwarded e-mail is an attachment too, named after its subject.

    Raises ReadError when the file is no e-mail.
    """
    for part in _attached(_parsed(data)):
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload(0) if part.is_multipart() else None
            if isinstance(inner, EmailMessage):
                subject = flat(str(inner.get("Subject", ""))) or "e-mail"
                yield f"{_file_name(part.get_filename() or subject).removesuffix('.eml')}.eml", inner.as_bytes()
        elif part.get_filename():
            payload = part.get_payload(decode=True)
            yield _file_name(part.get_filename() or ""), payload if isinstance(payload, bytes) else b""


def _file_name(name: str) -> str:
    return flat(re.sub(r"[/\\\x00-\x1f]+", " ", name)) or "unnamed"


def _attached(message: EmailMessage) -> Iterator[MIMEPart]:
    """The parts that are attachments. Pictures that the HTML text shows are part of that text."""
    html_parts = (part.get_payload(decode=True) for part in message.walk() if part.get_content_type() == "text/html")
    html = b" ".join(page for page in html_parts if isinstance(page, bytes))
    for part in _leaves(message):
        content_id = str(part.get("Content-ID", "")).strip("<> ").encode()
        is_picture = part.get_content_maintype() == "image" and content_id and b"cid:" + content_id in html
        is_file = part.get_filename() and not is_picture and not _MACHINE_PARTS.match(part.get_content_type())
        if is_file or part.get_content_type() == "message/rfc822":
            yield part


def _leaves(message: MIMEPart) -> Iterator[MIMEPart]:
    """The parts with content, a forwarded e-mail as one part."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
    else:
        for part in message.iter_parts():
            yield from _leaves(part)


def _text(message: EmailMessage) -> str:
    """The plain text, or the HTML text, and further text parts that are no attachments."""
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None and message.get_content_maintype() == "text" and message.get_content_subtype() != "calendar":
        body = message
    text = _body_text(body) if body is not None else ""
    if body is not None and len(text.strip()) < _STUB_LENGTH:
        html_body = message.get_body(preferencelist=("html",))
        html_text = _body_text(html_body) if html_body is not None and html_body is not body else ""
        if len(html_text) > _STUB_RATIO * len(text.strip()):
            text = html_text
    if not text.strip():
        text = "\n\n".join(_invitation(part) for part in message.walk() if part.get_content_type() == "text/calendar")
    if message.get_content_type() == "multipart/mixed":
        # Mailing lists and scanners add further texts after the first.
        for part in message.iter_parts():
            if part.get_content_type() == "text/plain" and not part.get_filename() and part is not body:
                text += "\n\n" + _body_text(part)
    return text


def _invitation(part: MIMEPart) -> str:
    """An invitation (RFC 5545) as text, one line for each of what, begin, end, place and description."""
    payload = part.get_payload(decode=True)
    text = decode(payload, part.get_content_charset() or "") if isinstance(payload, bytes) and payload else ""
    event = re.sub(r"\r?\n[ \t]", "", text).partition("BEGIN:VEVENT")[2]
    properties = re.findall(r"^(SUMMARY|DTSTART|DTEND|LOCATION|DESCRIPTION)[^:\n]*:(.*)$", event, re.MULTILINE)
    return "\n".join(f"{_EVENT[name]}: {_event_value(name, value)}" for name, value in properties)


def _event_value(name: str, value: str) -> str:
    if name.startswith("DT"):
        return re.sub(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d)?(Z?)", _date_and_time, value.strip())
    return flat(re.sub(r"\\([,;\\])", r"\1", re.sub(r"\\[nN]", " ", value)))


def _date_and_time(match: re.Match[str]) -> str:
    year, month, day, hour, minute, universal = match.groups()
    clock = f" {hour}:{minute}" + (" UTC" if universal else "") if hour else ""
    return f"{year}-{month}-{day}{clock}"


def _body_text(body: MIMEPart) -> str:
    payload = body.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    if body.get_content_type() == "text/html":
        return to_text(decode_html(raw, body.get_content_charset() or ""), whole=True)[1]
    return decode(raw, body.get_content_charset() or "") if raw else ""
