"""Logistic regression and conditional logit with bounds on the weights, which scikit-learn does not have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
# A function of a point that returns a value, the gradient and the Hessian, or an upper bound of the Hessian.
Objective = Callable[[Numbers], tuple[float, Numbers, Numbers]]

# Strength of the penalty on the coefficients. Of the values tried, this one gives the weights nearest to those shipped;
# without a penalty, the weights of correlated features become large with opposite signs.
RIDGE = 1e-4
_STEPS = 200
_FLATTEST = 1e-7


def minimise(objective: Objective, lower: Numbers, upper: Numbers) -> Numbers:
    """The point between `lower` and `upper` at which a convex objective is smallest; all have shape (weights,).

    Projected Newton's method with step halving (Bertsekas, "Projected Newton Methods for Optimization Problems with
    Simple Constraints", SIAM Journal on Control and Optimization 1982).
    """
    point = np.clip(np.zeros_like(lower), lower, upper)
    value, gradient, hessian = objective(point)
    for _ in range(_STEPS):
        at_bound = ((point <= lower) & (gradient >= 0)) | ((point >= upper) & (gradient <= 0))
        free = np.flatnonzero(~at_bound)
        if not len(free) or np.abs(gradient[free]).max() < _FLATTEST:
            break
        step = np.zeros_like(point)
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        rate = 1.0
        while rate > 1e-10:
            ahead = np.clip(point + rate * step, lower, upper)
            reached = objective(ahead)
            if reached[0] < value:
                break
            rate /= 2
        else:
            break
        point, (value, gradient, hessian) = ahead, reached
    return point


def fit_logistic(
    inputs: Numbers, labels: npt.NDArray[np.bool_], weights: Numbers, ridge: float, lower: Numbers, upper: Numbers
) -> Numbers:
    """Coefficients of a logistic regression, shape (features + 1,), the intercept last.

    `inputs` has shape (questions, features), `labels` and `weights` (questions,); `lower` and `upper` bound the
    coefficients. The objective is the weighted mean of the log losses plus `ridge` / 2 times the squared length of the
    coefficients without the intercept.
    """
    with_one = np.hstack([inputs, np.ones((len(inputs), 1))])
    sign = np.where(labels, 1.0, -1.0)
    share = weights / weights.sum()
    penalty = np.append(np.full(inputs.shape[1], ridge), 1e-12)

    def objective(point: Numbers) -> tuple[float, Numbers, Numbers]:
        loss = np.logaddexp(0.0, -sign * (with_one @ point))
        wrong = -np.expm1(-loss)  # the probability of the other label
        value = share @ loss + penalty @ point**2 / 2
        gradient = with_one.T @ (-share * sign * wrong) + penalty * point
        curvature = share * wrong * (1 - wrong)
        return float(value), gradient, (with_one.T * curvature) @ with_one + np.diag(penalty)

    return minimise(objective, lower, upper)


def fit_conditional(
    inputs: Numbers, right: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64], weights: Numbers, ridge: float,
    lower: Numbers, upper: Numbers,
) -> Numbers:  # fmt: skip
    """Coefficients of a conditional logit (McFadden 1974), shape (features,): which candidate of a question is right.

    `inputs` has shape (candidates, features); the candidates of one question are adjacent rows. `right` marks those
    that contain the answer, at least one for each question. `starts`, the first row of each question, and `weights`,
    the weight of each question, have shape (questions,). The objective is the weighted mean of -log P(one of the right
    candidates) plus `ridge` / 2 times the squared length of the coefficients.
    """
    question_of = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(inputs))))
    share = weights / weights.sum()

    def objective(point: Numbers) -> tuple[float, Numbers, Numbers]:
        scores = inputs @ point
        all_logs, probability = _softmax(scores)
        right_logs, right_probability = _softmax(np.where(right, scores, -np.inf))
        value = share @ (all_logs - right_logs) + ridge / 2 * point @ point
        gradient = inputs.T @ ((probability - right_probability) * share[question_of]) + ridge * point
        # The term of the right candidates only lowers the curvature: without it this is an upper bound of the Hessian.
        means = np.add.reduceat(inputs * probability[:, None], starts, axis=0)
        hessian = (inputs.T * (probability * share[question_of])) @ inputs - (means.T * share) @ means
        return float(value), gradient, hessian + ridge * np.eye(len(point))

    def _softmax(scores: Numbers) -> tuple[Numbers, Numbers]:
        """Logarithm of the sum of the exponentials of each question, and each candidate's share of that sum."""
        most = np.maximum.reduceat(scores, starts)
        exponential = np.exp(scores - most[question_of])
        total = np.add.reduceat(exponential, starts)
        return np.log(total) + most, exponential / total[question_of]

    return minimise(objective, lower, upper)
