"""Reports evaluations as JSON, and compares them with those that an earlier run saved."""

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
    """The metrics of one set, and their differences to an earlier run.

    `common` is how many questions both runs have. It is None when the earlier run has no scores per question; then the
    differences have no intervals. Metrics of follow-up questions never have intervals: these questions are few.
    """

    evaluation: Evaluation
    measured: dict[str, Measured]
    differences: dict[str, Difference] | None = None
    common: int | None = None

    def as_json(self, per_question: bool = False) -> dict[str, Any]:
        """The object that `docent eval --json` prints; with `comparison` if an earlier run has the same set."""
        evaluation = self.evaluation
        content: dict[str, Any] = {
            "set": evaluation.set, "documents": evaluation.documents, "passages": evaluation.passages,
            "queries": len(evaluation.questions), "ingest_seconds": evaluation.ingest_seconds,
            **{name: measured.value for name, measured in self.measured.items()},
            "intervals": {name: metric.interval for name, metric in self.measured.items() if name in METRICS},
        }  # fmt: skip
        if self.differences is not None:
            content["comparison"] = {
                "common_questions": self.common,
                "metrics": {
                    name: {
                        "before": difference.before, "difference": difference.difference,
                        "interval": difference.interval, "significant": difference.significant,
                    }
                    for name, difference in self.differences.items()
                },
            }  # fmt: skip
        return {**content, PER_QUESTION: evaluation.questions} if per_question else content


def report(evaluation: Evaluation, earlier: Mapping[str, dict[str, Any]] | None = None) -> SetReport:
    """The metrics of a set, compared with the set of that name in `earlier` (see `read_earlier`) if there is one."""
    followups = {name: Measured(value, None) for name, value in evaluation.followups.items()}
    measured = {**measure(evaluation.questions), **followups}
    before = (earlier or {}).get(evaluation.set)
    if before is None:
        return SetReport(evaluation, measured)
    differences = {
        name: Difference(before[name], round(metric.value - before[name], PLACES), None, None)
        for name, metric in measured.items()
        if name in before
    }
    if PER_QUESTION not in before:
        return SetReport(evaluation, measured, differences)
    paired, common = compare(before[PER_QUESTION], evaluation.questions)
    unpaired = {name: difference for name, difference in differences.items() if name not in METRICS}
    return SetReport(evaluation, measured, {**paired, **unpaired}, common)


def as_json(reports: Sequence[SetReport], per_question: bool = False) -> Any:
    """One set as an object, several sets as a list of objects."""
    sets = [report.as_json(per_question) for report in reports]
    return sets[0] if len(sets) == 1 else sets


def read_earlier(file: Path) -> dict[str, dict[str, Any]]:
    """Set name → the JSON of an earlier run. Raises SettingsError when the file is not one of `docent eval`."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): name a file saved by `docent eval`.") from error
    except ValueError as error:
        raise SettingsError(f"{file} is not JSON ({error}): name a file saved by `docent eval`.") from error
    sets = content if isinstance(content, list) else [content]
    if not all(_is_report(one_set) for one_set in sets):
        raise SettingsError(f"{file} is not what `docent eval --json` prints: name a file saved by `docent eval`.")
    return {one_set["set"]: one_set for one_set in sets}


def _is_report(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("set"), str):
        return False
    questions = value.get(PER_QUESTION, [])
    return (
        isinstance(questions, list)
        and all(
            isinstance(question, dict) and {"_id", "ms", "confidence", "refused"} <= question.keys()
            for question in questions
        )
        and all(isinstance(value.get(name, 0.0), int | float) for name in METRICS)
    )
