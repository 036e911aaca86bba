"""Qwen2 on transformers, as a LlamaIndex LLM: one prompt in, complete characters out, and it stops when told to.

Knows token ids and weights; knows nothing of documents. The decode loop is a plain generator on the caller's thread:
whoever closes it stops the work within one prefill chunk or one token. One generation at a time; the caller queues.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from llama_index.core.llms import ChatMessage, ChatResponse, LLMMetadata
from pydantic import PrivateAttr

from assistant.answer import chatml
from assistant.engines.chat_model import ChatModel, response, room_for_answer
from assistant.engines.sampling import Sampling
from assistant.engines.tokens import CompleteCharacters, load_tokenizer, token_bytes_of
from ingest.base.cpu import has_bfloat16, usable_cores
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings

log = get_logger(__name__)

# Prompt tokens read between two chances to stop: about a third of a second for Qwen1.5-0.5B on two cores.
PREFILL_CHUNK = 256


class TransformersLLM(ChatModel):
    """A Qwen2 checkpoint from a folder. Calls take any field of `Sampling` as a keyword for that call only.

    `stream_chat` yields an empty delta after every prefill chunk and then one delta a token, which is empty while a
    character is incomplete; the last response carries `finish_reason` ("stop" or "length"), `prompt_tokens`,
    `new_tokens`, `prefill_seconds` and `decode_seconds` (time at work, without the caller's) in `additional_kwargs`.
    """

    folder: str
    dtype: str
    context_window: int

    _sampling: Sampling = PrivateAttr()
    _threads: int = PrivateAttr()
    _model: Any = PrivateAttr()
    _tokenizer: Any = PrivateAttr()
    _token_bytes: Any = PrivateAttr()

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> TransformersLLM:
        """Load weights and tokenizer; a second or two.

        Raises DocentError when the folder cannot be loaded.
        """
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        chosen = ("bfloat16" if has_bfloat16() else "float32") if settings.dtype == "auto" else settings.dtype
        started = time.perf_counter()
        try:
            tokenizer = load_tokenizer(folder)
            token_bytes = token_bytes_of(tokenizer)
            # `low_cpu_mem_usage` needs no mention: since transformers 5 weights always go straight to their tensors.
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, chosen), use_safetensors=True, local_files_only=True
            ).eval()
        except DocentError:
            raise
        except Exception as error:
            log.info("model_not_loaded", folder=str(folder), error=repr(error))
            raise DocentError(
                f"model folder {folder} cannot be loaded ({type(error).__name__}): run `docent models pull` again, or "
                "set `model` to a whole checkpoint."
            ) from error
        llm = cls(folder=str(folder), dtype=chosen, context_window=int(model.config.max_position_embeddings))
        llm._threads = settings.threads or usable_cores()
        llm._model, llm._tokenizer, llm._token_bytes = model, tokenizer, token_bytes
        llm._sampling = Sampling.from_settings(settings)
        log.info("model_loaded", folder=str(folder), dtype=chosen, seconds=round(time.perf_counter() - started, 2))
        return llm

    @classmethod
    def class_name(cls) -> str:
        return "docent_transformers"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name=Path(self.folder).name,
            is_chat_model=True,
            context_window=self.context_window,
            num_output=self._sampling.max_new_tokens,
        )

    def count_tokens(self, text: str) -> int:
        """Tokens of ordinary text, as this model counts."""
        return chatml.count_plain(text, self._tokenizer)

    def _responses(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Generator[ChatResponse, None, None]:
        sampling = replace(self._sampling, **kwargs)
        prompt = chatml.encode(messages, self._tokenizer)
        room = room_for_answer(len(prompt), self.context_window)
        stops = chatml.stop_ids(self._tokenizer)
        characters = CompleteCharacters(self._token_bytes)
        text, new_tokens, reason = "", 0, "length"
        clock = {"prefill_seconds": 0.0, "decode_seconds": 0.0}
        # `closing`, so that a caller who closes this generator stops the inner one at that moment.
        with closing(self._tokens(prompt, min(sampling.max_new_tokens, room), sampling, clock)) as tokens:
            for token in tokens:
                if token in stops:
                    reason = "stop"
                    break
                delta = "" if token is None else characters.add(token)
                new_tokens += token is not None
                text += delta
                yield response(text, delta)
        seconds = {name: round(value, 4) for name, value in clock.items()}
        yield response(text, "", finish_reason=reason, prompt_tokens=len(prompt), new_tokens=new_tokens, **seconds)

    def _tokens(
        self, prompt: Sequence[int], most: int, sampling: Sampling, clock: dict[str, float]
    ) -> Generator[int | None, None, None]:
        """None after each prefill chunk, then up to `most` token ids; no forward pass is made ahead of the caller."""
        import torch
        from transformers import DynamicCache

        # Here, not when loading: a thread that has used torch before keeps its own number.
        torch.set_num_threads(self._threads)
        cache = DynamicCache(config=self._model.config)
        pick = _picker(sampling)
        logits: Any = None
        for start in range(0, len(prompt), PREFILL_CHUNK):
            began = time.perf_counter()
            logits = self._forward(prompt[start : start + PREFILL_CHUNK], cache)
            clock["prefill_seconds"] += time.perf_counter() - began
            yield None
        generated: list[int] = []
        while True:
            began = time.perf_counter()
            if generated:
                logits = self._forward(generated[-1:], cache)
            generated.append(pick(generated, logits))
            clock["decode_seconds"] += time.perf_counter() - began
            yield generated[-1]
            if len(generated) >= most:
                return

    def _forward(self, ids: Sequence[int], cache: Any) -> Any:
        """Logits after the last of `ids`, shape (1, vocabulary), float32; the cache grows by them."""
        import torch

        # Around each pass and never around a yield: inference mode belongs to the thread, and would leak to the caller.
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
        # Only what was generated is shown to the penalty: a word of the passages may be used as often as it must.
        scores = processors(torch.tensor([list(generated)], dtype=torch.long), logits)
        if sampling.temperature <= 0:
            return int(scores.argmax(dim=-1))
        return int(torch.multinomial(torch.softmax(scores, dim=-1), 1, generator=generator))

    return pick
