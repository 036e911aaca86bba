"""Metrics agree with what is computed by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from assistant.measure.metrics import METRICS, compare, contains, measure, ndcg, recall, reciprocal_rank


def question(number: int, **scored: Any) -> dict[str, Any]:
    """What a question scored, with what every question has."""
    return {"_id": f"q{number}", "ms": 10.0, "confidence": 0.0, "refused": False, **scored}


def questions(name: str, values: list[Any], **others: list[Any]) -> list[dict[str, Any]]:
    """One question for each value, and further columns beside it."""
    columns = {name: values, **others}
    return [
        question(number, **{key: column[number] for key, column in columns.items()}) for number in range(len(values))
    ]


def test_ranking_metrics_are_as_computed_by_hand() -> None:
    """Gains count, and a relevant document that was not found costs its share."""
    assert ndcg("abc", {"a": 1}) == 1.0
    assert ndcg("bac", {"a": 2, "d": 1}) == pytest.approx((2 / math.log2(3)) / (2 + 1 / math.log2(3)))
    assert ndcg("uvwxyz", {"z": 1, "a": 1}) == pytest.approx((1 / math.log2(7)) / (1 + 1 / math.log2(3)))
    assert [reciprocal_rank(ranked, "z") for ranked in ("zab", "abz", "abcdefghijz")] == [1.0, 1 / 3, 0.0]
    assert [recall(ranked, {"a": 1, "z": 1}) for ranked in ("abc", "az", "x")] == [0.5, 1.0, 0.0]


def test_an_ideal_ranking_has_no_more_than_ten_places() -> None:
    """With twelve relevant documents ten of them at the top are perfect for nDCG, and 10 of 12 for recall."""
    relevant = dict.fromkeys("abcdefghijkl", 1)
    assert (ndcg("abcdefghij", relevant), recall("abcdefghij", relevant)) == (pytest.approx(1.0), 10 / 12)


def test_an_answer_is_found_whatever_its_spaces_and_case() -> None:
    """It is enough that any of the texts contains any of the answers."""
    assert contains(["You have 25\nDays."], ["never", "25 days"])
    assert not contains(["You have 2 or 5 days."], ["25 days"])
    assert not contains([], ["25 days"])


def test_means_leave_out_questions_without_a_value() -> None:
    """A question without judgements or answers counts for nothing."""
    measured = measure(questions("hit@5", [1, 0, None, 1], **{"evidence@1": [None, None, 1, 1]}))
    assert {name: one.value for name, one in measured.items()} == {
        "hit@5": 0.6667, "p50_ms": 10.0, "p95_ms": 10.0, "evidence@1": 1.0,
    }  # fmt: skip
    assert measured["evidence@1"].interval == (1.0, 1.0)
    low, high = measured["hit@5"].interval or (0, 0)
    assert 0 <= low < 0.6667 < high <= 1


def test_times_are_percentiles_in_milliseconds() -> None:
    """Between two measurements the percentile is interpolated."""
    measured = measure(questions("ms", [40.0, 10.0, 30.0, 20.0]))
    assert {name: one.value for name, one in measured.items()} == {"p50_ms": 25.0, "p95_ms": 38.5}
    assert measured["p50_ms"].interval == (10.0, 40.0)


def test_refusing_is_scored_against_what_can_be_answered() -> None:
    """Three of four pairs are in the right order; of two refusals one was right, of two to be refused one was; the
    question of which nothing is known is left out."""
    measured = measure(
        questions(
            "confidence", [0.9, 0.4, 0.5, 0.1, 0.0],
            answerable=[True, True, False, False, None], refused=[False, True, False, True, True],
        )
    )  # fmt: skip
    values = [measured[f"refusal_{name}"].value for name in ("auroc", "precision", "recall")]
    assert values == [0.75, 0.5, 0.5]


def test_nothing_refused_is_a_precision_of_nothing() -> None:
    """Precision is then 0 and has no interval; recall is 0."""
    measured = measure(questions("answerable", [True, False, True, False]))
    assert (measured["refusal_precision"].value, measured["refusal_precision"].interval) == (0.0, None)
    assert measured["refusal_recall"].value == 0.0


def test_metrics_the_questions_do_not_allow_are_left_out() -> None:
    """No judgements, no answers, only one kind of question: only times are left; without questions nothing."""
    assert list(measure(questions("answerable", [True, True]))) == ["p50_ms", "p95_ms"]
    assert measure([]) == {}


def test_metrics_come_in_one_order() -> None:
    """Metrics are in the order of METRICS, whatever the order of a question's scores."""
    one = question(0, **{"evidence@3": 1, "ndcg@10": 1, "answerable": True})
    assert list(measure([one, question(1, answerable=False)])) == [name for name in METRICS if name not in (
        "hit@5", "mrr@10", "recall@10", "evidence@1"
    )]  # fmt: skip


def test_a_difference_is_paired_by_question() -> None:
    """A gain on a few questions is seen although the questions differ far more among themselves; order and questions
    that only one run had do not matter."""
    scores = [number % 10 / 10 for number in range(100)]
    before = questions("ndcg@10", scores)
    now = questions("ndcg@10", [score + 0.05 * (number % 2) for number, score in enumerate(scores)])
    found, common = compare([question(500, **{"ndcg@10": 0.0}), *reversed(before)], [*now, question(600)])
    difference = found["ndcg@10"]
    assert common == 100
    assert (difference.before, difference.difference, difference.significant) == (0.45, 0.025, True)
    low, high = difference.interval or (0, 0)
    assert 0.018 < low < 0.025 < high < 0.032
    worse, _ = compare(now, before)
    assert (worse["ndcg@10"].difference, worse["ndcg@10"].significant) == (-0.025, True)


def test_a_difference_that_may_be_chance_is_not_significant() -> None:
    """As many questions won as lost, or none of either: the interval has 0 in it."""
    before = questions("hit@5", [1, 0] * 20)
    found, _ = compare(before, questions("hit@5", [0, 1] * 19 + [1, 1]))
    assert found["hit@5"].significant is False
    same, _ = compare(before, before)
    assert (same["hit@5"].difference, same["hit@5"].interval, same["hit@5"].significant) == (0.0, (0.0, 0.0), False)


def test_times_are_compared_but_never_called_significant() -> None:
    """A difference in time is never called significant: the questions do not show the machine's other load."""
    found, _ = compare(questions("ms", [10.0] * 20), questions("ms", [20.0] * 20))
    assert (found["p50_ms"].difference, found["p50_ms"].significant) == (10.0, None)


def test_what_only_one_run_has_is_not_compared() -> None:
    """A metric missing before is left out; without a common question there is nothing."""
    found, common = compare(questions("hit@5", [1, 1]), questions("mrr@10", [1, 1]))
    assert (list(found), common) == (["p50_ms", "p95_ms"], 2)
    assert compare([question(1)], [question(2)]) == ({}, 0)
