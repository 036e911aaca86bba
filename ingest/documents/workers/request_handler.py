"""What a reader process does for one file: hash it, read it, and return the content or the reason of the failure."""

from __future__ import annotations

import errno
import hashlib
import stat
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from ingest.base.errors import ReadError
from ingest.base.types import ReadFile
from ingest.documents.workers.sandbox import Limits

Read = Callable[[Path], ReadFile]
# A JSON object; `reader_main` lists the kinds.
Message = dict[str, Any]

_CHUNK_BYTES = 1 << 20
_SECONDS_BETWEEN_PROGRESS = 0.2


class RequestHandler:
    """Reads a file for each request. `send` receives the messages that come before the answer: hash and progress."""

    def __init__(self, read: Read, limits: Limits, send: Callable[[Message], None]) -> None:
        self._read = read
        self._limits = limits
        self._send = send
        self._last_progress = 0.0

    def answer(self, path: Path, known_sha256: str | None) -> Message:
        """The file's content, or the reason why it cannot be read; `last` when this process must not read another file.

        A file with the SHA-256 `known_sha256` is not read: its content is null.
        """
        self._last_progress = time.monotonic()
        try:
            file = self._read_unchanged(path, known_sha256)
            return {"file": None if file is None else self._within_limit(file), "last": False}
        except ReadError as error:
            if is_out_of_memory(error):
                return _OUT_OF_MEMORY
            return {"reason": str(error), "last": False}
        except OSError as error:
            reason = error.strerror or str(error)
            return {"errno": error.errno or errno.EIO, "strerror": reason, "last": False}
        except BaseException as error:  # noqa: BLE001 - whatever a parser raises concerns this file alone
            if is_out_of_memory(error):
                return _OUT_OF_MEMORY
            structlog.get_logger(__name__).error("read.failed", path=ascii(str(path)), exc_info=True)
            return {"reason": "reading it failed with an internal error: open and save it again", "last": True}

    def report_progress(self) -> None:
        """Send a sign of progress, at most every 0.2 s."""
        now = time.monotonic()
        if now - self._last_progress >= _SECONDS_BETWEEN_PROGRESS:
            self._last_progress = now
            self._send({"alive": True})

    def _read_unchanged(self, path: Path, known_sha256: str | None) -> ReadFile | None:
        """The file's content, None when its SHA-256 is known. A file that changes meanwhile is read a second time."""
        for _ in range(2):
            before = path.stat()
            if not stat.S_ISREG(before.st_mode):  # opening a pipe would wait for ever
                raise ReadError("it is not an ordinary file: remove it from the folder")
            sha256 = self._hash(path)
            self._send({"hashed": [sha256, before.st_size, before.st_mtime_ns]})
            file: ReadFile | None = None
            failure: ReadError | None = None
            if sha256 != known_sha256:
                try:
                    file = self._read(path)
                except ReadError as error:
                    failure = error
            after = path.stat()
            if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                if failure is not None:
                    raise failure
                return file
        raise ReadError("it changed while it was being read, twice: run again when nobody writes to it")

    def _hash(self, path: Path) -> str:
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                self.report_progress()
        return digest.hexdigest()

    def _within_limit(self, file: ReadFile) -> Message:
        size = sum(len(page.text.encode("utf-8", "replace")) for part in file.documents for page in part.pages)
        if size > self._limits.output_bytes:
            raise ReadError(f"it gives more than {self._limits.output_bytes / 1e6:g} MB of text: split it")
        return asdict(file)


_OUT_OF_MEMORY: Message = {"errno": errno.ENOMEM, "strerror": "", "last": True}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether lack of memory is the error or one of its causes: parsers wrap it in their own errors."""
    chain: list[BaseException | None] = [error]
    for cause in chain:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM):
            return True
        if cause is not None and len(chain) < 100:
            chain += [cause.__cause__, cause.__context__]
    return False
