"""A stand-in for a reader process that reads in this process: for tests that ingest but are not about processes."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from ingest.documents.workers.reader_main import load_function
from ingest.documents.workers.request_handler import Message, RequestHandler
from ingest.documents.workers.sandbox import Limits

# The pool asks from several threads; not every parser allows that within one process.
_reading = threading.Lock()


class InProcessReader:
    """The interface of `ReaderProcess`. Nothing is limited or forbidden, and a file that crashes crashes the tests."""

    alive = True

    def __init__(self, reader: str, limits: Limits) -> None:
        self._messages: deque[Message] = deque([{"ready": True}])
        self._handler = RequestHandler(load_function(reader), limits, self._messages.append)

    def ask(self, request: Message) -> None:
        with _reading:
            answer = self._handler.answer(Path(request["path"]), request["known"])
        self._messages.append({**answer, "log": []})

    def next_message(self, seconds: float) -> Message:  # noqa: ARG002 - the answer is already there
        return self._messages.popleft()

    def exit_code(self) -> int | None:
        return None

    def last_error_output(self) -> str:
        return ""

    def kill(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to close."""
