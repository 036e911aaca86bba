"""One number per question: can the library answer this? And what follows from it. Knows nothing of how it was found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from assistant.retrieve.coverage import Coverage

# Logistic regression over the features of `_features`, in their order, fitted on 1,227 questions marked answerable
# or not: near-miss-en, near-miss-zh (XQuAD paragraphs, half of them taken away), off-topic-en (18F's handbook and
# strangers' questions) and data/eval, each set weighing the same; shares and cosines may only speak for an answer.
# Separating the two kinds it reaches an area under the ROC curve of .974, .960, .999 and .828; fitted without the set
# it is tried on, .972, .960, .998 and .812. On CMRC with half of its documents taken away, which it never saw, .981.
WEIGHTS = (4.54, 0.46, 2.25, 7.40, 8.29, 1.34, -3.36, -1.54)
INTERCEPT = -4.30
# Changes whenever a confidence means something else than before, so that thresholds fitted earlier are not used.
VERSION = 2

# Where a library has not been fitted to. At 0.4 .83, .80, .99 and .51 of what cannot be answered is refused, with .04,
# .07, .04 and .10 of what can; at 0.7 .93, .95, 1.00 and .69, with .09, .17, .09 and .22.
REFUSE = 0.4
CAUTION = 0.7

Decision = Literal["refused", "caution", "sure"]


@dataclass(frozen=True)
class Thresholds:
    """Below `refuse` a question is not answered, below `caution` it is answered with a warning."""

    refuse: float
    caution: float


def confidence(strength: Coverage) -> float:
    """0 to 1, higher when the question's words and its meaning are found together in one place."""
    z = INTERCEPT + sum(weight * value for weight, value in zip(WEIGHTS, _features(strength), strict=True))
    return 1.0 / (1.0 + math.exp(-z))


def decide(sure: float, thresholds: Thresholds) -> Decision:
    """What to do with a question of that confidence."""
    if sure < thresholds.refuse:
        return "refused"
    return "caution" if sure < thresholds.caution else "sure"


def _features(strength: Coverage) -> tuple[float, ...]:
    """Words weigh less where the embedder speaks too: Chinese questions of all-MiniLM-L6-v2 have nothing else."""
    return (
        strength.document_cover,
        strength.passage_cover,
        strength.sentence_cover,
        (1 - strength.trust) * strength.document_cover,
        strength.trust * strength.sentence_cosine,
        strength.trust * strength.passage_cosine,
        strength.trust,
        strength.lacks_name,
    )
