"""Fusion: every number against one computed by hand."""

from __future__ import annotations

import pytest

from ingest.fuse import LEXICAL_WEIGHT, UNREADABLE_SHARE, FusedScore, dense_trust, fuse


def test_values_and_order() -> None:
    """score = trust * cosine + 0.4 * bm25 / bound, best first, with 0 for the leg that did not find the passage."""
    assert LEXICAL_WEIGHT == 0.4
    ranked = fuse({1: 0.5, 2: 0.8, 3: -0.2}, {1: 6.0, 4: 9.0}, bm25_bound=12.0, trust=0.5)
    assert [passage for passage, _ in ranked] == [1, 2, 4, 3]
    by_hand = {1: (0.45, 0.5, 0.5), 2: (0.4, 0.8, 0.0), 4: (0.3, 0.0, 0.75), 3: (-0.1, -0.2, 0.0)}
    for passage, fused in ranked:
        assert (fused.score, fused.dense, fused.lexical) == pytest.approx(by_hand[passage])


def test_equal_scores_keep_the_older_passage_first() -> None:
    """The order never depends on chance."""
    assert [passage for passage, _ in fuse({9: 0.5, 3: 0.5, 7: 0.5}, {}, 1.0, 1.0)] == [3, 7, 9]


def test_a_leg_that_is_not_trusted() -> None:
    """With no trust in the embedder the order is BM25's alone; the cosine stays visible."""
    ranked = fuse({1: 0.9, 2: 0.1}, {1: 1.0, 2: 2.0}, bm25_bound=4.0, trust=0.0)
    assert ranked == [(2, FusedScore(0.2, 0.1, 0.5)), (1, FusedScore(0.1, 0.9, 0.25))]


def test_no_words_to_match() -> None:
    """A question without terms has bound 0, and then the cosine decides alone."""
    assert fuse({1: 0.3}, {}, bm25_bound=0.0, trust=1.0) == [(1, FusedScore(0.3, 0.3, 0.0))]
    assert fuse({}, {}, bm25_bound=0.0, trust=1.0) == []


@pytest.mark.parametrize(("unknown", "trust"), [(0.0, 1.0), (0.05, 0.8), (0.125, 0.5), (0.25, 0.0), (0.66, 0.0)])
def test_trust(unknown: float, trust: float) -> None:
    """Trust falls in a straight line from 1 to 0 at the unreadable share, and stays there."""
    assert UNREADABLE_SHARE == 0.25
    assert dense_trust(unknown) == pytest.approx(trust)
