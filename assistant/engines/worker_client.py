"""The server's end of `step_worker`: starts that process, hands it prompts, and brings each caller its tokens.

Knows token ids only. A worker that dies takes the answers under way with it, each of which is told, and nothing else.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger

# Loading takes about a second; a machine that swaps may take a minute.
START_SECONDS = 120.0
_STOP_SECONDS = 5.0
log = get_logger(__name__)


@dataclass(frozen=True)
class Tokens:
    """Tokens that have come since the last; `finish_reason` is '' until the end, then stop or length."""

    ids: tuple[int, ...]
    finish_reason: str


class Ticket:
    """One prompt under way."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._arrived: queue.SimpleQueue[Tokens | None] = queue.SimpleQueue()

    def take(self, seconds: float) -> Tokens | None:
        """What has come; None when nothing came within `seconds`. Raises DocentError when the worker has died."""
        try:
            tokens = self._arrived.get(timeout=seconds)
        except queue.Empty:
            return None
        if tokens is None:
            raise DocentError("The model stopped in the middle of an answer and is being restarted: ask again.")
        return tokens

    def put(self, tokens: Tokens | None) -> None:
        """Bring tokens, or None for the news that the worker has died."""
        self._arrived.put(tokens)


class WorkerClient:
    """A running worker. `alive` turns False when it dies or is closed."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        """Start it and wait until the model is loaded. Raises DocentError when it cannot be."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "assistant.engines.worker", str(folder), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._lock = threading.Lock()
        self._tickets: dict[int, Ticket] = {}
        self._numbers = 0
        self._complaints: list[str] = []
        self._ready = threading.Event()
        self.alive = True
        threading.Thread(target=self._read_complaints, name="openvino-complaints", daemon=True).start()
        self._reader = threading.Thread(target=self._read_tokens, name="openvino-tokens", daemon=True)
        self._reader.start()
        if not self._ready.wait(START_SECONDS) or not self.alive:
            self.close()
            raise DocentError(
                f"The OpenVINO model in {folder} cannot be loaded ({self._last_complaint()}): run `docent models pull` "
                "again, or set `engine` to transformers."
            )

    @property
    def process_id(self) -> int:
        return self._process.pid

    def submit(self, prompt: Sequence[int], config: dict[str, Any]) -> Ticket:
        """Start a prompt. Raises DocentError when the worker is not alive."""
        with self._lock:
            self._numbers += 1
            ticket = Ticket(self._numbers)
            if self.alive:
                self._tickets[ticket.number] = ticket
                self._tell({"add": ticket.number, "prompt": list(prompt), "config": config})
        if not self.alive:
            raise DocentError("The model is being restarted: ask again in a few seconds.")
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Stop a prompt; it takes effect after the step that is running. One that has ended is left alone."""
        with self._lock:
            if self._tickets.pop(ticket.number, None) is not None and self.alive:
                self._tell({"cancel": ticket.number})

    def close(self) -> None:
        """End the worker; answers under way are told."""
        self.alive = False
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                log.debug("engine.already_gone")
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _tell(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            # It has died; the reader finds out and tells everybody.
            log.warning("engine.unreachable")

    def _read_tokens(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self._ready.set()
                continue
            with self._lock:
                # One that was cancelled may still have had tokens on the way.
                ticket = self._tickets.get(message["id"])
                if ticket is not None and message["finish"]:
                    del self._tickets[message["id"]]
            if ticket is not None:
                ticket.put(Tokens(tuple(message["tokens"]), message["finish"]))
        died = self.alive
        with self._lock:
            self.alive = False
            orphans = list(self._tickets.values())
            self._tickets.clear()
        if died:
            log.error("engine.died", code=self._process.wait(), complaint=self._last_complaint(), answers=len(orphans))
        for ticket in orphans:
            ticket.put(None)
        self._ready.set()

    def _read_complaints(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            if text:
                self._complaints = [*self._complaints[-20:], text]
                log.debug("engine.said", line=text)

    def _last_complaint(self) -> str:
        return self._complaints[-1][:200] if self._complaints else "it said nothing"
