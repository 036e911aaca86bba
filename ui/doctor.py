"""`docent doctor`: one finding each for machine, disk, library, models and hub. Knows what to advise, mends nothing."""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from assistant.engines.latency import kept_rate
from assistant.models.convert import find_converted, read_manifest
from assistant.models.locate import list_models, locate
from assistant.refuse.thresholds import CHANGED, read_fitted_thresholds, still_holds
from ingest.base.cpu import cpu_features
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.hub.endpoint import hub_endpoint, hub_reachable
from ingest.runs.check import check
from ingest.search.rerank import RERANKED, reranker_of
from ingest.store.catalog import CATALOG_FILE, Catalog

# A library of 100,000 passages with its indexes takes about half of this; Qwen's weights take 1.2 GB.
DISK_BYTES = 2_000_000_000
# As many words as an ordinary passage has.
_ABOUT_A_PASSAGE = "Full-time staff have twenty-five days of annual leave a year. " * 12


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `text` says what was found and, when it is not well, what to do."""

    name: str
    ok: bool
    text: str


def examine(settings: Settings) -> list[Finding]:
    """Everything worth knowing when an answer is slow, wrong or missing."""
    return [
        _machine(), _disk(settings.home), _library(settings.home), *_refusing(settings.home),
        _engine(settings), *_reading(settings),
        *_reranker(settings),
        *_models(settings),
        _hub(settings),
    ]  # fmt: skip


def _machine() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return Finding(
        "machine",
        True,
        f"{os.cpu_count()} cores ({', '.join(cpu_features()) or platform.machine()}), {memory:.0f} GB of memory, "
        f"Python {platform.python_version()}",
    )


def _disk(home: Path) -> Finding:
    place = next(folder for folder in (home.absolute(), *home.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        return Finding("disk", False, f"{place} cannot be written: set DOCENT_HOME to a folder that can")
    advice = "" if free >= DISK_BYTES else ": free some space before ingesting or downloading a model"
    return Finding("disk", not advice, f"{free / 1e9:.1f} GB free at {place}{advice}")


def _library(home: Path) -> Finding:
    if not (home / CATALOG_FILE).is_file():
        return Finding("library", False, f"there is none in {home}: run `docent ingest FOLDER`")
    try:
        problems = check(home)
    except DocentError as error:
        return Finding("library", False, str(error))
    return Finding("library", not problems, " ".join(problems) or f"the one in {home} is whole")


def _refusing(home: Path) -> list[Finding]:
    """When questions are refused, and whether that was fitted to this library; nothing where there is none."""
    if not (home / CATALOG_FILE).is_file():
        return []
    kept = read_fitted_thresholds(home)
    if kept is None:
        return [Finding("refusing", True, "not fitted to this library yet: the next `docent ingest` does it")]
    try:
        catalog = Catalog(home / CATALOG_FILE)
        try:
            level = still_holds(catalog, kept)
        finally:
            catalog.close()
    except DocentError:  # what is wrong with the library is a finding of its own
        return []
    said = f"refused below a confidence of {kept.refuse:.2f}, answered with caution below {kept.caution:.2f}; "
    if kept.questions:
        said += (
            f"fitted on {kept.questions} questions made from its passages, told from near misses in "
            f"{kept.separation:.0%} of the pairs"
        )
    else:
        said += "the defaults, because too little of the library can be asked about"
    if not level:
        said += f"; {CHANGED:.0%} of the passages or more have changed since: the next `docent ingest` fits anew"
    return [Finding("refusing", True, said)]


def _engine(settings: Settings) -> Finding:
    if settings.engine == "extractive":
        return Finding("engine", True, "answers are quoted from the documents, as the settings say")
    try:
        folder = locate(settings, unpacking=False)
    except DocentError as error:
        return Finding("engine", False, str(error))
    if folder is None and settings.model.lower().endswith(".gguf"):
        return Finding("engine", True, f"{settings.model} is not unpacked yet: `docent models pull` does it")
    if folder is None:
        return Finding(
            "engine",
            settings.engine == "auto",
            f"{settings.model} is not on this machine, so answers are quoted from the documents: "
            "run `docent models pull` to get it",
        )
    if settings.engine == "transformers":
        return Finding("engine", True, f"transformers with {settings.model} from {folder}, as the settings say")
    converted = find_converted(folder, settings.models_cache)
    if converted is None:
        return Finding(
            "engine",
            True,
            f"openvino with {settings.model}, not made yet: `docent models pull` makes it, or the next start",
        )
    manifest = read_manifest(converted)
    assert manifest is not None  # or it would not have been found
    parity = manifest.parity
    said = (
        f"openvino with {settings.model} from {converted}; against the original in float32: divergence "
        f"{parity.divergence:.5f}, same choice at {parity.same_choice:.0%} of {parity.positions} places"
    )
    return Finding("engine", not parity.problem, f"{said}; not used: {parity.problem}" if parity.problem else said)


def _reading(settings: Settings) -> list[Finding]:
    """How much the engine that was loaded last could read in time; nothing before the first."""
    rate = kept_rate(settings.home)
    if rate is None:
        return []
    return [
        Finding(
            "reading",
            True,
            f"{rate.engine} read {rate.tokens_per_second:.0f} prompt tokens a second here, so a question takes along "
            f"at most {rate.prompt_tokens} for a first word within {rate.first_word_seconds:g} s",
        )
    ]


def _reranker(settings: Settings) -> list[Finding]:
    """Opened and tried, which takes seconds: nothing less shows that it can be used. Nothing where none is set."""
    reranker = reranker_of(settings)
    if reranker is None:
        return []
    try:
        reranker.open()
        started = time.monotonic()
        reranker.scores("How many days of leave are there?", [_ABOUT_A_PASSAGE] * RERANKED)
        seconds = time.monotonic() - started
    except DocentError as error:
        return [Finding("reranker", False, f"searches go without it: {error}")]
    return [Finding("reranker", True, f"{reranker.name} makes a search take {seconds:.1f} s longer")]


def _models(settings: Settings) -> list[Finding]:
    return [
        Finding(f"{state.role} model", not state.state.startswith("broken"), f"{state.name}: {state.state}")
        for state in list_models(settings)
    ]


def _hub(settings: Settings) -> Finding:
    if hub_reachable(settings.hub_connect_seconds):
        return Finding("hub", True, f"{hub_endpoint()} answers")
    return Finding("hub", True, f"{hub_endpoint()} is not reached; only `docent models pull` needs it")
