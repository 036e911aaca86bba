"""Fusion: every number against one computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingest.passages.embedders.profile import Scale
from ingest.search.fuse import FUSION, NOT_COMPARED, Cosines, FusedScore, FusionWeights, fuse, with_steps

# Unrelated texts have a cosine of .7, related ones .8: .85 is 1.5 on this scale.
SCALE = Scale(0.7, 0.8)
WEIGHTS = FusionWeights(lexical=2.0, lexical_power=2.0, older_version=-0.5, yes_or_no=0.25)


def same(cosine: float) -> Cosines:
    return Cosines(cosine, cosine)


def test_values_and_order() -> None:
    """score = dense weight * similarity + lexical * (bm25 / bound)^power, with 0 for the leg that did not find it."""
    near = {1: Cosines(0.7, 0.9), 2: same(0.9), 3: same(0.69)}
    ranked = fuse(near, {1: 6.0, 4: 9.0, 3: 3.0}, 12.0, dense_weight=0.5, scale=SCALE, weights=WEIGHTS)
    assert [passage for passage, _ in ranked] == [4, 1, 2, 3]
    by_hand = {4: (1.125, 0.0, 0.75), 1: (1.0, 1.0, 0.5), 2: (1.0, 2.0, 0.0), 3: (0.075, -0.1, 0.25)}
    for passage, fused in ranked:
        assert (fused.score, fused.similarity, fused.lexical) == pytest.approx(by_hand[passage])


def test_equal_scores_keep_the_older_passage_first() -> None:
    """The order never depends on chance."""
    near = {9: same(0.8), 3: same(0.8), 7: same(0.8)}
    assert [passage for passage, _ in fuse(near, {}, 1.0, 1.0, SCALE)] == [3, 7, 9]


def test_a_leg_that_is_not_trusted() -> None:
    """With a dense weight of 0 the order is BM25's alone; the cosines stay visible."""
    ranked = fuse({1: same(0.9)}, {1: 1.0, 2: 2.0}, 4.0, dense_weight=0.0, scale=SCALE, weights=WEIGHTS)
    assert [passage for passage, _ in ranked] == [2, 1]
    assert ranked[0][1] == FusedScore(0.5, NOT_COMPARED, 0.0, 0.5)
    assert (ranked[1][1].score, ranked[1][1].cosines) == (0.125, same(0.9))


def test_no_words_to_match() -> None:
    """A question without terms has bound 0, and then the similarity decides alone."""
    [(passage, fused)] = fuse({1: same(0.85)}, {}, bm25_bound=0.0, dense_weight=1.0, scale=SCALE)
    assert (passage, fused.score, fused.lexical) == (1, pytest.approx(1.5), 0.0)
    assert fuse({}, {}, bm25_bound=0.0, dense_weight=1.0, scale=SCALE) == []


def test_the_scale_of_the_cosines_does_not_matter() -> None:
    """Two embedders whose cosines differ by a linear map rank alike, with the same scores."""
    bm25 = {1: 1.0, 2: 3.0, 3: 2.0}
    wide, narrow = {1: same(0.5), 2: same(0.2), 3: same(0.3)}, {1: same(0.85), 2: same(0.82), 3: same(0.83)}
    first = fuse(wide, bm25, 4.0, 1.0, Scale(0.1, 0.4))
    second = fuse(narrow, bm25, 4.0, 1.0, Scale(0.81, 0.84))
    assert [passage for passage, _ in first] == [passage for passage, _ in second]
    assert [fused.score for _, fused in first] == pytest.approx([fused.score for _, fused in second])


def test_steps() -> None:
    """Steps are added and named; without any, nothing changes."""
    [(_, fused)] = fuse({1: same(0.8)}, {}, 0.0, 1.0, SCALE, WEIGHTS)
    parts = with_steps(fused, WEIGHTS.steps(older_version=True, yes_or_no=True))
    assert parts == replace(fused, score=pytest.approx(0.75), steps={"older_version": -0.5, "yes_or_no": 0.25})
    assert with_steps(fused, {}) == fused
    assert FUSION.steps(older_version=False, yes_or_no=False) == {}


def test_the_part_of_words_for_many_shares_at_once() -> None:
    """An array of shares gives what each share gives."""
    shares = np.array([0.0, 0.5, 1.0])
    assert WEIGHTS.lexical_part(shares).tolist() == [WEIGHTS.lexical_part(share) for share in (0.0, 0.5, 1.0)]
