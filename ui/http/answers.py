"""Answers one question over HTTP: with one JSON object, or with the assistant's events as server-sent events.

`Assistant.ask` returns a plain iterator that blocks. Worker threads take one step of it at a time, and it is closed as
soon as the caller disconnects, which frees the model. A running step cannot be interrupted, so closing waits for it;
the assistant's steps are short.
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import HTTPException, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from assistant.events import Delta, Done, Event, Evidence, Failed, Queued, to_json
from ingest.base.logs import get_logger
from ui.http.middleware import request_id

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.event_stream import EventStream

log = get_logger(__name__)
PING_SECONDS = 10.0
# How many worker threads there are besides one for each waiting question.
SPARE_THREADS = 16


class Answering:
    """Starts answers in worker threads of their own, so that they never use up the server's other threads."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self._threads = anyio.CapacityLimiter(assistant.settings.queue_size + SPARE_THREADS)

    async def start(self, question: str, session: str, as_typed: bool = False) -> RunningAnswer:
        """Start an answer and wait for its first event. Raises Refused when the question is not admitted."""
        started = await run_sync(self._ask, question, session, as_typed, limiter=self._threads)
        return RunningAnswer(*started, self._threads)

    def _ask(self, question: str, session: str, as_typed: bool) -> tuple[EventStream, Event | None]:
        # The first step is taken before anything is sent: an error in it can still be an HTTP status.
        events = self.assistant.ask(question, session, as_typed)
        return events, next(events, None)


class RunningAnswer:
    """An answer that is being generated."""

    def __init__(self, events: EventStream, first: Event | None, threads: anyio.CapacityLimiter) -> None:
        self._events, self._first, self._threads = events, first, threads

    async def step(self) -> Event | None:
        """The next event; None after the last."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await run_sync(next, self._events, None, limiter=self._threads)

    async def close(self) -> None:
        """Stop the answer. Cancellation does not interrupt this: a cancelled request must be stopped too."""
        with anyio.CancelScope(shield=True):
            await run_sync(self._events.close, limiter=self._threads)


async def whole_answer(
    answering: Answering, question: str, session: str | None, request: Request, as_typed: bool = False
) -> dict[str, Any]:
    """The answer as one JSON object. Stops the model when the caller disconnects.

    Raises Refused when the question is not admitted, HTTPException when the answer failed or the caller disconnected.
    """
    session = session or uuid.uuid4().hex
    running = await answering.start(question, session, as_typed)
    try:
        while (event := await running.step()) is not None:
            if isinstance(event, Done):
                return done_json(event, session)
            if isinstance(event, Failed):
                raise HTTPException(event.status, event.message)
            if await request.is_disconnected():
                raise HTTPException(499, "The caller disconnected before the answer was ready.")
    finally:
        await running.close()
    raise RuntimeError("the assistant ended without Done or Failed")


def done_json(done: Done, session: str) -> dict[str, Any]:
    """The record of an answer, with session and request id. `response` is the older name of `answer`."""
    return {**to_json(done), "response": done.answer, "session": session, "request_id": request_id()}


class AnswerStream(Response):
    """The events of one answer as server-sent events, closed with the connection."""

    media_type = "text/event-stream"

    def __init__(self, running: RunningAnswer, session: str) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._running, self._session = running, session
        self._sent_at = time.monotonic()

    @classmethod
    async def open(
        cls, answering: Answering, question: str, session: str | None, as_typed: bool = False
    ) -> AnswerStream:
        """Start the answer before anything is sent, so that a refusal (Refused) still has its HTTP status."""
        session = session or uuid.uuid4().hex
        return cls(await answering.start(question, session, as_typed), session)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, receive, tasks.cancel_scope)
                tasks.start_soon(self._ping, send)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._pump(send)
                tasks.cancel_scope.cancel()
        finally:
            await self._running.close()

    async def _pump(self, send: Send) -> None:
        """Send every event, then `[DONE]`. An error becomes an event of the stream."""
        try:
            while (event := await self._running.step()) is not None:
                if block := self._block(event):
                    await self._write(send, block)
        except Exception:
            # The status line has already been sent: the error can only be an event of the stream.
            log.exception("answer failed", request_id=request_id())
            line = f"Something went wrong; the log has the details under {request_id()}."
            await self._write(send, self._block(Failed(line, 500, request_id())))
        await self._write(send, "data: [DONE]\n\n", last=True)

    def _block(self, event: Event) -> str:
        """The event as server-sent text; '' for a delta without text, which is not sent."""
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
        """Send a comment while nothing else is sent: proxies close a connection that stays silent."""
        while True:
            await anyio.sleep(max(0.0, self._sent_at + PING_SECONDS - time.monotonic()))
            if time.monotonic() - self._sent_at >= PING_SECONDS:
                await self._write(send, ": still working\n\n")

    async def _watch(self, receive: Receive, scope: anyio.CancelScope) -> None:
        """Cancel the answer when the caller disconnects."""
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
