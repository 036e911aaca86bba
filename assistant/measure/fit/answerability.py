"""Fits the weights of answerability: whether the library can answer a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from typing import Any

import numpy as np

from assistant.measure.fit.collect import UNKNOWN, Flags, Numbers, SearchedSet
from assistant.measure.fit.group import Group, equal_weights
from assistant.measure.fit.logit import RIDGE, fit_logistic
from assistant.refuse.answerability import INTERCEPT, WEIGHTS, AnswerabilityFeatures, answerability_features
from assistant.refuse.auroc import area_under_roc
from assistant.retrieve.coverage import Coverage

# More of the question's words, or a higher similarity, must never make a question less answerable.
NOT_NEGATIVE = (
    "document_cover", "passage_cover", "sentence_cover", "document_cover_unread", "sentence_similarity",
    "passage_similarity", "similarity_across",
)  # fmt: skip


@dataclass(frozen=True)
class AnswerabilityModel:
    """The weights and the intercept of the logistic regression."""

    weights: AnswerabilityFeatures
    intercept: float


SHIPPED = AnswerabilityModel(WEIGHTS, INTERCEPT)


def inputs(searched: SearchedSet, readable: bool = True) -> Numbers:
    """The features of each question, shape (questions, fields of AnswerabilityFeatures).

    Without `readable` they are those for an embedder that cannot read the questions.
    """
    # The features are sums and products, so arrays with one number for each question take the place of numbers.
    columns: Any = Coverage(*searched.coverage.T)
    if not readable:
        nothing = np.zeros(len(searched.coverage))
        columns = replace(columns, dense_weight=nothing, across=nothing)
    return np.stack(astuple(answerability_features(columns)), axis=1)


def _count(searched: SearchedSet) -> int:
    """The labelled questions; 0 unless there are both kinds."""
    kinds = searched.answerable[searched.answerable != UNKNOWN]
    return len(kinds) if 0 < kinds.sum() < len(kinds) else 0


def fit(sets: list[SearchedSet]) -> AnswerabilityModel:
    """Logistic regression over the examples of every labelled question, each set with the same total weight."""
    return fit_examples([examples(searched) for searched in sets])


def examples(searched: SearchedSet) -> tuple[Numbers, Flags]:
    """(features, whether answerable) of each labelled question, shapes (examples, features) and (examples,).

    A question with documents in its own language is there twice: as it is, and as for an embedder that cannot read it.
    """
    labelled = searched.answerable != UNKNOWN
    within = labelled & (Coverage(*searched.coverage.T).across == np.zeros(len(labelled)))
    features = np.concatenate([inputs(searched)[labelled], inputs(searched, readable=False)[within]])
    return features, np.concatenate([searched.answerable[labelled], searched.answerable[within]]) == 1


def fit_examples(parts: Sequence[tuple[Numbers, Flags]]) -> AnswerabilityModel:
    """Logistic regression over (features, whether answerable) of each set, each set with the same total weight."""
    weights = equal_weights([len(labels) for _, labels in parts])
    names = [*(field.name for field in fields(AnswerabilityFeatures)), "intercept"]
    fitted = fit_logistic(
        np.concatenate([features for features, _ in parts]),
        np.concatenate([labels for _, labels in parts]),
        np.concatenate([np.full(len(labels), weight) for (_, labels), weight in zip(parts, weights, strict=True)]),
        RIDGE,
        np.array([0.0 if name in NOT_NEGATIVE else -np.inf for name in names]),
        np.full(len(names), np.inf),
    )
    *values, intercept = (round(float(value), 2) for value in fitted)
    return AnswerabilityModel(AnswerabilityFeatures(*values), intercept)


def measure(searched: SearchedSet, model: AnswerabilityModel) -> Mapping[str, float]:
    """AUROC: the area under the ROC curve between answerable and unanswerable questions."""
    labelled = searched.answerable != UNKNOWN
    score = inputs(searched)[labelled] @ np.array(astuple(model.weights)) + model.intercept
    # Like `docent eval`, from the answerability as it is shown, with four places.
    shown = np.round(1 / (1 + np.exp(-score)), 4)
    return {"AUROC": float(area_under_roc(shown, searched.answerable[labelled] == 1)[0])}


def _by_name(model: AnswerabilityModel) -> dict[str, float]:
    return {**asdict(model.weights), "intercept": model.intercept}


GROUP = Group(
    name="answerability", method="logistic regression; weights of covers and similarities not below 0",
    shipped=SHIPPED, count=_count, fit=fit, measure=measure, by_name=_by_name,
)  # fmt: skip
