"""Qwen as an int8 OpenVINO model, as a LlamaIndex LLM: several answers at once, each stopped as soon as it is closed.

Knows prompts and token ids; the model itself runs in `step_worker`. What was computed for a beginning of a prompt is
kept, so a follow-up pays only for what it adds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llama_index.core.llms import ChatMessage, ChatResponse, LLMMetadata, MessageRole
from pydantic import PrivateAttr

from assistant.answer import chatml
from assistant.engines.chat_model import ChatModel, response, room_for_answer
from assistant.engines.sampling import Sampling
from assistant.engines.tokens import CompleteCharacters, load_tokenizer, token_bytes_of
from assistant.engines.worker import BLOCK_TOKENS, cache_blocks
from assistant.engines.worker_client import WorkerClient
from assistant.models.int8_weights import openvino_options
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings

log = get_logger(__name__)

# Prompt tokens a step may compute: 320 cost 3 % of the first token and bound a step to a quarter of a second on two
# cores, which is how long a Stop and everybody else's next word may have to wait.
BATCHED_TOKENS = 320
# How long to wait for tokens before giving the caller a chance to stop.
_PATIENCE_SECONDS = 0.1
# OpenVINO GenAI's repetition penalty counts the prompt too, which would punish quoting; its presence penalty counts
# generated tokens only. This is what a penalty of r takes from a logit of 10.
_PRESENCE_PER_REPETITION = 10.0
_MOST_PRESENCE = 2.0  # what the library accepts
# Guesses are what followed the last three tokens where they stood before, or the last two or one.
_LOOKUP_NGRAM = 3


class OpenVINOLLM(ChatModel):
    """A converted model from a folder. Calls take any field of `Sampling` as a keyword for that call only.

    `stream_chat` yields a delta whenever characters are complete and an empty one while it waits; the last response
    carries `finish_reason`, `prompt_tokens`, `new_tokens`, `prefill_seconds` and `decode_seconds`.
    """

    folder: str
    context_window: int
    name: str

    _sampling: Sampling = PrivateAttr()
    _tokenizer: Any = PrivateAttr()
    _token_bytes: Any = PrivateAttr()
    _options: dict[str, Any] = PrivateAttr()
    _lookup_tokens: int = PrivateAttr(default=0)
    _cache_tokens: int = PrivateAttr()
    _loop: WorkerClient = PrivateAttr()
    _restarting: Any = PrivateAttr()
    _restarts: int = PrivateAttr(default=0)

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> OpenVINOLLM:
        """Start the model; a second or two. Raises DocentError when it cannot be loaded."""
        import json

        config = json.loads((folder / "config.json").read_text("utf-8"))
        llm = cls(folder=str(folder), context_window=int(config["max_position_embeddings"]), name=settings.model)
        llm._tokenizer = load_tokenizer(folder)
        llm._token_bytes = token_bytes_of(llm._tokenizer)
        llm._sampling = Sampling.from_settings(settings)
        llm._options = {
            "cache_gigabytes": settings.cache_gigabytes,
            "batched_tokens": BATCHED_TOKENS,
            "at_once": settings.answers_at_once,
            # The library's own prompt lookup (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding).
            "compute": openvino_options(settings.threads) | ({"prompt_lookup": True} if settings.lookup_tokens else {}),
        }
        llm._lookup_tokens = settings.lookup_tokens
        llm._cache_tokens = cache_blocks(config, settings.cache_gigabytes) * BLOCK_TOKENS
        llm._restarting = threading.Lock()
        started = time.perf_counter()
        llm._loop = WorkerClient(folder, llm._options)
        log.info("model_loaded", folder=str(folder), seconds=round(time.perf_counter() - started, 2))
        return llm

    @classmethod
    def class_name(cls) -> str:
        return "docent_openvino"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name=self.name, is_chat_model=True, context_window=self.context_window,
            num_output=self._sampling.max_new_tokens,
        )  # fmt: skip

    @property
    def alive(self) -> bool:
        """Whether the model's process is running."""
        return self._loop.alive

    @property
    def process_id(self) -> int:
        return self._loop.process_id

    def count_tokens(self, text: str) -> int:
        """Tokens of ordinary text, as this model counts."""
        return chatml.count_plain(text, self._tokenizer)

    def warm(self, system: str) -> None:
        """Compute the instruction every prompt begins with, so that the first question does not pay for it."""
        messages = [ChatMessage(role=MessageRole.SYSTEM, content=system)]
        for _ in self._responses(messages, max_new_tokens=1):
            continue

    def close(self) -> None:
        self._loop.close()

    def _responses(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Generator[ChatResponse, None, None]:
        sampling = replace(self._sampling, **kwargs)
        prompt = chatml.encode(messages, self._tokenizer)
        # OpenVINO GenAI gives up on a prompt that outgrows its cache, and the worker ends with all its answers.
        if len(prompt) >= self._cache_tokens:
            raise DocentError(
                f"the prompt has {len(prompt)} tokens and the engine's cache holds {self._cache_tokens}: raise "
                "`cache_gigabytes` or lower `prompt_tokens`."
            )
        room = room_for_answer(len(prompt), min(self.context_window, self._cache_tokens))
        stops = chatml.stop_ids(self._tokenizer)
        loop = self._living_loop()
        characters = CompleteCharacters(self._token_bytes)
        text, new_tokens, reason = "", 0, ""
        started = time.perf_counter()
        first = started
        config = _generation_config(sampling, min(sampling.max_new_tokens, room), stops)
        if self._lookup_tokens:
            config |= {"num_assistant_tokens": self._lookup_tokens, "max_ngram_size": _LOOKUP_NGRAM}
        ticket = loop.submit(prompt, config)
        try:
            while not reason:
                tokens = ticket.take(_PATIENCE_SECONDS)
                if tokens is None:
                    yield response(text, "")
                    continue
                if not new_tokens:
                    first = time.perf_counter()
                fresh = [token for token in tokens.ids if token not in stops]
                new_tokens += len(fresh)
                delta = "".join(map(characters.add, fresh))
                text += delta
                reason = tokens.finish_reason
                yield response(text, delta)
        finally:
            loop.cancel(ticket)
        yield response(
            text, "", finish_reason=reason, prompt_tokens=len(prompt), new_tokens=new_tokens,
            prefill_seconds=round(first - started, 4), decode_seconds=round(time.perf_counter() - first, 4),
        )  # fmt: skip

    def _living_loop(self) -> WorkerClient:
        """The worker; one that has died is started again, once. Raises DocentError when it dies a second time."""
        with self._restarting:
            if not self._loop.alive:
                if self._restarts:
                    raise DocentError(
                        "The model has stopped twice: restart `docent serve`; the log says why it stopped."
                    )
                self._restarts += 1
                log.warning("engine.restarting")
                self._loop = WorkerClient(Path(self.folder), self._options)
            return self._loop


def _generation_config(sampling: Sampling, most: int, stops: frozenset[int]) -> dict[str, Any]:
    """What `openvino_genai.GenerationConfig` is made of."""
    config: dict[str, Any] = {
        "max_new_tokens": most,
        "stop_token_ids": sorted(stops),
        "eos_token_id": min(stops),
        "do_sample": sampling.temperature > 0,
        "presence_penalty": min(_MOST_PRESENCE, _PRESENCE_PER_REPETITION * (sampling.repetition_penalty - 1.0)),
    }
    if sampling.temperature > 0:
        seed = sampling.seed if sampling.seed is not None else time.time_ns() % (1 << 31)
        config |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "rng_seed": seed}
        if sampling.top_k:
            config["top_k"] = sampling.top_k
    return config
