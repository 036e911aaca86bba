"""Files read in processes of their own, several at a time and ahead of whoever takes them. Knows no format.

A document that makes its parser hang, crash or swallow memory costs that one document: its process is ended and
replaced. Every outcome is a value, in the order asked for; the one exception is a machine on which no reader starts.
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
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ingest.base.cpu import usable_cores
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.types import ReadFile
from ingest.documents.workers.reader_main import Limits
from ingest.documents.workers.reader_process import ReaderProcess

log = get_logger(__name__)

__all__ = ["Limits", "ReadOutcome", "Readers"]

# More would only hold memory: one process reads faster than the embedding of all cores takes the text away.
_MOST_WORKERS = 8
# How far reading may run ahead, in files for each worker.
_AHEAD = 4
_START_SECONDS = 60.0
# After so many files in a row that did not answer, those that follow get a short time until one does.
_SILENCES = 5
_SHORT_SECONDS = 2.0
_READ_FILE = TypeAdapter(ReadFile)


@dataclass(frozen=True)
class ReadOutcome:
    """What came of one file: `file`, or `error` (one line for a person), or neither when it is what was known.

    `sha256`, `size` in bytes and `modified_ns` are of the content read, or '' and zeros when it ended before that.
    `is_lasting` when the same content can only fail again.
    """

    path: Path
    sha256: str
    size: int
    modified_ns: int
    file: ReadFile | None
    error: str | None
    is_lasting: bool = False


class Readers:
    """Worker processes for reading, started when first needed and ended with the `with` block.

    `reader` names the function that turns a path into a ReadFile, 'module:function'.
    """

    def __init__(
        self, limits: Limits | None = None, workers: int | None = None, reader: str = "ingest.documents.read:read"
    ) -> None:
        self._limits = limits or Limits()
        self._count = workers or min(_MOST_WORKERS, usable_cores())
        self._reader = reader
        self._own = threading.local()
        self._all: set[ReaderProcess] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._silences = 0
        # A thread for each worker waits for it and keeps its time; while it waits, others run.
        self._threads = ThreadPoolExecutor(self._count, "reading")
        if sys.platform != "linux":
            log.warning("reading.memory_not_limited", platform=sys.platform)

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._closing = True
            workers = list(self._all)
        for worker in workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()

    def read_all(self, paths: Iterable[Path], skip: Mapping[Path, str] | None = None) -> Iterator[ReadOutcome]:
        """One outcome for each path, in order. A file whose SHA-256 is the one in `skip` is hashed but not parsed.

        Raises DocentError when a reader cannot be started at all.
        """
        known = skip or {}
        waiting: deque[Future[ReadOutcome]] = deque()
        try:
            for path in paths:
                waiting.append(self._threads.submit(self._read_one, path, known.get(path)))
                if len(waiting) > _AHEAD * self._count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _read_one(self, path: Path, known: str | None) -> ReadOutcome:
        worker = self._ready_worker()
        hashed = ("", 0, 0)
        file: ReadFile | None = None
        error: str | None = None
        stays = lasting = False
        patience = self._limits.silent_seconds if self._silences < _SILENCES else _SHORT_SECONDS
        try:
            worker.ask({"path": str(path), "known": known})
            while True:
                message = worker.next_message(patience)
                self._silences = 0
                if "hashed" in message:
                    sha256, size, modified_ns = message["hashed"]
                    hashed = (str(sha256), int(size), int(modified_ns))
                    patience = self._limits.seconds
                elif "alive" not in message:
                    last = bool(message["last"])
                    file, error = self._outcome(message)
                    lasting = "reason" in message or message.get("errno") == errno.ENOMEM
                    stays = not last
                    break
        except TimeoutError:
            if hashed[0]:
                error = f"it took longer than {patience:g} s to read: split it, or save it in another format"
                lasting = True
            else:
                self._silences += 1
                error = f"nothing came from its disk or share for {patience:g} s: check that and run again"
        except EOFError:
            error = self._why_it_died(worker)
            lasting = worker.exit_code() != -signal.SIGKILL
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ValidationError):
            log.error("reading.worker_incoherent", path=str(path), exc_info=True)
            error = "its reader went astray: open and save the file again"
        if not stays:
            self._end(worker, path)
        # What ended before it was hashed may not have been the content's fault.
        return ReadOutcome(path, *hashed, file, error, lasting and hashed[0] != "")

    def _outcome(self, message: dict[str, Any]) -> tuple[ReadFile | None, str | None]:
        for entry in message["log"]:
            log.warning(str(entry.pop("event")), **entry)
        if "reason" in message:
            return None, str(message["reason"])
        if "errno" in message:
            return None, self._system_reason(OSError(int(message["errno"]), str(message["strerror"])))
        return (None if message["file"] is None else _READ_FILE.validate_python(message["file"])), None

    def _system_reason(self, error: OSError) -> str:
        if isinstance(error, FileNotFoundError):
            return "the file disappeared while it was being read: run again if it comes back"
        if isinstance(error, PermissionError):
            return "the file may not be read: check its permissions"
        if error.errno == errno.ENOMEM:
            return f"it needs more than {self._limits.memory_bytes / 1e9:g} GB of memory to read: split it"
        return f"the file cannot be read ({error.strerror or error}): check the disk or share it is on"

    def _why_it_died(self, worker: ReaderProcess) -> str:
        code = worker.exit_code()
        if code == -signal.SIGXCPU:
            return f"it took more than {self._limits.computing_seconds} s of computing to read: split it"
        if code == -signal.SIGKILL:
            return "the system ended its reader, most likely for lack of memory: free some and run again"
        name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return f"it made its reader crash ({name}): open and save the file again"

    def _ready_worker(self) -> ReaderProcess:
        """This thread's worker; a new one when the last has been ended or has died of its own."""
        worker: ReaderProcess | None = getattr(self._own, "worker", None)
        if worker is not None and worker.alive:
            return worker
        if worker is not None:
            self._end(worker)
            worker = None
        try:
            with self._lock:
                if self._closing:
                    raise DocentError("Reading was ended.")
                worker = self._own.worker = ReaderProcess(self._reader, self._limits)
                self._all.add(worker)
            worker.next_message(_START_SECONDS)
        except (OSError, EOFError, ValueError) as error:
            complaint = worker.last_words().strip() if worker is not None else str(error)
            if worker is not None:
                self._end(worker)
            log.error("reading.worker_not_started", complaint=complaint, exc_info=True)
            reason = complaint.splitlines()[-1] if complaint else type(error).__name__
            raise DocentError(
                f"The process that reads documents cannot be started ({reason}): run `docent doctor`, or install "
                "Docent again."
            ) from error
        return worker

    def _end(self, worker: ReaderProcess, path: Path | None = None) -> None:
        """Replace it before the next file; with a path, that file is to blame."""
        worker.kill()
        if path is not None and not self._closing:
            log.warning("reading.worker_ended", path=ascii(str(path)), last_words=worker.last_words())
        worker.close()
        self._own.worker = None
        with self._lock:
            self._all.discard(worker)
