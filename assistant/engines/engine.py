"""The contract of every engine: it takes messages, yields text as it is generated, and stops when the caller stops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingest.base.errors import DocentError
from ingest.base.settings import Settings

if TYPE_CHECKING:
    from llama_index.core.llms import ChatMessage


@dataclass(frozen=True)
class Sampling:
    """How the next token is picked, and how many tokens an answer may have.

    `temperature` 0 is greedy; `top_k` 0 and `repetition_penalty` 1 are off; the penalty covers generated tokens only.
    """

    max_new_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 20
    repetition_penalty: float = 1.1
    seed: int | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Sampling:
        return cls(
            settings.max_new_tokens, settings.temperature, settings.top_p, settings.top_k, settings.repetition_penalty
        )


@dataclass(frozen=True)
class Generated:
    """Text generated since the previous record; it may be empty. All texts joined are what the model wrote.

    The last record has a `finish_reason`: stop (the model ended) or length (`max_new_tokens` reached); the others have
    ''. `new_tokens` counts the tokens generated so far, without stop tokens. Only the last record has `prompt_tokens`,
    `prefill_seconds` (to the first token) and `decode_seconds` (from there on).
    """

    text: str
    finish_reason: str = ""
    prompt_tokens: int = 0
    new_tokens: int = 0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0


class Engine(ABC):
    """A loaded language model. `tests/assistant/engines/test_contract.py` holds every engine to this.

    name            openvino, transformers …
    model           the model as the settings name it
    version         names the weights: the same prompt to the same version may be answered from the cache
    sampling        how tokens are picked when a call of `stream` does not give `sampling`
    opening_tokens  how many tokens at the end of every prompt begin the assistant's turn
    at_once         how many answers it can generate at the same time
    fresh_tokens    how many new prompt tokens it can read before the first word would be late; 0: no limit
    keeps_prefix    whether it reuses what it computed for a beginning that an earlier prompt had too
    """

    name: str
    model: str
    version: str
    sampling: Sampling
    opening_tokens: int
    at_once: int = 1
    fresh_tokens: int = 0
    keeps_prefix: bool = False

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """How many tokens an ordinary text has, by this model's tokenizer."""

    @abstractmethod
    def stream(
        self, messages: Sequence[ChatMessage], sampling: Sampling | None = None
    ) -> Generator[Generated, None, None]:
        """Generate the assistant's next message. Closing the generator stops the work.

        A record comes at least every few tenths of a second, with empty text while a prompt is read or a character is
        incomplete, so that the caller can stop at any time. Greedy sampling gives the same text for the same messages
        (except between equally likely tokens, where rounding decides). Raises DocentError for a prompt longer than the
        model reads, or when the model has stopped.
        """

    @property
    def alive(self) -> bool:
        """False when the model runs in a process of its own and that process has ended."""
        return True

    @property
    def processes(self) -> list[str]:
        """The processes that hold the model, as `/proc` names them: `self` and the engine's own, if it has one."""
        return ["self"]

    def close(self) -> None:  # noqa: B027 - most engines have no process to end
        """End the engine's process, if it has one."""

    def generate(self, messages: Sequence[ChatMessage], sampling: Sampling | None = None) -> Generated:
        """Generate a complete message. Returns the last record of `stream` with the text of all."""
        text, last = "", Generated("")
        with closing(self.stream(messages, sampling)) as records:
            for last in records:
                text += last.text
        return replace(last, text=text)


def room_for_answer(prompt_tokens: int, context_window: int) -> int:
    """How many tokens the answer may have. Raises DocentError when the prompt leaves it none."""
    if prompt_tokens >= context_window:
        raise DocentError(
            f"the prompt has {prompt_tokens} tokens and the model reads {context_window}: lower `prompt_tokens`."
        )
    return context_window - prompt_tokens
