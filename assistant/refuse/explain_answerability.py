"""Explains in numbers why a question would be answered or refused.

What each part contributes is shown by computing the answerability without it, which is right for any formula.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from assistant.events import EvidenceSentence
from assistant.refuse.answerability import answerability
from assistant.refuse.assess import assess
from assistant.refuse.thresholds import CurrentThresholds
from assistant.retrieve.find import retrieve
from ingest.library import Library

ANSWER, REFUSE = "answer", "refuse"


@dataclass(frozen=True)
class AnswerabilityPart:
    """A field of `Coverage` by its name, its value, and what the answerability would be `without` it (with 0)."""

    name: str
    value: float
    without: float


@dataclass(frozen=True)
class AnswerabilityExplanation:
    """What the assistant would do with a question: `decision` is 'answer' or 'refuse'.

    It answers from a confidence of `threshold` on, and without a warning from `caution` on. `dense_weight` (0 to 1) is
    how much the embedder counts; `nearest` are the paths of the documents that it would name, best first.
    """

    confidence: float
    threshold: float
    caution: float
    decision: str
    dense_weight: float
    parts: tuple[AnswerabilityPart, ...]
    evidence: tuple[EvidenceSentence, ...]
    nearest: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that `docent search --explain --json` prints."""
        return asdict(self)


def explain_answerability(library: Library, question: str, count: int) -> AnswerabilityExplanation:
    """Explain the decision on a question, for which `count` passages are retrieved.

    Raises DocentError while there is no library.
    """
    thresholds = CurrentThresholds(library.home).now
    searched = question.strip()
    retrieved = retrieve(library, searched, count)
    evidence = assess(library, question, searched, retrieved, thresholds)
    coverage = retrieved.coverage
    parts = tuple(
        AnswerabilityPart(name, round(value, 4), round(answerability(replace(coverage, **{name: 0.0})), 4))
        for name, value in asdict(coverage).items()
        if name != "dense_weight"
    )
    return AnswerabilityExplanation(
        confidence=evidence.confidence, threshold=thresholds.refuse, caution=thresholds.caution,
        decision=REFUSE if evidence.abstained else ANSWER, dense_weight=coverage.dense_weight, parts=parts,
        evidence=evidence.sentences, nearest=tuple(dict.fromkeys(source.path for source in evidence.sources)),
    )  # fmt: skip
