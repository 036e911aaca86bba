"""Fusion: every number against one computed by hand."""

from __future__ import annotations

import pytest

from ingest.search.fuse import LEXICAL_WEIGHT, NOT_NEAR, Cosines, FusedScore, fuse


def same(cosine: float) -> Cosines:
    return Cosines(cosine, cosine, cosine)


def test_values_and_order() -> None:
    """score = trust * mean cosine + 0.25 * bm25 / bound, best first, with 0 for the leg that did not find it."""
    assert LEXICAL_WEIGHT == 0.25
    near = {1: Cosines(0.3, 0.8, 0.4), 2: same(0.8), 3: same(-0.2)}
    ranked = fuse(near, {1: 6.0, 4: 9.0}, bm25_bound=12.0, trust=0.5)
    assert [passage for passage, _ in ranked] == [2, 1, 4, 3]
    by_hand = {1: (0.375, 0.5, 0.5), 2: (0.4, 0.8, 0.0), 4: (0.1875, 0.0, 0.75), 3: (-0.1, -0.2, 0.0)}
    for passage, fused in ranked:
        assert (fused.score, fused.cosines.mean, fused.lexical) == pytest.approx(by_hand[passage])


def test_equal_scores_keep_the_older_passage_first() -> None:
    """The order never depends on chance."""
    assert [passage for passage, _ in fuse({9: same(0.5), 3: same(0.5), 7: same(0.5)}, {}, 1.0, 1.0)] == [3, 7, 9]


def test_a_leg_that_is_not_trusted() -> None:
    """With no trust in the embedder the order is BM25's alone; the cosines stay visible."""
    ranked = fuse({1: same(0.9)}, {1: 1.0, 2: 2.0}, bm25_bound=4.0, trust=0.0)
    assert ranked == [(2, FusedScore(0.125, NOT_NEAR, 0.5)), (1, FusedScore(0.0625, same(0.9), 0.25))]


def test_no_words_to_match() -> None:
    """A question without terms has bound 0, and then the cosine decides alone."""
    [(passage, fused)] = fuse({1: same(0.3)}, {}, bm25_bound=0.0, trust=1.0)
    assert (passage, fused.score, fused.lexical) == (1, pytest.approx(0.3), 0.0)
    assert fuse({}, {}, bm25_bound=0.0, trust=1.0) == []
