"""The engines that can write an answer, and which one this machine gets. Knows nothing of questions or documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.models import locate
from ingest.errors import DocentError, SettingsError
from ingest.logs import get_logger
from ingest.settings import Settings

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

log = get_logger(__name__)

TRANSFORMERS = "transformers"
EXTRACTIVE = "extractive"
CHINESE = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")
# Qwen's tokenizer, measured: Chinese has 1.2 to 2.2 characters a token, English 4.2 to 4.6. The careful end of each.
CHINESE_CHARACTERS_A_TOKEN = 1.2
OTHER_CHARACTERS_A_TOKEN = 4.2


@dataclass(frozen=True)
class Engine:
    """What writes answers. `note` is one line for people: why not the better engine and how to get it, or ''."""

    name: str
    llm: LLM
    count_tokens: Callable[[str], int]
    model: str
    note: str


def choose_engine(settings: Settings) -> Engine:
    """The engine the settings ask for, loaded: seconds with a model, at once without.

    `auto` takes the model when its weights are here and sound, else quotations, and its note says why. Raises
    SettingsError when `transformers` is asked for by name and there are no weights, or `model` is no model; DocentError
    when it is asked for by name and its weights are broken.
    """
    if settings.engine == EXTRACTIVE:
        return _extractive("")
    try:
        folder = locate(settings)
        if folder is not None:
            from assistant.engines.transformers_engine import TransformersLLM

            llm = TransformersLLM.load(folder, settings)
            return Engine(TRANSFORMERS, llm, llm.count_tokens, settings.model, "")
    except SettingsError:
        raise
    except DocentError as error:
        if settings.engine == TRANSFORMERS:
            raise
        log.warning("model_unusable", model=settings.model, reason=str(error))
        return _extractive(f"The model cannot be used, so answers are quoted from the documents. Reason: {error}")
    if settings.engine == TRANSFORMERS:
        raise SettingsError(
            f"setting 'engine' is 'transformers' and {settings.model} is not on this machine: run "
            "`docent models pull`, or set it to auto or extractive."
        )
    return _extractive(
        "No model weights are on this machine, so answers are quoted from the documents. "
        f"Run `docent models pull` to get {settings.model}."
    )


def estimate_tokens(text: str) -> int:
    """About how many tokens Qwen would take, never far below; for the engine that has no tokenizer."""
    chinese = len(CHINESE.findall(text))
    return round(chinese / CHINESE_CHARACTERS_A_TOKEN + (len(text) - chinese) / OTHER_CHARACTERS_A_TOKEN + 0.5)


def _extractive(note: str) -> Engine:
    from assistant.engines.extractive import ExtractiveLLM

    return Engine(EXTRACTIVE, ExtractiveLLM(), estimate_tokens, EXTRACTIVE, note)
