"""One process that reads documents, seen from outside: started, asked, listened to, ended. Knows no format.

What runs inside it is `ingest.documents.workers.reader_main`.
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
from typing import Any

from ingest.base.logs import get_logger
from ingest.documents.workers.reader_main import LENGTH, Limits

log = get_logger(__name__)

_STOP_SECONDS = 5.0
_LOOK_SECONDS = 1.0
# JSON around the text: names, escapes of line ends and quotation marks.
_ENVELOPE = 4
_PIECE_BYTES = 1 << 20


class ReaderProcess:
    """A running `ingest.documents.workers.reader_main`. `kill` may come from another thread than the rest."""

    def __init__(self, reader: str, limits: Limits) -> None:
        # The modules we were made of, and none from the folder where the command happens to be given.
        modules = [*filter(None, sys.path), str(Path(__file__).parents[3])]
        self._killed = False
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "ingest.documents.workers.reader_main",
                reader,
                json.dumps(asdict(limits)),
                str(os.getpid()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            # pyarrow, which pandas loads, would set aside 1 GB of the allowance for a memory pool of its own.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(modules), "ARROW_DEFAULT_MEMORY_POOL": "system"},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input = self._process.stdin
        self._output = self._process.stdout
        self._arrival = select.poll()
        self._arrival.register(self._output, select.POLLIN)
        self._most_bytes = _ENVELOPE * limits.output_bytes + _PIECE_BYTES

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: dict[str, Any]) -> None:
        """Raises EOFError when it has died."""
        try:
            self._input.write(json.dumps(request).encode("ascii") + b"\n")
            self._input.flush()
        except BrokenPipeError as error:
            raise EOFError from error

    def next_message(self, seconds: float) -> dict[str, Any]:
        """Raises TimeoutError when it is not there whole after `seconds`, EOFError when there is none to come,
        ValueError when it is none of a worker's."""
        deadline = time.monotonic() + seconds
        (size,) = LENGTH.unpack(self._take(LENGTH.size, deadline))
        if size > self._most_bytes:
            raise ValueError(f"a message of {size} bytes")
        message = json.loads(self._take(size, deadline).decode("utf-8", "surrogatepass"))
        if not isinstance(message, dict):
            raise ValueError("a message that is no object")
        return message

    def _take(self, size: int, deadline: float) -> bytearray:
        taken = bytearray()
        while len(taken) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if not self._arrival.poll(min(left, _LOOK_SECONDS) * 1000):
                if self._killed:  # and not gone: a disk or share that does not answer holds on to it
                    raise EOFError
                continue
            piece = os.read(self._output.fileno(), min(_PIECE_BYTES, size - len(taken)))
            if not piece:
                raise EOFError
            taken += piece
        return taken

    def exit_code(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while the system still holds on to it."""
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def last_words(self) -> str:
        """The end of what it and its parsers wrote to standard error."""
        size = os.fstat(self._complaints.fileno()).st_size
        return os.pread(self._complaints.fileno(), 2000, max(0, size - 2000)).decode("utf-8", "replace")

    def kill(self) -> None:
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        if self._complaints.closed:
            return
        if self.exit_code() is None:  # it waits for a disk or share that does not answer, and goes when that does
            log.warning("reading.worker_stuck", process=self._process.pid)
        self._output.close()
        self._complaints.close()
        try:
            self._input.close()
        except BrokenPipeError:
            log.debug("reading.worker_gone")
