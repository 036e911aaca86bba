"""The program of a reader process: it receives one path at a time and sends the content of the file.

Any file may make its parser hang, crash or use up the memory, so parsers run in a process that can be ended: with
limited memory, without network, programs or core dumps, and at low priority. `workers.pool` starts it, watches its time
limits and replaces it. Both directions use JSON, never pickle, so that a document which takes control of this process
cannot take control of the parent.

In:  {"path": …, "known": SHA-256 that need not be read again, or null}; the end of input ends the process.
Out, each after its length in 4 bytes:
     {"ready": true} once; then for every path any number of {"alive": true} and {"hashed": [SHA-256, size, mtime_ns]},
     and at last {"file": … | null} | {"reason": …} | {"errno": …, "strerror": …}, with "log": […] and "last": bool.

A reader of long files calls `sys.audit("docent.read.page")` for each page, which restarts the time limit.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from ingest.base.memory import peak_memory
from ingest.documents.workers.request_handler import Message, Read, RequestHandler
from ingest.documents.workers.sandbox import Limits, allow_computing, confine, forbid_side_effects

LENGTH = struct.Struct(">I")
# A process that has used this share of its memory is replaced. Text recognition in pictures uses far less.
_MEMORY_SHARE_TO_END = 0.75


def serve(read: Read, limits: Limits, requests: Iterator[bytes], output: Output) -> None:
    """Answer one request after another, until the end of input or until this process is to be replaced."""
    log = CapturedLog()
    structlog.configure(processors=[structlog.stdlib.add_log_level, structlog.processors.format_exc_info, log.capture])
    handler = RequestHandler(read, limits, output.send)
    forbid_side_effects(on_page_read=handler.report_progress)
    output.send({"ready": True})
    for line in requests:
        request = json.loads(line)
        allow_computing(limits.computing_seconds)
        answer = handler.answer(Path(request["path"]), request["known"])
        is_last = answer["last"] or peak_memory() > _MEMORY_SHARE_TO_END * limits.memory_bytes
        output.send({**answer, "log": log.take(), "last": is_last})
        if is_last:
            return


class Output:
    """Sends messages to the parent process over a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send one message; threads may call this at the same time. Raises BrokenPipeError when the parent ended."""
        # File names and titles may hold bytes that are not UTF-8; they arrive unchanged.
        data = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        with self._lock:
            for part in (LENGTH.pack(len(data)), data):
                unsent = memoryview(part)
                while unsent:
                    unsent = unsent[os.write(self._descriptor, unsent) :]


class CapturedLog:
    """Collects the warnings and errors that readers log. The parent logs them, because only it has a console."""

    def __init__(self) -> None:
        self._entries: list[dict[str, str]] = []

    def capture(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """A structlog processor that keeps the event and ends its processing."""
        if event.pop("level") in {"warning", "error", "critical"}:
            self._entries.append({key: str(value).encode("utf-8", "replace").decode() for key, value in event.items()})
        raise structlog.DropEvent

    def take(self) -> list[dict[str, str]]:
        """The entries since the last call."""
        entries, self._entries = self._entries, []
        return entries


def load_function(name: str) -> Read:
    """The function called 'module:function'."""
    module, _, function = name.partition(":")
    read: Read = getattr(importlib.import_module(module), function)
    return read


def main() -> None:
    """`python -m ingest.documents.workers.reader_main MODULE:FUNCTION LIMITS PARENT`, over the standard streams."""
    output = os.dup(1)
    os.dup2(2, 1)  # what a parser prints must not come between the messages
    faulthandler.enable()
    limits = Limits(**json.loads(sys.argv[2]))
    confine(limits, int(sys.argv[3]))
    read = load_function(sys.argv[1])
    try:
        serve(read, limits, iter(sys.stdin.buffer.readline, b""), Output(output))
    except BrokenPipeError:
        return  # the parent has gone


if __name__ == "__main__":
    main()
