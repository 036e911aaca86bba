"""Why a question would be answered or refused, in numbers. Knows nothing of engines, nor how it is told.

What each part of the confidence is worth is found by leaving it out, so that this holds for any formula.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from assistant.events import EvidenceSentence
from assistant.refuse.answerability import confidence
from assistant.refuse.thresholds import KeptThresholds
from assistant.retrieve.find import find, pick
from ingest.library import Library

ANSWER, REFUSE = "answer", "refuse"


@dataclass(frozen=True)
class AnswerabilityPart:
    """A part of the confidence, a field of `Strength` by its name; `without` it, if it were 0, that is the number."""

    name: str
    value: float
    without: float


@dataclass(frozen=True)
class AnswerabilityExplanation:
    """What the assistant would do with a question: `decision` is 'answer' or 'refuse'.

    From `threshold` on it answers, from `caution` on without a warning.
    `trust` (0 to 1) is how far meaning counts; `nearest` names the documents it would show, best first.
    """

    confidence: float
    threshold: float
    caution: float
    decision: str
    trust: float
    parts: tuple[AnswerabilityPart, ...]
    evidence: tuple[EvidenceSentence, ...]
    nearest: tuple[str, ...]


def weigh(library: Library, question: str, count: int) -> AnswerabilityExplanation:
    """What `count` passages make of the question, taken apart. Raises DocentError while there is no library."""
    thresholds = KeptThresholds(library.home).now
    found = find(library, question, (), count, thresholds)
    strength = pick(library, question, count).strength
    parts = tuple(
        AnswerabilityPart(name, round(value, 4), round(confidence(replace(strength, **{name: 0.0})), 4))
        for name, value in asdict(strength).items()
        if name != "trust"
    )
    return AnswerabilityExplanation(
        confidence=found.confidence, threshold=thresholds.refuse, caution=thresholds.caution,
        decision=REFUSE if found.abstained else ANSWER, trust=strength.trust, parts=parts, evidence=found.sentences,
        nearest=tuple(dict.fromkeys(source.path for source in found.sources)),
    )  # fmt: skip
