"""The process that reads files: one path at a time in, what stands in the file out. Knows limits, not formats.

A parser is as safe as the worst file it meets, so it runs where it can be killed: with little memory, without
network, programs or core dumps, giving way to everything else. `workers.pool` starts it, keeps the time and replaces
it. JSON both ways, never pickle: a document that has taken this process over must not reach its parent.

In:  {"path": …, "known": SHA-256 that need not be read again, or null}; the end of input ends the process.
Out, each after its length in 4 bytes:
     {"ready": true} once; then for every path any number of {"alive": true} and {"hashed": [SHA-256, size, mtime_ns]},
     and at last {"file": … | null} | {"reason": …} | {"errno": …, "strerror": …}, with "log": […] and "last": bool.

A reader at work on something long says so with `sys.audit("docent.read.page")`, which starts its time anew.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import hashlib
import importlib
import json
import os
import signal
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from ingest.base.errors import ReadError
from ingest.base.memory import peak_memory
from ingest.base.types import ReadFile

LENGTH = struct.Struct(">I")
PAGE_READ = "docent.read.page"
_CHUNK_BYTES = 1 << 20
_SECONDS_BETWEEN_SIGNS = 0.2
# A process that has had so much of its memory in use is replaced; recognising pictures stays well below.
_SPENT_SHARE = 0.75
# linux/prctl.h: the signal this process gets when the one that started it dies.
_PR_SET_PDEATHSIG = 1
# What no document may cause, as Python's audit events name it: to fetch, to be asked for, to execute.
_REFUSED = {
    *("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"),
    *("os.startfile", "webbrowser.open"),
}

Read = Callable[[Path], ReadFile]


@dataclass(frozen=True)
class Limits:
    """What one file may cost; what costs more is not read.

    Of 275 real office files the heaviest took 0.5 GB (a Word file of 872 pages) and 0.9 GB (pictures recognised).
    """

    seconds: float = 120.0  # from its last sign of progress, such as a page that was read
    silent_seconds: float = 30.0  # in which no byte of it comes from the disk or share
    computing_seconds: int = 3600  # of CPU time in all, over every core
    memory_bytes: int = 2_000_000_000
    output_bytes: int = 50_000_000  # of text, and of any file the reader writes


class _Worker:
    def __init__(self, read: Read, limits: Limits, output: int) -> None:
        self._read = read
        self._limits = limits
        self._output = output
        self._sending = threading.Lock()
        self._last_sign = 0.0
        self._log: list[dict[str, Any]] = []
        # What a reader logs goes into the parent's log; the console is not this process's.
        structlog.configure(
            processors=[structlog.stdlib.add_log_level, structlog.processors.format_exc_info, self._keep_log]
        )
        sys.addaudithook(self._audit)
        self.send({"ready": True})

    def serve(self, requests: Iterator[bytes]) -> None:
        """Answer one request after another, until the end of input or until too much memory has been in use."""
        for line in requests:
            request = json.loads(line)
            _limit_computing(self._limits.computing_seconds)
            self._last_sign = time.monotonic()
            answer, spent = self._answer(Path(request["path"]), request["known"])
            last = spent or peak_memory() > _SPENT_SHARE * self._limits.memory_bytes
            log, self._log = self._log, []
            self.send({**answer, "log": log, "last": last})
            if last:
                return

    def _answer(self, path: Path, known: str | None) -> tuple[dict[str, Any], bool]:
        """(what to say, whether this process is spent)."""
        try:
            file = self._read_at_rest(path, known)
            return {"file": None if file is None else self._within_limit(file)}, False
        except ReadError as error:
            if _lacks_memory(error):
                return {"errno": errno.ENOMEM, "strerror": ""}, True
            return {"reason": str(error)}, False
        except OSError as error:
            return {"errno": error.errno or errno.EIO, "strerror": error.strerror or str(error)}, False
        except BaseException as error:  # noqa: BLE001 - whatever a parser throws is this file's fault alone
            if _lacks_memory(error):
                return {"errno": errno.ENOMEM, "strerror": ""}, True
            structlog.get_logger(__name__).error("read.failed", path=ascii(str(path)), exc_info=True)
            return {"reason": "its reader failed on it: open and save it again"}, True

    def _read_at_rest(self, path: Path, known: str | None) -> ReadFile | None:
        """What stands in the file, None when it is what is known. A file that changes meanwhile is read once more."""
        for _ in range(2):
            before = path.stat()
            if not stat.S_ISREG(before.st_mode):  # opening a pipe would wait for ever
                raise ReadError("it is not an ordinary file: remove it from the folder")
            sha256 = self._hash(path)
            self.send({"hashed": [sha256, before.st_size, before.st_mtime_ns]})
            file: ReadFile | None = None
            failure: ReadError | None = None
            if sha256 != known:
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
                self._sign_of_life()
        return digest.hexdigest()

    def _within_limit(self, file: ReadFile) -> dict[str, Any]:
        size = sum(len(page.text.encode("utf-8", "replace")) for part in file.documents for page in part.pages)
        if size > self._limits.output_bytes:
            raise ReadError(f"it gives more than {self._limits.output_bytes / 1e6:g} MB of text: split it")
        return asdict(file)

    def _sign_of_life(self) -> None:
        now = time.monotonic()
        if now - self._last_sign >= _SECONDS_BETWEEN_SIGNS:
            self._last_sign = now
            self.send({"alive": True})

    def send(self, message: dict[str, Any]) -> None:
        # File names and titles may hold bytes that are no UTF-8; they come through as they are.
        data = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
        with self._sending:
            for part in (LENGTH.pack(len(data)), data):
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(self._output, rest) :]

    def _audit(self, event: str, _arguments: tuple[object, ...]) -> None:
        if event == PAGE_READ:
            self._sign_of_life()
        elif event in _REFUSED:
            raise PermissionError(errno.EPERM, f"reading a document must not cause {event}")

    def _keep_log(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        if event.pop("level") in {"warning", "error", "critical"}:
            self._log.append({key: str(value).encode("utf-8", "replace").decode() for key, value in event.items()})
        raise structlog.DropEvent


def _lacks_memory(error: BaseException) -> bool:
    """True when memory was the cause, however wrapped."""
    waiting: list[BaseException | None] = [error]
    for seen in waiting:
        if isinstance(seen, MemoryError) or (isinstance(seen, OSError) and seen.errno == errno.ENOMEM):
            return True
        if seen is not None and len(waiting) < 100:
            waiting += [seen.__cause__, seen.__context__]
    return False


def _limit_computing(seconds: int) -> None:
    """From now on so much CPU time; past it the system ends this process with SIGXCPU, whoever is still watching."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, most))


