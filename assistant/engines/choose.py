"""The engines that can write an answer, and which one this machine gets. Knows nothing of questions or documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.engines.latency import ReadingRate, keep_rate, measure_reading, tokens_in_time
from assistant.models.locate import locate
from ingest.base.errors import DocentError, SettingsError
from ingest.base.language import FULL_WIDTH_MARKS, IDEOGRAPHS
from ingest.base.logs import get_logger
from ingest.base.settings import Settings

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

log = get_logger(__name__)

OPENVINO = "openvino"
TRANSFORMERS = "transformers"
EXTRACTIVE = "extractive"
_CHINESE = re.compile(f"[{IDEOGRAPHS}{FULL_WIDTH_MARKS}]")
# Qwen's tokenizer, measured: Chinese has 1.2 to 2.2 characters a token, English 4.2 to 4.6. The careful end of each.
CHINESE_CHARACTERS_A_TOKEN = 1.2
OTHER_CHARACTERS_A_TOKEN = 4.2


@dataclass(frozen=True)
class Engine:
    """What writes answers. `note` is one line for people: why not the better engine and how to get it, or ''.

    `at_once` is how many answers it may write at the same time; `fresh_tokens` how much of a prompt it can read before
    the first word is late, 0 for any; `keeps_prefix` that a beginning it has read is not read again. `version` names
    the weights.
    """

    name: str
    llm: LLM
    count_tokens: Callable[[str], int]
    model: str
    note: str
    at_once: int = 1
    fresh_tokens: int = 0
    keeps_prefix: bool = False
    version: str = ""

    @property
    def alive(self) -> bool:
        """False while a model with a process of its own has lost it."""
        return bool(getattr(self.llm, "alive", True))

    @property
    def processes(self) -> list[str]:
        """The processes that hold the engine, for `/proc`: this one, and the model's own if it has one."""
        return ["self", *([str(self.llm.process_id)] if hasattr(self.llm, "process_id") else [])]

    def close(self) -> None:
        """End the model's process, if it has one."""
        if hasattr(self.llm, "close"):
            self.llm.close()


def choose_engine(settings: Settings) -> Engine:
    """The engine the settings ask for, loaded: seconds with a model, at once without.

    `auto` takes the first that works of openvino, transformers and quotations; the note says why when it is not the
    first. A model that has not been converted yet is, which takes tens of seconds once. Raises SettingsError when an
    engine is asked for by name and there are no weights, or `model` is no model; DocentError when one that is asked
    for by name cannot be loaded.
    """
    if settings.engine == EXTRACTIVE:
        return _extractive("")
    automatic = settings.engine == "auto"
    try:
        folder = locate(settings)
    except SettingsError:
        raise
    except DocentError as error:
        if not automatic:
            raise
        return _extractive(f"The model cannot be used, so answers are quoted from the documents. Reason: {error}")
    if folder is None:
        return _without_weights(settings)
    reasons = []
    for name in (OPENVINO, TRANSFORMERS) if automatic else (settings.engine,):
        try:
            engine = _LOADERS[name](folder, settings)
        except DocentError as error:
            log.warning("engine.unusable", engine=name, model=settings.model, reason=str(error))
            if not automatic:
                raise
            reasons.append(str(error))
            continue
        return replace(
            engine, note=f"Answers come more slowly than they could. Reason: {reasons[0]}" if reasons else ""
        )
    return _extractive(f"The model cannot be used, so answers are quoted from the documents. Reason: {reasons[-1]}")


def _openvino(folder: Path, settings: Settings) -> Engine:
    """Raises DocentError when it cannot be made or loaded, or says something else than the original (under auto)."""
    from assistant.answer.prompt import SYSTEM
    from assistant.engines.openvino_engine import OpenVINOLLM
    from assistant.models.convert import convert_apart, read_manifest

    converted = convert_apart(folder, settings.models_cache)
    manifest = read_manifest(converted)
    problem = manifest.parity.problem if manifest is not None else "it has no manifest"
    if problem and settings.engine == "auto":
        raise DocentError(f"The OpenVINO model in {converted} is not used: {problem}.")
    llm = OpenVINOLLM.load(converted, settings)
    llm.warm(SYSTEM)
    return Engine(
        OPENVINO, llm, llm.count_tokens, settings.model, "", settings.answers_at_once,
        fresh_tokens=_fresh_tokens(OPENVINO, llm, settings), keeps_prefix=True, version=converted.name,
    )  # fmt: skip


def _transformers(folder: Path, settings: Settings) -> Engine:
    from assistant.engines.transformers_engine import TransformersLLM

    llm = TransformersLLM.load(folder, settings)
    return Engine(
        TRANSFORMERS, llm, llm.count_tokens, settings.model, "",
        fresh_tokens=_fresh_tokens(TRANSFORMERS, llm, settings), version=f"{folder.resolve()} {llm.dtype}",
    )  # fmt: skip


def _fresh_tokens(name: str, llm: LLM, settings: Settings) -> int:
    """Measures how fast this machine reads, and keeps the figure for `docent doctor`."""
    rate = measure_reading(llm)
    tokens = tokens_in_time(rate, settings.first_word_seconds, settings.prompt_tokens)
    keep_rate(settings.home, ReadingRate(name, settings.model, round(rate, 1), tokens, settings.first_word_seconds))
    return tokens


_LOADERS: dict[str, Callable[[Path, Settings], Engine]] = {OPENVINO: _openvino, TRANSFORMERS: _transformers}


def _without_weights(settings: Settings) -> Engine:
    if settings.engine != "auto":
        raise SettingsError(
            f"setting 'engine' is '{settings.engine}' and {settings.model} is not on this machine: run "
            "`docent models pull`, or set it to auto or extractive."
        )
    return _extractive(
        "No model weights are on this machine, so answers are quoted from the documents. "
        f"Run `docent models pull` to get {settings.model}."
    )


def estimate_tokens(text: str) -> int:
    """About how many tokens Qwen would take, never far below; for the engine that has no tokenizer."""
    chinese = len(_CHINESE.findall(text))
    return round(chinese / CHINESE_CHARACTERS_A_TOKEN + (len(text) - chinese) / OTHER_CHARACTERS_A_TOKEN + 0.5)


def _extractive(note: str) -> Engine:
    from assistant.answer.quote import ExtractiveLLM

    return Engine(EXTRACTIVE, ExtractiveLLM(), estimate_tokens, EXTRACTIVE, note)
