"""Two rankings into one score. Pure arithmetic: knows nothing of indexes or passages.

The dense leg gives cosines, the lexical leg BM25 divided by the highest score any passage could have for that
question. Both are then absolute, so a leg that found nothing good adds little, which ranks or z-scores cannot
express (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM TOIS 2023, call this
theoretical-minimum-maximum normalisation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

# Weight of a full lexical match against a cosine of 1. Of 0.2 … 0.45, with three views in the dense leg, measured on
# XQuAD English (.989 nDCG@10; legs .986 and .972) and on the headings of 18F's handbook (.651; legs .396 and .567).
LEXICAL_WEIGHT = 0.25


@dataclass(frozen=True)
class Cosines:
    """How near a passage is to the question: it whole, its best statement, and with the passages around it."""

    whole: float
    statement: float
    surroundings: float

    @property
    def mean(self) -> float:
        """All three the same: of the weights tried (0.5 to 1.5 each) none was better on every set."""
        return fmean((self.whole, self.statement, self.surroundings))


NOT_NEAR = Cosines(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class FusedScore:
    """A passage's score and what it is made of; `lexical` is a share of the best possible BM25."""

    score: float
    cosines: Cosines
    lexical: float


def fuse(
    cosines: Mapping[int, Cosines], bm25: Mapping[int, float], bm25_bound: float, trust: float
) -> list[tuple[int, FusedScore]]:
    """Passages found by either leg, best first; equal scores keep the older passage first.

    A passage missing from a leg has 0 there. The score is `trust * mean cosine + LEXICAL_WEIGHT * bm25 / bm25_bound`.
    """
    fused = []
    for passage_id in {*cosines, *bm25}:
        dense = cosines.get(passage_id, NOT_NEAR)
        lexical = bm25.get(passage_id, 0.0) / bm25_bound if bm25_bound > 0 else 0.0
        fused.append((passage_id, FusedScore(trust * dense.mean + LEXICAL_WEIGHT * lexical, dense, lexical)))
    return sorted(fused, key=lambda item: (-item[1].score, item[0]))
