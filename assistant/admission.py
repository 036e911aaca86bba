"""One answer at a time, the rest in a bounded queue. Knows nothing of questions or models."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from assistant.events import Queued
from ingest.errors import DocentError

# How often a waiting caller gets a turn to give up.
_STEP_SECONDS = 0.25
# What a caller is told to wait when the queue is full, before the first answer has shown how long answers take.
_FIRST_GUESS_SECONDS = 10.0


class Refused(DocentError):
    """A question that is not answered, and the HTTP status that says so: 422, 503 or 504."""

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.exit_code = 2 if status == 422 else 1
        self.retry_after = retry_after


class Admission:
    """Hands out places in a queue in the order people came; the first in it may use the model."""

    def __init__(self, queue_size: int, queue_seconds: float) -> None:
        self.queue_size = queue_size
        self.queue_seconds = queue_seconds
        self._places: list[Place] = []
        self._changed = threading.Condition()
        self._typical_seconds = _FIRST_GUESS_SECONDS

    def enter(self) -> Place:
        """Take the last place. Raises Refused (503) when the queue is full."""
        with self._changed:
            if len(self._places) > self.queue_size:
                wait = max(1, round(self._typical_seconds * len(self._places)))
                raise Refused(
                    503, f"{len(self._places)} questions are already waiting: ask again in about {wait} seconds.", wait
                )
            place = Place(self)
            self._places.append(place)
            return place

    def position(self, place: Place) -> int:
        """How many are answered before this one."""
        with self._changed:
            return self._places.index(place)

    def wait_for_change(self, place: Place, seconds: float) -> int:
        """The place's position after at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._places.index(place) == 0, timeout=seconds)
            return self._places.index(place)

    def leave(self, place: Place, held_seconds: float) -> None:
        """Free a place, whichever it was; leaving twice is one leaving."""
        with self._changed:
            if place in self._places:
                self._places.remove(place)
                if held_seconds > 0:
                    self._typical_seconds += 0.3 * (held_seconds - self._typical_seconds)
                self._changed.notify_all()


class Place:
    """One caller's place in the queue."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._entered = time.monotonic()
        self._served: float | None = None

    def wait(self) -> Iterator[Queued]:
        """Returns when it is this place's turn, yielding at least every quarter of a second until then.

        Raises Refused (504) after the admission's limit.
        """
        position = self._admission.position(self)
        while position > 0:
            waited = time.monotonic() - self._entered
            if waited > self._admission.queue_seconds:
                raise Refused(
                    504,
                    f"The model was busy for {self._admission.queue_seconds:.0f} seconds: ask again in a moment.",
                    max(1, round(self._admission.queue_seconds / 4)),
                )
            yield Queued(position, round(waited, 2))
            position = self._admission.wait_for_change(self, _STEP_SECONDS)
        self._served = time.monotonic()

    def leave(self) -> None:
        held = time.monotonic() - self._served if self._served is not None else 0.0
        self._admission.leave(self, held)
