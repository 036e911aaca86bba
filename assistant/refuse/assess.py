"""Decides whether the evidence for a question is enough to answer it."""

from __future__ import annotations

from assistant.events import Evidence
from assistant.refuse.answerability import Thresholds, answerability, decide
from assistant.retrieve.context_expansion import expand_context, relocated
from assistant.retrieve.find import Retrieved, retrieve
from ingest.library import Library
from ingest.search.spelling import CorrectedQuestion


def is_doubtful(
    library: Library, completed: str, corrected: CorrectedQuestion, count: int, thresholds: Thresholds
) -> bool:
    """Whether the answer to a question rests on a guess about its spelling.

    It does when the question as typed (`completed`, not yet corrected) would not be answered from `count` passages, and
    when the guess is about a name: one name is never proof of another.
    """
    if not corrected.corrections or corrected.changes_name:
        return bool(corrected.corrections)
    as_typed = answerability(retrieve(library, completed, count).coverage)
    return decide(as_typed, thresholds) == "refused"


def assess(
    library: Library, question: str, searched: str, retrieved: Retrieved, thresholds: Thresholds, doubtful: bool = False
) -> Evidence:
    """The evidence, each passage with its neighbours, and the decision whether it is enough to answer `question`.

    `searched` is the question completed and corrected; `retrieved` is what the search for it returned. A question that
    is `doubtful` is answered with caution at best.
    """
    probability = answerability(retrieved.coverage)
    decision = decide(probability, thresholds)
    sources = expand_context(retrieved.passages, library.catalog)
    return Evidence(
        sources=sources,
        sentences=relocated(retrieved.sentences, retrieved.passages, sources),
        confidence=round(probability, 4),
        abstained=decision == "refused",
        searched=searched if searched != question.strip() else "",
        caution=decision == "caution" or (decision == "sure" and doubtful),
    )
