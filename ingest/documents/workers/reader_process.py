"""A reader process as its parent sees it: start it, send requests, receive messages, end it.

The program that runs in it is `ingest.documents.workers.reader_main`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from ingest.base.logs import get_logger
from ingest.documents.workers.reader_main import LENGTH
from ingest.documents.workers.request_handler import Message
from ingest.documents.workers.sandbox import Limits

log = get_logger(__name__)

_STOP_SECONDS = 5.0
_POLL_SECONDS = 1.0
# JSON may need this many bytes for a byte of text: names of fields, escapes of line ends and quotation marks.
_JSON_OVERHEAD = 4
_READ_BYTES = 1 << 20
_LAST_OUTPUT_BYTES = 2000


class ReaderProcess:
    """A running `reader_main`. `kill` may be called from any thread, the other methods from one."""

    def __init__(self, reader: str, limits: Limits) -> None:
        # The modules of this process, and none from the working directory.
        modules = [*filter(None, sys.path), str(Path(__file__).parents[3])]
        program = [sys.executable, "-P", "-m", "ingest.documents.workers.reader_main"]
        self._killed = False
        self._error_output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [*program, reader, json.dumps(asdict(limits)), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._error_output,
            # pyarrow, which pandas loads, would reserve 1 GB of the allowed memory for a pool of its own.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(modules), "ARROW_DEFAULT_MEMORY_POOL": "system"},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input = self._process.stdin
        self._output = self._process.stdout
        self._output_poll = select.poll()
        self._output_poll.register(self._output, select.POLLIN)
        self._max_message_bytes = _JSON_OVERHEAD * limits.output_bytes + _READ_BYTES

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def ask(self, request: Message) -> None:
        """Send a request. Raises EOFError when the process has ended."""
        try:
            self._input.write(json.dumps(request).encode("ascii") + b"\n")
            self._input.flush()
        except BrokenPipeError as error:
            raise EOFError from error

    def next_message(self, seconds: float) -> Message:
        """Wait for a message.

        Raises TimeoutError when it has not arrived completely after `seconds`, EOFError when the process has ended,
        ValueError when it is not a message of `reader_main`.
        """
        deadline = time.monotonic() + seconds
        (size,) = LENGTH.unpack(self._receive(LENGTH.size, deadline))
        if size > self._max_message_bytes:
            raise ValueError(f"a message of {size} bytes")
        message = json.loads(self._receive(size, deadline).decode("utf-8", "surrogatepass"))
        if not isinstance(message, dict):
            raise ValueError("the message is not a JSON object")
        return message

    def _receive(self, size: int, deadline: float) -> bytearray:
        received = bytearray()
        while len(received) < size:
            seconds_left = deadline - time.monotonic()
            if seconds_left <= 0:
                raise TimeoutError
            if not self._output_poll.poll(min(seconds_left, _POLL_SECONDS) * 1000):
                if self._killed:  # a disk or share that does not answer can keep a killed process from ending
                    raise EOFError
                continue
            piece = os.read(self._output.fileno(), min(_READ_BYTES, size - len(received)))
            if not piece:
                raise EOFError
            received += piece
        return received

    def exit_code(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None when it has not ended within 5 s."""
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def last_error_output(self) -> str:
        """The end of what the process and its parsers wrote to standard error."""
        size = os.fstat(self._error_output.fileno()).st_size
        start = max(0, size - _LAST_OUTPUT_BYTES)
        return os.pread(self._error_output.fileno(), _LAST_OUTPUT_BYTES, start).decode("utf-8", "replace")

    def kill(self) -> None:
        """End the process at once, without waiting for it."""
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        """Wait for its end, at most 5 s, and close its streams."""
        if self._error_output.closed:
            return
        if self.exit_code() is None:  # a disk or share does not answer; the process ends when it does
            log.warning("reading.process_stuck", process=self._process.pid)
        self._output.close()
        self._error_output.close()
        try:
            self._input.close()
        except BrokenPipeError:
            log.debug("reading.process_gone")
