"""An e-mail (RFC 5322) as Markdown: who, when, about what, and its text. Knows nothing of files."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from email.message import MIMEPart

from ingest.errors import ReadError
from ingest.read_text import decode
from ingest.types import Page

_SHOWN_HEADERS = ("From", "To", "Cc", "Date")


def read_mail(data: bytes, convert: Callable[[bytes, str, str | None], str]) -> tuple[str, list[Page]]:
    """(subject, one page). `convert` turns an HTML body into Markdown. Raises ReadError when it is no e-mail."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not message.keys() or not any(name in message for name in ("From", "Subject", "Date")):
        raise ReadError("the file is not an e-mail: it has neither sender nor subject")
    subject = str(message.get("Subject", "")).strip()
    body = message.get_body(preferencelist=("plain", "html"))
    text = _body_text(body, convert) if body is not None else ""
    attached = [name for part in message.iter_attachments() if (name := part.get_filename())]
    lines = [f"{name}: {message[name]}" for name in _SHOWN_HEADERS if message[name]]
    if attached:
        lines.append(f"Attachments: {', '.join(attached)}")
    heading = f"# {subject}\n\n" if subject else ""
    return subject, [Page("", heading + "\n".join(lines) + "\n\n" + text)]


def _body_text(body: MIMEPart, convert: Callable[[bytes, str, str | None], str]) -> str:
    payload = body.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(body.get_content_charset() or "utf-8")
    except (LookupError, ValueError):  # the declared character set is wrong or unknown
        text = decode(raw) if raw else ""
    return convert(text.encode(), ".html", "utf-8") if body.get_content_type() == "text/html" else text
