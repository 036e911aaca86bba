"""Fuse two rankings: a weighted sum of cosines and BM25.

The search has two legs: the dense one (vectors) gives cosines, the lexical one BM25 divided by the highest score that
any passage could have for the question. Both are then absolute, so a leg that found nothing good adds little, which
ranks or z-scores cannot express (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM
TOIS 2023, call this theoretical-minimum-maximum normalisation).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from ingest.passages.embedders.embedder import UNREADABLE_SHARE


@dataclass(frozen=True)
class FusionWeights:
    """Every fitted number of the fusion; the defaults are those that Docent searches with.

    `lexical`: weight of a full BM25 match against a cosine of 1. Chosen among 0.2 to 0.45 by nDCG@10 on XQuAD English
    (.989; BM25 alone .986, embedding alone .972) and on the headings of 18F's handbook (.651; .396 and .567).
    `older_version`: factor on a passage of an older version when the question does not ask for that version. Enough
    to order two passages of nearly the same words, too little to hide the only passage that answers.
    `yes_or_no`: factor on a passage that opens with 'Yes' or 'No' when that is what was asked (18F's handbook:
    .623 → .651 nDCG@10).
    `unreadable_share`: from this share of unknown tokens in the question on, the dense leg has no weight.
    """

    lexical: float = 0.25
    older_version: float = 0.85
    yes_or_no: float = 1.3
    unreadable_share: float = UNREADABLE_SHARE

    def dense(self, unknown_share: float) -> float:
        """Weight of the dense leg, 0 to 1, for a question of which the embedder does not know this share of tokens."""
        return max(0.0, 1.0 - unknown_share / self.unreadable_share)

    def factors(self, older_version: bool, yes_or_no: bool) -> dict[str, float]:
        """The factors that apply to a passage, by the name of their weight."""
        factors = {}
        if older_version:
            factors["older_version"] = self.older_version
        if yes_or_no:
            factors["yes_or_no"] = self.yes_or_no
        return factors


FUSION = FusionWeights()


@dataclass(frozen=True)
class Cosines:
    """Cosines, -1 to 1, of the question and a passage: all of it, its best sentence or row, and its surroundings."""

    passage: float
    best_sentence: float
    surroundings: float

    @property
    def mean(self) -> float:
        """The mean of the three; of other weights tried (0.5 to 1.5 each) none was better on every set."""
        return fmean((self.passage, self.best_sentence, self.surroundings))


NOT_NEAR = Cosines(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class FusedScore:
    """A passage's score and its parts; `lexical` is its share, 0 to 1, of the best possible BM25.

    `score` is (dense weight × mean cosine + lexical weight × `lexical`) × the product of `factors`.
    """

    score: float
    cosines: Cosines
    lexical: float
    factors: Mapping[str, float] = field(default_factory=dict)


def fuse(
    cosines: Mapping[int, Cosines],
    bm25: Mapping[int, float],
    bm25_bound: float,
    dense_weight: float,
    weights: FusionWeights = FUSION,
) -> list[tuple[int, FusedScore]]:
    """(passage id, score without factors) of the passages of either leg, best first, equal scores by ascending id.

    A passage missing from a leg has 0 there. `bm25_bound` is the BM25 that no passage can exceed for the question.
    """
    fused = []
    for passage_id in {*cosines, *bm25}:
        passage_cosines = cosines.get(passage_id, NOT_NEAR)
        lexical = bm25.get(passage_id, 0.0) / bm25_bound if bm25_bound > 0 else 0.0
        score = dense_weight * passage_cosines.mean + weights.lexical * lexical
        fused.append((passage_id, FusedScore(score, passage_cosines, lexical)))
    return sorted(fused, key=lambda item: (-item[1].score, item[0]))


def with_factors(parts: FusedScore, factors: Mapping[str, float]) -> FusedScore:
    """The score multiplied by all `factors`, and recording them."""
    return FusedScore(parts.score * math.prod(factors.values()), parts.cosines, parts.lexical, factors)
