"""One number per question: can the library answer this? Knows nothing of how evidence was found."""

from __future__ import annotations

import math

from assistant.evidence import Strength

# Logistic regression over the features of `_features`, in their order, fitted on 1,227 questions marked answerable
# or not: near-miss-en, near-miss-zh (XQuAD paragraphs, half of them taken away), off-topic-en (18F's handbook and
# strangers' questions) and data/eval, each set weighing the same. Separating the two kinds it reaches an area under
# the ROC curve of .97, .96, 1.00 and .75.
WEIGHTS = (7.91, 2.95, 5.91, 2.57, -5.84)
INTERCEPT = -2.97
# At 0.3 it refuses .80, .54, .99 and .37 of what cannot be answered, with .03, .02, .01 and .07 of what can.
THRESHOLD = 0.3


def confidence(strength: Strength) -> float:
    """0 to 1, higher when the question's words and its meaning are found together in one place."""
    z = INTERCEPT + sum(weight * value for weight, value in zip(WEIGHTS, _features(strength), strict=True))
    return 1.0 / (1.0 + math.exp(-z))


def _features(strength: Strength) -> tuple[float, ...]:
    return (
        strength.passage_cover,
        strength.sentence_cover,
        strength.trust * strength.sentence_cosine,
        strength.trust * strength.passage_cosine,
        strength.trust,
    )
