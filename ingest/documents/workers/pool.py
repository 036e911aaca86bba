"""Read files in separate processes, several at a time, and some files ahead of the caller.

When a document makes its parser hang, crash or use up the memory, only that document fails: its process is ended and
replaced. The outcomes are returned as values, in the order of the paths. An error is raised only when no reader process
can be started.
"""

from __future__ import annotations

import errno
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ingest.base.cpu import usable_cores
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.types import ReadFile
from ingest.documents.workers.reader_process import ReaderProcess
from ingest.documents.workers.request_handler import Message
from ingest.documents.workers.sandbox import Limits

log = get_logger(__name__)

__all__ = ["Limits", "ReadOutcome", "Readers"]

# More would only use memory: embedding on all cores takes longer than reading in this many processes.
_MAX_PROCESSES = 8
# How many files, for each process, may be read before the caller takes the first.
_FILES_AHEAD = 4
_START_SECONDS = 60.0
# After this many files in a row without an answer the next ones get a short time, until a file answers again.
_SILENT_FILES = 5
_SHORT_SECONDS = 2.0
_READ_FILE = TypeAdapter(ReadFile)


@dataclass(frozen=True)
class ReadOutcome:
    """The result for one file: `file`, or `error` (one line for a person), or neither when its SHA-256 was in `skip`.

    `sha256`, `size` in bytes and `modified_ns` (ns since 1970) belong to the content that was read; '' and zeros when
    the file could not be hashed. `is_lasting` when reading the same content again would fail again.
    """

    path: Path
    sha256: str
    size: int
    modified_ns: int
    file: ReadFile | None
    error: str | None
    is_lasting: bool = False


@dataclass(frozen=True)
class _Result:
    file: ReadFile | None = None
    error: str | None = None
    is_lasting: bool = False


