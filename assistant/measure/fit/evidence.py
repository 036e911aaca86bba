"""Fits the weights of evidence: which sentence of the retrieved passages contains the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, fields

import numpy as np

from assistant.measure.fit.collect import Flags, Numbers, SearchedSet
from assistant.measure.fit.group import Group, equal_weights
from assistant.measure.fit.logit import RIDGE, fit_conditional
from assistant.retrieve.evidence import SENTENCES, WEIGHTS, Features

# Not fitted: with a larger weight a heading outweighs the sentence below it. The sets have few headings and do not show
# this.
FIXED = {"context": WEIGHTS.context}


def _usable(searched: SearchedSet) -> Flags:
    """The questions that any candidate sentence answers: the others do not show how sentences should be ranked."""
    return np.array(
        [
            bool(searched.has_evidence[number] and searched.sentence_right[start:end].any())
            for number, (start, end) in enumerate(
                zip(searched.sentence_start, searched.sentence_start[1:], strict=False)
            )
        ],
        np.bool_,
    )


def fit(sets: list[SearchedSet]) -> Features:
    """Conditional logit over the candidate sentences of every usable question, each set with the same total weight."""
    usable = [_usable(searched) for searched in sets]
    inputs, right, lengths, weights = [], [], [], []
    for searched, chosen, weight in zip(sets, usable, equal_weights([int(u.sum()) for u in usable]), strict=True):
        length = np.diff(searched.sentence_start)
        rows = np.repeat(chosen, length)
        inputs.append(searched.sentence_features[rows])
        right.append(searched.sentence_right[rows])
        lengths.append(length[chosen])
        weights.append(np.full(int(chosen.sum()), weight))
    length = np.concatenate(lengths)
    names = [field.name for field in fields(Features)]
    lower, upper = (np.array([FIXED.get(name, end) for name in names]) for end in (-np.inf, np.inf))
    fitted = fit_conditional(
        np.concatenate(inputs), np.concatenate(right), np.cumsum(length) - length, np.concatenate(weights), RIDGE,
        lower, upper,
    )  # fmt: skip
    return Features(*(round(float(value), 2) for value in fitted))


def measure(searched: SearchedSet, weights: Features) -> Mapping[str, float]:
    """evidence@1 and evidence@3: share of the questions with a known answer that the first or first three contain."""
    scores = weighted_sum(searched.sentence_features, weights)
    first, first_three = [], []
    for number in np.flatnonzero(searched.has_evidence):
        rows = slice(searched.sentence_start[number], searched.sentence_start[number + 1])
        best: dict[int, bool] = {}
        for row in np.argsort(-scores[rows], kind="stable"):
            best.setdefault(int(searched.sentence_words[rows][row]), bool(searched.sentence_right[rows][row]))
            if len(best) == SENTENCES:
                break
        shown = list(best.values())
        first.append(any(shown[:1]))
        first_three.append(any(shown))
    return {"evidence@1": float(np.mean(first)), "evidence@3": float(np.mean(first_three))}


def weighted_sum(inputs: Numbers, weights: Features) -> Numbers:
    """The score of each candidate, shape (sentences,), added up in the order of `pick_evidence`, so that ties agree."""
    total = np.zeros(len(inputs))
    for column, weight in enumerate(astuple(weights)):
        total = total + weight * inputs[:, column]
    return total


GROUP = Group(
    name="evidence", method="conditional logit: the right sentences of a question against its other candidates",
    shipped=WEIGHTS, count=lambda searched: int(_usable(searched).sum()), fit=fit, measure=measure, by_name=asdict,
)  # fmt: skip
