"""Prompt lookup (tokens proposed from the prompt): the same text in fewer steps, with a model that learned to quote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assistant.engines.openvino_engine import OpenVINOEngine
from tests.fakes.model_fixtures import QUOTED, greedy_settings, quoting_prompt


def answers(model: Path, **settings: object) -> list[tuple[str, int]]:
    """(text, number of records with text) of the answer to each question."""
    engine = OpenVINOEngine(model, greedy_settings(max_new_tokens=60, **settings))
    try:
        answered = [[record.text for record in engine.stream(quoting_prompt(question))] for question in QUOTED]
    finally:
        engine.close()
    return [("".join(texts), sum(map(bool, texts))) for texts in answered]


def texts(answered: Sequence[tuple[str, int]]) -> list[str]:
    return [text for text, _ in answered]


def test_a_quotation_takes_fewer_steps_and_has_the_same_words(quoting_model: Path) -> None:
    """Greedy answers are the passages themselves with and without proposals, which save more than half the steps."""
    plain, proposed = answers(quoting_model), answers(quoting_model, lookup_tokens=4)
    assert texts(plain) == texts(proposed) == list(QUOTED.values())
    assert all(ahead < steps / 2 for (_, steps), (_, ahead) in zip(plain, proposed, strict=True))


def test_proposals_work_with_sampling_and_penalties(quoting_model: Path) -> None:
    """The settings for sampling keep working: a model that is sure of its tokens still gives its passage."""
    proposed = answers(quoting_model, lookup_tokens=4, temperature=0.7, repetition_penalty=1.1)
    assert texts(proposed) == list(QUOTED.values())
