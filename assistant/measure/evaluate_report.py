"""Evaluations as programs read them, written and read back for comparison. Knows nothing of how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.measure.evaluate import Evaluation
from assistant.measure.metrics import METRICS, PLACES, Difference, Measured, compare, measure
from ingest.base.errors import SettingsError

PER_QUESTION = "per_question"


@dataclass(frozen=True)
class SetReport:
    """One set's figures; against an earlier run the differences too, over the `common` questions.

    `common` is None when the earlier run has no values per question: then there are no intervals either. Figures of
    follow-up questions never have one: they are few.
    """

    evaluation: Evaluation
    measured: dict[str, Measured]
    differences: dict[str, Difference] | None = None
    common: int | None = None

    def as_json(self, per_question: bool = False) -> dict[str, Any]:
        """What the README promises; `comparison` only when there was an earlier run that had this set."""
        evaluation = self.evaluation
        told: dict[str, Any] = {
            "set": evaluation.set, "documents": evaluation.documents, "passages": evaluation.passages,
            "queries": len(evaluation.questions), "ingest_seconds": evaluation.ingest_seconds,
            **{name: measured.value for name, measured in self.measured.items()},
            "intervals": {name: one.interval for name, one in self.measured.items() if name in METRICS},
        }  # fmt: skip
        if self.differences is not None:
            told["comparison"] = {
                "common_questions": self.common,
                "metrics": {
                    name: {
                        "before": one.before, "difference": one.difference, "interval": one.interval,
                        "significant": one.significant,
                    }
                    for name, one in self.differences.items()
                },
            }  # fmt: skip
        return {**told, PER_QUESTION: evaluation.questions} if per_question else told


def report(evaluation: Evaluation, earlier: Mapping[str, dict[str, Any]] | None = None) -> SetReport:
    """The set's figures, against the set of the same name in `earlier` (see `read_earlier`) where there is one."""
    followups = {name: Measured(value, None) for name, value in evaluation.followups.items()}
    measured = {**measure(evaluation.questions), **followups}
    before = (earlier or {}).get(evaluation.set)
    if before is None:
        return SetReport(evaluation, measured)
    differences = {
        name: Difference(before[name], round(one.value - before[name], PLACES), None, None)
        for name, one in measured.items()
        if name in before
    }
    if PER_QUESTION not in before:
        return SetReport(evaluation, measured, differences)
    paired, common = compare(before[PER_QUESTION], evaluation.questions)
    unpaired = {name: one for name, one in differences.items() if name not in METRICS}
    return SetReport(evaluation, measured, {**paired, **unpaired}, common)


def as_json(reports: Sequence[SetReport], per_question: bool = False) -> Any:
    """One set as an object, several as a list of such objects."""
    told = [one.as_json(per_question) for one in reports]
    return told[0] if len(told) == 1 else told


def read_earlier(file: Path) -> dict[str, dict[str, Any]]:
    """Set name → what an earlier run printed or saved about it. Raises SettingsError when it is no such file."""
    try:
        told = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): name a file saved by `docent eval`.") from error
    except ValueError as error:
        raise SettingsError(f"{file} is not JSON ({error}): name a file saved by `docent eval`.") from error
    sets = told if isinstance(told, list) else [told]
    if not all(_is_report(one) for one in sets):
        raise SettingsError(f"{file} is not what `docent eval --json` prints: name a file saved by `docent eval`.")
    return {one["set"]: one for one in sets}


def _is_report(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("set"), str):
        return False
    questions = value.get(PER_QUESTION, [])
    return (
        isinstance(questions, list)
        and all(isinstance(one, dict) and {"_id", "ms", "confidence", "refused"} <= one.keys() for one in questions)
        and all(isinstance(value.get(name, 0.0), int | float) for name in METRICS)
    )
