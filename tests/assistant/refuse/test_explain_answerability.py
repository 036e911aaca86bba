"""Why a question would be answered or refused."""

from __future__ import annotations

import pytest

from assistant.refuse.answerability import Thresholds, answerability
from assistant.refuse.assess import assess
from assistant.refuse.explain_answerability import ANSWER, REFUSE, explain_answerability
from assistant.retrieve.find import retrieve
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.library import Library

QUESTION = "How many days of annual leave do full-time staff get?"


def test_it_is_what_the_assistant_would_do(shared_library: Library) -> None:
    """Confidence, decision, evidence and nearest documents are those of `assess`, for a question of either kind."""
    for question, decision in ((QUESTION, ANSWER), ("Who won the football world cup in Dublin?", REFUSE)):
        explanation = explain_answerability(shared_library, question, 4)
        thresholds = Thresholds(explanation.threshold, explanation.caution)
        evidence = assess(shared_library, question, question, retrieve(shared_library, question, 4), thresholds)
        assert (explanation.confidence, explanation.decision) == (evidence.confidence, decision)
        assert (explanation.confidence < explanation.threshold) is evidence.abstained is (decision == REFUSE)
        assert explanation.evidence == evidence.sentences
        assert explanation.nearest[0] == evidence.sources[0].path
        assert len(set(explanation.nearest)) == len(explanation.nearest)


def test_each_part_says_what_it_is_worth(shared_library: Library) -> None:
    """The parts are those the confidence was made of, and leaving one out lowers it here."""
    explanation = explain_answerability(shared_library, QUESTION, 4)
    coverage = retrieve(shared_library, QUESTION, 4).coverage
    assert explanation.confidence == round(answerability(coverage), 4)
    assert {part.name: part.value for part in explanation.parts} == {
        name: round(value, 4) for name, value in vars(coverage).items() if name != "dense_weight"
    }
    assert all(part.without < explanation.confidence for part in explanation.parts if part.value > 0)


def test_without_a_library_it_says_so(settings: Settings) -> None:
    """As every other question does."""
    library = Library(settings.home)
    with pytest.raises(DocentError, match="docent ingest"):
        explain_answerability(library, QUESTION, 4)
    library.close()
