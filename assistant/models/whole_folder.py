"""Folders that are whole or not there at all, made by one process at a time. Knows nothing of what is in them.

What is being made has a name that nobody reads. It gets its own in one rename, when it is finished; what a killed
process has left behind is removed by the next one that makes something in the same place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

# Not `.lock`, which is a folder of the ModelScope SDK.
LOCK = ".docent.lock"
_MAKING = ".making-"


@contextmanager
def alone_in(root: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Be the only process that makes something in `root`; `waiting` is called once if another one is at it.

    The operating system frees the lock when its holder dies, however it dies: whoever holds it knows that nobody is
    working on the unfinished folders there, and they are removed. Raises OSError when `root` cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        for left in root.glob(f"{_MAKING}*"):
            shutil.rmtree(left)
        yield
    finally:
        lock.release()


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, beside `target`; it takes the name and place of `target` if the block ends without an error.

    To be used inside `alone_in(target.parent)`.
    """
    making = target.with_name(f"{_MAKING}{os.getpid()}-{target.name}")
    making.mkdir()
    try:
        yield making
        if target.exists():
            shutil.rmtree(target)
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
