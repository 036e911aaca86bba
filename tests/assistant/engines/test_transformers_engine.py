from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.engines import transformers_engine
from assistant.engines.transformers_engine import Sampling, TransformersLLM
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from tests.fakes.model_fixtures import tiny_checkpoint  # noqa: F401

MESSAGES = [
    ChatMessage(role=MessageRole.SYSTEM, content="Answer only from the numbered passages."),
    ChatMessage(
        role=MessageRole.USER, content="[1] 每位员工每年有 25 天年假。 Question: How many days of leave? " * 12
    ),
]


@pytest.fixture(scope="module")
def llm(tiny_checkpoint: Path) -> TransformersLLM:  # noqa: F811
    return TransformersLLM.load(tiny_checkpoint, Settings(dtype="float32"))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(transformers_engine, "PREFILL_CHUNK", 16)
    return 16


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the forward passes made."""
    made: list[int] = []
    forward = TransformersLLM._forward

    def counted(self: TransformersLLM, ids: Any, cache: Any) -> Any:
        made.append(len(ids))
        return forward(self, ids, cache)

    monkeypatch.setattr(TransformersLLM, "_forward", counted)
    return made


def say(llm: TransformersLLM, monkeypatch: pytest.MonkeyPatch, ids: list[int]) -> None:
    """Make the model say these tokens, in this order, whatever it reads; its passes are still made."""
    import torch

    wanted: Iterator[int] = iter(ids)

    def pick(_generated: list[int], logits: Any) -> int:
        assert isinstance(logits, torch.Tensor)
        assert logits.shape == (1, llm._model.config.vocab_size)
        return next(wanted)

    monkeypatch.setattr(transformers_engine, "_picker", lambda _sampling: pick)


def generated_by_transformers(llm: TransformersLLM, new_tokens: int, **options: Any) -> list[int]:
    """The independent reference: transformers' own greedy `generate` over its own whole-prompt forward pass."""
    import torch

    prompt = torch.tensor([chatml.encode(MESSAGES, llm._tokenizer)])
    with torch.inference_mode():
        output = llm._model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=new_tokens, **options
        )
    ids: list[int] = output[0, prompt.shape[1] :].tolist()
    return ids


def our_tokens(llm: TransformersLLM, new_tokens: int, **options: Any) -> list[int]:
    prompt = chatml.encode(MESSAGES, llm._tokenizer)
    sampling = Sampling(max_new_tokens=new_tokens, **{"temperature": 0.0, "repetition_penalty": 1.0, **options})
    clock = {"prefill_seconds": 0.0, "decode_seconds": 0.0}
    return [token for token in llm._tokens(prompt, new_tokens, sampling, clock) if token is not None]


def test_greedy_equals_transformers_own_generate(llm: TransformersLLM, small_chunks: int) -> None:
    """Token for token, although the prompt is read in chunks."""
    assert len(chatml.encode(MESSAGES, llm._tokenizer)) > 3 * small_chunks
    reference = generated_by_transformers(llm, 40)
    assert len(set(reference)) > 5
    assert our_tokens(llm, 40)[: len(reference)] == reference


def test_the_penalty_covers_generated_tokens_only(llm: TransformersLLM) -> None:
    """It equals transformers' penalty with the prompt left out, and differs from the one that counts the prompt."""
    from transformers import RepetitionPenaltyLogitsProcessor

    length = len(chatml.encode(MESSAGES, llm._tokenizer))
    processor = RepetitionPenaltyLogitsProcessor(1.8, prompt_ignore_length=length)
    reference = generated_by_transformers(llm, 30, logits_processor=[processor])
    ours = our_tokens(llm, 30, repetition_penalty=1.8)
    assert ours[: len(reference)] == reference
    assert ours != our_tokens(llm, 30)
    assert ours[:30] != generated_by_transformers(llm, 30, repetition_penalty=1.8)


def test_penalty_arithmetic_ignores_the_prompt() -> None:
    """With nothing generated the logits are untouched, so the likeliest token wins even if the prompt is full of it."""
    import torch

    logits = torch.tensor([[1.0, 3.0, 2.9]])
    pick = transformers_engine._picker(Sampling(temperature=0, repetition_penalty=2.0))
    assert pick([], logits.clone()) == 1
    assert pick([1], logits.clone()) == 2
    assert pick([1, 2], logits.clone()) == 1


def test_a_seed_repeats_and_top_p_narrows(llm: TransformersLLM) -> None:
    """Sampling is repeatable by seed; a vanishing top-p is greedy again."""
    assert our_tokens(llm, 20, temperature=1.5, seed=3) == our_tokens(llm, 20, temperature=1.5, seed=3)
    assert our_tokens(llm, 20, temperature=1.5, seed=3) != our_tokens(llm, 20, temperature=1.5, seed=4)
    assert our_tokens(llm, 20, temperature=1.0, top_p=1e-6, seed=3) == our_tokens(llm, 20)


def test_the_stream_joined_is_the_answer(llm: TransformersLLM) -> None:
    """Deltas add up to the message at every step; chat, complete and streams agree; the last says why it stopped."""
    options: dict[str, Any] = {"temperature": 0, "max_new_tokens": 12}
    text = ""
    responses = list(llm.stream_chat(MESSAGES, **options))
    for response in responses:
        text += response.delta or ""
        assert response.message.content == text
    assert llm.chat(MESSAGES, **options).message.content == text
    last = responses[-1].additional_kwargs
    assert set(last) == {"finish_reason", "prompt_tokens", "new_tokens", "prefill_seconds", "decode_seconds"}
    assert last["prompt_tokens"] == len(chatml.encode(MESSAGES, llm._tokenizer))
    assert last["prefill_seconds"] > 0
    assert last["decode_seconds"] > 0
    assert all(response.additional_kwargs == {} for response in responses[:-1])
    completed = llm.complete("Leave?", **options)
    assert completed.text == "".join(part.delta or "" for part in llm.stream_complete("Leave?", **options))
    assert completed.additional_kwargs["finish_reason"] in ("stop", "length")


