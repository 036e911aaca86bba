"""One question over HTTP: the assistant's events as JSON or as server-sent events. Knows no routes and no page.

`Assistant.ask` returns a plain iterator that blocks. It is stepped in worker threads, one step at a time, and closed as
soon as the caller has gone: closing it is what frees the model. A step that is running cannot be interrupted, so the
close waits for it; the assistant keeps its steps short.
"""

from __future__ import annotations

import contextvars
import dataclasses
import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.events import Delta, Done, Event, Evidence, Failed, Queued, to_json
from ingest.base.logs import get_logger

if TYPE_CHECKING:
    from assistant.assistant import Assistant, EventStream

log = get_logger(__name__)
PING_SECONDS = 10.0
BODY_BYTES = 1_000_000
API_PATHS = ("/chat", "/stream_chat", "/health", "/documents/", "/docs", "/openapi.json")
_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")


def request_id() -> str:
    """The id of the request being answered; a new one outside of any request."""
    return _request_id.get(None) or uuid.uuid4().hex


class Asking:
    """Starts answers in threads of their own, so that answers cannot use up the server's other threads."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self._threads = anyio.CapacityLimiter(assistant.settings.queue_size + 16)

    async def start(self, question: str, session: str) -> Asked:
        """Raises Refused when the question is not admitted."""
        return Asked(*await run_sync(self._ask, question, session, limiter=self._threads), self._threads)

    def _ask(self, question: str, session: str) -> tuple[EventStream, Event | None]:
        # The first step is taken at once: what goes wrong in it can still be an HTTP status.
        events = self.assistant.ask(question, session)
        return events, next(events, None)


class Asked:
    """One answer under way."""

    def __init__(self, events: EventStream, first: Event | None, threads: anyio.CapacityLimiter) -> None:
        self._events, self._first, self._threads = events, first, threads

    async def step(self) -> Event | None:
        """The next event; None after the last."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await run_sync(next, self._events, None, limiter=self._threads)

    async def close(self) -> None:
        """Shielded, because it is needed most when the request has been cancelled."""
        with anyio.CancelScope(shield=True):
            await run_sync(self._events.close, limiter=self._threads)


async def whole_answer(asking: Asking, question: str, session: str | None, request: Request) -> dict[str, Any]:
    """The answer as one JSON object. Stops the model when the caller hangs up."""
    session = session or uuid.uuid4().hex
    asked = await asking.start(question, session)
    try:
        while (event := await asked.step()) is not None:
            if isinstance(event, Done):
                return done_json(event, session)
            if isinstance(event, Failed):
                raise HTTPException(event.status, event.message)
            if await request.is_disconnected():
                raise HTTPException(499, "The caller went away before the answer was ready.")
    finally:
        await asked.close()
    raise RuntimeError("the assistant ended without Done or Failed")


def done_json(done: Done, session: str) -> dict[str, Any]:
    """The record of an answer, with what belongs to the request. `response` is `answer` by its older name."""
    return {**to_json(done), "response": done.answer, "session": session, "request_id": request_id()}


class AnswerStream(Response):
    """The events of one answer as server-sent events, closed with the connection."""

    media_type = "text/event-stream"

    def __init__(self, asked: Asked, session: str) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._asked, self._session = asked, session
        self._sent_at = time.monotonic()

    @classmethod
    async def open(cls, asking: Asking, question: str, session: str | None) -> AnswerStream:
        """Asks before anything is sent, so that a refusal still has its status."""
        session = session or uuid.uuid4().hex
        return cls(await asking.start(question, session), session)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, receive, tasks.cancel_scope)
                tasks.start_soon(self._ping, send)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._pump(send)
                tasks.cancel_scope.cancel()
        finally:
            await self._asked.close()

    async def _pump(self, send: Send) -> None:
        try:
            while (event := await self._asked.step()) is not None:
                if block := self._block(event):
                    await self._write(send, block)
        except Exception:
            # The status line has long been sent: the caller can only be told in the stream.
            log.exception("answer failed", request_id=request_id())
            line = f"Something went wrong; the log has it as {request_id()}."
            await self._write(send, self._block(Failed(line, 500, request_id())))
        await self._write(send, "data: [DONE]\n\n", last=True)

    def _block(self, event: Event) -> str:
        if isinstance(event, Delta):
            return f"data: {_json({'text': event.text})}\n\n" if event.text else ""
        if isinstance(event, Done):
            return f"event: done\ndata: {_json(done_json(event, self._session))}\n\n"
        if isinstance(event, Failed):
            fields = {"error": event.message, "status": event.status, "request_id": request_id()}
            return f"event: error\ndata: {_json(fields)}\n\n"
        name = {Evidence: "evidence", Queued: "queued"}[type(event)]
        return f"event: {name}\ndata: {_json(dataclasses.asdict(event))}\n\n"

    async def _write(self, send: Send, text: str, last: bool = False) -> None:
        self._sent_at = time.monotonic()
        await send({"type": "http.response.body", "body": text.encode(), "more_body": not last})

    async def _ping(self, send: Send) -> None:
        """A comment while nothing else is sent: proxies drop a connection that stays silent."""
        while True:
            await anyio.sleep(max(0.0, self._sent_at + PING_SECONDS - time.monotonic()))
            if time.monotonic() - self._sent_at >= PING_SECONDS:
                await self._write(send, ": still working\n\n")

    async def _watch(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class RequestRecord:
    """ASGI middleware: a request id on every response and one log line for every request, without any question in it.

    Plain ASGI, because Starlette's BaseHTTPMiddleware would hide the caller's hanging up from the stream.
    """

    def __init__(self, app: ASGIApp, page_policy: str) -> None:
        self.app, self.page_policy = app, page_policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        offered = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        identity = offered if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", offered) else uuid.uuid4().hex
        token = _request_id.set(identity)
        began, status, received = time.perf_counter(), 0, 0
        is_api = scope["path"].startswith(API_PATHS)

        async def record_start(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = identity
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", self.page_policy)
            await send(message)

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if is_api and received > BODY_BYTES:
                raise HTTPException(413, f"The request is larger than {BODY_BYTES} bytes: send the question alone.")
            return message

        with structlog.contextvars.bound_contextvars(request_id=identity):
            try:
                await self.app(scope, receive_bounded, record_start)
            except Exception:
                if status:
                    raise
                log.exception("request failed")
                line = f"Something went wrong; the log has it as {identity}."
                await JSONResponse({"error": line, "request_id": identity}, 500)(scope, receive, record_start)
            finally:
                milliseconds = round((time.perf_counter() - began) * 1000)
                write = log.info if is_api else log.debug
                write("request", method=scope["method"], path=scope["path"], status=status, milliseconds=milliseconds)
                _request_id.reset(token)
