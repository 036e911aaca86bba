"""Examines machine, disk, library, models and hub for `docent doctor`, and says what to do about each problem."""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from assistant.engines.latency import read_rate
from assistant.models.convert import find_converted, read_manifest
from assistant.models.locate import list_models, locate
from assistant.refuse.thresholds import CHANGED, read_fitted_thresholds, still_holds
from ingest.base.cpu import cpu_features
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.hub.endpoint import hub_endpoint, hub_reachable
from ingest.passages.embedders.english_only import english_only_note
from ingest.runs.check import check
from ingest.search.rerank import RERANKED, reranker_of
from ingest.store.catalog import CATALOG_FILE, Catalog

# A library of 100,000 passages with its indexes takes about half of this; Qwen's weights take 1.2 GB.
DISK_BYTES = 2_000_000_000
# About as many words as a passage has.
_PASSAGE = "Full-time staff have twenty-five days of annual leave a year. " * 12


@dataclass(frozen=True)
class Finding:
    """The state of one part, such as the disk. `text` describes it and, when it is not `ok`, says what to do."""

    name: str
    ok: bool
    text: str


def examine(settings: Settings) -> list[Finding]:
    """The findings that may explain a slow, wrong or missing answer, in the order of printing. Changes nothing."""
    optional = (_embedder(settings), _thresholds(settings.home), _reading_rate(settings.home), _reranker(settings))
    embedder, thresholds, reading_rate, reranker = ([finding] if finding else [] for finding in optional)
    return [
        _machine(), _disk(settings.home), _library(settings.home), *embedder, *thresholds, _engine(settings),
        *reading_rate, *reranker, *_models(settings), _hub(settings),
    ]  # fmt: skip


def _machine() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    features = ", ".join(cpu_features()) or platform.machine()
    text = f"{os.cpu_count()} cores ({features}), {memory:.0f} GB of memory, Python {platform.python_version()}"
    return Finding("machine", True, text)


def _disk(home: Path) -> Finding:
    """The disk of the state folder, or of the nearest parent that exists."""
    folder = next(folder for folder in (home.absolute(), *home.absolute().parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        return Finding("disk", False, f"{folder} cannot be written: set DOCENT_HOME to a folder that can")
    advice = "" if free >= DISK_BYTES else ": free some space before you ingest documents or download a model"
    return Finding("disk", not advice, f"{free / 1e9:.1f} GB free in {folder}{advice}")


def _library(home: Path) -> Finding:
    if not (home / CATALOG_FILE).is_file():
        return Finding("library", False, f"there is none in {home}: run `docent ingest FOLDER`")
    try:
        problems = check(home)
    except DocentError as error:
        return Finding("library", False, str(error))
    return Finding("library", not problems, " ".join(problems) or f"catalog and indexes in {home} agree")


def _embedder(settings: Settings) -> Finding | None:
    """What the English embedder costs and how to change it; None where the library has another one."""
    try:
        note = english_only_note(settings)
    except DocentError:  # the problem is in the finding on the library
        return None
    return Finding("embedder", True, note) if note else None


def _thresholds(home: Path) -> Finding | None:
    """The confidence below which a question is refused, and how it was fitted; None without a readable library."""
    if not (home / CATALOG_FILE).is_file():
        return None
    fitted = read_fitted_thresholds(home)
    if fitted is None:
        return Finding("thresholds", True, "not fitted to this library yet: the next `docent ingest` does it")
    try:
        catalog = Catalog(home / CATALOG_FILE)
        try:
            current = still_holds(catalog, fitted)
        finally:
            catalog.close()
    except DocentError:  # the problem is in the finding on the library
        return None
    text = f"confidence below {fitted.refuse:.2f}: no answer; below {fitted.caution:.2f}: an answer with a caution; "
    if fitted.questions:
        text += (
            f"fitted on {fitted.questions} synthetic questions, distinguished from unanswerable ones in "
            f"{fitted.separation:.0%} of the pairs"
        )
    else:
        text += "the defaults, because the library is too small for synthetic questions"
    if not current:
        text += f"; {CHANGED:.0%} of the passages or more have changed since: the next `docent ingest` fits them again"
    return Finding("thresholds", True, text)


def _engine(settings: Settings) -> Finding:
    if settings.engine == "extractive":
        return Finding("engine", True, "answers are quoted from the documents, because `engine` is extractive")
    try:
        folder = locate(settings, unpacking=False)
    except DocentError as error:
        return Finding("engine", False, str(error))
    if folder is None and settings.model.lower().endswith(".gguf"):
        return Finding("engine", True, f"{settings.model} is not unpacked yet: `docent models pull` unpacks it")
    if folder is None:
        missing = f"{settings.model} is not on this machine, so answers are quoted from the documents"
        return Finding("engine", settings.engine == "auto", f"{missing}: run `docent models pull` to get it")
    if settings.engine == "transformers":
        text = f"transformers with {settings.model} from {folder}, because `engine` is transformers"
        return Finding("engine", True, text)
    converted = find_converted(folder, settings.models_cache)
    manifest = None if converted is None else read_manifest(converted)
    if manifest is None:
        waiting = f"openvino with {settings.model}, which is not converted yet"
        return Finding("engine", True, f"{waiting}: `docent models pull` converts it, or the next start does")
    parity = manifest.parity
    text = (
        f"openvino with {settings.model} from {converted}; compared with the original in float32: divergence "
        f"{parity.divergence:.5f}, same token chosen at {parity.same_choice:.0%} of {parity.positions} positions"
    )
    return Finding("engine", not parity.problem, f"{text}; not used: {parity.problem}" if parity.problem else text)


def _reading_rate(home: Path) -> Finding | None:
    """How fast the engine that was loaded last reads a prompt; None before the first."""
    rate = read_rate(home)
    if rate is None:
        return None
    return Finding(
        "reading rate",
        True,
        f"{rate.engine} reads {rate.tokens_per_second:.0f} prompt tokens a second on this machine; for a first word "
        f"within {rate.first_word_seconds:g} s, a prompt has at most {rate.prompt_tokens} tokens",
    )


def _reranker(settings: Settings) -> Finding | None:
    """Load and try the reranker, which takes seconds: nothing else shows that it works. None if no reranker is set."""
    reranker = reranker_of(settings)
    if reranker is None:
        return None
    try:
        reranker.open()
        started = time.monotonic()
        reranker.scores("How many days of leave are there?", [_PASSAGE] * RERANKED)
        seconds = time.monotonic() - started
    except DocentError as error:
        return Finding("reranker", False, f"not used for searches: {error}")
    return Finding("reranker", True, f"{reranker.name} makes each search {seconds:.1f} s slower")


def _models(settings: Settings) -> list[Finding]:
    return [
        Finding(f"{state.role} model", not state.state.startswith("broken"), f"{state.name}: {state.state}")
        for state in list_models(settings)
    ]


def _hub(settings: Settings) -> Finding:
    if hub_reachable(settings.hub_connect_seconds):
        return Finding("hub", True, f"{hub_endpoint()} answers")
    return Finding("hub", True, f"{hub_endpoint()} does not answer; only `docent models pull` needs it")