def _confine(limits: Limits, parent: int) -> None:
    """Memory, files and priority of this process, and that it ends with its parent. Linux does all of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair, which then ends us
    if sys.platform == "win32":
        return
    import resource

    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, size in (
        # Private memory; unlike RLIMIT_AS it leaves out mapped files and address space that is only reserved.
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
    ):
        _, most = resource.getrlimit(kind)
        size = size if most == resource.RLIM_INFINITY else min(size, most)
        resource.setrlimit(kind, (size, size))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before it could be watched
            sys.exit(0)
        # Should the machine run out of memory, the reader is to go, not whoever it reads for.
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def main() -> None:
    """`python -m ingest.documents.workers.reader_main MODULE:FUNCTION LIMITS PARENT`, both ways on standard streams."""
    output = os.dup(1)
    os.dup2(2, 1)  # whatever a parser prints must not stand between our messages
    faulthandler.enable()
    limits = Limits(**json.loads(sys.argv[2]))
    _confine(limits, int(sys.argv[3]))
    module, _, function = sys.argv[1].partition(":")
    read: Read = getattr(importlib.import_module(module), function)
    try:
        _Worker(read, limits, output).serve(iter(sys.stdin.buffer.readline, b""))
    except BrokenPipeError:
        return  # the parent has gone


if __name__ == "__main__":
    main()
