"""Answers over HTTP: the exact shape of the stream, and what is freed when a caller disconnects."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from assistant.events import Failed
from tests.fakes.scripted_assistant import ScriptedAssistant
from ui.http import answers as answering
from ui.http import server


@pytest.fixture
def address(assistant: ScriptedAssistant) -> Iterator[str]:
    """The same application on a real socket, from which a caller can disconnect. The page is not started."""
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


@pytest.mark.parametrize("route", ["/chat", "/stream_chat", "/stream_chat?input=Leeve%3F&as_typed=true"])
def test_a_question_can_be_asked_as_typed(client: TestClient, assistant: ScriptedAssistant, route: str) -> None:
    """`as_typed` reaches the assistant over every route; without it what was searched for is in the answer."""
    assistant.searched = "Leave?"
    assert client.post("/chat", json={"input": "Leeve?"}).json()["searched"] == "Leave?"
    body = {"input": "Leeve?", "as_typed": True}
    response = client.get(route) if "?" in route else client.post(route, json=body)
    assert (assistant.asked, assistant.asked_as_typed) == (["Leeve?", "Leeve?"], [False, True])
    answer = response.json() if route == "/chat" else dict(blocks(response.text))["done"]
    assert answer["searched"] == ""


def test_failure_after_the_stream_began(client: TestClient, assistant: ScriptedAssistant) -> None:
    """A late failure is an event with its status, and the stream still ends with [DONE]."""
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
        "error",
        {"error": "Something went wrong; the log has the details under abc-2.", "status": 500, "request_id": "abc-2"},
    )  # fmt: skip
    assert "secret detail" not in response.text


def test_health_answers_while_an_answer_runs(address: str, assistant: ScriptedAssistant) -> None:
    """A blocking step of the model delays nothing else."""
    assistant.pause = 1.0
    with httpx.stream("POST", f"{address}/stream_chat", json={"input": "Leave?"}) as stream:
        next(stream.iter_lines())
        began = time.monotonic()
        assert httpx.get(f"{address}/health").status_code == 200
        assert time.monotonic() - began < 0.8


@pytest.mark.parametrize("path", ["/stream_chat", "/chat"])
def test_hanging_up_closes_the_answer(address: str, assistant: ScriptedAssistant, path: str) -> None:
    """When the caller disconnects, the assistant's stream is closed within moments and its thread is free."""
    assistant.pause, assistant.answer = 0.05, "word " * 400
    hang_up = httpx.stream("POST", f"{address}{path}", json={"input": "Leave?"}, timeout=0.5)
    with contextlib.suppress(httpx.ReadTimeout), hang_up as stream:
        next(stream.iter_text())
    assert assistant.ended.wait(2)
    assert (assistant.closed, assistant.finished) == (1, 0)


def test_a_silent_stream_is_kept_open(
    address: str, assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the model generates no text, comments are sent: clients ignore them, proxies keep the connection open."""
    monkeypatch.setattr(answering, "PING_SECONDS", 0.1)
    assistant.pause, assistant.answer = 0.5, "late"
    body = httpx.post(f"{address}/stream_chat", json={"input": "Leave?"}).text
    assert body.count(": still working\n\n") >= 2
    assert [name for name, _ in blocks(body)] == ["evidence", "", "done", ""]
