"""How far a run is and how long the rest will take. Knows files only by their sizes, and watchers only as callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ingest.runs.report import Progress, ProgressCallback

# Before this the rate says more about starting up than about the work.
_LEAST_SECONDS = 2.0


class Meter:
    """Counts what a run has finished and tells every step to whoever watches.

    `total` is how many files there are, `size` the bytes of those that have work in them: time left follows from these.
    """

    def __init__(self, progress: ProgressCallback, note: Callable[[Progress], None], total: int, size: int) -> None:
        self._progress = progress
        self._note = note
        self._total = total
        self._size = size
        self._done = self._done_size = self.pages = self.passages = 0
        self._path = ""
        self._started: float | None = None
        # When the first file was finished, and its size: that one also waited for the embedder to be loaded or made.
        self._first: tuple[float, int] | None = None

    def look_at(self, path: Path | str) -> None:
        """This is the file now in hand."""
        if self._started is None:  # readers and embedder are up
            self._started = time.monotonic()
        self._path = str(path)
        self._tell(self.now())

    def finish(self, files: int = 1, size: int = 0, pages: int = 0, passages: int = 0) -> None:
        """So much is done, of no more than `size` bytes."""
        self._done += files
        self._done_size += size
        if size and self._first is None:
            self._first = time.monotonic(), self._done_size
        self.pages += pages
        self.passages += passages
        if self._done == self._total:
            self._path = ""
        self._tell(self.now())

    def now(self) -> Progress:
        seconds = 0.0 if self._started is None else time.monotonic() - self._started
        left = None
        if self._done == self._total:
            left = 0.0
        elif self._first is not None and (spent := time.monotonic() - self._first[0]) >= _LEAST_SECONDS:
            measured = self._done_size - self._first[1]
            left = spent / measured * max(0, self._size - self._done_size) if measured else None
        return Progress(self._done, self._total, self.passages, self._path, self.pages, seconds, left)

    def _tell(self, progress: Progress) -> None:
        self._note(progress)
        self._progress(progress)
