"""Chooses the engine of this machine: OpenVINO, transformers, or none, and then answers are quotations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant.engines.engine import Engine
from assistant.engines.latency import ReadingRate, measure_reading, store_rate, tokens_in_time
from assistant.models.locate import locate
from ingest.base.errors import DocentError, SettingsError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings

log = get_logger(__name__)

OPENVINO = "openvino"
TRANSFORMERS = "transformers"
EXTRACTIVE = "extractive"


@dataclass(frozen=True)
class EngineChoice:
    """The engine that writes answers, or None: then answers are quoted from the documents.

    `note` is '' for the best engine. For another it is one line for people: why it was chosen, and how to get a better
    one.
    """

    engine: Engine | None
    note: str = ""

    @property
    def name(self) -> str:
        """openvino, transformers or extractive: the `engine` of an answer."""
        return EXTRACTIVE if self.engine is None else self.engine.name

    @property
    def model(self) -> str:
        return EXTRACTIVE if self.engine is None else self.engine.model


def choose_engine(settings: Settings) -> EngineChoice:
    """Load the engine that the settings ask for; with a model this takes seconds.

    `auto` takes the first that works of openvino, transformers and quotations; the note says why it is not the first. A
    model that has not been converted yet is converted, which takes tens of seconds once. Raises SettingsError when
    `model` is no model, or when the settings name an engine and there are no weights; DocentError when the engine that
    the settings name cannot be loaded.
    """
    if settings.engine == EXTRACTIVE:
        return EngineChoice(None)
    automatic = settings.engine == "auto"
    try:
        folder = locate(settings)
    except SettingsError:
        raise
    except DocentError as error:
        if not automatic:
            raise
        return _quotations(error)
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
        engine.fresh_tokens = _fresh_tokens(engine, settings)
        note = f"Answers come more slowly than they could. Reason: {reasons[0]}" if reasons else ""
        return EngineChoice(engine, note)
    return _quotations(reasons[-1])


def _quotations(reason: object) -> EngineChoice:
    return EngineChoice(None, f"The model cannot be used, so answers are quoted from the documents. Reason: {reason}")


def _openvino(folder: Path, settings: Settings) -> Engine:
    """The OpenVINO engine. Raises DocentError when the model cannot be converted or loaded.

    Also raises it, with `auto`, when the converted model's parity with its original is too low.
    """
    from assistant.answer.prompt import SYSTEM
    from assistant.engines.openvino_engine import OpenVINOEngine
    from assistant.models.convert import convert_in_process, read_manifest

    converted = convert_in_process(folder, settings.models_cache)
    manifest = read_manifest(converted)
    problem = manifest.parity.problem if manifest is not None else "it has no manifest"
    if problem and settings.engine == "auto":
        raise DocentError(f"The OpenVINO model in {converted} is not used: {problem}.")
    engine = OpenVINOEngine(converted, settings)
    engine.warm(SYSTEM)
    return engine


def _transformers(folder: Path, settings: Settings) -> Engine:
    from assistant.engines.transformers_engine import TransformersEngine

    return TransformersEngine(folder, settings)


_LOADERS: dict[str, Callable[[Path, Settings], Engine]] = {OPENVINO: _openvino, TRANSFORMERS: _transformers}


def _fresh_tokens(engine: Engine, settings: Settings) -> int:
    """How many prompt tokens the engine reads in time; its measured rate is stored for `docent doctor`."""
    rate = measure_reading(engine)
    tokens = tokens_in_time(rate, settings.first_word_seconds, settings.prompt_tokens)
    reading = ReadingRate(engine.name, engine.model, round(rate, 1), tokens, settings.first_word_seconds)
    store_rate(settings.home, reading)
    return tokens


def _without_weights(settings: Settings) -> EngineChoice:
    if settings.engine != "auto":
        raise SettingsError(
            f"setting 'engine' is '{settings.engine}' and {settings.model} is not on this machine: run "
            "`docent models pull`, or set it to auto or extractive."
        )
    return EngineChoice(
        None,
        "No model weights are on this machine, so answers are quoted from the documents. "
        f"Run `docent models pull` to get {settings.model}.",
    )
