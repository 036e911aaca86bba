"""Admission control: as many answers at once as the engine can generate, the rest in a bounded queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from assistant.events import Queued
from ingest.base.errors import DocentError

# How long a caller waits, in seconds, before the next event lets it stop.
_STEP_SECONDS = 0.25
# Assumed duration of an answer, until the first has shown how long answers take.
_FIRST_GUESS_SECONDS = 10.0
# Weight of the newest answer in the moving average of durations.
_NEWEST = 0.3


class Refused(DocentError):
    """A question that is not answered. `status` is the HTTP status: 422, 503 or 504; `retry_after` is in seconds."""

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.exit_code = 2 if status == 422 else 1
        self.retry_after = retry_after


class Admission:
    """A queue in order of arrival; the first `at_once` places may use the model. Safe to use from several threads."""

    def __init__(self, queue_size: int, queue_seconds: float, at_once: int = 1) -> None:
        self.queue_size = queue_size
        self.queue_seconds = queue_seconds
        self.at_once = at_once
        self._places: list[Place] = []
        self._changed = threading.Condition()
        self._typical_seconds: float | None = None

    def enter(self) -> Place:
        """Add a place at the end of the queue and return it. Raises Refused (503) when the queue is full."""
        with self._changed:
            waiting = len(self._places) - self.at_once
            if waiting >= self.queue_size:
                typical = self._typical_seconds or _FIRST_GUESS_SECONDS
                wait = max(1, round(typical * len(self._places) / self.at_once))
                raise Refused(
                    503, f"{waiting + 1} questions are already waiting: ask again in about {wait} seconds.", wait
                )
            place = Place(self)
            self._places.append(place)
            return place

    def position(self, place: Place) -> int:
        """How many answers must end before this one may begin; 0: it may begin."""
        with self._changed:
            return self._position(place)

    def wait_for_change(self, place: Place, seconds: float) -> int:
        """Wait until it is this place's turn, at most `seconds`; returns its position."""
        with self._changed:
            self._changed.wait_for(lambda: self._position(place) == 0, timeout=seconds)
            return self._position(place)

    def estimate(self, position: int) -> float | None:
        """Seconds until a place at `position` may begin, from the duration of recent answers; None before the first."""
        typical = self._typical_seconds
        return None if typical is None else round(position * typical / self.at_once, 1)

    def _position(self, place: Place) -> int:
        return max(0, self._places.index(place) - self.at_once + 1)

    def leave(self, place: Place, model_seconds: float) -> None:
        """Free a place that used the model for `model_seconds`. Leaving twice has no further effect."""
        with self._changed:
            if place in self._places:
                self._places.remove(place)
                if model_seconds > 0:
                    typical = model_seconds if self._typical_seconds is None else self._typical_seconds
                    self._typical_seconds = typical + _NEWEST * (model_seconds - typical)
                self._changed.notify_all()


class Place:
    """One caller's place in the queue."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._entered = time.monotonic()
        self._began: float | None = None

    def wait(self) -> Iterator[Queued]:
        """Yield the position at least every quarter of a second; return when this place may use the model.

        Raises Refused (504) after `queue_seconds`.
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
            yield Queued(position, round(waited, 2), self._admission.estimate(position))
            position = self._admission.wait_for_change(self, _STEP_SECONDS)
        self._began = time.monotonic()

    def leave(self) -> None:
        """Free the place."""
        model_seconds = time.monotonic() - self._began if self._began is not None else 0.0
        self._admission.leave(self, model_seconds)