def test_it_stops_at_the_limit_without_one_pass_too_many(
    llm: TransformersLLM, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`max_new_tokens` is exact: n tokens take the prompt's passes and n - 1 more."""
    word = llm._tokenizer.encode(" leave").ids[0]
    say(llm, monkeypatch, [word] * 50)
    last = llm.chat(MESSAGES, max_new_tokens=7).additional_kwargs
    assert (last["finish_reason"], last["new_tokens"]) == ("length", 7)
    assert passes[-6:] == [1] * 6
    assert sum(passes) == last["prompt_tokens"] + 6


@pytest.mark.parametrize("marker", ["<|im_end|>", "<|endoftext|>"])
def test_it_stops_when_the_model_has_finished(
    llm: TransformersLLM, passes: list[int], monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    """A stop token ends the answer, is not part of it, and nothing is computed after it."""
    words = llm._tokenizer.encode("25 days").ids
    say(llm, monkeypatch, [*words, llm._tokenizer.token_to_id(marker), *words])
    response = llm.chat(MESSAGES)
    assert response.message.content == "25 days"
    assert (response.additional_kwargs["finish_reason"], response.additional_kwargs["new_tokens"]) == (
        "stop",
        len(words),
    )
    assert sum(passes) == response.additional_kwargs["prompt_tokens"] + len(words)


def test_closing_stops_the_work_between_two_tokens(
    llm: TransformersLLM, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the caller closes the stream LlamaIndex gave it, not one more forward pass is made."""
    say(llm, monkeypatch, llm._tokenizer.encode(" leave").ids[:1] * 50)
    closed: list[bool] = []
    tokens = TransformersLLM._tokens

    def watched(self: TransformersLLM, *arguments: Any) -> Any:
        try:
            yield from tokens(self, *arguments)
        finally:
            closed.append(True)

    monkeypatch.setattr(TransformersLLM, "_tokens", watched)
    stream = llm.stream_chat(MESSAGES)
    while not next(stream).delta:
        pass
    next(stream)
    made = len(passes)
    assert closed == []
    stream.close()
    assert closed == [True]
    assert len(passes) == made
    assert passes[-1] == 1


def test_closing_stops_the_work_while_the_prompt_is_read(
    llm: TransformersLLM, passes: list[int], small_chunks: int
) -> None:
    """A long prompt is read chunk by chunk, with an empty delta after each, and stops there too."""
    stream = llm.stream_chat(MESSAGES)
    assert next(stream).delta == ""
    assert next(stream).delta == ""
    stream.close()
    assert passes == [small_chunks, small_chunks]


def test_inference_mode_does_not_leak_to_the_caller(llm: TransformersLLM) -> None:
    """Between two deltas the caller's own torch code works as ever."""
    import torch

    stream = llm.stream_chat(MESSAGES)
    next(stream)
    assert not torch.is_inference_mode_enabled()
    stream.close()


def test_half_a_character_is_never_text(llm: TransformersLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Chinese character made of three byte tokens appears at once, when its last byte is there."""
    byte_of = {value: token for token, value in llm._token_bytes.items() if len(value) == 1}
    text = "假é🦉a"
    say(llm, monkeypatch, [byte_of[bytes([byte])] for byte in text.encode()])
    deltas = [response.delta for response in llm.stream_chat(MESSAGES, max_new_tokens=len(text.encode()))]
    said = [delta for delta in deltas if delta]
    assert said == ["假", "é", "🦉", "a"]
    assert len(deltas) > len(text.encode())


def test_a_prompt_beyond_the_context_is_refused(llm: TransformersLLM) -> None:
    """The window is a limit with a name, not an index error; near it the answer gets what room there is."""
    with pytest.raises(DocentError, match=r"tokens and the model reads 4096: lower `prompt_tokens`"):
        llm.chat([ChatMessage(role=MessageRole.USER, content="0 " * 5000)])


def test_an_unknown_option_is_an_error(llm: TransformersLLM) -> None:
    """A misspelt option does not silently sample."""
    with pytest.raises(TypeError, match="temprature"):
        llm.chat(MESSAGES, temprature=0)


def test_bfloat16_answers_too(tiny_checkpoint: Path) -> None:  # noqa: F811
    """The other type loads and streams through the same code, and logits are compared in float32."""
    llm = TransformersLLM.load(tiny_checkpoint, Settings(dtype="bfloat16"))
    assert str(llm._model.dtype) == "torch.bfloat16"
    assert str(llm._forward([1, 2, 3], None).dtype) == "torch.float32"
    assert llm.chat(MESSAGES, max_new_tokens=5, seed=1).additional_kwargs["new_tokens"] <= 5


def test_a_folder_that_does_not_load_is_one_line(tiny_checkpoint: Path, tmp_path: Path) -> None:  # noqa: F811
    """Whatever transformers raises becomes the folder, the reason and what to do."""
    folder = tmp_path / "bad"
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(
        DocentError, match=r"^model folder .*bad cannot be loaded \(.*\): run `docent models pull` again"
    ):
        TransformersLLM.load(folder, Settings())
