"""What the library has on a question, and whether that is enough to answer it."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.events import Evidence
from assistant.refuse.answerability import Thresholds, answerability, decide
from assistant.retrieve.context_expansion import expand_context, relocated
from assistant.retrieve.find import retrieve
from assistant.understand.follow_up import stand_alone
from ingest.library import Library


def assess(library: Library, question: str, earlier: Sequence[str], count: int, thresholds: Thresholds) -> Evidence:
    """The evidence for a question from at most `count` passages, each with the passages around it, and the decision.

    `earlier` are the questions of the conversation before this one, oldest first: what it lacks is taken from them.
    Raises DocentError while there is no library.
    """
    searched = stand_alone(question, earlier)
    retrieved = retrieve(library, searched, count)
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
