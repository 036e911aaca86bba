"""The write lock of a library: a lock file, and a note beside it with who holds it and its progress."""

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

# What `Work.doing` holds during a run that ingests documents: the web page recognises such a run by it.
INGESTING = "docent ingest"
_LOCK = "writer.lock"
_NOTE = "writer.json"
# Progress is published this often at most.
_NOTE_SECONDS = 1.0
log = get_logger(__name__)


class AnotherWriter(DocentError):
    """Another process is changing the library: try again when it has finished."""


@dataclass(frozen=True)
class Work:
    """What the writer is doing: its command, its process id and when it began.

    It has finished `done` of `total` files, 0 of 0 before that is known, with `pages` pages so far. `left` is the
    seconds until the end; None while that is unknown. `since` is a local time in ISO 8601.
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
    """Hold the write lock. Yields a callback that publishes progress to other processes; it may be called often.

    Raises AnotherWriter, which names the holder, while another process holds the lock, and DocentError when the folder
    cannot be written. The operating system releases the lock when its holder dies, however it dies.
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
        yield _publisher(home, work)
    except OSError as error:
        if error.errno in (None, errno.EPIPE):  # no fault of the disk: the reader of a pipe has gone
            raise
        raise DocentError(
            f"The library in {home} cannot be written ({error.strerror}): free or repair the disk and run the same "
            "command again; what was finished is kept."
        ) from error
    finally:
        (home / _NOTE).unlink(missing_ok=True)
        lock.release()


def _publisher(home: Path, work: Work) -> Callable[[Progress], None]:
    published = time.monotonic()

    def publish(progress: Progress) -> None:
        nonlocal published
        if time.monotonic() - published >= _NOTE_SECONDS:
            published = time.monotonic()
            now = replace(
                work, done=progress.done, total=progress.total, pages=progress.pages,
                left=None if progress.left is None else round(progress.left),
                passages_per_second=round(progress.passages_per_second, 1),
            )  # fmt: skip
            try:
                _write(home, now)
            except OSError:  # the run itself will report what is wrong with the disk
                log.warning("writer.progress_not_published", exc_info=True)

    return publish


def _write(home: Path, work: Work) -> None:
    # Not flushed: after a power cut no process holds the lock, so the note has no meaning.
    write_whole(home / _NOTE, json.dumps(asdict(work)), flush=False)


def current_work(home: Path) -> Work | None:
    """What the writer of the library is doing now; None while there is none."""
    return _read_note(home) if is_locked(home) else None


def is_locked(home: Path) -> bool:
    """True while a process holds the write lock."""
    if not (home / _NOTE).is_file():
        return False
    try:
        lock = try_lock(home / _LOCK)
    except OSError:  # who may not write the lock file cannot try the lock
        return False
    if lock is None:
        return True
    # The writer has died. Without its note, no process tries this lock again, which could make a real writer fail.
    (home / _NOTE).unlink(missing_ok=True)
    lock.release()
    return False


def _holder(home: Path) -> str:
    work = _read_note(home)
    return f"`{work.doing}` (process {work.process}, since {work.since})" if work else "another process"


def _read_note(home: Path) -> Work | None:
    """The work that the note names; None when there is no note, because the writer may just be finishing."""
    try:
        return Work(**json.loads((home / _NOTE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
