"""Admission control: the order of the queue, its limits, and its estimates."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from assistant.engines import admission
from assistant.engines.admission import Admission, Place, Refused
from assistant.events import Queued


def test_the_first_does_not_wait() -> None:
    """In an empty queue the first place may begin at once, without a `Queued` event."""
    assert list(Admission(3, 60).enter().wait()) == []


def test_places_are_served_in_order_of_arrival() -> None:
    """A place's position is the number of places before it; each place that leaves moves all behind it up by one."""
    queue = Admission(3, 60)
    first, second, third = queue.enter(), queue.enter(), queue.enter()
    assert [queue.position(place) for place in (first, second, third)] == [0, 1, 2]
    waiting = third.wait()
    assert next(waiting).position == 2
    first.leave()
    assert list(second.wait()) == []
    assert next(waiting).position == 1
    second.leave()
    assert list(waiting) == []


def test_a_waiting_place_has_position_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event has the position and the seconds waited so far."""
    now = stopped_clock(monkeypatch)
    queue = Admission(3, 60)
    queue.enter()
    waiting = queue.enter().wait()
    assert next(waiting) == Queued(1, 0.0)
    now[0] += 7.128
    assert next(waiting) == Queued(1, 7.13)


def test_leaving_while_waiting_frees_the_place() -> None:
    """A caller in the middle who gives up no longer counts for those behind."""
    queue = Admission(3, 60)
    first, second, third = queue.enter(), queue.enter(), queue.enter()
    second.leave()
    second.leave()
    assert [queue.position(place) for place in (first, third)] == [0, 1]


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    """One is served and `queue_size` wait; the next is refused with 503 until one of them has left."""
    queue = Admission(2, 60)
    places = [queue.enter() for _ in range(3)]
    with pytest.raises(Refused, match="ask again in about 30 seconds") as refused:
        queue.enter()
    assert (refused.value.status, refused.value.retry_after) == (503, 30)
    places[1].leave()
    assert queue.position(queue.enter()) == 2


def test_a_queue_of_none_serves_one() -> None:
    """With `queue_size` 0 one question is answered and nobody waits."""
    queue = Admission(0, 60)
    place = queue.enter()
    with pytest.raises(Refused):
        queue.enter()
    place.leave()
    assert list(queue.enter().wait()) == []


def test_the_wait_is_estimated_from_the_duration_of_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long answer makes the estimate longer; a caller who gives up before being served does not change it."""
    now = stopped_clock(monkeypatch)
    queue = Admission(0, 60)
    served = queue.enter()
    list(served.wait())
    now[0] += 110
    served.leave()
    never_started = queue.enter()
    assert retry_after(queue) == 110
    now[0] += 1000
    never_started.leave()
    queue.enter()
    assert retry_after(queue) == 110


def test_waiting_too_long_is_refused() -> None:
    """After the limit the waiting caller gets 504, and leaving then frees the place."""
    queue = Admission(1, 0.05)
    first, second = queue.enter(), queue.enter()
    with pytest.raises(Refused, match="busy") as refused:
        for event in second.wait():
            assert event.position == 1
    assert (refused.value.status, refused.value.retry_after) == (504, 1)
    second.leave()
    assert queue.position(first) == 0
    assert queue.position(queue.enter()) == 1


def test_several_may_be_served_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model that generates two answers at a time the first two do not wait, the third has one before it, and
    either of the two makes room when it ends; the size of the queue counts only those who wait."""
    now = stopped_clock(monkeypatch)
    queue = Admission(2, 60, at_once=2)
    first, second, third, fourth = (queue.enter() for _ in range(4))
    assert [list(place.wait()) for place in (first, second)] == [[], []]
    assert [queue.position(place) for place in (third, fourth)] == [1, 2]
    with pytest.raises(Refused, match="ask again in about 20 seconds"):
        queue.enter()
    assert next(fourth.wait()) == Queued(2, 0.0, None)
    now[0] += 8
    second.leave()
    assert list(third.wait()) == []
    assert next(fourth.wait()) == Queued(1, 8.0, 4.0)
    first.leave()
    assert list(fourth.wait()) == []


def test_only_a_wrong_question_is_the_callers_mistake() -> None:
    """A command exits with 2 for a question that is wrong, and with 1 for one that could not be answered now."""
    assert [Refused(status, "no").exit_code for status in (422, 503, 504)] == [2, 1, 1]


def test_many_threads_are_served_one_at_a_time_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody overtakes, no two use the model at once, and every place that leaves wakes the next: with a minute between
    two checks, a lost wake-up would leave threads waiting."""
    monkeypatch.setattr(admission, "_STEP_SECONDS", 60.0)
    queue = Admission(20, 300)
    served: list[int] = []
    together: list[int] = []
    using: list[int] = []
    places = [queue.enter() for _ in range(12)]
    threads = [
        threading.Thread(target=use_model, args=(place, number, served, together, using), daemon=True)
        for number, place in enumerate(places)
    ]
    for thread in reversed(threads):
        thread.start()
    threads[-1].join(20)  # the last to be served; a lost wake-up must not block the test
    assert served == list(range(12))
    assert together == [1] * 12


def test_a_thread_is_woken_when_the_caller_before_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who leaves without having been served wakes the next caller too."""
    monkeypatch.setattr(admission, "_STEP_SECONDS", 60.0)
    queue = Admission(3, 300)
    first, second = queue.enter(), queue.enter()
    waiting = threading.Event()
    done = threading.Event()

    def wait() -> None:
        for _ in second.wait():
            waiting.set()
        done.set()

    threading.Thread(target=wait, daemon=True).start()
    assert waiting.wait(10)
    first.leave()
    assert done.wait(10)


def use_model(place: Place, number: int, served: list[int], together: list[int], using: list[int]) -> None:
    """Wait, use the model for a moment, leave."""
    list(place.wait())
    using.append(number)
    served.append(number)
    time.sleep(0.002)
    together.append(len(using))
    using.remove(number)
    place.leave()


def retry_after(queue: Admission) -> int | None:
    with pytest.raises(Refused) as refused:
        queue.enter()
    return refused.value.retry_after


def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only moves when its only item is changed; waiting for a change returns at once."""
    now = [1000.0]

    class Clock:
        monotonic: Callable[[], float] = staticmethod(lambda: now[0])

    monkeypatch.setattr(admission, "time", Clock)
    monkeypatch.setattr(admission, "_STEP_SECONDS", 0.001)
    return now
