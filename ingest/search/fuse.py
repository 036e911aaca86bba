"""Fuse two rankings: a weighted sum of standardised cosines and BM25.

The search has two legs. The dense one (vectors) gives cosines on the embedder's own scale, 0 for unrelated texts and 1
for a passage that answers a reference question (`EmbedderProfile`). The lexical one gives BM25 divided by the highest
score that any passage could have for the question. Both are then absolute, so a leg that found nothing good adds
little, which ranks cannot express (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", ACM
TOIS 2023, on normalising by the theoretical minimum and maximum). Preferences for some passages are steps on the same
scale: a factor on a score would move a passage far with a model whose cosines are all high, and hardly with another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ingest.passages.embedders.profile import Scale

Share = TypeVar("Share", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class FusionWeights:
    """Every fitted number of the fusion, on the embedder's scale; the defaults are those that Docent searches with.

    `lexical`: weight of a full BM25 match; a passage that has the share s of it gets `lexical` × s^`lexical_power`.
    With a power above 1 a few shared words count little, so a passage in the language of the question does not beat
    one in the other language that answers it. The search for the highest mean nDCG@10 ends at 1.0, for the sake of the
    107 questions of 18F's handbook (.597 instead of .58); 2.0 is better by .002 to .005 on the larger sets in Chinese
    and with tables.
    `older_version`: step for a passage of an older version when the question does not ask for that version, or of any
    version when it names another year. Enough to order two passages of nearly the same words, too little to hide the
    only passage that answers.
    `yes_or_no`: step for a passage that opens with 'Yes' or 'No' when that is what was asked.
    """

    lexical: float = 2.0
    lexical_power: float = 1.25
    older_version: float = -0.6
    yes_or_no: float = 0.6

    def lexical_part(self, share: Share) -> Share:
        """What a passage gets for this share, 0 to 1, of the best possible BM25; also for an array of shares."""
        part: Share = self.lexical * share**self.lexical_power
        return part

    def steps(self, older_version: bool, yes_or_no: bool) -> dict[str, float]:
        """The steps that apply to a passage, by the name of their weight."""
        steps = {}
        if older_version:
            steps["older_version"] = self.older_version
        if yes_or_no:
            steps["yes_or_no"] = self.yes_or_no
        return steps


FUSION = FusionWeights()


@dataclass(frozen=True)
class Cosines:
    """Cosines, -1 to 1, of the question and a passage: all of it, and its best sentence or row."""

    passage: float
    best_sentence: float

    @property
    def mean(self) -> float:
        """The mean of both."""
        return (self.passage + self.best_sentence) / 2


# Of a passage that was not compared by its vector.
NOT_COMPARED = Cosines(0.0, 0.0)


@dataclass(frozen=True)
class FusedScore:
    """A passage's score and its parts; `lexical` is its share, 0 to 1, of the best possible BM25.

    `similarity` is the standardised mean of the cosines, 0 for a passage that was not compared by its vector. `score`
    is dense weight × `similarity` + lexical weight × `lexical`^power + the sum of `steps`.
    """

    score: float
    cosines: Cosines
    similarity: float
    lexical: float
    steps: Mapping[str, float] = field(default_factory=dict)


def fuse(
    cosines: Mapping[int, Cosines],
    bm25: Mapping[int, float],
    bm25_bound: float,
    dense_weight: float,
    scale: Scale,
    weights: FusionWeights = FUSION,
) -> list[tuple[int, FusedScore]]:
    """(passage id, score without steps) of the passages of either leg, best first, equal scores by ascending id.

    A passage missing from a leg has 0 there. `bm25_bound` is the BM25 that no passage can exceed for the question.
    """
    fused = []
    for passage_id in {*cosines, *bm25}:
        passage_cosines = cosines.get(passage_id, NOT_COMPARED)
        similarity = scale.standardised(passage_cosines.mean) if passage_id in cosines else 0.0
        lexical = bm25.get(passage_id, 0.0) / bm25_bound if bm25_bound > 0 else 0.0
        score = dense_weight * similarity + weights.lexical_part(lexical)
        fused.append((passage_id, FusedScore(score, passage_cosines, similarity, lexical)))
    return sorted(fused, key=lambda item: (-item[1].score, item[0]))


def with_steps(parts: FusedScore, steps: Mapping[str, float]) -> FusedScore:
    """The score with all `steps` added, and recording them."""
    return replace(parts, score=parts.score + sum(steps.values()), steps=steps)
