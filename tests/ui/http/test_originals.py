"""Original files: which open in the browser, which are downloaded, and which are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.fakes.scripted_assistant import ScriptedAssistant


@pytest.mark.parametrize(
    ("name", "content", "media_type", "disposition", "sandboxed"),
    [
        ("a.pdf", b"%PDF-1.4", "application/pdf", "inline", False),
        ("a.md", "年假".encode(), "text/plain; charset=utf-8", "inline", True),
        ("a.txt", "年假有多少天".encode("gb18030"), "text/plain; charset=gb18030", "inline", True),
        ("a.html", b"<script>alert(1)</script>", "application/octet-stream", "attachment", True),
        ("a.svg", b"<svg onload='alert(1)'/>", "application/octet-stream", "attachment", True),
        ("a.eml", b"Content-Type: text/html\n\n<script>", "application/octet-stream", "attachment", True),
        ("a.docx", b"PK", "application/octet-stream", "attachment", True),
    ],
)
def test_originals_open_without_ever_running(
    client: TestClient, assistant: ScriptedAssistant, tmp_path: Path,
    name: str, content: bytes, media_type: str, disposition: str, sandboxed: bool,
) -> None:  # fmt: skip
    """PDF and text open in the browser; what a browser could run is downloaded, sandboxed, and its type not guessed."""
    path = tmp_path / name
    path.write_bytes(content)
    assistant.library.files[7] = path
    response = client.get("/documents/7")
    assert response.content == content
    assert response.headers["content-type"] == media_type
    assert response.headers["content-disposition"].startswith(f"{disposition};")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers.get("content-security-policy", "").startswith("sandbox") == sandboxed


def test_only_catalogued_files_open(client: TestClient, assistant: ScriptedAssistant, tmp_path: Path) -> None:
    """Unknown numbers, paths and deleted files get 404 with one line."""
    assistant.library.files[8] = tmp_path / "gone.pdf"
    gone = client.get("/documents/8")
    assert (gone.status_code, gone.json()["error"]) == (
        404, "gone.pdf is no longer where it was read: ask for `docent ingest` to be run again.",
    )  # fmt: skip
    assert client.get("/documents/9").json()["error"] == "Document 9 is not in the library: search again."
    assert client.get("/documents/%2e%2e%2fetc%2fpasswd").status_code in (400, 404, 422)
