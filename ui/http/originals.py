"""Sends the original file of a document so that nothing in it can run as part of this site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import HTTPException
from fastapi.responses import FileResponse
from starlette.responses import Response

from ingest.base.errors import DocentError

if TYPE_CHECKING:
    from assistant.assistant import Assistant

TEXT_SUFFIXES = {".csv", ".log", ".markdown", ".md", ".rst", ".text", ".tsv", ".txt"}
# How much of a text file is read to find its encoding.
HEAD_BYTES = 65_536


def original(assistant: Assistant, document_id: int) -> Response:
    """The file of a document in the library.

    Only PDF and plain text open in the browser. Everything else is downloaded, because an HTML page or a drawing must
    never run as part of this site. Raises HTTPException (404) for an unknown document or a file that is gone.
    """
    try:
        record = assistant.library.document(document_id)
    except DocentError as error:
        raise HTTPException(404, str(error)) from error
    # An attachment is part of its e-mail, so the e-mail is opened.
    path = Path(record.paths[0] if record.member else record.path)
    if not path.is_file():
        raise HTTPException(
            404, f"{record.name} is no longer where it was read: ask for `docent ingest` to be run again."
        )
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        # No sandbox: browsers refuse to show a PDF inside one, and a PDF does not run as part of a site.
        media_type, disposition = "application/pdf", "inline"
    else:
        headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
        media_type, disposition = "application/octet-stream", "attachment"
        if suffix in TEXT_SUFFIXES:
            media_type, disposition = f"text/plain; charset={_charset(path)}", "inline"
    return FileResponse(
        path, media_type=media_type, filename=path.name, content_disposition_type=disposition, headers=headers
    )


def _charset(path: Path) -> str:
    """The encoding of a text file, guessed from its first bytes: utf-8, utf-16 or gb18030."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character that is cut by the end of the read bytes is no error.
        return "utf-8" if error.start >= len(head) - 3 and len(head) == HEAD_BYTES else "gb18030"
    return "utf-8"
