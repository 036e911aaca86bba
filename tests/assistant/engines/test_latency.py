"""How much a question may take along follows from how fast the machine reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.engines.latency import (
    LEAST_TOKENS,
    ReadingRate,
    keep_rate,
    kept_rate,
    measure_reading,
    tokens_in_time,
)
from assistant.engines.transformers_engine import TransformersLLM
from ingest.base.settings import Settings
from tests.fakes.model_fixtures import tiny_checkpoint  # noqa: F401


@pytest.mark.parametrize(
    ("rate", "seconds", "most", "tokens"),
    [
        (1000.0, 1.5, 3000, 1350),  # a second and a half, less what everything else takes
        (4000.0, 1.5, 3000, 3000),  # a fast machine is limited by the setting
        (10.0, 1.5, 3000, LEAST_TOKENS),  # a slow one still gets a passage
        (1000.0, 0.1, 3000, LEAST_TOKENS),
        (1000.0, 1.5, 300, 300),
    ],
)
def test_the_budget_is_what_can_be_read_in_time(rate: float, seconds: float, most: int, tokens: int) -> None:
    """Rate times time, within the setting, and never too little for one passage."""
    assert tokens_in_time(rate, seconds, most) == tokens


def test_the_rate_is_measured_on_the_engine(tiny_checkpoint: Path) -> None:  # noqa: F811
    """A real engine reads a real prompt; the rate is tokens over its own clock."""
    llm = TransformersLLM.load(tiny_checkpoint, Settings(dtype="float32"))
    assert measure_reading(llm) > 0


def test_the_rate_is_kept_for_the_doctor(tmp_path: Path) -> None:
    """What one process measured another can tell; before the first there is nothing."""
    assert kept_rate(tmp_path / "home") is None
    rate = ReadingRate("openvino", "qwen/Qwen1.5-0.5B-Chat", 1100.5, 1485, 1.5)
    keep_rate(tmp_path / "home", rate)
    assert kept_rate(tmp_path / "home") == rate
