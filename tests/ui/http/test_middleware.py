"""Every request: its id, its one log line without the question, and the limit on its size."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient

from ingest.base.logs import configure_logs
from tests.fakes.scripted_assistant import READY_LIBRARY, ScriptedAssistant


def test_unexpected_error_is_500_with_an_id_that_is_in_the_log(
    client: TestClient, assistant: ScriptedAssistant, tmp_path: Path
) -> None:
    """The caller gets one line and an id; the log has the traceback under that id."""
    configure_logs("info", tmp_path, console=False)
    assistant.raised = ZeroDivisionError("secret detail")
    response = client.post("/chat", json={"input": "Leave?"})
    assert response.status_code == 500
    assert response.json() == {
        "error": f"Something went wrong; the log has the details under {response.headers['x-request-id']}.",
        "request_id": response.headers["x-request-id"],
    }
    lines = [json.loads(line) for line in (tmp_path / "docent.log").read_text().splitlines()]
    failed = [line for line in lines if line.get("request_id") == response.headers["x-request-id"]]
    assert "ZeroDivisionError" in next(line["exception"] for line in failed if line["event"] == "request failed")


def test_one_log_line_for_each_request_and_no_question_in_it(client: TestClient, tmp_path: Path) -> None:
    """The log has method, path, status, time and request id, but never what was asked, even in an address."""
    configure_logs("info", tmp_path, console=False)
    client.get("/stream_chat", params={"input": "my private question"}, headers={"X-Request-ID": "wanted.id"})
    written = [json.loads(line) for line in (tmp_path / "docent.log").read_text().splitlines()]
    ours = [line for line in written if line["logger"].startswith("ui.")]  # not what the test's own client logs
    (line,) = ours
    assert (line["method"], line["path"], line["status"]) == ("GET", "/stream_chat", 200)
    assert line["request_id"] == "wanted.id"
    assert line["milliseconds"] >= 0
    assert "private" not in str(ours)


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, "a;b"])
def test_only_plain_request_ids_are_accepted(client: TestClient, offered: str) -> None:
    """A caller's id is written to the log, so only short plain ids are used; others are replaced."""
    got = client.get("/health", headers={"X-Request-ID": offered}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", got)


def test_the_request_id_is_bound_for_the_assistant(client: TestClient, assistant: ScriptedAssistant) -> None:
    """What the assistant logs while it answers carries the request's id, though it runs in another thread."""
    seen: list[object] = []
    assistant.library.status = (  # type: ignore[method-assign]
        lambda: seen.append(structlog.contextvars.get_contextvars().get("request_id")) or READY_LIBRARY
    )
    client.get("/health", headers={"X-Request-ID": "abc-3"})
    assert seen == ["abc-3"]


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    """A request that is too large is answered with 413: it cannot fill the server's memory."""
    response = client.post("/chat", content=b" " * 1_000_001, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