class Readers:
    """A pool of reader processes, started when first needed and ended with the `with` block.

    `workers` is how many; None for one per usable core, at most 8. `reader` names the function that turns a path into
    a ReadFile, as 'module:function'.
    """

    def __init__(
        self, limits: Limits | None = None, workers: int | None = None, reader: str = "ingest.documents.read:read"
    ) -> None:
        self._limits = limits or Limits()
        self._count = workers or min(_MAX_PROCESSES, usable_cores())
        self._reader = reader
        self._of_thread = threading.local()
        self._processes: set[ReaderProcess] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._silent_files = 0
        # One thread per process waits for its messages and watches its time limits.
        self._threads = ThreadPoolExecutor(self._count, "reading")
        if sys.platform != "linux":
            log.warning("reading.memory_not_limited", platform=sys.platform)

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._closing = True
            processes = list(self._processes)
        for process in processes:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in processes:
            process.close()

    def read_all(self, paths: Iterable[Path], skip: Mapping[Path, str] | None = None) -> Iterator[ReadOutcome]:
        """One outcome for each path, in order. A file whose SHA-256 equals `skip[path]` is hashed but not parsed.

        Raises DocentError when no reader process can be started.
        """
        known_sha256 = skip or {}
        pending: deque[Future[ReadOutcome]] = deque()
        try:
            for path in paths:
                pending.append(self._threads.submit(self._read_one, path, known_sha256.get(path)))
                if len(pending) > _FILES_AHEAD * self._count:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _read_one(self, path: Path, known_sha256: str | None) -> ReadOutcome:
        process = self._ready_process()
        sha256, size, modified_ns = "", 0, 0
        is_reusable = False
        patience = self._limits.silent_seconds if self._silent_files < _SILENT_FILES else _SHORT_SECONDS
        try:
            process.ask({"path": str(path), "known": known_sha256})
            message = process.next_message(patience)
            while "alive" in message or "hashed" in message:
                self._silent_files = 0
                if "hashed" in message:
                    sha256, size, modified_ns = str(message["hashed"][0]), *map(int, message["hashed"][1:])
                    patience = self._limits.seconds
                message = process.next_message(patience)
            self._silent_files = 0
            is_reusable = not message["last"]
            result = self._result(message)
        except TimeoutError:
            result = self._timed_out(patience, hashed=sha256 != "")
        except EOFError:
            result = self._ended(process)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ValidationError):
            log.error("reading.invalid_reply", path=str(path), exc_info=True)
            is_reusable = False
            result = _Result(error="the reader process sent an invalid reply: open and save the file again")
        if not is_reusable:
            self._end(process, path)
        # A failure before the hash was known may not be due to the content.
        return ReadOutcome(
            path, sha256, size, modified_ns, result.file, result.error, result.is_lasting and sha256 != ""
        )

    def _result(self, message: Message) -> _Result:
        for entry in message["log"]:
            log.warning(str(entry.pop("event")), **entry)
        if "reason" in message:
            return _Result(error=str(message["reason"]), is_lasting=True)
        if "errno" in message:
            error = OSError(int(message["errno"]), str(message["strerror"]))
            return _Result(error=self._system_reason(error), is_lasting=error.errno == errno.ENOMEM)
        return _Result(None if message["file"] is None else _READ_FILE.validate_python(message["file"]))

    def _system_reason(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return "the file disappeared while it was being read: run again if it comes back"
        if isinstance(error, PermissionError):
            return "the file may not be read: check its permissions"
        if error.errno == errno.ENOMEM:
            return f"it needs more than {self._limits.memory_bytes / 1e9:g} GB of memory to read: split it"
        return f"the file cannot be read ({error.strerror or error}): check the disk or share it is on"

    def _timed_out(self, seconds: float, hashed: bool) -> _Result:
        if hashed:
            error = f"it took longer than {seconds:g} s to read: split it, or save it in another format"
            return _Result(error=error, is_lasting=True)
        self._silent_files += 1
        return _Result(error=f"nothing came from its disk or share for {seconds:g} s: check that and run again")

    def _ended(self, process: ReaderProcess) -> _Result:
        """Why a reader process ended before it answered."""
        code = process.exit_code()
        if code == -signal.SIGKILL:
            reason = "the system ended its reader process, most likely for lack of memory: free some and run again"
            return _Result(error=reason)
        if code == -signal.SIGXCPU:
            reason = f"it took more than {self._limits.computing_seconds} s of computing to read: split it"
        else:
            name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            reason = f"it made its reader process crash ({name}): open and save the file again"
        return _Result(error=reason, is_lasting=True)

    def _ready_process(self) -> ReaderProcess:
        """This thread's reader process; a new one when the last has ended. Raises DocentError when it cannot start."""
        process: ReaderProcess | None = getattr(self._of_thread, "process", None)
        if process is not None and process.alive:
            return process
        if process is not None:
            self._end(process)
            process = None
        try:
            with self._lock:
                if self._closing:
                    raise DocentError("Reading was ended.")
                process = self._of_thread.process = ReaderProcess(self._reader, self._limits)
                self._processes.add(process)
            process.next_message(_START_SECONDS)
        except (OSError, EOFError, ValueError) as error:
            output = process.last_error_output().strip() if process is not None else str(error)
            if process is not None:
                self._end(process)
            log.error("reading.process_not_started", error_output=output, exc_info=True)
            reason = output.splitlines()[-1] if output else type(error).__name__
            raise DocentError(
                f"The process that reads documents cannot be started ({reason}): run `docent doctor`, or install "
                "Docent again."
            ) from error
        return process

    def _end(self, process: ReaderProcess, path: Path | None = None) -> None:
        """End a process, so that the next file gets a new one; `path` is the file that made this necessary."""
        process.kill()
        if path is not None and not self._closing:
            log.warning("reading.process_ended", path=ascii(str(path)), error_output=process.last_error_output())
        process.close()
        self._of_thread.process = None
        with self._lock:
            self._processes.discard(process)
