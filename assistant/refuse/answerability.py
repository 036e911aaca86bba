"""Answerability: the probability that the library can answer a question, and the decision that follows from it."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Literal

from assistant.retrieve.coverage import Coverage

Decision = Literal["refused", "caution", "sure"]


@dataclass(frozen=True)
class AnswerabilityFeatures:
    """The inputs of the logistic regression, covers 0 to 1; also its weights, one for each input.

    `document_cover_unread` gives words more weight where the embedder cannot read the question: all-MiniLM-L6-v2 reads
    no Chinese, so a Chinese question is judged by its words alone. Across languages words say little, so there the
    similarity has more weight (`similarity_across`).
    """

    document_cover: float
    passage_cover: float
    sentence_cover: float
    document_cover_unread: float  # document_cover × (1 - dense_weight): words where the embedder cannot read
    sentence_similarity: float  # × dense_weight
    passage_similarity: float  # × dense_weight
    dense_weight: float
    similarity_across: float  # sentence_similarity × across
    across: float
    lacks_name: float


# Logistic regression fitted on 1,227 questions marked answerable or not: near-miss-en, near-miss-zh (XQuAD paragraphs,
# half of them taken away), off-topic-en (18F's handbook and questions from elsewhere) and data/eval, each set with the
# same total weight. Weights of covers and cosines were not allowed below 0. `assistant.measure.fit` fits them again.
# Area under the ROC curve on these sets: .974, .960, .999 and .824; fitted again without the set that it is measured
# on: .971, .959, .998 and .808. On CMRC with half of its documents taken away, which is not in the fit: .981.
WEIGHTS = AnswerabilityFeatures(
    document_cover=4.54, passage_cover=0.46, sentence_cover=2.25, document_cover_unread=7.40, sentence_similarity=2.0,
    passage_similarity=0.5, dense_weight=-3.36, similarity_across=2.0, across=0.0, lacks_name=-1.54,
)  # fmt: skip
INTERCEPT = -4.30
# Increased whenever the same number means something else than before, so that thresholds fitted earlier are not used.
VERSION = 3

# The default thresholds, used until they are fitted to the library. On the four sets above, .83, .80, .99 and .51 of
# the questions that cannot be answered are below 0.4, and .04, .07, .04 and .10 of those that can; below 0.7 are .93,
# .95, 1.00 and .69, and .09, .17, .09 and .22.
REFUSE = 0.4
CAUTION = 0.7


@dataclass(frozen=True)
class Thresholds:
    """Below `refuse` a question is not answered, below `caution` it is answered with a warning."""

    refuse: float
    caution: float


def answerability(coverage: Coverage) -> float:
    """The probability (0 to 1) that a question with this coverage can be answered; shown as `confidence`."""
    features = answerability_features(coverage)
    z = INTERCEPT + sum(weight * value for weight, value in zip(astuple(WEIGHTS), astuple(features), strict=True))
    return 1.0 / (1.0 + math.exp(-z))


def decide(probability: float, thresholds: Thresholds) -> Decision:
    """What to do with a question of this answerability: refuse it, answer it with a warning, or answer it."""
    if probability < thresholds.refuse:
        return "refused"
    return "caution" if probability < thresholds.caution else "sure"


def answerability_features(coverage: Coverage) -> AnswerabilityFeatures:
    """The inputs of the logistic regression for a question with this coverage."""
    return AnswerabilityFeatures(
        document_cover=coverage.document_cover,
        passage_cover=coverage.passage_cover,
        sentence_cover=coverage.sentence_cover,
        document_cover_unread=(1 - coverage.dense_weight) * coverage.document_cover,
        sentence_similarity=coverage.dense_weight * coverage.sentence_similarity,
        passage_similarity=coverage.dense_weight * coverage.passage_similarity,
        dense_weight=coverage.dense_weight,
        similarity_across=coverage.dense_weight * coverage.sentence_similarity * coverage.across,
        across=coverage.across,
        lacks_name=coverage.lacks_name,
    )
