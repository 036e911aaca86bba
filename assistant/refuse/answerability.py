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

    `document_cover_unread` gives words more weight where the embedder cannot read the question, as all-MiniLM-L6-v2
    cannot read Chinese: such a question is judged by its words alone. Where the best passage is in another language
    than the question, words say little: there the last two inputs take the place of all others.
    """

    document_cover: float
    passage_cover: float
    sentence_cover: float
    document_cover_unread: float  # document_cover × (1 - dense_weight): words where the embedder cannot read
    sentence_similarity: float  # × dense_weight
    passage_similarity: float  # × dense_weight
    dense_weight: float
    lacks_name: float
    similarity_across: float  # sentence_similarity × dense_weight across languages
    across: float  # 1 across languages


# Logistic regression fitted on questions marked answerable or not: near-miss-en, near-miss-zh (XQuAD paragraphs, half
# of them taken away), each of the two also with the questions of the other language, off-topic-en (18F's handbook and
# questions from elsewhere) and data/eval, each set with the same total weight. Weights of covers and similarities were
# not allowed below 0. `assistant.measure.fit` fits them again. Area under the ROC curve on these sets: .977, .970, .840
# and .804 across languages, 1.000 and .856.
WEIGHTS = AnswerabilityFeatures(
    document_cover=2.68, passage_cover=2.31, sentence_cover=2.1, document_cover_unread=3.6, sentence_similarity=2.97,
    passage_similarity=1.04, dense_weight=-4.14, lacks_name=-2.08, similarity_across=1.66, across=2.16,
)  # fmt: skip
INTERCEPT = -3.47
# Increased whenever the same number means something else than before, so that thresholds fitted earlier are not used.
VERSION = 3

# The default thresholds, used until they are fitted to the library. On the sets above, .86, .92, .82, .03, .99 and .29
# of the questions that cannot be answered are below 0.4, and .03, .09, .38, .00, .00 and .02 of those that can; below
# 0.8 are .95, .99, 1.00, 1.00, 1.00 and .77, and .11, .29, 1.00, .72, .05 and .17. Across languages nearly every answer
# carries a caution.
REFUSE = 0.4
CAUTION = 0.8


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
    within = 1.0 - coverage.across
    return AnswerabilityFeatures(
        document_cover=within * coverage.document_cover,
        passage_cover=within * coverage.passage_cover,
        sentence_cover=within * coverage.sentence_cover,
        document_cover_unread=within * (1 - coverage.dense_weight) * coverage.document_cover,
        sentence_similarity=within * coverage.dense_weight * coverage.sentence_similarity,
        passage_similarity=within * coverage.dense_weight * coverage.passage_similarity,
        dense_weight=within * coverage.dense_weight,
        lacks_name=within * coverage.lacks_name,
        similarity_across=coverage.across * coverage.dense_weight * coverage.sentence_similarity,
        across=coverage.across,
    )
