"""The event stream of a question: after an error its last event is `Failed`; its place in the queue is always freed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

from assistant.engines.admission import Place, Refused
from assistant.events import Done, Event, Failed
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger

log = get_logger(__name__)


class EventStream(Iterator[Event]):
    """The events of one answer. Frees its place in the queue when it ends, is closed or is garbage-collected.

    This holds also for a stream that nobody has started to read.
    """

    def __init__(self, events: Generator[Event, None, None], place: Place, request_id: str) -> None:
        self._events = _ended_by_an_event(events, request_id)
        self._place = place

    def __next__(self) -> Event:
        try:
            return next(self._events)
        except StopIteration:
            self._place.leave()
            raise

    def close(self) -> None:
        """Stop the work now."""
        self._events.close()
        self._place.leave()

    def __del__(self) -> None:
        self._place.leave()


def _ended_by_an_event(events: Generator[Event, None, None], request_id: str) -> Generator[Event, None, None]:
    """The events. An error can no longer be raised to the caller, so it becomes a last `Failed`."""
    done = False
    try:
        with closing(events):
            for event in events:
                done = isinstance(event, Done)
                yield event
    except GeneratorExit:
        if not done:
            log.info("question.stopped", request_id=request_id)
        raise
    except Refused as error:
        log.info("question.refused", request_id=request_id, status=error.status)
        yield Failed(str(error), error.status, request_id)
    except DocentError as error:
        log.error("question.failed", request_id=request_id, exc_info=True)
        yield Failed(str(error), 503, request_id)
    except Exception:
        # After an error of any kind the stream must end with an event, and the log must have the reason.
        log.error("question.failed", request_id=request_id, exc_info=True)
        yield Failed(
            f"Something went wrong inside Docent; the log has the details under {request_id}: ask again.",
            500,
            request_id,
        )
