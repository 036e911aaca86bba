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
    """What one run did; the counts are documents, `passages` is how many the library now has in all."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list)
    passages: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` files, and the passages embedded so far.

    `total` is 0 while the embedding model is being made ready, which takes seconds the first time.
    """

    done: int
    total: int
    passages: int
    path: str


ProgressCallback = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """For callers who do not watch."""
