"""The contract of `Engine`, held against every engine with a real tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.engines.engine import Engine
from assistant.models.tokens import load_tokenizer
from ingest.base.errors import DocentError

QUESTIONS = (
    "How many days of annual leave?",
    "年假有多少天？",
    "Who pays for travel? 🦉 Ünïcödé",
    "出差费用什么时候报销？",
)


@pytest.fixture(params=["openvino", "transformers"])
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    assert engine.name == request.param
    return engine


def asked(question: str) -> list[ChatMessage]:
    return [
        ChatMessage(role=MessageRole.SYSTEM, content="Answer from the passages."),
        ChatMessage(role=MessageRole.USER, content=question),
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_texts_joined_are_the_answer(engine: Engine, question: str) -> None:
    """Only the last record has a finish reason, the token counts and the times; every text is of whole characters."""
    # The second time a kept prefix comes from a cache in 8 bits. Between two tokens that random weights make equally
    # likely its rounding decides, so both answers below are made with the prefix kept.
    engine.generate(asked(question))
    records = list(engine.stream(asked(question)))
    *before, last = records
    assert all(record.finish_reason == "" for record in before)
    assert last.finish_reason in {"stop", "length"}
    assert 0 < last.new_tokens <= engine.sampling.max_new_tokens
    assert [record.new_tokens for record in records] == sorted(record.new_tokens for record in records)
    assert last.prefill_seconds > 0
    assert last.decode_seconds > 0
    text = "".join(record.text for record in records)
    assert text
    assert "\ufffd" not in text
    assert engine.generate(asked(question)) == replace(
        last, text=text, prefill_seconds=pytest.approx(last.prefill_seconds, abs=60),
        decode_seconds=pytest.approx(last.decode_seconds, abs=60),
    )  # fmt: skip


def test_greedy_gives_the_same_text_for_the_same_messages(engine: Engine) -> None:
    """Greedy answers are the same after other answers, and when the beginning of the prompt was computed before."""
    long = asked("How many days of leave? " * 30)
    engine.generate(long)  # see above
    first = engine.generate(long).text
    engine.generate(asked(QUESTIONS[1]))
    assert engine.generate(long).text == first


def test_a_seed_repeats_an_answer(engine: Engine) -> None:
    """The same seed gives the same text, another seed another."""
    warm = replace(engine.sampling, temperature=1.0, top_p=1.0, top_k=0)
    first, again, other = (engine.generate(asked(QUESTIONS[0]), replace(warm, seed=seed)).text for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_number_of_tokens_is_limited(engine: Engine) -> None:
    """`max_new_tokens` ends the answer with the finish reason length."""
    whole = engine.generate(asked(QUESTIONS[0]))
    assert whole.new_tokens > 3
    short = engine.generate(asked(QUESTIONS[0]), replace(engine.sampling, max_new_tokens=3))
    assert (short.finish_reason, short.new_tokens) == ("length", 3)
    assert whole.text.startswith(short.text)


@pytest.mark.parametrize("records", [1, 3])
def test_a_closed_stream_is_over(engine: Engine, records: int) -> None:
    """A stream that is closed, in the prompt or later, yields nothing more, and the next answer is complete."""
    stream = engine.stream(asked("days " * 600), replace(engine.sampling, max_new_tokens=200))
    for _ in range(records):
        assert next(stream).finish_reason == ""
    stream.close()
    assert list(stream) == []
    assert engine.generate(asked(QUESTIONS[0])).finish_reason != ""


def test_a_prompt_longer_than_the_model_reads_is_refused(engine: Engine) -> None:
    """The line says both lengths and which setting to lower."""
    with pytest.raises(DocentError, match=r"the prompt has \d+ tokens and the model reads 4096: lower `prompt_tokens`"):
        engine.generate(asked("0 " * 5000))


def test_tokens_are_counted_as_the_tokenizer_does(engine: Engine, tiny_checkpoint: Path) -> None:
    """Tokens are counted as the prompt has them: of a text, of messages and of the opening of the answer."""
    tokenizer = load_tokenizer(tiny_checkpoint)
    for question in QUESTIONS:
        assert engine.count_tokens(question) == len(tokenizer.encode(question, add_special_tokens=False).ids)
        counted = engine.opening_tokens
        for message in asked(question):
            counted += chatml.message_tokens(message.role.value, message.content or "", engine)
        assert counted == engine.generate(asked(question)).prompt_tokens
        assert counted == len(chatml.encode(asked(question), tokenizer))


def test_an_engine_says_what_it_is(engine: Engine) -> None:
    """An engine says its model, version of the weights, number of answers at once, and processes."""
    assert engine.model
    assert engine.version
    assert engine.at_once >= 1
    assert engine.fresh_tokens == 0
    assert engine.keeps_prefix == (engine.name == "openvino")
    assert engine.alive
    assert engine.processes[0] == "self"
    assert len(engine.processes) == (2 if engine.name == "openvino" else 1)
