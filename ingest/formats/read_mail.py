"""An e-mail (RFC 5322) as Markdown, and what is attached to it. Knows nothing of files."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart

from ingest.errors import ReadError
from ingest.formats.markdown import flat
from ingest.formats.read_html import decode_html, to_text
from ingest.formats.read_text import decode
from ingest.types import Page

_SHOWN_HEADERS = ("From", "To", "Cc", "Date")
# Signatures and the like, which mail programs attach and nobody reads.
_MACHINE_PARTS = re.compile(r"application/(?:pkcs7-signature|x-pkcs7-signature|pgp-signature|pgp-keys)")
_ENCRYPTED_PARTS = re.compile(r"application/(?:x-)?pkcs7-mime|multipart/encrypted")


def read_mail(data: bytes) -> tuple[str, list[Page]]:
    """(subject, one page). Raises ReadError when it is no e-mail, or an encrypted one."""
    message = _parsed(data)
    if _ENCRYPTED_PARTS.match(message.get_content_type()) and "signed-data" not in str(message.get("Content-Type", "")):
        raise ReadError("the e-mail is encrypted: save its text where it can be read")
    subject = flat(str(message.get("Subject", "")))
    lines = [f"{name}: {flat(str(message[name]))}" for name in _SHOWN_HEADERS if message[name]]
    attached = [name for name, _ in attachments(data)]
    if attached:
        lines.append(f"Attachments: {', '.join(attached)}")
    return subject, [Page("", (f"# {subject}\n\n" if subject else "") + "\n".join(lines) + "\n\n" + _text(message))]


def _parsed(data: bytes) -> EmailMessage:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) or b"\x00" in data[:64]:
        # A mail saved from a text editor; mail itself is never in UTF-16.
        try:
            data = decode(data).encode()
        except ReadError:
            data = b""
    message = email.message_from_bytes(data.lstrip(), policy=email.policy.default)
    if not message.keys() or not any(name in message for name in ("From", "Subject", "Date")):
        raise ReadError("the file is not an e-mail: it has neither sender nor subject")
    return message


def attachments(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of what is attached; a forwarded mail is one as well, named after its subject."""
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
    """The parts that are files. Pictures shown inside an HTML text are part of that text."""
    pages = (part.get_payload(decode=True) for part in message.walk() if part.get_content_type() == "text/html")
    shown = b" ".join(page for page in pages if isinstance(page, bytes))
    for part in _leaves(message):
        content_id = str(part.get("Content-ID", "")).strip("<> ").encode()
        is_picture = part.get_content_maintype() == "image" and content_id and b"cid:" + content_id in shown
        is_file = part.get_filename() and not is_picture and not _MACHINE_PARTS.match(part.get_content_type())
        if is_file or part.get_content_type() == "message/rfc822":
            yield part


def _leaves(message: MIMEPart) -> Iterator[MIMEPart]:
    """The parts that hold something, a forwarded mail as one."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
    else:
        for part in message.iter_parts():
            yield from _leaves(part)


def _text(message: EmailMessage) -> str:
    """The plain form of the text, else the HTML form, and what else is text without being a file."""
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None and message.get_content_maintype() == "text":
        body = message
    text = _body_text(body) if body is not None else ""
    if not text.strip() and body is not None and (other := message.get_body(preferencelist=("html",))) is not None:
        text = _body_text(other)
    if message.get_content_type() == "multipart/mixed":
        # Mailing lists and scanners put further texts after the first.
        for part in message.iter_parts():
            if part.get_content_type() == "text/plain" and not part.get_filename() and part is not body:
                text += "\n\n" + _body_text(part)
    return text


def _body_text(body: MIMEPart) -> str:
    payload = body.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    if body.get_content_type() == "text/html":
        return to_text(decode_html(raw, body.get_content_charset() or ""), whole=True)[1]
    return decode(raw, body.get_content_charset() or "") if raw else ""
