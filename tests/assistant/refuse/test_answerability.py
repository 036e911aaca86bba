"""Answerability and the decision that follows from it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from assistant.refuse.answerability import CAUTION, REFUSE, Thresholds, answerability, decide
from assistant.retrieve.coverage import Coverage

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
NOTHING = Coverage(0.0, 0.0, 0.0, 0.0, 0.0, dense_weight=1.0, across=0.0, lacks_name=0.0)
EVERYTHING = Coverage(1.0, 1.0, 1.0, 1.0, 1.0, dense_weight=1.0, across=0.0, lacks_name=0.0)


@pytest.mark.parametrize("dense_weight", [0.0, 0.5, 1.0])
def test_it_is_a_share(dense_weight: float) -> None:
    """Never below 0 nor above 1, whatever was found; similarities may be negative."""
    for cover, cosine in itertools.product(STEPS, (-1.0, *STEPS)):
        assert 0.0 < answerability(Coverage(cover, cover, cover, cosine, cosine, dense_weight, 0.0, 0.0)) < 1.0


@pytest.mark.parametrize("feature", ["sentence_cover", "document_cover", "sentence_similarity", "passage_similarity"])
def test_more_of_a_feature_never_lowers_the_answerability(feature: str) -> None:
    """Each share and each similarity, raised alone, raises the number, from nothing as from everything."""
    for base in (NOTHING, EVERYTHING):
        steps = [answerability(replace(base, **{feature: value})) for value in STEPS]
        assert steps == sorted(steps)
        assert steps[0] < steps[-1]


@pytest.mark.parametrize("dense_weight", [0.0, 0.5, 1.0])
def test_a_passage_that_covers_more_raises_it(dense_weight: float) -> None:
    """A passage's words are its document's too: raised together they raise the number, however meaning counts."""
    steps = [answerability(Coverage(0.0, value, value, 0.0, 0.0, dense_weight, 0.0, 0.0)) for value in STEPS]
    assert steps == sorted(steps)
    assert steps[0] < steps[-1]


def test_similarities_of_an_embedder_that_cannot_read_the_question_say_nothing() -> None:
    """With no dense_weight the words alone decide."""
    words_only = replace(EVERYTHING, dense_weight=0.0)
    assert answerability(words_only) == answerability(
        replace(words_only, sentence_similarity=0.0, passage_similarity=0.0)
    )


def test_a_missing_name_lowers_it() -> None:
    """All else being found, a code or name that the best passage lacks lowers the number."""
    assert answerability(replace(EVERYTHING, lacks_name=1.0)) < answerability(EVERYTHING)


def test_the_defaults_part_nothing_from_everything() -> None:
    """A question without a shared word or meaning is refused, one found word for word is answered, in either script."""
    defaults = Thresholds(REFUSE, CAUTION)
    for dense_weight in (0.0, 1.0):
        assert decide(answerability(replace(NOTHING, dense_weight=dense_weight)), defaults) == "refused"
        assert decide(answerability(replace(EVERYTHING, dense_weight=dense_weight)), defaults) == "sure"


@pytest.mark.parametrize(("value", "expected"), [(0.39, "refused"), (0.4, "caution"), (0.69, "caution"), (0.7, "sure")])
def test_between_the_thresholds_is_caution(value: float, expected: str) -> None:
    """Each threshold belongs to what lies above it."""
    assert decide(value, Thresholds(0.4, 0.7)) == expected
