"""`docent eval`: asks every question of an evaluation set of a real library that contains the set's corpus."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.assistant import Assistant
from assistant.measure.beir import EvaluationQuery, EvaluationSet, read_sets
from assistant.measure.evaluate_follow_ups import evaluate_followups
from assistant.measure.metrics import DEPTH, PASSAGES, contains, ndcg, recall, reciprocal_rank
from assistant.refuse.thresholds import fit_thresholds_when_due
from ingest.base.settings import Settings
from ingest.library import best_hit_per_document
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.passages.embedders.prepare import prepare_embedder


@dataclass(frozen=True)
class Outcome:
    """The result of one question: `ranked` are document ids, `evidence` the texts of the sentences, best first."""

    query: EvaluationQuery
    ranked: tuple[str, ...]
    evidence: tuple[str, ...]
    confidence: float
    abstained: bool
    search_seconds: float


@dataclass(frozen=True)
class Evaluation:
    """The result of a set. `questions` has the scores of each question: see `assistant.measure.metrics.Scores`.

    `followups` are the figures of its follow-up questions by name, {} when it has no such questions.
    """

    set: str
    documents: int
    passages: int
    ingest_seconds: float
    questions: list[dict[str, Any]]
    followups: dict[str, Any] = field(default_factory=dict)


def evaluate(
    folders: Sequence[Path], settings: Settings, limit: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Evaluation]:  # fmt: skip
    """Yield each folder's evaluation when it is complete, with at most `limit` questions of each.

    All folders are read before the first is searched: SettingsError is raised when one is not in BEIR layout. Each
    set gets a library of its own in a temporary folder; they share the embedder, and the site's library is not
    touched. `progress` gets a set's name, the questions asked and their total.
    """
    sets = read_sets(folders, limit)
    with temporary_libraries(settings) as next_library:
        for evaluation_set in sets:

            def report(done: int, name: str = evaluation_set.name, total: int = len(evaluation_set.queries)) -> None:
                if progress is not None:
                    progress(name, done, total)

            yield _evaluate(evaluation_set, next_library(), report)


@contextmanager
def temporary_libraries(settings: Settings) -> Iterator[Callable[[], Settings]]:
    """Yield a function whose every call returns settings with an empty library folder and the extractive engine.

    The folders are removed when the context ends. All of them share one embedder, which is prepared once.
    """
    with tempfile.TemporaryDirectory(prefix="docent-eval-") as temporary:
        embedders = Path(temporary) / EMBEDDERS_FOLDER
        prepare_embedder(settings, embedders)
        numbers = itertools.count()

        def next_library() -> Settings:
            home = Path(temporary) / f"{next(numbers)}"
            home.mkdir()
            (home / EMBEDDERS_FOLDER).symlink_to(embedders)
            return settings.model_copy(update={"home": home, "engine": "extractive"})

        yield next_library


def _evaluate(evaluation_set: EvaluationSet, settings: Settings, report: Callable[[int], None]) -> Evaluation:
    report(0)
    started = time.monotonic()
    evaluation_set.ingest(settings)
    ingest_seconds = time.monotonic() - started
    fit_thresholds_when_due(settings)
    ids = evaluation_set.ids
    assistant = Assistant(settings)
    try:
        questions = []
        for done, query in enumerate(evaluation_set.queries, 1):
            questions.append(scores(_ask(assistant, query, ids)))
            report(done)
        followups = evaluate_followups(assistant.library, evaluation_set.followups)
        passages = assistant.library.catalog.counts()[1]
    finally:
        assistant.close()
    documents = len(evaluation_set.corpus)
    return Evaluation(evaluation_set.name, documents, passages, round(ingest_seconds, 2), questions, followups)


def _ask(assistant: Assistant, query: EvaluationQuery, ids: dict[str, str]) -> Outcome:
    started = time.monotonic()
    hits = assistant.library.search(assistant.library.correct_spelling(query.text).text, PASSAGES)
    search_seconds = time.monotonic() - started
    evidence = assistant.evidence_for(query.text)
    return Outcome(
        query=query,
        ranked=tuple(ids[hit.path] for hit in best_hit_per_document(hits)[:DEPTH]),
        evidence=tuple(f"{sentence.text}\n{sentence.shown}" for sentence in evidence.sentences),
        confidence=evidence.confidence,
        abstained=evidence.abstained,
        search_seconds=search_seconds,
    )


def scores(outcome: Outcome) -> dict[str, Any]:
    """The scores of a question: those that its set's judgements, answers and `answerable` allow."""
    query = outcome.query
    scored: dict[str, Any] = {"_id": query.id}
    if query.relevant:
        scored["ndcg@10"] = round(ndcg(outcome.ranked, query.relevant), 6)
        scored["hit@5"] = int(any(name in query.relevant for name in outcome.ranked[:5]))
        scored["mrr@10"] = round(reciprocal_rank(outcome.ranked, query.relevant), 6)
        scored["recall@10"] = round(recall(outcome.ranked, query.relevant), 6)
    if query.answers and query.has_evidence:
        scored["evidence@1"] = int(contains(outcome.evidence[:1], query.answers))
        scored["evidence@3"] = int(contains(outcome.evidence[:3], query.answers))
    scored |= {"ms": round(outcome.search_seconds * 1000, 3), "confidence": outcome.confidence}
    scored["refused"] = outcome.abstained
    return scored if query.answerable is None else {**scored, "answerable": query.answerable}
