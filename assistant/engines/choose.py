"""Which engine answers on this machine: OpenVINO, transformers, or none, and answers are quoted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant.engines.engine import Engine
from assistant.engines.latency import ReadingRate, keep_rate, measure_reading, tokens_in_time
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
    """The engine that writes answers, or None: answers are quoted from the documents.

    `note` is one line for people when this is not the best engine: why, and how to get a better one. Else it is ''.
    """

    engine: Engine | None
    note: str = ""

    @property
    def name(self) -> str:
        """openvino, transformers or extractive: what an answer gives as its `engine`."""
        return EXTRACTIVE if self.engine is None else self.engine.name

    @property
    def model(self) -> str:
        return EXTRACTIVE if self.engine is None else self.engine.model


def choose_engine(settings: Settings) -> EngineChoice:
    """The engine that the settings ask for, loaded: seconds with a model, at once without.

    `auto` takes the first that works of openvino, transformers and quotations; the note says why it is not the first. A
    model that has not been converted yet is converted, which takes tens of seconds once. Raises SettingsError when an
    engine is asked for by name and there are no weights, or `model` is no model; DocentError when the engine asked for
    by name cannot be loaded.
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
    """Raises DocentError when the model cannot be converted or loaded, or (auto) disagrees with its original."""
    from assistant.answer.prompt import SYSTEM
    from assistant.engines.openvino_engine import OpenVINOEngine
    from assistant.models.convert import convert_apart, read_manifest

    converted = convert_apart(folder, settings.models_cache)
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
    """Measure how fast this machine reads prompts, and store the figure for `docent doctor`."""
    rate = measure_reading(engine)
    tokens = tokens_in_time(rate, settings.first_word_seconds, settings.prompt_tokens)
    reading = ReadingRate(engine.name, engine.model, round(rate, 1), tokens, settings.first_word_seconds)
    keep_rate(settings.home, reading)
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
