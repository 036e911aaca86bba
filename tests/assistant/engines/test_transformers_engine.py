"""What only the transformers engine does: its decode loop against transformers' own, and where exactly it stops."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.engines import transformers_engine as module
from assistant.engines.engine import Sampling
from assistant.engines.transformers_engine import TransformersEngine
from ingest.base.errors import DocentError
from ingest.base.settings import Settings

MESSAGES = [
    ChatMessage(role=MessageRole.SYSTEM, content="Answer only from the numbered passages."),
    ChatMessage(
        role=MessageRole.USER, content="[1] 每位员工每年有 25 天年假。 Question: How many days of leave? " * 12
    ),
]


@pytest.fixture
def engine(transformers_engine: TransformersEngine) -> TransformersEngine:
    return transformers_engine


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "PREFILL_CHUNK", 16)
    return 16


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of every forward pass."""
    lengths: list[int] = []
    forward = TransformersEngine._forward

    def counted(self: TransformersEngine, ids: Any, cache: Any) -> Any:
        lengths.append(len(ids))
        return forward(self, ids, cache)

    monkeypatch.setattr(TransformersEngine, "_forward", counted)
    return lengths


def pick_tokens(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, ids: list[int]) -> None:
    """Make the engine pick these tokens in this order; the forward passes are still made."""
    import torch

    tokens: Iterator[int] = iter(ids)

    def pick(_generated: list[int], logits: Any) -> int:
        assert isinstance(logits, torch.Tensor)
        assert logits.shape == (1, engine._model.config.vocab_size)
        return next(tokens)

    monkeypatch.setattr(module, "_picker", lambda _sampling: pick)


def generated_by_transformers(engine: TransformersEngine, new_tokens: int, **options: Any) -> list[int]:
    """The independent reference: transformers' own greedy `generate` over its own whole-prompt forward pass."""
    import torch

    prompt = torch.tensor([chatml.encode(MESSAGES, engine._tokenizer)])
    with torch.inference_mode():
        output = engine._model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=new_tokens, **options
        )
    ids: list[int] = output[0, prompt.shape[1] :].tolist()
    return ids


def our_tokens(engine: TransformersEngine, new_tokens: int, **options: Any) -> list[int]:
    prompt = chatml.encode(MESSAGES, engine._tokenizer)
    sampling = Sampling(max_new_tokens=new_tokens, **{"temperature": 0.0, "repetition_penalty": 1.0, **options})
    tokens = engine._tokens(prompt, new_tokens, sampling, module._Clock())
    return [token for token in tokens if token is not None]


def test_greedy_equals_transformers_own_generate(engine: TransformersEngine, small_chunks: int) -> None:
    """Token for token, although the prompt is read in chunks."""
    assert len(chatml.encode(MESSAGES, engine._tokenizer)) > 3 * small_chunks
    reference = generated_by_transformers(engine, 40)
    assert len(set(reference)) > 5
    assert our_tokens(engine, 40)[: len(reference)] == reference


def test_the_penalty_covers_generated_tokens_only(engine: TransformersEngine) -> None:
    """It equals transformers' penalty with the prompt left out, and differs from the one that counts the prompt."""
    from transformers import RepetitionPenaltyLogitsProcessor

    length = len(chatml.encode(MESSAGES, engine._tokenizer))
    processor = RepetitionPenaltyLogitsProcessor(1.8, prompt_ignore_length=length)
    reference = generated_by_transformers(engine, 30, logits_processor=[processor])
    ours = our_tokens(engine, 30, repetition_penalty=1.8)
    assert ours[: len(reference)] == reference
    assert ours != our_tokens(engine, 30)
    assert ours[:30] != generated_by_transformers(engine, 30, repetition_penalty=1.8)


def test_penalty_arithmetic_ignores_the_prompt() -> None:
    """With nothing generated the logits are untouched, so the likeliest token wins even if the prompt is full of it."""
    import torch

    logits = torch.tensor([[1.0, 3.0, 2.9]])
    pick = module._picker(Sampling(temperature=0, repetition_penalty=2.0))
    assert pick([], logits.clone()) == 1
    assert pick([1], logits.clone()) == 2
    assert pick([1, 2], logits.clone()) == 1


