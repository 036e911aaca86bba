"""What only the OpenVINO engine does: several answers at once, kept prefixes, a worker that is restarted once."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.engines.openvino_engine import OpenVINOEngine
from ingest.base.errors import DocentError
from tests.fakes.model_fixtures import QUOTED, greedy_settings, quoting_prompt


def messages(question: str, *before: str) -> list[ChatMessage]:
    """A conversation of user and assistant turns in alternation, ending with the question."""
    turns = [ChatMessage(role=MessageRole.SYSTEM, content="Answer from the passages.")]
    for number, text in enumerate(before):
        turns.append(ChatMessage(role=MessageRole.ASSISTANT if number % 2 else MessageRole.USER, content=text))
    return [*turns, ChatMessage(role=MessageRole.USER, content=question)]


def test_a_kept_prefix_changes_no_word(openvino_engine: OpenVINOEngine, tiny_openvino: Path) -> None:
    """A follow-up has the same answer whether the beginning of its prompt was computed before or not."""
    question = "How many days of leave? " * 20
    first = openvino_engine.generate(messages(question)).text
    follow_up = messages("And for part-timers?", question, first)
    warm = openvino_engine.generate(follow_up).text
    fresh = OpenVINOEngine(tiny_openvino, greedy_settings())
    try:
        assert fresh.generate(follow_up).text == warm
    finally:
        fresh.close()


def test_people_asking_together_get_what_they_would_get_alone(quoting_model: Path) -> None:
    """Answers generated at the same time are each the passage of their own question, as one after another."""
    engine = OpenVINOEngine(quoting_model, greedy_settings(max_new_tokens=60))
    together: dict[str, str] = {}

    def ask(question: str) -> None:
        together[question] = engine.generate(quoting_prompt(question)).text

    try:
        alone = {question: engine.generate(quoting_prompt(question)).text for question in QUOTED}
        threads = [threading.Thread(target=ask, args=(question,)) for question in QUOTED]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        engine.close()
    assert together == alone == QUOTED


def test_closing_the_stream_frees_the_model(openvino_engine: OpenVINOEngine) -> None:
    """When a caller closes the stream, during prompt or answer, the worker keeps no request."""
    for records in (1, 3):
        limit = replace(openvino_engine.sampling, max_new_tokens=200)
        stream = openvino_engine.stream(messages("days " * 600), limit)
        for _ in range(records):
            next(stream)
        stream.close()
        assert openvino_engine._worker._tickets == {}


def test_prompt_and_answer_fit_into_the_cache(tiny_openvino: Path) -> None:
    """An answer ends when the cache is full; a prompt that fills it raises a DocentError. The model keeps running."""
    smallest = greedy_settings(max_new_tokens=4096).model_copy(update={"cache_gigabytes": 0.0})
    engine = OpenVINOEngine(tiny_openvino, smallest)
    try:
        generated = engine.generate(messages("days " * 1900))
        assert 1900 < generated.prompt_tokens < generated.prompt_tokens + generated.new_tokens <= 2048
        with pytest.raises(DocentError, match=r"the engine's cache holds 2048: raise `cache_gigabytes` or lower"):
            engine.generate(messages("days " * 2100))
        assert engine.alive
    finally:
        engine.close()


def test_a_worker_that_dies_is_restarted_once(tiny_openvino: Path) -> None:
    """The answer under way fails in one line, the next one works, and a second death is not hidden."""
    engine = OpenVINOEngine(tiny_openvino, greedy_settings())
    try:
        before = engine.generate(messages("How many?")).text
        for attempt in range(2):
            worker = int(engine.processes[1])
            # Stopped first: a tiny model would have answered before it can be killed.
            os.kill(worker, signal.SIGSTOP)
            stream = engine.stream(messages("How many?"), replace(engine.sampling, max_new_tokens=256))
            next(stream)
            os.kill(worker, signal.SIGKILL)
            with pytest.raises(DocentError, match="being restarted"):
                list(stream)
            while engine.alive:
                time.sleep(0.01)
            if attempt == 0:
                assert engine.generate(messages("How many?")).text == before
        with pytest.raises(DocentError, match="stopped twice"):
            engine.generate(messages("How many?"))
    finally:
        engine.close()


def test_the_instruction_can_be_computed_beforehand(openvino_engine: OpenVINOEngine) -> None:
    """Warming changes no answer."""
    before = openvino_engine.generate(messages("How many?")).text
    openvino_engine.warm("Answer from the passages.")
    assert openvino_engine.generate(messages("How many?")).text == before
