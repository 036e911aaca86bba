"""The HTTP contract: fields, statuses, limits, health, and the page of routes."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from assistant.engines.admission import Refused
from assistant.engines.loader import EngineState
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from tests.fakes.scripted_assistant import CITATIONS, READY_ENGINE, READY_LIBRARY, ScriptedAssistant
from ui.http import server


@pytest.mark.parametrize("name", ["input", "message"])
def test_chat_answers_with_sources(client: TestClient, assistant: ScriptedAssistant, name: str) -> None:
    """A question under either name is answered with every field of the contract."""
    answer = client.post("/chat", json={name: "How much leave?", "session": "abc"}).json()
    assert assistant.asked == ["How much leave?"]
    assert answer.pop("request_id")
    assert answer.pop("evidence")[0]["text"] == CITATIONS[0].quote
    assert answer.pop("answer") == answer["response"]
    assert answer == {
        "response": "Full-time employees get **25 days** of annual leave a year [1].",
        "citations": [
            {
                "n": 1,
                "path": "/docs/staff-handbook.pdf",
                "title": "Staff handbook",
                "heading": "Time off › Annual leave",
                "page": "p. 3",
                "passage_id": 11,
                "document_id": 1,
                "quote": "Full-time employees get 25 days of annual leave a year.",
            }
        ],
        "abstained": False,
        "confidence": 0.9,
        "engine": "qwen",
        "finish_reason": "stop",
        "unsupported": [],
        "timings": {"search": 0.01, "total": 0.5},
        "searched": "",
        "caution": False,
        "session": "abc",
    }


def test_chat_without_a_session_makes_one(client: TestClient, assistant: ScriptedAssistant) -> None:
    """The session that is returned is the conversation the turn was stored under."""
    session = client.post("/chat", json={"input": "How much leave?"}).json()["session"]
    assert [turn.question for turn in assistant.conversations.turns(session)] == ["How much leave?"]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"input": ""}, "A question has 1 to 40 characters: shorten it."),
        ({"input": "x" * 41}, "A question has 1 to 40 characters: shorten it."),
        ({}, "The question is missing: send it as 'input' or 'message'."),
        ({"input": 5}, "'input': Input should be a valid string."),
        ({"input": "a", "session": "../x"}, "'session': String should match pattern '^[A-Za-z0-9_-]{1,64}$'."),
        ("{", 'The body is not JSON: send {"input": "your question"}.'),
    ],
)
@pytest.mark.parametrize("path", ["/chat", "/stream_chat"])
def test_wrong_questions_get_422(client: TestClient, path: str, body: Any, line: str) -> None:
    """Empty, over-long and malformed questions are refused with one line that says what is allowed."""
    content = body if isinstance(body, str) else json.dumps(body)
    response = client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json() == {"error": line, "request_id": response.headers["x-request-id"]}


@pytest.mark.parametrize(("status", "retry"), [(503, 20), (504, None)])
def test_refusals_keep_their_status(
    client: TestClient, assistant: ScriptedAssistant, status: int, retry: int | None
) -> None:
    """A full queue is 503 and a long wait 504, on both routes, before anything is streamed."""
    assistant.refused = Refused(status, "Too many questions are waiting: ask again soon.", retry)
    for path in ("/chat", "/stream_chat"):
        response = client.post(path, json={"input": "Leave?"})
        assert (response.status_code, response.json()["error"]) == (
            status, "Too many questions are waiting: ask again soon.",
        )  # fmt: skip
        assert response.headers.get("retry-after") == (str(retry) if retry else None)


def test_too_many_questions_get_429(tmp_path: Path) -> None:
    """One caller address may ask so many questions a minute; health is not counted."""
    assistant = ScriptedAssistant(Settings(home=tmp_path, requests_per_minute=2))
    client = TestClient(server.create_app(assistant))  # type: ignore[arg-type]
    statuses = [client.post("/chat", json={"input": "Leave?"}).status_code for _ in range(2)]
    refused = client.get("/stream_chat", params={"input": "Leave?"})
    assert [*statuses, refused.status_code] == [200, 200, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"].startswith("More than 2 questions in a minute: ask again in ")
    assert client.get("/health").status_code == 200


def test_health_says_alive_and_ready_apart(client: TestClient, assistant: ScriptedAssistant) -> None:
    """The status is always 200; `ready` needs a loaded engine, passages and a library without problems."""
    health = client.get("/health").json()
    assert health.pop("timestamp").endswith("+00:00")
    assert health == {
        "status": "alive", "ready": True, "model_loaded": True, "engine": "qwen",
        "model": "qwen/Qwen1.5-0.5B-Chat", "documents": 3, "passages": 12, "problem": "", "note": "",
    }  # fmt: skip
    assistant.engines.state = EngineState("extractive", "", "no weights", loaded=True)
    assert (client.get("/health").json()["ready"], client.get("/health").json()["model_loaded"]) == (True, False)
    assistant.engines.state = replace(READY_ENGINE, loaded=False)
    assert (client.get("/health").json()["ready"], client.get("/health").json()["model_loaded"]) == (False, False)
    assistant.engines.state = READY_ENGINE
    problem = "The index is damaged: run `docent rebuild`."
    for unready in (replace(READY_LIBRARY, documents=0, passages=0), replace(READY_LIBRARY, problem=problem)):
        assistant.library.state = unready
        response = client.get("/health")
        assert (response.status_code, response.json()["ready"]) == (200, False)


def test_docs_need_no_other_site(client: TestClient) -> None:
    """The page of routes names them all and loads nothing from anywhere."""
    page = client.get("/docs")
    assert page.status_code == 200
    assert "http" not in page.text
    for route in ("POST /chat", "POST /stream_chat", "GET /stream_chat", "GET /health", "GET /documents/{document_id}"):
        assert f"<code>{route}</code>" in page.text
    assert set(client.get("/openapi.json").json()["paths"]) == {
        "/chat", "/stream_chat", "/health", "/documents/{document_id}",
    }  # fmt: skip


def test_a_taken_port_is_said_in_one_line(assistant: ScriptedAssistant) -> None:
    """Before anything is loaded, a port in use is named with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DocentError, match=f"Port {port} on 127.0.0.1 is taken: .*--port"):
            server.serve(assistant, "127.0.0.1", port)  # type: ignore[arg-type]
    with pytest.raises(DocentError, match=r"Cannot listen on no-such-host\.invalid, port 80 "):
        server.serve(assistant, "no-such-host.invalid", 80)  # type: ignore[arg-type]
