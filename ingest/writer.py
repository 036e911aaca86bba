"""One writer at a time: a lock file, and a note beside it that says who holds it. Knows nothing of what is written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ingest.errors import DocentError

_LOCK = "writer.lock"
_NOTE = "writer.json"


@contextmanager
def the_one_writer(home: Path, doing: str) -> Iterator[None]:
    """Hold the right to change the library. Raises DocentError naming the other writer when there is one.

    The operating system gives the lock back when its holder dies, however it dies.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DocentError(
            f"The library in {home} is being changed by {_holder(home)}: wait for it, then try again."
        ) from error
    except OSError as error:
        raise DocentError(
            f"The folder {home} cannot be written ({error.strerror}): set DOCENT_HOME to one that can."
        ) from error
    try:
        note = {"doing": doing, "process": os.getpid(), "since": datetime.now().isoformat(timespec="seconds")}
        (home / _NOTE).write_text(json.dumps(note), "utf-8")
        yield
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


def is_being_written(home: Path) -> bool:
    """True while some process holds the right to change the library."""
    if not (home / _NOTE).is_file():
        return False
    lock = FileLock(home / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # who may not write here cannot ask
        return False
    # Its writer died. Without the note nobody need try the lock again, which could refuse a real writer.
    (home / _NOTE).unlink(missing_ok=True)
    lock.release()
    return False


def _holder(home: Path) -> str:
    try:
        note = json.loads((home / _NOTE).read_text("utf-8"))
        return f"`{note['doing']}` (process {note['process']}, since {note['since']})"
    except (OSError, ValueError, KeyError):  # it may just be finishing
        return "another process"