def test_a_seed_repeats_and_top_p_narrows(engine: TransformersEngine) -> None:
    """A seed makes sampling repeatable; a top-p near 0 is greedy."""
    assert our_tokens(engine, 20, temperature=1.5, seed=3) == our_tokens(engine, 20, temperature=1.5, seed=3)
    assert our_tokens(engine, 20, temperature=1.5, seed=3) != our_tokens(engine, 20, temperature=1.5, seed=4)
    assert our_tokens(engine, 20, temperature=1.0, top_p=1e-6, seed=3) == our_tokens(engine, 20)


def test_it_stops_at_the_limit_without_one_pass_too_many(
    engine: TransformersEngine, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`max_new_tokens` is exact: n tokens take the prompt's passes and n - 1 more."""
    word = engine._tokenizer.encode(" leave").ids[0]
    pick_tokens(engine, monkeypatch, [word] * 50)
    generated = engine.generate(MESSAGES, Sampling(max_new_tokens=7))
    assert (generated.finish_reason, generated.new_tokens) == ("length", 7)
    assert passes[-6:] == [1] * 6
    assert sum(passes) == generated.prompt_tokens + 6


@pytest.mark.parametrize("marker", ["<|im_end|>", "<|endoftext|>"])
def test_it_stops_when_the_model_has_finished(
    engine: TransformersEngine, passes: list[int], monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    """A stop token ends the answer, is not part of it, and nothing is computed after it."""
    words = engine._tokenizer.encode("25 days").ids
    pick_tokens(engine, monkeypatch, [*words, engine._tokenizer.token_to_id(marker), *words])
    generated = engine.generate(MESSAGES)
    assert (generated.text, generated.finish_reason, generated.new_tokens) == ("25 days", "stop", len(words))
    assert sum(passes) == generated.prompt_tokens + len(words)


def test_closing_stops_the_work_between_two_tokens(
    engine: TransformersEngine, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the caller closes the stream, not one more forward pass is made."""
    pick_tokens(engine, monkeypatch, engine._tokenizer.encode(" leave").ids[:1] * 50)
    closed: list[bool] = []
    tokens = TransformersEngine._tokens

    def watched(self: TransformersEngine, *arguments: Any) -> Any:
        try:
            yield from tokens(self, *arguments)
        finally:
            closed.append(True)

    monkeypatch.setattr(TransformersEngine, "_tokens", watched)
    stream = engine.stream(MESSAGES)
    while not next(stream).text:
        pass
    next(stream)
    count = len(passes)
    assert closed == []
    stream.close()
    assert closed == [True]
    assert len(passes) == count
    assert passes[-1] == 1


def test_closing_stops_the_work_while_the_prompt_is_read(
    engine: TransformersEngine, passes: list[int], small_chunks: int
) -> None:
    """A long prompt is read chunk by chunk, with an empty record after each, and can be stopped there."""
    stream = engine.stream(MESSAGES)
    assert next(stream).text == ""
    assert next(stream).text == ""
    stream.close()
    assert passes == [small_chunks, small_chunks]


def test_inference_mode_does_not_leak_to_the_caller(engine: TransformersEngine) -> None:
    """Between two records the caller's own torch code is not in inference mode."""
    import torch

    stream = engine.stream(MESSAGES)
    next(stream)
    assert not torch.is_inference_mode_enabled()
    stream.close()


def test_half_a_character_is_never_text(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Chinese character made of three byte tokens appears at once, when its last byte is there."""
    byte_of = {value: token for token, value in engine._token_bytes.items() if len(value) == 1}
    text = "假é🦉a"
    pick_tokens(engine, monkeypatch, [byte_of[bytes([byte])] for byte in text.encode()])
    texts = [record.text for record in engine.stream(MESSAGES, Sampling(max_new_tokens=len(text.encode())))]
    assert [text for text in texts if text] == ["假", "é", "🦉", "a"]
    assert len(texts) > len(text.encode())


def test_bfloat16_answers_too(tiny_checkpoint: Path) -> None:
    """The same code loads and streams in bfloat16; logits are compared in float32."""
    engine = TransformersEngine(tiny_checkpoint, Settings(dtype="bfloat16"))
    assert str(engine._model.dtype) == "torch.bfloat16"
    assert str(engine._forward([1, 2, 3], None).dtype) == "torch.float32"
    assert engine.generate(MESSAGES, Sampling(max_new_tokens=5, seed=1)).new_tokens <= 5


def test_a_folder_that_does_not_load_is_one_line(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Whatever transformers raises, the error names the folder, the reason and what to do."""
    folder = tmp_path / "bad"
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(
        DocentError, match=r"^model folder .*bad cannot be loaded \(.*\): run `docent models pull` again"
    ):
        TransformersEngine(folder, Settings())
