from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.refuse.answerability import Thresholds, confidence
from assistant.refuse.explain_answerability import ANSWER, REFUSE, weigh
from assistant.retrieve.find import find, pick
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
    """Confidence, decision, evidence and nearest documents are those of `find`, for a question of either kind."""
    for question, decision in ((QUESTION, ANSWER), ("Who won the football world cup?", REFUSE)):
        verdict = weigh(library, question, 4)
        found = find(library, question, (), 4, Thresholds(verdict.threshold, verdict.caution))
        assert (verdict.confidence, verdict.decision) == (found.confidence, decision)
        assert (verdict.confidence < verdict.threshold) is found.abstained is (decision == REFUSE)
        assert verdict.evidence == found.sentences
        assert verdict.nearest[0] == found.sources[0].path
        assert len(set(verdict.nearest)) == len(verdict.nearest)


def test_each_part_says_what_it_is_worth(library: Library) -> None:
    """The parts are those the confidence was made of, and leaving one out makes it less sure here."""
    verdict = weigh(library, QUESTION, 4)
    strength = pick(library, QUESTION, 4).strength
    assert verdict.confidence == round(confidence(strength), 4)
    assert {part.name: part.value for part in verdict.parts} == {
        name: round(value, 4) for name, value in vars(strength).items() if name != "trust"
    }
    assert all(part.without < verdict.confidence for part in verdict.parts if part.value > 0)


def test_without_a_library_it_says_so(settings: Settings) -> None:
    """As every other question does."""
    library = Library(settings.home)
    with pytest.raises(DocentError, match="docent ingest"):
        weigh(library, QUESTION, 4)
    library.close()
