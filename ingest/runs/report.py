"""What a run of ingestion says of itself, on the way and at the end. Values only: knows nothing of how it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Failure:
    """A file or folder that could not be taken in, and why."""

    path: str
    reason: str


@dataclass
class IngestReport:
    """What one run did; the counts are documents, `passages` is how many the library now has in all.

    `moved` documents kept their number under a new path; `duplicates` are copies of what the library has already.
    `quarantined` are those below the given paths that are kept but not answered from, each with the reason.
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

    def count(self, what: str, documents: int) -> None:
        """So many documents more were `added`, `updated` …"""
        setattr(self, what, getattr(self, what) + documents)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` files, the pages and passages of this run so far, seconds since its start.

    `total` is 0 while the embedding model is being made ready, which takes seconds the first time. `left` is how many
    seconds the rest will take, judged by the bytes so far; None while that cannot be said.
    """

    done: int
    total: int
    passages: int
    path: str
    pages: int = 0
    seconds: float = 0.0
    left: float | None = None

    @property
    def passages_per_second(self) -> float:
        return self.passages / self.seconds if self.seconds > 0 else 0.0


ProgressCallback = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """For callers who do not watch."""
