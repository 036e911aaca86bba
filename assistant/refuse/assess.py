"""Decides whether the evidence for a question is enough to answer it."""

from __future__ import annotations

from assistant.events import Evidence
from assistant.refuse.answerability import Thresholds, answerability, decide
from assistant.retrieve.context_expansion import expand_context, relocated
from assistant.retrieve.find import Retrieved
from ingest.library import Library


def assess(library: Library, question: str, searched: str, retrieved: Retrieved, thresholds: Thresholds) -> Evidence:
    """The evidence, each passage with its neighbours, and the decision whether it is enough to answer `question`.

    `searched` is the completed question; `retrieved` is what the search for it returned.
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
        caution=decision == "caution",
    )
