"""The OpenVINO engine as a LlamaIndex LLM: what it says, how it stops, and that it comes back once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.engines.openvino_engine import OpenVINOLLM
from assistant.engines.tokens import load_tokenizer
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from tests.fakes.model_fixtures import tiny_checkpoint, tiny_openvino  # noqa: F401


def greedy(**more: object) -> Settings:
    values = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 24, "cache_gigabytes": 0.1, "threads": 2}
    return Settings(**{**values, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine(tiny_openvino: Path) -> Iterator[OpenVINOLLM]:  # noqa: F811
    loaded = OpenVINOLLM.load(tiny_openvino, greedy())
    yield loaded
    loaded.close()


def messages(question: str, *before: str) -> list[ChatMessage]:
    turns = [ChatMessage(role=MessageRole.SYSTEM, content="Answer from the passages.")]
    for place, text in enumerate(before):
        turns.append(ChatMessage(role=MessageRole.ASSISTANT if place % 2 else MessageRole.USER, content=text))
    return [*turns, ChatMessage(role=MessageRole.USER, content=question)]


def test_the_answer_is_its_deltas(engine: OpenVINOLLM) -> None:
    """Deltas joined are the answer; the last response counts prompt and answer and says why it ended."""
    said = messages("How many days of annual leave?")
    responses = list(engine.stream_chat(said))
    last = responses[-1]
    assert "".join(response.delta or "" for response in responses) == last.message.content
    assert "\ufffd" not in (last.message.content or "")
    assert last.additional_kwargs["prompt_tokens"] == len(chatml.encode(said, load_tokenizer(Path(engine.folder))))
    assert 0 < last.additional_kwargs["new_tokens"] <= 24
    assert last.additional_kwargs["finish_reason"] in {"stop", "length"}
    assert engine.chat(said).message.content == last.message.content


def test_a_follow_up_says_the_same_with_and_without_what_was_kept(engine: OpenVINOLLM, tiny_openvino: Path) -> None:  # noqa: F811
    """Reusing the computed beginning of a transcript changes no word of the answer."""
    first = engine.chat(messages("How many days of leave? " * 20)).message.content or ""
    follow_up = messages("And for part-timers?", "How many days of leave? " * 20, first)
    warm = engine.chat(follow_up).message.content
    fresh = OpenVINOLLM.load(tiny_openvino, greedy())
    try:
        assert fresh.chat(follow_up).message.content == warm
    finally:
        fresh.close()


def test_people_asking_together_get_what_they_would_get_alone(engine: OpenVINOLLM) -> None:
    """Four answers written at the same time are the four answers written one after another."""
    questions = ["How many days?", "年假有多少天？", "Who pays for travel?", "出差费用什么时候报销？"]
    alone = [engine.chat(messages(question)).message.content for question in questions]
    together: dict[str, str | None] = {}

    def ask(question: str) -> None:
        together[question] = engine.chat(messages(question)).message.content

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[question] for question in questions] == alone


def test_closing_the_stream_stops_the_model(engine: OpenVINOLLM) -> None:
    """A caller who leaves, in the prompt or in the answer, frees the model for others."""
    for steps in (1, 3):
        stream = engine.stream_chat(messages("days " * 600), max_new_tokens=200)
        for _ in range(steps):
            next(stream)
        stream.close()
        assert engine._loop._tickets == {}
    assert engine.chat(messages("How many?")).message.content is not None


def test_sampling_follows_its_seed(engine: OpenVINOLLM) -> None:
    """The same seed gives the same answer, another one another."""
    said = messages("How many days?")
    one, again, other = (engine.chat(said, temperature=1.0, top_p=1.0, seed=seed).message.content for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_an_unknown_option_is_refused(engine: OpenVINOLLM) -> None:
    """A misspelt option would otherwise do nothing."""
    with pytest.raises(TypeError):
        engine.chat(messages("x"), temprature=1)


def test_a_prompt_longer_than_the_model_reads_is_named(engine: OpenVINOLLM) -> None:
    """The line says both lengths and which setting to lower."""
    with pytest.raises(DocentError, match=r"the prompt has \d+ tokens and the model reads \d+: lower `prompt_tokens`"):
        engine.chat(messages("days " * (engine.context_window + 10)))


def test_prompt_and_answer_fit_into_the_cache(tiny_openvino: Path) -> None:  # noqa: F811
    """An answer ends where the cache is full; a prompt that fills it is an error in words. The model stays alive."""
    smallest = greedy(max_new_tokens=4096).model_copy(update={"cache_gigabytes": 0.0})
    engine = OpenVINOLLM.load(tiny_openvino, smallest)
    try:
        last = engine.chat(messages("days " * 1900)).additional_kwargs
        assert 1900 < last["prompt_tokens"] < last["prompt_tokens"] + last["new_tokens"] <= 2048
        with pytest.raises(DocentError, match=r"the engine's cache holds 2048: raise `cache_gigabytes` or lower"):
            engine.chat(messages("days " * 2100))
        assert engine.alive
    finally:
        engine.close()


def test_a_model_that_dies_comes_back_once(tiny_openvino: Path) -> None:  # noqa: F811
    """The answer under way fails in words, the next one works, and a second death is not hidden."""
    engine = OpenVINOLLM.load(tiny_openvino, greedy())
    try:
        before = engine.chat(messages("How many?")).message.content
        for attempt in range(2):
            # Held still first: a tiny model has otherwise answered before it can be killed.
            os.kill(engine.process_id, signal.SIGSTOP)
            stream = engine.stream_chat(messages("How many?"), max_new_tokens=256)
            next(stream)
            os.kill(engine.process_id, signal.SIGKILL)
            with pytest.raises(DocentError, match="being restarted"):
                list(stream)
            while engine.alive:
                time.sleep(0.01)
            if attempt == 0:
                assert engine.chat(messages("How many?")).message.content == before
        with pytest.raises(DocentError, match="stopped twice"):
            engine.chat(messages("How many?"))
    finally:
        engine.close()


def test_the_instruction_can_be_computed_beforehand(engine: OpenVINOLLM) -> None:
    """Warming says nothing and changes no answer."""
    before = engine.chat(messages("How many?")).message.content
    engine.warm("Answer from the passages.")
    assert engine.chat(messages("How many?")).message.content == before
