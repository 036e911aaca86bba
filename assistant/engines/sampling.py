"""How tokens are picked, whichever engine picks them. A leaf."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.base.settings import Settings


@dataclass(frozen=True)
class Sampling:
    """`temperature` 0 is greedy; `top_k` 0 and `repetition_penalty` 1 are off; the penalty covers generated tokens."""

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
