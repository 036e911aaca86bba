"""The server's side of `worker`: starts the process, sends it prompts, and delivers the tokens to each caller.

When the worker dies, only the running answers fail, each with an error.
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

# Loading takes about a second; on a machine that swaps memory it may take a minute.
START_SECONDS = 120.0
_STOP_SECONDS = 5.0
log = get_logger(__name__)


@dataclass(frozen=True)
class Tokens:
    """Token ids generated since the previous record; `finish_reason` is '', and in the last record stop or length."""

    ids: tuple[int, ...]
    finish_reason: str


class Ticket:
    """One prompt at the worker; its tokens arrive here."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._arrived: queue.SimpleQueue[Tokens | None] = queue.SimpleQueue()

    def take(self, seconds: float) -> Tokens | None:
        """The next tokens; None when none came within `seconds`. Raises DocentError when the worker has died."""
        try:
            tokens = self._arrived.get(timeout=seconds)
        except queue.Empty:
            return None
        if tokens is None:
            raise DocentError("The model stopped in the middle of an answer and is being restarted: ask again.")
        return tokens

    def put(self, tokens: Tokens | None) -> None:
        """Deliver tokens, or None when the worker has died."""
        self._arrived.put(tokens)


class WorkerClient:
    """A running worker process. `alive` becomes False when it dies or is closed."""

    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        """Start the process and wait until the model is loaded. Raises DocentError when it cannot be loaded."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "assistant.engines.worker", str(folder), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._lock = threading.Lock()
        self._tickets: dict[int, Ticket] = {}
        self._numbers = 0
        self._error_lines: list[str] = []
        self._ready = threading.Event()
        self.alive = True
        threading.Thread(target=self._read_error_lines, name="openvino-errors", daemon=True).start()
        self._reader = threading.Thread(target=self._read_tokens, name="openvino-tokens", daemon=True)
        self._reader.start()
        if not self._ready.wait(START_SECONDS) or not self.alive:
            self.close()
            raise DocentError(
                f"The OpenVINO model in {folder} cannot be loaded ({self._last_error()}): run `docent models pull` "
                "again, or set `engine` to transformers."
            )

    @property
    def process_id(self) -> int:
        """The id that the operating system gave the worker."""
        return self._process.pid

    def submit(self, prompt: Sequence[int], config: dict[str, Any]) -> Ticket:
        """Start a prompt. Raises DocentError when the worker is not alive."""
        with self._lock:
            self._numbers += 1
            ticket = Ticket(self._numbers)
            if self.alive:
                self._tickets[ticket.number] = ticket
                self._send({"add": ticket.number, "prompt": list(prompt), "config": config})
        if not self.alive:
            raise DocentError("The model is being restarted: ask again in a few seconds.")
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Stop a prompt after the current step. Does nothing for a prompt that has ended."""
        with self._lock:
            if self._tickets.pop(ticket.number, None) is not None and self.alive:
                self._send({"cancel": ticket.number})

    def close(self) -> None:
        """End the worker; running answers fail with an error."""
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

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            # The worker has died; the thread that reads tokens notices and informs every ticket.
            log.warning("engine.unreachable")

    def _read_tokens(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self._ready.set()
                continue
            with self._lock:
                # Tokens of a cancelled prompt may still arrive.
                ticket = self._tickets.get(message["id"])
                if ticket is not None and message["finish"]:
                    del self._tickets[message["id"]]
            if ticket is not None:
                ticket.put(Tokens(tuple(message["tokens"]), message["finish"]))
        died = self.alive
        with self._lock:
            self.alive = False
            unfinished = list(self._tickets.values())
            self._tickets.clear()
        if died:
            log.error("engine.died", code=self._process.wait(), reason=self._last_error(), answers=len(unfinished))
        for ticket in unfinished:
            ticket.put(None)
        self._ready.set()

    def _read_error_lines(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            if text:
                self._error_lines = [*self._error_lines[-20:], text]
                log.debug("engine.stderr", line=text)

    def _last_error(self) -> str:
        return self._error_lines[-1][:200] if self._error_lines else "no message"
