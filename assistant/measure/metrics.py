"""The metrics of an evaluation, each with its interval, and the differences between two runs.

Every question has scores, and a metric is a statistic over questions: the same definition gives its value, its interval
and the difference between two runs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from assistant.measure.bootstrap import (
    Counts,
    Numbers,
    Statistic,
    draw,
    interval,
    mean,
    once,
    percentile,
)
from assistant.refuse.auroc import area_under_roc

DEPTH = 10
# Passages searched for, so that at least DEPTH documents are among them: a document has several.
PASSAGES = 60
PLACES = 4
# Means over the questions that have such a score.
RANKING = ("ndcg@10", "hit@5", "mrr@10", "recall@10")
EVIDENCE = ("evidence@1", "evidence@3")
TIMES = {"p50_ms": 50.0, "p95_ms": 95.0}
REFUSAL = ("refusal_auroc", "refusal_precision", "refusal_recall")
METRICS = (*RANKING, *TIMES, *EVIDENCE, *REFUSAL)

# The scores of one question: `_id`, the names in RANKING and EVIDENCE that its set allows, `ms` of searching,
# `confidence`, `refused` and, where it is known, `answerable`.
Scores = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """A metric with the ends of its 95 % interval over questions; None when no resample allows the metric."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Difference:
    """The difference of a metric to an earlier run. `significant` is None where it cannot be known: see `compare`."""

    before: float
    difference: float
    interval: tuple[float, float] | None
    significant: bool | None


# Scores of one question


def ndcg(ranked: Sequence[str], relevant: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain at 10 (Järvelin and Kekäläinen, ACM TOIS 2002), gains as given."""
    gain = sum(relevant.get(name, 0) / math.log2(rank + 1) for rank, name in enumerate(ranked[:DEPTH], 1))
    return gain / ideal_gain(relevant)


def ideal_gain(relevant: Mapping[str, int]) -> float:
    """The discounted cumulative gain at 10 of the best possible ranking, 0 where nothing is relevant."""
    best = sorted(relevant.values(), reverse=True)[:DEPTH]
    return sum((value / math.log2(rank + 1) for rank, value in enumerate(best, 1)), 0.0)


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """1 over the rank of the first relevant document among ten, 0 without one."""
    return next((1 / rank for rank, name in enumerate(ranked[:DEPTH], 1) if name in relevant), 0.0)


def recall(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """Share of the relevant documents, of which there is at least one, that are among the first ten."""
    return len(set(ranked[:DEPTH]) & set(relevant)) / len(relevant)


def contains(shown: Sequence[str], answers: Sequence[str]) -> bool:
    """Whether one of the texts contains one of the answers; spaces and case are ignored."""
    texts = [_without_spaces(text) for text in shown]
    return any(_without_spaces(answer) in text for answer in answers for text in texts)


def _without_spaces(text: str) -> str:
    """The text in lower case without white space."""
    return "".join(text.lower().split())


# Metrics over questions


def measure(questions: Sequence[Scores]) -> dict[str, Measured]:
    """Every metric that the questions allow, in the order of METRICS; times in milliseconds."""
    if not questions:
        return {}
    draws, as_asked = draw(len(questions)), once(len(questions))
    return {
        name: Measured(_value(statistic, as_asked), _rounded(interval(statistic(draws))))
        for name, statistic in _statistics(questions).items()
    }


def compare(before: Sequence[Scores], now: Sequence[Scores]) -> tuple[dict[str, Difference], int]:
    """The differences over the questions that both runs have, by metric, and how many these questions are.

    Each resample draws the same questions for both runs (the paired bootstrap), so questions that are hard for both
    runs do not widen the interval. A difference is significant when its 95 % interval does not contain 0. For times
    this cannot be known: the questions do not show what else the machine did during each run.
    """
    earlier = {question["_id"]: question for question in before}
    later = [question for question in now if question["_id"] in earlier]
    if not later:
        return {}, 0
    draws, as_asked = draw(len(later)), once(len(later))
    old = _statistics([earlier[question["_id"]] for question in later])
    differences = {}
    for name, statistic in _statistics(later).items():
        if name not in old:
            continue
        earlier_value, value = _value(old[name], as_asked), _value(statistic, as_asked)
        ends = interval(statistic(draws) - old[name](draws))
        significant = None if name in TIMES or math.isnan(ends[0]) else ends[0] > 0 or ends[1] < 0
        differences[name] = Difference(earlier_value, round(value - earlier_value, PLACES), _rounded(ends), significant)
    return differences, len(later)


def _statistics(questions: Sequence[Scores]) -> dict[str, Statistic]:
    """Each metric that these questions allow, as a function of how often each question is drawn."""
    statistics: dict[str, Statistic] = {}
    for name in (*RANKING, *EVIDENCE):
        values = _column(questions, name)
        if not np.isnan(values).all():
            statistics[name] = partial(mean, values=values)
    times = _column(questions, "ms")
    statistics |= {name: partial(percentile, values=times, percent=percent) for name, percent in TIMES.items()}
    statistics |= _refusal(questions)
    return {name: statistics[name] for name in METRICS if name in statistics}


def _refusal(questions: Sequence[Scores]) -> dict[str, Statistic]:
    """The metrics of refusals, which are right for unanswerable questions; {} without questions of both kinds."""
    answerable = _column(questions, "answerable")
    labelled = ~np.isnan(answerable)
    unanswerable, refused = answerable == 0, _column(questions, "refused") == 1
    if not unanswerable.any() or unanswerable[labelled].all():
        return {}
    negative_confidence = -_column(questions, "confidence")[labelled]

    def auroc(counts: Counts) -> Numbers:
        return area_under_roc(negative_confidence, unanswerable[labelled], counts[:, labelled])

    return {
        "refusal_auroc": auroc,
        "refusal_precision": partial(mean, values=np.where(labelled & refused, unanswerable.astype(float), np.nan)),
        "refusal_recall": partial(mean, values=np.where(unanswerable, refused.astype(float), np.nan)),
    }


def _column(questions: Sequence[Scores], name: str) -> Numbers:
    """One score of each question, NaN where it has none; shape (questions,)."""
    values = [question.get(name) for question in questions]
    return np.array([math.nan if value is None else float(value) for value in values])


def _value(statistic: Statistic, as_asked: Counts) -> float:
    """The metric itself; a precision without any refusal is 0."""
    return round(float(np.nan_to_num(statistic(as_asked)[0])), PLACES)


def _rounded(ends: tuple[float, float]) -> tuple[float, float] | None:
    return None if math.isnan(ends[0]) else (round(ends[0], PLACES), round(ends[1], PLACES))
