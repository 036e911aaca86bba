"""Fits the weights and steps of fusion: in what order a search returns the passages that either leg proposes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache

import numpy as np

from assistant.measure.fit.collect import Integers, Numbers, SearchedSet
from assistant.measure.fit.group import Group
from assistant.measure.metrics import DEPTH, PASSAGES
from ingest.search.fuse import FUSION, FusionWeights

# The values that are tried. The weight of words and its power depend on each other: all pairs are tried.
LEXICAL = [
    {"lexical": lexical, "lexical_power": power}
    for lexical in (0.7, 1.0, 1.4, 2.0, 2.4, 2.8, 3.2, 4.0, 5.6, 8.0)
    for power in (1.0, 1.25, 1.5, 1.75, 2.0)
]
OLDER_VERSION = [{"older_version": step} for step in (-1.0, -0.8, -0.6, -0.5, -0.35, -0.25, -0.15, -0.05, 0.0)]
YES_OR_NO = [{"yes_or_no": step} for step in (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3)]
# A smaller gain may be chance even with thousands of questions: among values whose nDCG differs less, those nearest to
# the shipped values are chosen.
LEAST_GAIN = 1e-4
_ROUNDS = 4


def fit(sets: list[SearchedSet]) -> FusionWeights:
    """The values with the highest mean nDCG@10, with equal weight for every set; one grid is searched after another."""

    def mean(weights: FusionWeights) -> float:
        return float(np.mean([ndcg(searched, weights) for searched in sets]))

    best = FUSION
    for _ in range(_ROUNDS):
        before = best
        for grid in (LEXICAL, OLDER_VERSION, YES_OR_NO):
            means = {tried: mean(tried) for tried in (replace(best, **values) for values in grid)}
            least = max(means.values()) - LEAST_GAIN
            best = min((weights for weights, value in means.items() if value >= least), key=_distance)
        if best == before:
            break
    return best


def _distance(weights: FusionWeights) -> float:
    """The sum of the relative differences of the weights from the shipped weights."""
    return float(sum(abs(value / asdict(FUSION)[name] - 1) for name, value in asdict(weights).items()))


@cache
def ndcg(searched: SearchedSet, weights: FusionWeights) -> float:
    """Mean nDCG@10 of the set's questions that have judgements, as `docent eval` measures it."""
    per_question = _discounted_gain(searched, weights)
    judged = searched.ideal > 0
    return float(np.mean(per_question[judged] / searched.ideal[judged]))


def _discounted_gain(searched: SearchedSet, weights: FusionWeights) -> Numbers:
    """The discounted cumulative gain at 10 of each question's ranking of documents."""
    lengths = np.diff(searched.passage_start)
    question = np.repeat(np.arange(len(lengths)), lengths)
    dense = searched.dense_weight[question]
    # Where the dense weight is 0, a search has only the proposals of the lexical leg.
    kept = (dense > 0) | searched.passage_by_words
    fused = dense * searched.passage_similarity + weights.lexical_part(searched.passage_lexical)
    steps = weights.older_version * searched.passage_older + weights.yes_or_no * searched.passage_polar
    score = fused + steps
    order = np.lexsort((searched.passage_id, -fused, -score, question))
    order = order[kept[order]]
    order = order[_rank_within(question[order]) < PASSAGES]
    # A document is ranked by its first passage.
    _, first = np.unique(np.stack([question[order], searched.passage_document[order]]), axis=1, return_index=True)
    order = order[np.sort(first)]
    rank = _rank_within(question[order])
    order, rank = order[rank < DEPTH], rank[rank < DEPTH]
    gains = searched.passage_gain[order] / np.log2(rank + 2)
    total: Numbers = np.bincount(question[order], gains, len(lengths)).astype(np.float64)
    return total


def _rank_within(question: Integers) -> Integers:
    """0, 1, 2, … for the rows of each question; the rows of a question must be adjacent."""
    begins = np.flatnonzero(np.diff(question, prepend=-1))
    lengths = np.diff(np.append(begins, len(question)))
    rank: Integers = np.arange(len(question)) - np.repeat(begins, lengths)
    return rank


def measure(searched: SearchedSet, weights: FusionWeights) -> Mapping[str, float]:
    """nDCG@10."""
    return {"nDCG@10": ndcg(searched, weights)}


GROUP = Group(
    name="fusion", method="grid search for the highest mean nDCG@10",
    shipped=FUSION, count=lambda searched: int((searched.ideal > 0).sum()), fit=fit, measure=measure, by_name=asdict,
)  # fmt: skip
