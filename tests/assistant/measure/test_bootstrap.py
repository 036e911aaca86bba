"""Bootstrap intervals agree with NumPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from assistant.measure.bootstrap import RESAMPLES, draw, interval, mean, once, percentile
from assistant.refuse.auroc import area_under_roc

NAN = float("nan")
# Seven questions with ties, and one that has no value.
VALUES = np.array([0.5, 1.0, 0.0, 0.5, NAN, 0.25, 1.0])
KNOWN = np.nan_to_num(VALUES, nan=0.75)
POSITIVE = np.array([True, True, False, False, True, False, True])


def drawn(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The values of one resample, written out."""
    return np.repeat(values, counts.astype(int))


def test_a_draw_has_as_many_questions_as_there_are_and_is_always_the_same() -> None:
    """Each resample is as large as the set, they differ, and the next call draws the same ones."""
    counts = draw(7)
    assert counts.shape == (RESAMPLES, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert len(np.unique(counts, axis=0)) > 500
    assert (counts == draw(7)).all()
    assert abs(counts.mean() - 1) < 1e-9


def test_statistics_of_a_resample_are_those_of_its_questions_written_out() -> None:
    """Mean, percentile and area under the curve agree with NumPy and scikit-learn, resample by resample."""
    counts = draw(7)[:200]
    means = mean(counts, VALUES)
    medians, ends = percentile(counts, KNOWN, 50), percentile(counts, KNOWN, 95)
    areas = area_under_roc(KNOWN, POSITIVE, counts)
    for row, one in enumerate(counts):
        written = drawn(one, VALUES)
        assert means[row] == pytest.approx(np.nanmean(written) if not np.isnan(written).all() else NAN, nan_ok=True)
        assert medians[row] == pytest.approx(np.percentile(drawn(one, KNOWN), 50))
        assert ends[row] == pytest.approx(np.percentile(drawn(one, KNOWN), 95))
        labels = drawn(one, POSITIVE)
        expected = roc_auc_score(labels, drawn(one, KNOWN)) if 0 < labels.sum() < 7 else NAN
        assert areas[row] == pytest.approx(expected, nan_ok=True)


def test_every_question_once_gives_the_metric_itself() -> None:
    """Without resampling the statistics are the plain ones."""
    assert mean(once(7), VALUES)[0] == pytest.approx(np.nanmean(VALUES))
    assert percentile(once(7), KNOWN, 95)[0] == pytest.approx(np.percentile(KNOWN, 95))
    assert area_under_roc(KNOWN, POSITIVE)[0] == pytest.approx(roc_auc_score(POSITIVE, KNOWN))


def test_an_interval_is_as_wide_as_statistics_say() -> None:
    """For a share of .8 among 400 it is nearly that of the normal approximation, .8 ± .039."""
    values = np.array([1.0] * 320 + [0.0] * 80)
    low, high = interval(mean(draw(400), values))
    error = 1.96 * (0.8 * 0.2 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.8 - error, 0.8 + error), abs=0.005)


def test_resamples_that_do_not_allow_the_metric_are_left_out() -> None:
    """NaN among the values does not change the interval; with only NaN there is no interval."""
    assert interval(np.array([NAN, 1.0, 2.0, 3.0])) == interval(np.array([1.0, 2.0, 3.0]))
    assert np.isnan(interval(np.array([NAN, NAN]))).all()
