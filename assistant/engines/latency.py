"""How much a prompt may hold so that the first word comes in time on this machine. Knows no prompts.

People wait for the prompt to be read, nearly nothing else; so the machine's own reading rate, measured when the model
is loaded, decides how many passages a question takes along.
"""

from __future__ import annotations

import json
import random
import string
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.base.files import write_whole
from ingest.base.logs import get_logger

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

RATE_FILE = "engine.json"
# Long enough to fill two steps of the engine, short enough to take half a second.
_MEASURED_TOKENS = 512
# Search, evidence, encoding and drawing, measured on two cores.
_OTHER_SECONDS = 0.15
# Instruction, question and one short passage: below this there is nothing to answer from.
LEAST_TOKENS = 400
log = get_logger(__name__)


@dataclass(frozen=True)
class ReadingRate:
    """What was measured when the engine was loaded: prompt tokens a second, and what follows from it."""

    engine: str
    model: str
    tokens_per_second: float
    prompt_tokens: int
    first_word_seconds: float


def measure_reading(llm: LLM) -> float:
    """Prompt tokens a second, from one prompt of random words that no cache can know."""
    from llama_index.core.llms import ChatMessage, MessageRole

    letters = random.Random()
    words = " ".join("".join(letters.choices(string.ascii_lowercase, k=4)) for _ in range(_MEASURED_TOKENS // 2))
    last = llm.chat([ChatMessage(role=MessageRole.USER, content=words)], max_new_tokens=1)
    counts = last.additional_kwargs
    return float(counts["prompt_tokens"]) / max(float(counts["prefill_seconds"]), 1e-6)


def tokens_in_time(tokens_per_second: float, first_word_seconds: float, most: int) -> int:
    """New prompt tokens that can be read in time; at least LEAST_TOKENS and at most `most`."""
    readable = int(tokens_per_second * max(0.0, first_word_seconds - _OTHER_SECONDS))
    return min(most, max(LEAST_TOKENS, readable))


def keep_rate(home: Path, rate: ReadingRate) -> None:
    """Keep the rate for `docent doctor`, which does not load the model.

    A disk that refuses it is only logged: the engine needs no file.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_whole(home / RATE_FILE, json.dumps(asdict(rate)))
    except OSError as error:
        log.warning("reading_rate.not_kept", path=str(home / RATE_FILE), reason=str(error))


def kept_rate(home: Path) -> ReadingRate | None:
    """The rate that the last engine measured here; None before the first, and for a file that cannot be read."""
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
