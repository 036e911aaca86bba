"""Percentile bootstrap over questions: the interval in which a metric would lie with other questions of the same kind.

A resample draws as many questions as there are, with replacement. It is stored as the number of times that each
question was drawn: its metrics are then weighted by these numbers, and those of all resamples are computed at once
(Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 6 and 13).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

# The ends of a 95 % interval need at least 1,000 resamples (Efron and Tibshirani, section 13.3).
RESAMPLES = 2_000
# The interval leaves out this percentage on either side.
TAIL = 2.5
# Two runs over the same questions draw the same resamples.
SEED = 20_261_120

Numbers = npt.NDArray[np.float64]
# How often each question is drawn, shape (resamples, questions); floats, because NumPy multiplies only those fast.
Counts = Numbers
# A function of counts that returns the metric of every resample, shape (resamples,); NaN where it is not defined.
Statistic = Callable[[Counts], Numbers]


def draw(questions: int) -> Counts:
    """The counts of RESAMPLES resamples, always the same for the same number; shape (RESAMPLES, questions)."""
    chances = np.full(questions, 1 / questions)
    counts: Counts = np.random.default_rng(SEED).multinomial(questions, chances, RESAMPLES).astype(np.float64)
    return counts


def once(questions: int) -> Counts:
    """Every question once: a statistic of it is the metric itself. Shape (1, questions)."""
    return np.ones((1, questions))


def interval(values: Numbers) -> tuple[float, float]:
    """The interval that holds 95 % of the resampled `values`; NaN when all of them are NaN."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, (TAIL, 100 - TAIL))
    return float(low), float(high)


def mean(counts: Counts, values: Numbers) -> Numbers:
    """The mean of the values in each resample, without those that are NaN."""
    known = ~np.isnan(values)
    return _divided(counts @ np.where(known, values, 0.0), counts @ known.astype(np.float64))


def percentile(counts: Counts, values: Numbers, percent: float) -> Numbers:
    """A percentile of the values in each resample, interpolated as `numpy.percentile` does."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[:, order], axis=1)
    rank = percent / 100 * (reached[:, -1] - 1)
    below = np.floor(rank)
    lower, upper = (values[order][(reached <= wanted[:, None]).sum(axis=1)] for wanted in (below, np.ceil(rank)))
    interpolated: Numbers = lower + (upper - lower) * (rank - below)
    return interpolated


def _divided(above: Numbers, below: Numbers) -> Numbers:
    """The quotient, NaN where the divisor is 0."""
    quotient: Numbers = np.full(len(above), np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient
