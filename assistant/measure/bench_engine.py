"""`docent bench engine`: measures how fast an engine answers on this machine.

Prompts are random letters, so that no cache contains them.
"""

from __future__ import annotations

import random
import statistics
import string
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from llama_index.core.llms import ChatMessage, MessageRole

from assistant.engines.choose import choose_engine
from assistant.engines.engine import Engine, Generated
from ingest.base.errors import SettingsError
from ingest.base.memory import resident_memory
from ingest.base.settings import Settings

# Tokens that a follow-up question adds to its conversation: two or three new passages.
FOLLOW_UP_TOKENS = 300
_SYSTEM = "Answer from the passages."


@dataclass(frozen=True)
class Run:
    """One answer: seconds to the first token and to the last, tokens of the prompt and of the answer, its text."""

    first_seconds: float
    seconds: float
    prompt_tokens: int
    new_tokens: int
    text: str

    @property
    def decode_rate(self) -> float:
        """Tokens per second after the first."""
        return (self.new_tokens - 1) / max(self.seconds - self.first_seconds, 1e-9)


def bench_engine(
    settings: Settings, prompt_tokens: int, new_tokens: int, users: int = 1, repeats: int = 3
) -> dict[str, Any]:
    """Figures by name, medians of `repeats`; with several `users` also the effect of answering them at the same time.

    Names that end in `_tok_s` are tokens per second, others in `_s` are seconds, those in `_gb` gigabytes. Raises
    SettingsError where there is no model.
    """
    started = time.perf_counter()
    choice = choose_engine(settings.model_copy(update={"temperature": 0.0, "repetition_penalty": 1.0}))
    load_seconds = time.perf_counter() - started
    engine = choice.engine
    if engine is None:
        raise SettingsError(f"there is no model to measure: {choice.note or 'the extractive engine has none.'}")
    runs, follow_ups, again = [], [], []
    for number in range(repeats):
        conversation = [_system(), _user(engine, prompt_tokens, number)]
        runs.append(answer(engine, conversation, new_tokens))
        again.append(answer(engine, conversation, new_tokens))
        # Not the answer itself: the text that random weights write has other tokens when it is read again. A real
        # answer has the same tokens, and is in the cache like the prompt before it.
        reply = ChatMessage(role=MessageRole.ASSISTANT, content="y")
        follow_ups.append(answer(engine, [*conversation, reply, _user(engine, FOLLOW_UP_TOKENS, -number)], new_tokens))
    figures: dict[str, Any] = {
        "engine": engine.name,
        "model": engine.model,
        "prompt_tokens": runs[0].prompt_tokens,
        "new_tokens": runs[0].new_tokens,
        "ttft_s": _median(run.first_seconds for run in runs),
        "prefill_tok_s": _median(run.prompt_tokens / run.first_seconds for run in runs),
        "decode_tok_s": _median(run.decode_rate for run in runs),
        "same_again_ttft_s": _median(run.first_seconds for run in again),
        "followup_ttft_s": _median(run.first_seconds for run in follow_ups),
        "load_s": round(load_seconds, 3),
    }
    if users > 1:
        figures |= _together(engine, prompt_tokens, new_tokens, users)
    figures["rss_gb"] = round(resident_memory(engine.processes) / 1e9, 3)
    engine.close()
    return figures


def answer(engine: Engine, messages: list[ChatMessage], new_tokens: int) -> Run:
    """Measure one answer."""
    started = time.perf_counter()
    first = 0.0
    text, last = "", Generated("")
    for last in engine.stream(messages, replace(engine.sampling, max_new_tokens=new_tokens)):
        text += last.text
        if not first and last.new_tokens:
            first = time.perf_counter() - started
    # The first token may be half a character, which is no text yet; the engine measures when it was generated.
    first = last.prefill_seconds or first
    return Run(first, time.perf_counter() - started, last.prompt_tokens, last.new_tokens, text)


def _together(engine: Engine, prompt_tokens: int, new_tokens: int, users: int) -> dict[str, Any]:
    """The same prompts one after another and at the same time; a ratio below 1 means that the latter is faster."""
    one_by_one = [[_system(), _user(engine, prompt_tokens, 1000 + user)] for user in range(users)]
    at_once = [[_system(), _user(engine, prompt_tokens, 2000 + user)] for user in range(users)]
    started = time.perf_counter()
    waited = 0.0
    for messages in one_by_one:
        waited = time.perf_counter() - started
        waited += answer(engine, messages, new_tokens).first_seconds
    serial = time.perf_counter() - started
    runs: list[Run] = []
    threads = [
        threading.Thread(target=lambda messages=messages: runs.append(answer(engine, messages, new_tokens)))
        for messages in at_once
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = time.perf_counter() - started
    last_first = max(run.first_seconds for run in runs)
    return {
        "users": users,
        "serial_s": round(serial, 4),
        "together_s": round(together, 4),
        "together_ratio": round(together / serial, 3),
        "last_first_token_ratio": round(last_first / waited, 3),
    }


def _system() -> ChatMessage:
    return ChatMessage(role=MessageRole.SYSTEM, content=_SYSTEM)


def _user(engine: Engine, tokens: int, seed: int) -> ChatMessage:
    """A message of about `tokens` tokens; messages of different seeds differ from the first letters on."""
    letters = random.Random(seed)
    text = "".join(letters.choice(string.ascii_letters) for _ in range(tokens))
    while engine.count_tokens(text) < tokens:
        text += "".join(letters.choice(string.ascii_letters) for _ in range(tokens))
    while (count := engine.count_tokens(text)) > tokens:
        text = text[: max(1, int(len(text) * tokens / count) - 1)]
    return ChatMessage(role=MessageRole.USER, content=text)


def _median(values: Any) -> float:
    return round(float(statistics.median(values)), 4)
