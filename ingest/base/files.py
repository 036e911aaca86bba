"""Files and folders that are complete or absent, and locks between processes.

Unfinished work has a name that nobody reads. It takes its final name in one rename, when it is complete.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

# Not `.lock`, which is a folder of the ModelScope SDK.
LOCK = ".docent.lock"
_UNFINISHED_FOLDER = ".making-"
_UNFINISHED_FILE = ".writing-"


@contextmanager
def whole_file(target: Path, flush: bool = True) -> Iterator[Path]:
    """Yields a path beside `target` to write to; that file replaces `target` if the block ends without an error.

    With `flush` the content is on the disk before the rename, so that a power cut leaves the old file or the new one.
    After an error nothing is left behind. Raises OSError when the disk refuses.
    """
    unfinished = _unfinished(target, _UNFINISHED_FILE)
    try:
        yield unfinished
        if flush:
            flush_to_disk(unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(target: Path, text: str, flush: bool = True) -> None:
    """Write a text file in UTF-8. Readers see the old content or the new, never half of it. Raises OSError."""
    with whole_file(target, flush) as unfinished:
        unfinished.write_text(text, "utf-8")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yields a new folder beside `target` to fill; it replaces `target` if the block ends without an error.

    Use it inside `alone_in(target.parent)`, which removes what killed processes have left there. Raises OSError.
    """
    unfinished = _unfinished(target, _UNFINISHED_FOLDER)
    unfinished.mkdir()
    try:
        yield unfinished
        if target.exists():
            shutil.rmtree(target)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def alone_in(root: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Be the only process that makes folders in `root`; `waiting` is called once if another process is doing so.

    Creates `root` and removes unfinished folders in it: the processes that made them have ended, because only the
    holder of the lock makes folders. Raises OSError when `root` cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    lock = try_lock(root / LOCK)
    if lock is None:
        waiting()
        lock = FileLock(root / LOCK)
        lock.acquire()
    try:
        for leftover in root.glob(f"{_UNFINISHED_FOLDER}*"):
            shutil.rmtree(leftover)
        yield
    finally:
        lock.release()


def try_lock(path: Path) -> FileLock | None:
    """The lock, acquired; None when another process holds it. Call its `release` when done.

    The operating system releases the lock when its process dies, however it dies. Raises OSError when the lock file
    cannot be written.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def flush_to_disk(path: Path) -> None:
    """Wait until a file is on the disk, so that no power cut keeps its rename and loses its content. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _unfinished(target: Path, prefix: str) -> Path:
    # The name does not contain the target's, which may already be as long as the file system allows.
    return target.parent / f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
