"""One writer at a time: a lock file, and a note beside it that says who holds it and how far it is.

Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from ingest.base.errors import DocentError
from ingest.base.files import try_lock, write_whole
from ingest.base.logs import get_logger
from ingest.base.types import Progress

# What a run that takes documents in says that it is doing; `docent rebuild` and others change no answer meanwhile.
INGESTING = "docent ingest"
_LOCK = "writer.lock"
_NOTE = "writer.json"
# Who watches from another process sees nothing newer than this.
_NOTE_SECONDS = 1.0
log = get_logger(__name__)


class AnotherWriter(DocentError):
    """Somebody else is changing the library: waiting helps."""


@dataclass(frozen=True)
class Work:
    """What the one writer is doing: a command, the process and when it began; `done` of `total` files, 0 of 0 before
    that is known, with the pages and the passages a second of this run; `left` is how many seconds the rest will take,
    None while that cannot be said.
    """

    doing: str
    process: int
    since: str
    done: int = 0
    total: int = 0
    left: float | None = None
    pages: int = 0
    passages_per_second: float = 0.0


@contextmanager
def write_lock(home: Path, doing: str) -> Iterator[Callable[[Progress], None]]:
    """Hold the right to change the library; gives what tells others how far one is, as often as one likes.

    Raises AnotherWriter, which names who it is, when there is one. The operating system gives the lock back when its
    holder dies, however it dies.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = try_lock(home / _LOCK)
    except OSError as error:
        raise DocentError(
            f"The folder {home} cannot be written ({error.strerror}): set DOCENT_HOME to one that can."
        ) from error
    if lock is None:
        raise AnotherWriter(f"The library in {home} is being changed by {_holder(home)}: wait for it, then try again.")
    try:
        work = Work(doing, os.getpid(), datetime.now().isoformat(timespec="seconds"))
        _write(home, work)
        yield _teller(home, work)
    except OSError as error:
        if error.errno in (None, errno.EPIPE):  # not of the disk: whoever watched the run has gone
            raise
        raise DocentError(
            f"The library in {home} cannot be written ({error.strerror}): free or mend the disk and run the same "
            "command again; what was finished is kept."
        ) from error
    finally:
        (home / _NOTE).unlink(missing_ok=True)
        lock.release()


def _teller(home: Path, work: Work) -> Callable[[Progress], None]:
    said = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal said
        if time.monotonic() - said >= _NOTE_SECONDS:
            said = time.monotonic()
            now = replace(
                work, done=progress.done, total=progress.total, pages=progress.pages,
                left=None if progress.left is None else round(progress.left),
                passages_per_second=round(progress.passages_per_second, 1),
            )  # fmt: skip
            try:
                _write(home, now)
            except OSError:  # the work itself will say what is wrong with the disk
                log.warning("writer.not_noted", exc_info=True)

    return tell


def _write(home: Path, work: Work) -> None:
    # Not flushed: after a power cut the note means nothing, as nobody holds the lock.
    write_whole(home / _NOTE, json.dumps(asdict(work)), flush=False)


def current_work(home: Path) -> Work | None:
    """What the library's one writer is doing now; None while there is none."""
    return _noted(home) if is_locked(home) else None


def is_locked(home: Path) -> bool:
    """True while some process holds the right to change the library."""
    if not (home / _NOTE).is_file():
        return False
    try:
        lock = try_lock(home / _LOCK)
    except OSError:  # who may not write here cannot ask
        return False
    if lock is None:
        return True
    # Its writer died. Without the note nobody need try the lock again, which could refuse a real writer.
    (home / _NOTE).unlink(missing_ok=True)
    lock.release()
    return False


def _holder(home: Path) -> str:
    work = _noted(home)
    return f"`{work.doing}` (process {work.process}, since {work.since})" if work else "another process"


def _noted(home: Path) -> Work | None:
    """None when there is no note: its writer may just be finishing."""
    try:
        return Work(**json.loads((home / _NOTE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
