"""The stream's exact shape, what a hung-up caller sets free, and what the log knows of a request."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvicorn
from fastapi.testclient import TestClient

from assistant.events import Failed
from ingest.base.logs import configure_logs
from ingest.base.settings import Settings
from tests.fakes.scripted_assistant import READY_ENGINE, ScriptedAssistant
from ui.http import answers as answering
from ui.http import server


@pytest.fixture
def assistant(tmp_path: Path) -> ScriptedAssistant:
    return ScriptedAssistant(Settings(home=tmp_path, question_characters=40, requests_per_minute=30))


@pytest.fixture
def client(assistant: ScriptedAssistant) -> TestClient:
    return TestClient(server.create_app(assistant), raise_server_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture
def address(assistant: ScriptedAssistant) -> Iterator[str]:
    """The same application on a real socket, which a caller can hang up on. The page is not started."""
    app = server.create_app(assistant)  # type: ignore[arg-type]
    running = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, log_level="warning"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join(10)
    listener.close()


def blocks(body: str) -> list[tuple[str, Any]]:
    """The stream as (event, data) pairs; text deltas have no event name."""
    found = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            data = fields["data"]
            found.append((fields.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_stream_has_its_exact_shape(client: TestClient, assistant: ScriptedAssistant, method: str) -> None:
    """Evidence first, then the queue, then plain text deltas that join to the answer, then done, then [DONE]."""
    assistant.queue = (2, 1)
    how = {"params": {"message": "Leave?"}} if method == "GET" else {"json": {"input": "Leave?"}}
    response = client.request(method, "/stream_chat", **how)  # type: ignore[arg-type]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.text.endswith("data: [DONE]\n\n")
    stream = blocks(response.text)
    deltas = [data for name, data in stream if name == "" and data != "[DONE]"]
    names = [name for name, _ in stream]
    assert names == ["evidence", "queued", "queued", *[""] * len(deltas), "done", ""]
    assert all(set(delta) == {"text"} and delta["text"] for delta in deltas)
    done = dict(stream)["done"]
    assert "".join(delta["text"] for delta in deltas) == done["response"] == assistant.answer
    assert stream[0][1]["sources"][0]["page"] == "p. 3"
    assert stream[1][1] == {"position": 2, "waited_seconds": 0.1, "estimate_seconds": None}
    assert done["request_id"] == response.headers["x-request-id"]
    whole = client.post("/chat", json={"input": "Leave?"}).json()
    assert {**whole, "session": "", "request_id": ""} == {**done, "session": "", "request_id": ""}


def test_failure_after_the_stream_began(client: TestClient, assistant: ScriptedAssistant) -> None:
    """What fails late is an event with its status, and the stream still ends with [DONE]."""
    assistant.failed = Failed("The model stopped: ask again.", 500, "x")
    response = client.post("/stream_chat", json={"input": "Leave?"}, headers={"X-Request-ID": "abc-1"})
    assert blocks(response.text)[1:] == [
        ("error", {"error": "The model stopped: ask again.", "status": 500, "request_id": "abc-1"}),
        ("", "[DONE]"),
    ]
    assert client.post("/chat", json={"input": "Leave?"}).status_code == 500


def test_unexpected_error_in_a_stream_says_one_line(client: TestClient, assistant: ScriptedAssistant) -> None:
    """A bug while streaming reaches the caller as one line with the request id, never as a traceback."""
    assistant.raised = ZeroDivisionError("secret detail")
    response = client.post("/stream_chat", json={"input": "Leave?"}, headers={"X-Request-ID": "abc-2"})
    assert blocks(response.text)[1] == (
        "error", {"error": "Something went wrong; the log has it as abc-2.", "status": 500, "request_id": "abc-2"},
    )  # fmt: skip
    assert "secret detail" not in response.text


def test_unexpected_error_is_500_with_an_id_that_is_in_the_log(
    client: TestClient, assistant: ScriptedAssistant, tmp_path: Path
) -> None:
    """The caller gets one line and an id; the log has the traceback under that id."""
    configure_logs("info", tmp_path, console=False)
    assistant.raised = ZeroDivisionError("secret detail")
    response = client.post("/chat", json={"input": "Leave?"})
    assert response.status_code == 500
    assert response.json() == {
        "error": f"Something went wrong; the log has it as {response.headers['x-request-id']}.",
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
def test_request_ids_that_are_not_sane_are_replaced(client: TestClient, offered: str) -> None:
    """What a caller offers as id ends in the log, so only short plain ones are taken over."""
    got = client.get("/health", headers={"X-Request-ID": offered}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", got)


def test_the_request_id_is_bound_for_the_assistant(client: TestClient, assistant: ScriptedAssistant) -> None:
    """What the assistant logs while it answers carries the request's id, though it runs in another thread."""
    seen: list[object] = []
    assistant.engine_state = (  # type: ignore[method-assign]
        lambda: seen.append(structlog.contextvars.get_contextvars().get("request_id")) or READY_ENGINE
    )
    client.get("/health", headers={"X-Request-ID": "abc-3"})
    assert seen == ["abc-3"]


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    """Nobody can fill the memory of the server with one request."""
    response = client.post("/chat", content=b" " * 1_000_001, headers={"Content-Type": "application/json"})
    assert response.status_code == 413


def test_health_answers_while_an_answer_runs(address: str, assistant: ScriptedAssistant) -> None:
    """A step of the model that blocks does not hold up anything else."""
    assistant.pause = 1.0
    with httpx.stream("POST", f"{address}/stream_chat", json={"input": "Leave?"}) as stream:
        next(stream.iter_lines())
        began = time.monotonic()
        assert httpx.get(f"{address}/health").status_code == 200
        assert time.monotonic() - began < 0.8


@pytest.mark.parametrize("path", ["/stream_chat", "/chat"])
def test_hanging_up_closes_the_answer(address: str, assistant: ScriptedAssistant, path: str) -> None:
    """When the caller has gone, the assistant's generator is closed within moments and its thread is free."""
    assistant.pause, assistant.answer = 0.05, "word " * 400
    hang_up = httpx.stream("POST", f"{address}{path}", json={"input": "Leave?"}, timeout=0.5)
    with contextlib.suppress(httpx.ReadTimeout), hang_up as stream:
        next(stream.iter_text())
    assert assistant.ended.wait(2)
    assert (assistant.closed, assistant.finished) == (1, 0)


def test_a_silent_stream_is_kept_open(
    address: str, assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the model says nothing, comments go out, which clients ignore and proxies count as life."""
    monkeypatch.setattr(answering, "PING_SECONDS", 0.1)
    assistant.pause, assistant.answer = 0.5, "late"
    body = httpx.post(f"{address}/stream_chat", json={"input": "Leave?"}).text
    assert body.count(": still working\n\n") >= 2
    assert [name for name, _ in blocks(body)] == ["evidence", "", "done", ""]
