"""What a run reports: its progress on the way, and its counts and failures at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ingest.base.types import Failure, Progress, ProgressCallback

# In the first seconds the rate depends more on starting up than on the work.
_LEAST_SECONDS = 2.0


@dataclass(frozen=True)
class Counts:
    """Documents by what a run did with them. Adding two gives the counts of both together."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    moved: int = 0
    duplicates: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True)))

    @classmethod
    def total(cls, counts: Iterable[Counts]) -> Counts:
        """The sum of all these counts."""
        return sum(counts, start=cls())


@dataclass(frozen=True)
class IngestReport:
    """What one run did, in documents; `passages` is the number in the whole library after it.

    `moved` documents kept their id under a new path; `duplicates` are copies of documents in the library. `quarantined`
    are documents below the given paths that are stored but not used for answers, each with the reason. `seconds` is
    how long the run took.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list)
    passages: int = 0
    seconds: float = 0.0
    moved: int = 0
    duplicates: int = 0
    quarantined: list[Failure] = field(default_factory=list)

    @classmethod
    def of(
        cls, counts: Counts, passages: int, started: float, failed: Iterable[Failure] = (),
        quarantined: Iterable[Failure] = (),
    ) -> IngestReport:  # fmt: skip
        """The report of a run that began at `started`, a reading of `time.monotonic`."""
        seconds = round(time.monotonic() - started, 3)
        return cls(
            **vars(counts), passages=passages, seconds=seconds, failed=list(failed), quarantined=list(quarantined)
        )

    def as_json(self) -> dict[str, Any]:
        """The fields by name, as `docent ingest --json` prints them."""
        return asdict(self)


class Meter:
    """Counts what a run has finished and reports every step: to `progress`, and with `publish` to other processes.

    `total` is the number of files. `size` is the work to do, from which the time left follows: the bytes of the files
    that have to be read, or the number of documents to embed.
    """

    def __init__(self, progress: ProgressCallback, publish: Callable[[Progress], None], total: int, size: int) -> None:
        self._progress = progress
        self._publish = publish
        self._total = total
        self._size = size
        self._done = self._done_size = self._pages = self._passages = 0
        self._path = ""
        self._started: float | None = None
        # When the first file was finished, and its size: that one also waited for the embedder to be loaded.
        self._first: tuple[float, int] | None = None

    def look_at(self, path: Path | str) -> None:
        """Report the file that is being worked on."""
        if self._started is None:  # readers and embedder have started
            self._started = time.monotonic()
        self._path = str(path)
        self._report()

    def finish(self, files: int = 1, size: int = 0, pages: int = 0, passages: int = 0) -> None:
        """Report that so many more files, pages and passages are done; `size` is their part of the work to do."""
        self._done += files
        self._done_size += size
        if size and self._first is None:
            self._first = time.monotonic(), self._done_size
        self._pages += pages
        self._passages += passages
        if self._done == self._total:
            self._path = ""
        self._report()

    def _report(self) -> None:
        seconds = 0.0 if self._started is None else time.monotonic() - self._started
        progress = Progress(
            self._done, self._total, self._passages, self._path, self._pages, seconds, self._seconds_left()
        )
        self._publish(progress)
        self._progress(progress)

    def _seconds_left(self) -> float | None:
        if self._done == self._total:
            return 0.0
        if self._first is None:
            return None
        since, first_size = self._first
        spent, measured = time.monotonic() - since, self._done_size - first_size
        if spent < _LEAST_SECONDS or not measured:
            return None
        return spent / measured * max(0, self._size - self._done_size)
