"""Evaluations as JSON, and compared with an earlier run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.measure.evaluate import Evaluation
from assistant.measure.evaluate_report import as_json, read_earlier, report
from ingest.base.errors import SettingsError


def evaluation(hits: list[int], name: str = "set") -> Evaluation:
    questions: list[dict[str, Any]] = [
        {"_id": f"{number}", "hit@5": hit, "ms": 5.0, "confidence": 0.5, "refused": False}
        for number, hit in enumerate(hits)
    ]
    return Evaluation(name, 3, 7, 1.5, questions)


def test_one_set_is_an_object_as_it_always_was_and_its_intervals() -> None:
    """Facts and metrics by name at the top, intervals beside them; scores per question only on request."""
    printed = as_json([report(evaluation([1, 1, 0, 1]))])
    assert list(printed) == [
        "set", "documents", "passages", "queries", "ingest_seconds", "hit@5", "p50_ms", "p95_ms", "intervals",
    ]  # fmt: skip
    assert (printed["set"], printed["documents"], printed["passages"], printed["queries"]) == ("set", 3, 7, 4)
    assert (printed["hit@5"], printed["intervals"]["p50_ms"]) == (0.75, (5.0, 5.0))
    assert as_json([report(evaluation([1]))], per_question=True)["per_question"] == evaluation([1]).questions


def test_several_sets_are_a_list_of_them() -> None:
    """Several sets are a list, in the order in which they were measured."""
    printed = as_json([report(evaluation([1], "b")), report(evaluation([0], "a"))])
    assert [(evaluated["set"], evaluated["hit@5"]) for evaluated in printed] == [("b", 1.0), ("a", 0.0)]


@pytest.mark.parametrize("names", [["set"], ["set", "other"]])
def test_a_saved_run_can_be_compared_with(tmp_path: Path, names: list[str]) -> None:
    """One set or several: differences are paired by question, and marked when they are beyond chance."""
    file = tmp_path / "before.json"
    before = [report(evaluation([0] * 10 + [1] * 10, name)) for name in names]
    file.write_text(json.dumps(as_json(before, per_question=True)), "utf-8")
    earlier = read_earlier(file)
    assert list(earlier) == names
    compared = report(evaluation([1] * 20), earlier).as_json()["comparison"]
    assert compared["common_questions"] == 20
    hit = compared["metrics"]["hit@5"]
    assert (hit["before"], hit["difference"], hit["significant"]) == (0.5, 0.5, True)
    assert 0.25 <= hit["interval"][0] < 0.5 < hit["interval"][1] <= 0.75


def test_without_values_per_question_a_difference_has_no_interval(tmp_path: Path) -> None:
    """Without scores per question there are differences, but not whether they are significant."""
    file = tmp_path / "before.json"
    file.write_text(json.dumps(as_json([report(evaluation([0, 1]))])), "utf-8")
    compared = report(evaluation([1, 1]), read_earlier(file)).as_json()["comparison"]
    assert compared["common_questions"] is None
    assert compared["metrics"]["hit@5"] == {
        "before": 0.5, "difference": 0.5, "interval": None, "significant": None,
    }  # fmt: skip


def test_metrics_of_follow_up_questions_have_no_interval() -> None:
    """Under their own names, and with their difference where the earlier run had them."""
    now = Evaluation("set", 3, 7, 1.5, evaluation([1]).questions, {"followups": 60, "followup_ndcg@10": 0.75})
    before = {"set": {"set": "set", "followup_ndcg@10": 0.5, "per_question": now.questions}}
    printed = report(now, before).as_json()
    assert (printed["followups"], printed["followup_ndcg@10"]) == (60, 0.75)
    assert "followup_ndcg@10" not in printed["intervals"]
    assert printed["comparison"]["metrics"]["followup_ndcg@10"] == {
        "before": 0.5, "difference": 0.25, "interval": None, "significant": None,
    }  # fmt: skip
    assert printed["comparison"]["metrics"]["hit@5"]["interval"] == (0.0, 0.0)


def test_a_set_that_is_new_has_no_comparison() -> None:
    """Nothing is compared with a set of another name."""
    assert "comparison" not in report(evaluation([1]), {"other": {"set": "other", "hit@5": 0.0}}).as_json()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[1]", "is not what `docent eval --json` prints"),
        ('{"hit@5": 1}', "is not what"),
        ('{"set": "a", "hit@5": "high"}', "is not what"),
        ('{"set": "a", "per_question": [{"_id": "1"}]}', "is not what"),
    ],
)
def test_another_file_is_named_in_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    """A file that is no earlier run is an error before any work, with its name and what to do."""
    file = tmp_path / "before.json"
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(SettingsError) as wrong:
        read_earlier(file)
    assert message in str(wrong.value)
    assert str(file) in str(wrong.value)
    assert str(wrong.value).endswith("name a file saved by `docent eval`.")
