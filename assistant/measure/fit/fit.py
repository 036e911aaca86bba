"""Fits every group of weights on its evaluation sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.measure.beir import EvaluationSet, read_sets
from assistant.measure.evaluate import temporary_libraries
from assistant.measure.fit import answerability, evidence, fusion
from assistant.measure.fit.collect import SearchedSet, cache_name, load, save, search_set
from assistant.measure.fit.group import Group, GroupFit
from ingest.base.errors import SettingsError
from ingest.base.settings import Settings

GROUPS: tuple[Group[Any], ...] = (evidence.GROUP, answerability.GROUP, fusion.GROUP)
# The sets that each group of shipped weights was fitted on. Some sets share questions (near-miss-en has those of
# xquad-en, off-topic-en those of handbook-en). They are never in one group: a fit without one of them would still
# contain its questions. A set with any other name is used for every group that its labels allow.
FITTED_ON = {
    "evidence": ("xquad-en", "xquad-zh", "cmrc-zh", "eval", "cross-zh-en", "cross-en-zh"),
    "answerability": (
        "near-miss-en",
        "near-miss-zh",
        "off-topic-en",
        "eval",
        "near-miss-en of near-miss-zh",
        "near-miss-zh of near-miss-en",
    ),
    "fusion": (
        "xquad-en",
        "xquad-zh",
        "cmrc-zh",
        "handbook-en",
        "eval",
        "tables-en",
        "cross-zh-en",
        "cross-en-zh",
    ),
}
Progress = Callable[[str, int, int], None]


def fit_folders(
    folders: Sequence[Path], settings: Settings, cache: Path, progress: Progress = lambda _set, _done, _total: None
) -> list[GroupFit]:
    """Fit all groups that the sets in these folders allow. Returns a fit for each of those groups.

    The searches of a set are stored in the folder `cache`; `progress` gets a set's name, how many of its questions were
    searched, and their total. Raises SettingsError for a folder that is not in BEIR layout, and when no set has
    what any group needs.
    """
    evaluation_sets = read_sets(folders)
    evaluation_sets += _crossed(evaluation_sets)
    files = {evaluation_set.name: cache / cache_name(evaluation_set, settings) for evaluation_set in evaluation_sets}
    missing = [evaluation_set for evaluation_set in evaluation_sets if not files[evaluation_set.name].is_file()]
    if missing:
        with temporary_libraries(settings) as next_library:
            for evaluation_set in missing:

                def report(
                    done: int, name: str = evaluation_set.name, total: int = len(evaluation_set.queries)
                ) -> None:
                    progress(name, done, total)

                save(search_set(evaluation_set, next_library(), report), files[evaluation_set.name])
    sets = {name: load(file) for name, file in files.items()}
    fits = [fit for group in GROUPS if (fit := group.run(sets_of(group.name, sets))) is not None]
    if not fits:
        raise SettingsError(
            "there is nothing to fit on: name a set whose queries.jsonl has `answers` or `answerable`, or that has a "
            "qrels.tsv."
        )
    return fits


def _crossed(evaluation_sets: Sequence[EvaluationSet]) -> list[EvaluationSet]:
    """For two sets with the same questions and documents in two languages, each asked of the documents of the other.

    These show when a question can be answered from documents in another language. Sets that are the same in both
    languages have the same ids.
    """
    sets = []
    for asked in evaluation_sets:
        for answering in evaluation_sets:
            same = {query.id for query in asked.queries} == {query.id for query in answering.queries}
            documents = {entry.id for entry in asked.corpus} == {entry.id for entry in answering.corpus}
            labelled = any(query.answerable is False for query in asked.queries)
            if asked is not answering and same and documents and labelled:
                answers = {query.id: query.answers for query in answering.queries}
                queries = tuple(replace(query, answers=answers[query.id]) for query in asked.queries)
                name = f"{asked.name} of {answering.name}"
                sets.append(EvaluationSet(name, answering.corpus, queries, ()))
    return sets


def sets_of(group: str, sets: dict[str, SearchedSet]) -> dict[str, SearchedSet]:
    """Those of `sets` that the group of this name is fitted on."""
    named = {name for names in FITTED_ON.values() for name in names}
    return {name: searched for name, searched in sets.items() if name in FITTED_ON[group] or name not in named}
