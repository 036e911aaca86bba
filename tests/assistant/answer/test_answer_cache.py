"""The answer cache: the answer of a key, never another, and never more answers than its bound."""

from __future__ import annotations

import threading

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer.answer_cache import AnswerCache, CachedAnswer, answer_key


def turns(*texts: str) -> list[ChatMessage]:
    roles = (MessageRole.SYSTEM, MessageRole.USER, MessageRole.ASSISTANT, MessageRole.USER)
    return [ChatMessage(role=role, content=text) for role, text in zip(roles, texts, strict=False)]


def test_an_answer_is_found_by_its_key() -> None:
    """A key gives its answer; a key that was never stored gives None."""
    cache = AnswerCache()
    cache.put("a", CachedAnswer("22 days", "stop"))
    assert cache.get("a") == CachedAnswer("22 days", "stop")
    assert cache.get("b") is None


def test_the_least_recently_used_answer_is_dropped() -> None:
    """Reading an answer counts as use; a cache of size 0 keeps nothing."""
    cache = AnswerCache(most=2)
    for key in "ab":
        cache.put(key, CachedAnswer(key, "stop"))
    cache.get("a")
    cache.put("c", CachedAnswer("c", "stop"))
    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]
    nothing = AnswerCache(most=0)
    nothing.put("a", CachedAnswer("a", "stop"))
    assert nothing.get("a") is None


@pytest.mark.parametrize(
    ("messages", "model", "sampling"),
    [
        (turns("system", "passage: 23 days. Question?"), "openvino 1", "256 0.7"),
        (turns("system", "passage: 22 days. Question!"), "openvino 1", "256 0.7"),
        (turns("other system", "passage: 22 days. Question?"), "openvino 1", "256 0.7"),
        (turns("system", "before", "answer", "passage: 22 days. Question?"), "openvino 1", "256 0.7"),
        (turns("system", "passage: 22 days. Question?"), "openvino 2", "256 0.7"),
        (turns("system", "passage: 22 days. Question?"), "openvino 1", "256 0.0"),
    ],
)
def test_anything_that_could_change_the_answer_changes_the_key(
    messages: list[ChatMessage], model: str, sampling: str
) -> None:
    """A changed passage, question, instruction, history, model or sampling gives another key."""
    assert answer_key(messages, model, sampling) != answer_key(
        turns("system", "passage: 22 days. Question?"), "openvino 1", "256 0.7"
    )


def test_the_same_prompt_is_the_same_key() -> None:
    """The key depends on the content of the messages, not on the objects."""
    assert answer_key(turns("a", "b"), "m", "s") == answer_key(turns("a", "b"), "m", "s")


def test_it_can_be_used_from_several_threads() -> None:
    """A thousand puts and gets from four threads leave it within its bound."""
    cache = AnswerCache(most=10)

    def work(start: int) -> None:
        for number in range(start, start + 250):
            cache.put(str(number), CachedAnswer("x", "stop"))
            cache.get(str(number - 5))

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache._answers) == 10
