"""Limits the length of prompts so that the first word of an answer comes in time on this machine.

Nearly all of the waiting time is spent reading the prompt. So the reading rate of this machine, measured when the model
is loaded, limits how many passages a prompt contains.
"""

from __future__ import annotations

import json
import random
import string
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from assistant.engines.engine import Engine
from ingest.base.files import write_whole
from ingest.base.logs import get_logger

RATE_FILE = "engine.json"
# Long enough to fill two steps of the engine, short enough to take half a second.
_MEASURED_TOKENS = 512
# Seconds for search, evidence, encoding and drawing, measured on two cores.
_OTHER_SECONDS = 0.15
# Enough for the instruction, the question and one short passage.
LEAST_TOKENS = 400
log = get_logger(__name__)


@dataclass(frozen=True)
class ReadingRate:
    """Prompt tokens per second as measured when the engine was loaded, and the prompt length that follows from it."""

    engine: str
    model: str
    tokens_per_second: float
    prompt_tokens: int
    first_word_seconds: float


def measure_reading(engine: Engine) -> float:
    """Prompt tokens per second, measured with one prompt of random words, so that no cache has it."""
    from llama_index.core.llms import ChatMessage, MessageRole

    letters = random.Random()
    words = " ".join("".join(letters.choices(string.ascii_lowercase, k=4)) for _ in range(_MEASURED_TOKENS // 2))
    messages = [ChatMessage(role=MessageRole.USER, content=words)]
    generated = engine.generate(messages, replace(engine.sampling, max_new_tokens=1))
    return generated.prompt_tokens / max(generated.prefill_seconds, 1e-6)


def tokens_in_time(tokens_per_second: float, first_word_seconds: float, most: int) -> int:
    """How many new prompt tokens can be read in time: at least LEAST_TOKENS, at most `most`."""
    readable = int(tokens_per_second * max(0.0, first_word_seconds - _OTHER_SECONDS))
    return min(most, max(LEAST_TOKENS, readable))


def store_rate(home: Path, rate: ReadingRate) -> None:
    """Store the rate for `docent doctor`, which does not load the model.

    When it cannot be written, this is only logged: the engine does not need the file.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_whole(home / RATE_FILE, json.dumps(asdict(rate)))
    except OSError as error:
        log.warning("reading_rate.not_kept", path=str(home / RATE_FILE), reason=str(error))


def read_rate(home: Path) -> ReadingRate | None:
    """The rate that was stored last; None when there is none, or when the file cannot be read, which is logged."""
    path = home / RATE_FILE
    try:
        values = json.loads(path.read_text("utf-8"))
        return ReadingRate(
            str(values["engine"]), str(values["model"]), float(values["tokens_per_second"]),
            int(values["prompt_tokens"]), float(values["first_word_seconds"]),
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError) as error:
        log.warning("reading_rate.unreadable", path=str(path), reason=str(error))
        return None
