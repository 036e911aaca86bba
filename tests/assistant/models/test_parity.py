"""Parity: a converted model that differs from its original is recognised."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.models.parity import LEAST_SAME_CHOICE, MOST_DIVERGENCE, Parity, measure


def test_the_same_logits_agree_completely() -> None:
    """No divergence and the same choice everywhere, also when all logits are shifted: only differences matter."""
    logits = np.random.default_rng(0).normal(size=(7, 50)).astype(np.float32)
    assert measure([logits], [logits + 3.0]) == Parity(0.0, 1.0, 7)


def test_the_divergence_is_kullback_and_leiblers() -> None:
    """Against the definition, computed by hand for two distributions over two tokens."""
    p, q = np.array([0.75, 0.25]), np.array([0.5, 0.5])
    expected = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    parity = measure([np.log(p)[None]], [np.log(q)[None]])
    assert parity.divergence == pytest.approx(expected, abs=1e-6)


def test_positions_of_all_prompts_count_alike() -> None:
    """Two prompts of three and one positions, one position with another choice: three of four agree."""
    right = np.eye(4)[:3] * 9
    wrong = np.array([[9.0, 0, 0, 0]])
    parity = measure([right, wrong], [right, wrong[:, ::-1]])
    assert (parity.same_choice, parity.positions) == (0.75, 4)


@pytest.mark.parametrize(
    ("parity", "fails"),
    [
        (Parity(0.0, 1.0, 10), False),
        (Parity(MOST_DIVERGENCE, LEAST_SAME_CHOICE, 10), False),
        (Parity(MOST_DIVERGENCE * 1.01, 1.0, 10), True),
        (Parity(0.0, LEAST_SAME_CHOICE - 0.01, 10), True),
    ],
)
def test_a_model_beyond_the_limits_has_a_problem_in_words(parity: Parity, fails: bool) -> None:
    """The problem names both figures with their limits; a good model has none."""
    assert bool(parity.problem) == fails
    if fails:
        assert str(MOST_DIVERGENCE) in parity.problem
        assert str(LEAST_SAME_CHOICE) in parity.problem
