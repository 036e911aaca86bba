"""Qwen on PyTorch and transformers: the reference engine, which needs no conversion.

The decode loop is a plain generator on the caller's thread: closing it stops the work within one prefill chunk or one
token.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index.core.llms import ChatMessage

from assistant.answer import chatml
from assistant.engines.engine import Engine, Generated, Sampling, room_for_answer
from assistant.models.tokens import CompleteCharacters, load_tokenizer, token_bytes_of
from ingest.base.cpu import has_bfloat16, usable_cores
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings

log = get_logger(__name__)

# Prompt tokens computed between two chances to stop: about a third of a second for Qwen1.5-0.5B on two cores.
PREFILL_CHUNK = 256


@dataclass
class _Clock:
    """Seconds of work in the engine, without the time the caller takes between two records."""

    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0


class TransformersEngine(Engine):
    """A Qwen2 or Qwen3 checkpoint from a folder, on the thread of the caller. One answer at a time; callers queue."""

    name = "transformers"

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Load weights and tokenizer, in a second or two. Raises DocentError when the folder cannot be loaded."""
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        dtype = ("bfloat16" if has_bfloat16() else "float32") if settings.dtype == "auto" else settings.dtype
        started = time.perf_counter()
        try:
            self._tokenizer = load_tokenizer(folder)
            self._token_bytes = token_bytes_of(self._tokenizer)
            # `low_cpu_mem_usage` is not needed: since transformers 5 weights always go straight to their tensors.
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True
            ).eval()
        except DocentError:
            raise
        except Exception as error:
            log.info("model_not_loaded", folder=str(folder), error=repr(error))
            raise DocentError(
                f"model folder {folder} cannot be loaded ({type(error).__name__}): run `docent models pull` again, or "
                "set `model` to a complete checkpoint."
            ) from error
        self.model = settings.model
        self.version = f"{folder.resolve()} {dtype}"
        self.sampling = Sampling.from_settings(settings)
        self.opening_tokens = chatml.opening_tokens(self._tokenizer)
        self.context_window = int(self._model.config.max_position_embeddings)
        self._threads = settings.threads or usable_cores()
        log.info("model_loaded", folder=str(folder), dtype=dtype, seconds=round(time.perf_counter() - started, 2))

    def count_tokens(self, text: str) -> int:
        return chatml.count_plain(text, self._tokenizer)

    def stream(
        self, messages: Sequence[ChatMessage], sampling: Sampling | None = None
    ) -> Generator[Generated, None, None]:
        """An empty record after every prefill chunk, then one for each token."""
        sampling = sampling or self.sampling
        prompt = chatml.encode(messages, self._tokenizer)
        room = room_for_answer(len(prompt), self.context_window)
        stops = chatml.stop_ids(self._tokenizer)
        characters = CompleteCharacters(self._token_bytes)
        new_tokens, finish_reason = 0, "length"
        clock = _Clock()
        # `closing`, so that closing this generator also closes the inner one at once.
        with closing(self._tokens(prompt, min(sampling.max_new_tokens, room), sampling, clock)) as tokens:
            for token in tokens:
                if token in stops:
                    finish_reason = "stop"
                    break
                new_tokens += token is not None
                yield Generated("" if token is None else characters.add(token), new_tokens=new_tokens)
        yield Generated(
            "", finish_reason, prompt_tokens=len(prompt), new_tokens=new_tokens,
            prefill_seconds=round(clock.prefill_seconds, 4), decode_seconds=round(clock.decode_seconds, 4),
        )  # fmt: skip

    def _tokens(
        self, prompt: Sequence[int], most: int, sampling: Sampling, clock: _Clock
    ) -> Generator[int | None, None, None]:
        """Yield None after each prefill chunk, then up to `most` token ids; each is computed when it is asked for."""
        import torch
        from transformers import DynamicCache

        # Set here, not when loading: a thread that has used torch before keeps its own number of threads.
        torch.set_num_threads(self._threads)
        cache = DynamicCache(config=self._model.config)
        pick = _picker(sampling)
        logits: Any = None
        for start in range(0, len(prompt), PREFILL_CHUNK):
            began = time.perf_counter()
            logits = self._forward(prompt[start : start + PREFILL_CHUNK], cache)
            clock.prefill_seconds += time.perf_counter() - began
            yield None
        generated: list[int] = []
        while True:
            began = time.perf_counter()
            if generated:
                logits = self._forward(generated[-1:], cache)
            generated.append(pick(generated, logits))
            clock.decode_seconds += time.perf_counter() - began
            yield generated[-1]
            if len(generated) >= most:
                return

    def _forward(self, ids: Sequence[int], cache: Any) -> Any:
        """Logits after the last of `ids`, shape (1, vocabulary), float32; `ids` are added to the cache."""
        import torch

        # Around each pass, never around a yield: inference mode belongs to the thread, which the caller shares.
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.tensor([list(ids)]), past_key_values=cache, use_cache=True, logits_to_keep=1
            )
            return output.logits[:, -1, :].float()


def _picker(sampling: Sampling) -> Any:
    """A function of (generated ids, logits) that returns the next id."""
    import torch
    from transformers.generation.logits_process import (
        LogitsProcessorList,
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    processors = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
    if sampling.temperature > 0:
        processors.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if sampling.top_k:
            processors.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1:
            processors.append(TopPLogitsWarper(float(sampling.top_p)))
    generator = torch.Generator()
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)

    def pick(generated: Sequence[int], logits: Any) -> int:
        # The penalty covers generated tokens only: words of the passages may be repeated as often as needed.
        scores = processors(torch.tensor([list(generated)], dtype=torch.long), logits)
        if sampling.temperature <= 0:
            return int(scores.argmax(dim=-1))
        return int(torch.multinomial(torch.softmax(scores, dim=-1), 1, generator=generator))

    return pick
