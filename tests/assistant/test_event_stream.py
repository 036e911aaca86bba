"""The events of one answer as a stream: its last event after an error, stopping it, and the place that it frees."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.engines.admission import Refused
from assistant.events import Delta, Done, Event, Failed
from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
from tests.assistant.conftest import (
    CARRY_OVER,
    LEAVE,
    QUESTION,
    Make,
    done_of,
    endless,
    kinds,
    log_records,
)
from tests.fakes.scripted_engine import ScriptedEngine, saying


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_an_unforeseen_error_ends_in_500_and_is_in_the_log(assistant_with: Make, tmp_path: Path) -> None:
    """The person reads an id and no details; under that id the log has the traceback; the place is free again."""

    def broken() -> Iterator[str]:
        yield "Every employee"
        raise ZeroDivisionError("a secret of the inside")

    assistant = assistant_with(ScriptedEngine(broken), queue_size=0)
    configure_logs("info", tmp_path / "logs", console=False)
    events = list(assistant.ask(QUESTION, "talk"))
    assert kinds(events) == ["Evidence", "Delta", "Failed"]
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.status == 500
    assert failed.request_id in failed.message
    assert "secret" not in failed.message
    assert "Zero" not in failed.message
    records = log_records(tmp_path / "logs")
    (record,) = [record for record in records if record["event"] == "question.failed"]
    assert record["request_id"] == failed.request_id
    assert "ZeroDivisionError: a secret of the inside" in str(record["exception"])
    assert assistant.conversations.turns("talk") == []
    assistant.ask(QUESTION).close()


def test_a_foreseen_error_ends_in_its_own_line(assistant_with: Make) -> None:
    """An error with a line for people ends in 503 and that line."""

    def no_room() -> Iterator[str]:
        raise DocentError("the prompt is too long: lower `prompt_tokens`.")
        yield ""

    failed = list(assistant_with(ScriptedEngine(no_room)).ask(QUESTION))[-1]
    assert isinstance(failed, Failed)
    assert (failed.status, failed.message) == (503, "the prompt is too long: lower `prompt_tokens`.")


def test_closing_stops_the_model_and_stores_the_text_so_far(assistant_with: Make) -> None:
    """The engine's stream is closed, the place is free, and the turn is stored as stopped with its text so far."""
    engine = ScriptedEngine(lambda: iter([LEAVE, " ", "Unused days", " may never", " be said"]))
    assistant = assistant_with(engine, queue_size=0)
    stream = assistant.ask(QUESTION, "talk")
    for _ in range(4):
        next(stream)
    stream.close()
    assert engine.ended == ["closed"]
    (turn,) = assistant.conversations.turns("talk")
    assert (turn.done.finish_reason, turn.done.answer) == ("stopped", f"{LEAVE} [1] Unused days [1]")
    assert turn.model_text == f"{LEAVE} Unused days"
    assert [citation.quote for citation in turn.done.citations] == [LEAVE, CARRY_OVER]
    assert list(stream) == []
    assistant.ask(QUESTION).close()


def test_closing_before_the_first_word_stores_nothing(assistant_with: Make) -> None:
    """A stream closed while it waits, or after the evidence, stores no turn."""
    engine = saying("", LEAVE)
    assistant = assistant_with(engine)
    for steps in (0, 1, 2):
        stream = assistant.ask(QUESTION, "talk")
        for _ in range(steps):
            next(stream)
        stream.close()
    assert assistant.conversations.turns("talk") == []


def test_closing_after_the_answer_stores_it_once(assistant_with: Make) -> None:
    """A caller who stops reading at `Done` has one finished turn and no stopped one."""
    assistant = assistant_with()
    stream = assistant.ask(QUESTION, "talk")
    while not isinstance(next(stream), Done):
        pass
    stream.close()
    assert [turn.done.finish_reason for turn in assistant.conversations.turns("talk")] == ["stop"]


def test_a_stream_that_was_never_started_frees_its_place(assistant_with: Make) -> None:
    """A stream frees its place when it is closed or garbage-collected, started or not."""
    assistant = assistant_with(ScriptedEngine(endless), queue_size=0)
    assistant.ask(QUESTION).close()
    forgotten = assistant.ask(QUESTION)
    with pytest.raises(Refused):
        assistant.ask(QUESTION)
    del forgotten
    gc.collect()
    started = assistant.ask(QUESTION)
    next(started)
    del started
    gc.collect()
    assistant.ask(QUESTION).close()


def test_every_step_may_be_taken_in_another_thread(assistant_with: Make) -> None:
    """A server steps an answer on any free thread and closes it on another."""
    assistant = assistant_with(saying("Every employee has 25 days", " of annual leave."))
    events: list[Event] = []
    stream = assistant.ask(QUESTION, "talk")
    while not events or not isinstance(events[-1], Done):
        in_a_thread(lambda: events.append(next(stream)))
    in_a_thread(stream.close)
    assert done_of(events).answer == "Every employee has 25 days of annual leave. [1]"
    in_a_thread(lambda: events.append(Delta(str(len(assistant.conversations.turns("talk"))))))
    assert events[-1] == Delta("1")
