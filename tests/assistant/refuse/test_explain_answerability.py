from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.refuse.answerability import Thresholds, answerability
from assistant.refuse.assess import assess
from assistant.refuse.explain_answerability import ANSWER, REFUSE, explain_answerability
from assistant.retrieve.find import retrieve
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.sync import ingest

QUESTION = "How many days of annual leave do full-time staff get?"


@pytest.fixture
def library(settings: Settings, office: Path) -> Iterator[Library]:
    assert ingest([office], settings).failed == []
    library = Library(settings.home)
    yield library
    library.close()


def test_it_is_what_the_assistant_would_do(library: Library) -> None:
    """Confidence, decision, evidence and nearest documents are those of `assess`, for a question of either kind."""
    for question, decision in ((QUESTION, ANSWER), ("Who won the football world cup?", REFUSE)):
        explanation = explain_answerability(library, question, 4)
        thresholds = Thresholds(explanation.threshold, explanation.caution)
        evidence = assess(library, question, question, retrieve(library, question, 4), thresholds)
        assert (explanation.confidence, explanation.decision) == (evidence.confidence, decision)
        assert (explanation.confidence < explanation.threshold) is evidence.abstained is (decision == REFUSE)
        assert explanation.evidence == evidence.sentences
        assert explanation.nearest[0] == evidence.sources[0].path
        assert len(set(explanation.nearest)) == len(explanation.nearest)


def test_each_part_says_what_it_is_worth(library: Library) -> None:
    """The parts are those the confidence was made of, and leaving one out makes it less sure here."""
    explanation = explain_answerability(library, QUESTION, 4)
    coverage = retrieve(library, QUESTION, 4).coverage
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
