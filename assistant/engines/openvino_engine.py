"""Qwen as an int8 OpenVINO model in a process of its own (`worker`), which generates several answers at once.

Closing a stream stops that answer. What was computed for earlier prompts is kept, so a follow-up question takes only
the time of its new tokens.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.engines.engine import Engine, Generated, Sampling, room_for_answer
from assistant.engines.worker import BLOCK_TOKENS, cache_blocks
from assistant.engines.worker_client import WorkerClient
from assistant.models.tokens import CompleteCharacters, load_tokenizer, token_bytes_of
from ingest.base.errors import DocentError
from ingest.base.int8_weights import openvino_options
from ingest.base.logs import get_logger
from ingest.base.settings import Settings

log = get_logger(__name__)

# Prompt tokens that one step may compute. 320 delay the first token by 3 % and limit a step to a quarter of a second on
# two cores: Stop and the next tokens of other answers wait at most that long.
BATCHED_TOKENS = 320
# How long to wait for tokens before the caller gets a chance to stop.
_WAIT_SECONDS = 0.1
# OpenVINO GenAI's repetition penalty covers the prompt too and would penalise quotations; its presence penalty covers
# generated tokens only. A repetition penalty of r is replaced by a presence penalty of 10 (r - 1): what r subtracts
# from a logit of -10, and about what it subtracts from a logit of 10.
_PRESENCE_PER_REPETITION = 10.0
_MOST_PRESENCE = 2.0  # the largest that the library accepts
# Prompt lookup proposes the tokens that followed an earlier occurrence of the last three tokens, or of the last two or
# the last one.
_LOOKUP_NGRAM = 3


class OpenVINOEngine(Engine):
    """A converted model from a folder; the model runs in a worker process."""

    name = "openvino"
    keeps_prefix = True

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Start the worker, which takes a second or two. Raises DocentError when the model cannot be loaded."""
        config = json.loads((folder / "config.json").read_text("utf-8"))
        self.folder = folder
        self.context_window = int(config["max_position_embeddings"])
        self.model = settings.model
        self.version = folder.name
        self.sampling = Sampling.from_settings(settings)
        self.at_once = settings.answers_at_once
        self._tokenizer = load_tokenizer(folder)
        self._token_bytes = token_bytes_of(self._tokenizer)
        self.opening_tokens = chatml.opening_tokens(self._tokenizer)
        self._lookup_tokens = settings.lookup_tokens
        self._options = {
            "cache_gigabytes": settings.cache_gigabytes,
            "batched_tokens": BATCHED_TOKENS,
            "at_once": settings.answers_at_once,
            # The library's own prompt lookup (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding).
            "compute": openvino_options(settings.threads) | ({"prompt_lookup": True} if settings.lookup_tokens else {}),
        }
        self._cache_tokens = cache_blocks(config, settings.cache_gigabytes) * BLOCK_TOKENS
        self._restart_lock = threading.Lock()
        self._restarts = 0
        started = time.perf_counter()
        self._worker = WorkerClient(folder, self._options)
        log.info("model_loaded", folder=str(folder), seconds=round(time.perf_counter() - started, 2))

    @property
    def alive(self) -> bool:
        return self._worker.alive

    @property
    def processes(self) -> list[str]:
        return ["self", str(self._worker.process_id)]

    def close(self) -> None:
        self._worker.close()

    def count_tokens(self, text: str) -> int:
        return chatml.count_plain(text, self._tokenizer)

    def warm(self, system: str) -> None:
        """Compute the instruction that every prompt begins with, so that the first question does not wait for it."""
        messages = [ChatMessage(role=MessageRole.SYSTEM, content=system)]
        self.generate(messages, replace(self.sampling, max_new_tokens=1))

    def stream(
        self, messages: Sequence[ChatMessage], sampling: Sampling | None = None
    ) -> Generator[Generated, None, None]:
        sampling = sampling or self.sampling
        prompt = chatml.encode(messages, self._tokenizer)
        # OpenVINO GenAI fails on a prompt that is larger than its cache; this would end the worker and all its answers.
        if len(prompt) >= self._cache_tokens:
            raise DocentError(
                f"the prompt has {len(prompt)} tokens and the engine's cache holds {self._cache_tokens}: raise "
                "`cache_gigabytes` or lower `prompt_tokens`."
            )
        room = room_for_answer(len(prompt), min(self.context_window, self._cache_tokens))
        stops = chatml.stop_ids(self._tokenizer)
        worker = self._running_worker()
        characters = CompleteCharacters(self._token_bytes)
        new_tokens, finish_reason = 0, ""
        config = _generation_config(sampling, min(sampling.max_new_tokens, room), stops)
        if self._lookup_tokens:
            config |= {"num_assistant_tokens": self._lookup_tokens, "max_ngram_size": _LOOKUP_NGRAM}
        first_at = started = time.perf_counter()
        ticket = worker.submit(prompt, config)
        try:
            while not finish_reason:
                tokens = ticket.take(_WAIT_SECONDS)
                if tokens is None:
                    yield Generated("", new_tokens=new_tokens)
                    continue
                if not new_tokens:
                    first_at = time.perf_counter()
                text_tokens = [token for token in tokens.ids if token not in stops]
                new_tokens += len(text_tokens)
                finish_reason = tokens.finish_reason
                yield Generated("".join(map(characters.add, text_tokens)), new_tokens=new_tokens)
        finally:
            worker.cancel(ticket)
        yield Generated(
            "", finish_reason, prompt_tokens=len(prompt), new_tokens=new_tokens,
            prefill_seconds=round(first_at - started, 4), decode_seconds=round(time.perf_counter() - first_at, 4),
        )  # fmt: skip

    def _running_worker(self) -> WorkerClient:
        """The running worker. It is started again after it has died once; DocentError is raised when it died twice."""
        with self._restart_lock:
            if not self._worker.alive:
                if self._restarts:
                    raise DocentError(
                        "The model has stopped twice: restart `docent serve`; the log says why it stopped."
                    )
                self._restarts += 1
                log.warning("engine.restarting")
                self._worker = WorkerClient(self.folder, self._options)
            return self._worker


def _generation_config(sampling: Sampling, most: int, stops: frozenset[int]) -> dict[str, Any]:
    """The arguments of `openvino_genai.GenerationConfig`."""
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
