"""Guessing tokens ahead from what was read: the same words in fewer steps. With a model that has learned to quote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.engines.openvino_engine import OpenVINOLLM
from assistant.engines.tokens import load_tokenizer
from assistant.models.convert import convert
from ingest.base.settings import Settings
from tests.fakes.model_fixtures import TEXTS
from tests.fakes.tiny_qwen import build_tiny_qwen, teach

QUOTED = dict(zip(("How many days of leave?", "Who pays for travel?", "年假有多少天？"), TEXTS, strict=False))


def asked(question: str) -> list[ChatMessage]:
    return [
        ChatMessage(role=MessageRole.SYSTEM, content="Answer from the passages."),
        ChatMessage(role=MessageRole.USER, content=f"[1] {QUOTED[question]}\n\n{question}"),
    ]


@pytest.fixture(scope="module")
def quoting_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that answers each question with its passage, converted for OpenVINO."""
    folder = build_tiny_qwen(tmp_path_factory.mktemp("models") / "quoting", TEXTS)
    tokenizer = load_tokenizer(folder)
    end = tokenizer.token_to_id("<|im_end|>")
    teach(
        folder,
        [chatml.encode(asked(question), tokenizer) for question in QUOTED],
        [[*chatml.plain_ids(text, tokenizer), end] for text in QUOTED.values()],
    )
    return convert(folder, folder.parent)


def answers(model: Path, **settings: object) -> list[tuple[str | None, int]]:
    """(text, how often something came) of the answer to each question."""
    values = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 60, "cache_gigabytes": 0.1, **settings}
    engine = OpenVINOLLM.load(model, Settings(**values))  # type: ignore[arg-type]
    try:
        answered = [list(engine.stream_chat(asked(question))) for question in QUOTED]
    finally:
        engine.close()
    return [(responses[-1].message.content, sum(bool(one.delta) for one in responses)) for responses in answered]


def texts(answered: Sequence[tuple[str | None, int]]) -> list[str | None]:
    return [text for text, _ in answered]


def test_a_quotation_comes_in_fewer_steps_and_the_same_words(quoting_model: Path) -> None:
    """Greedy answers are the passages themselves with and without guesses, which save more than half the steps."""
    plain, guessed = answers(quoting_model), answers(quoting_model, lookup_tokens=4)
    assert texts(plain) == texts(guessed) == list(QUOTED.values())
    assert all(ahead < steps / 2 for (_, steps), (_, ahead) in zip(plain, guessed, strict=True))


def test_guesses_work_with_sampling_and_penalties(quoting_model: Path) -> None:
    """What a site sets for sampling keeps working: a model that is sure still says its passage."""
    guessed = answers(quoting_model, lookup_tokens=4, temperature=0.7, repetition_penalty=1.1)
    assert texts(guessed) == list(QUOTED.values())
