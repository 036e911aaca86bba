from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from assistant.confidence import THRESHOLD, confidence
from assistant.evidence import Strength

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
NOTHING = Strength(sentence_cover=0.0, passage_cover=0.0, sentence_cosine=0.0, passage_cosine=0.0, trust=1.0)
EVERYTHING = Strength(sentence_cover=1.0, passage_cover=1.0, sentence_cosine=1.0, passage_cosine=1.0, trust=1.0)


@pytest.mark.parametrize("trust", [0.0, 0.5, 1.0])
def test_it_is_a_share(trust: float) -> None:
    """Never below 0 nor above 1, whatever was found; cosines may be negative."""
    for cover, cosine in itertools.product(STEPS, (-1.0, *STEPS)):
        assert 0.0 < confidence(Strength(cover, cover, cosine, cosine, trust)) < 1.0


@pytest.mark.parametrize("feature", ["sentence_cover", "passage_cover", "sentence_cosine", "passage_cosine"])
def test_more_of_a_feature_is_never_less_sure(feature: str) -> None:
    """Each share and each cosine, raised alone, raises the number, from nothing as from everything."""
    for base in (NOTHING, EVERYTHING):
        steps = [confidence(replace(base, **{feature: value})) for value in STEPS]
        assert steps == sorted(steps)
        assert steps[0] < steps[-1]


def test_cosines_of_an_embedder_that_cannot_read_the_question_say_nothing() -> None:
    """With no trust the words alone decide."""
    words_only = replace(EVERYTHING, trust=0.0)
    assert confidence(words_only) == confidence(replace(words_only, sentence_cosine=0.0, passage_cosine=0.0))


def test_the_threshold_parts_nothing_from_everything() -> None:
    """A question without a shared word or meaning is refused, one found word for word is not, in either script."""
    assert confidence(NOTHING) < THRESHOLD < confidence(EVERYTHING)
    assert confidence(replace(NOTHING, trust=0.0)) < THRESHOLD < confidence(replace(EVERYTHING, trust=0.0))
