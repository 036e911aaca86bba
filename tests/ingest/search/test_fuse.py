"""Fusion: every number against one computed by hand."""

from __future__ import annotations

import pytest

from ingest.search.fuse import FUSION, NOT_NEAR, Cosines, FusedScore, FusionWeights, fuse, with_factors


def same(cosine: float) -> Cosines:
    return Cosines(cosine, cosine, cosine)


def test_values_and_order() -> None:
    """score = dense_weight * mean cosine + 0.25 * bm25 / bound, best first, with 0 for the leg that did not find it."""
    assert FUSION.lexical == 0.25
    near = {1: Cosines(0.3, 0.8, 0.4), 2: same(0.8), 3: same(-0.2)}
    ranked = fuse(near, {1: 6.0, 4: 9.0}, bm25_bound=12.0, dense_weight=0.5)
    assert [passage for passage, _ in ranked] == [2, 1, 4, 3]
    by_hand = {1: (0.375, 0.5, 0.5), 2: (0.4, 0.8, 0.0), 4: (0.1875, 0.0, 0.75), 3: (-0.1, -0.2, 0.0)}
    for passage, fused in ranked:
        assert (fused.score, fused.cosines.mean, fused.lexical) == pytest.approx(by_hand[passage])


def test_equal_scores_keep_the_older_passage_first() -> None:
    """The order never depends on chance."""
    assert [passage for passage, _ in fuse({9: same(0.5), 3: same(0.5), 7: same(0.5)}, {}, 1.0, 1.0)] == [3, 7, 9]


def test_a_leg_that_is_not_trusted() -> None:
    """With a dense weight of 0 the order is BM25's alone; the cosines stay visible."""
    ranked = fuse({1: same(0.9)}, {1: 1.0, 2: 2.0}, bm25_bound=4.0, dense_weight=0.0)
    assert ranked == [(2, FusedScore(0.125, NOT_NEAR, 0.5)), (1, FusedScore(0.0625, same(0.9), 0.25))]


def test_no_words_to_match() -> None:
    """A question without terms has bound 0, and then the cosine decides alone."""
    [(passage, fused)] = fuse({1: same(0.3)}, {}, bm25_bound=0.0, dense_weight=1.0)
    assert (passage, fused.score, fused.lexical) == (1, pytest.approx(0.3), 0.0)
    assert fuse({}, {}, bm25_bound=0.0, dense_weight=1.0) == []


@pytest.mark.parametrize(("unknown", "weight"), [(0.0, 1.0), (0.05, 0.8), (0.125, 0.5), (0.25, 0.0), (0.66, 0.0)])
def test_dense_weight(unknown: float, weight: float) -> None:
    """The dense weight falls in a straight line from 1 to 0 at the unreadable share, and stays there."""
    assert FUSION.unreadable_share == 0.25
    assert FUSION.dense(unknown) == pytest.approx(weight)


def test_factors_and_other_weights() -> None:
    """Factors multiply the score and are named; other weights give the score that their numbers say."""
    near, bm25 = {1: Cosines(0.3, 0.8, 0.4)}, {1: 6.0}
    for weights, score in (
        (FUSION, (0.8 * 0.5 + 0.25 * 0.5) * 0.85 * 1.3),
        (FusionWeights(0.4, 0.5, 2.0, 0.1), (0.5 * 0.5 + 0.4 * 0.5) * 0.5 * 2.0),
    ):
        [(_, fused)] = fuse(near, bm25, 12.0, weights.dense(0.05), weights)
        parts = with_factors(fused, weights.factors(older_version=True, yes_or_no=True))
        assert parts.score == pytest.approx(score)
        assert parts.factors == {"older_version": weights.older_version, "yes_or_no": weights.yes_or_no}
        assert (parts.cosines, parts.lexical) == (fused.cosines, fused.lexical)
        assert with_factors(fused, {}) == fused
