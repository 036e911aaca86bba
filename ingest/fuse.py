"""Two rankings into one score. Pure arithmetic: knows nothing of indexes or passages.

The dense leg gives a cosine, the lexical leg BM25 divided by the highest score any passage could have for that
question. Both are then absolute, so a leg that found nothing good adds little, which ranks or z-scores cannot
express (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023, call this
theoretical-minimum-maximum normalisation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Weight of a full lexical match against a cosine of 1. Of 0.2 … 1.5, measured on XQuAD English (.988 nDCG@10 at
# 0.4, .986 and .969 for the legs alone) and on the headings of 18F's handbook (.596; legs .412 and .575).
LEXICAL_WEIGHT = 0.4
# A question of which the embedder cannot read this share of tokens gets no dense leg at all. all-MiniLM-L6-v2
# cannot read .64 to .68 of Chinese questions and 0 of English ones (XQuAD, CMRC).
UNREADABLE_SHARE = 0.25


@dataclass(frozen=True)
class FusedScore:
    """A passage's score and what it is made of. `dense` is a cosine, `lexical` a share of the best possible BM25."""

    score: float
    dense: float
    lexical: float


def dense_trust(unknown_share: float) -> float:
    """0 to 1: how far to believe the embedder about a question it cannot read `unknown_share` of."""
    return max(0.0, 1.0 - unknown_share / UNREADABLE_SHARE)


def fuse(
    cosines: Mapping[int, float], bm25: Mapping[int, float], bm25_bound: float, trust: float
) -> list[tuple[int, FusedScore]]:
    """Passages found by either leg, best first; equal scores keep the older passage first.

    A passage missing from a leg has 0 there. The score is `trust * cosine + LEXICAL_WEIGHT * bm25 / bm25_bound`.
    """
    fused = []
    for passage_id in {*cosines, *bm25}:
        dense = cosines.get(passage_id, 0.0)
        lexical = bm25.get(passage_id, 0.0) / bm25_bound if bm25_bound > 0 else 0.0
        fused.append((passage_id, FusedScore(trust * dense + LEXICAL_WEIGHT * lexical, dense, lexical)))
    return sorted(fused, key=lambda item: (-item[1].score, item[0]))
