"""The area under the ROC curve: how well a score separates two kinds of questions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def area_under_roc(scores: Numbers, positive: npt.NDArray[np.bool_], counts: Numbers | None = None) -> Numbers:
    """The probability that a positive question scores above a negative one, ties counting half; shape (samples,).

    `scores` and `positive` have shape (questions,); `counts`, of shape (samples, questions), says how often each
    sample contains each question (default: one sample of every question once). NaN for a sample without both kinds.
    This is the Mann-Whitney statistic (Hanley and McNeil, Radiology 1982).
    """
    counts = np.ones((1, len(scores))) if counts is None else counts
    _, group = np.unique(scores, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    positives = np.add.reduceat(counts[:, order] * positive[order], starts, axis=1)
    negatives = np.add.reduceat(counts[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    won = (positives * (below + negatives / 2)).sum(axis=1)
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    area: Numbers = np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs != 0)
    return area
