"""The length of a prompt follows from how fast the machine reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.engines.engine import Engine
from assistant.engines.latency import (
    LEAST_TOKENS,
    RATE_FILE,
    ReadingRate,
    measure_reading,
    read_rate,
    store_rate,
    tokens_in_time,
)
from ingest.base.logs import configure_logs
from tests.conftest import fill


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
    """The tokens are rate × time, at most the setting, and at least enough for one passage."""
    assert tokens_in_time(rate, seconds, most) == tokens


def test_the_rate_is_measured_on_the_engine(transformers_engine: Engine) -> None:
    """A real engine reads a real prompt; the rate is tokens divided by the seconds of its own clock."""
    assert measure_reading(transformers_engine) > 0


def test_the_rate_is_kept_for_the_doctor(tmp_path: Path) -> None:
    """Another process reads the rate that one has stored; before that there is none."""
    assert read_rate(tmp_path / "home") is None
    rate = ReadingRate("openvino", "qwen/Qwen1.5-0.5B-Chat", 1100.5, 1485, 1.5)
    store_rate(tmp_path / "home", rate)
    assert read_rate(tmp_path / "home") == rate


def test_a_rate_that_cannot_be_kept_is_only_logged(small_disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On a full disk the engine still works, the earlier file stays complete, and the log has the reason."""
    rate = ReadingRate("openvino", "qwen/Qwen1.5-0.5B-Chat", 1100.5, 1485, 1.5)
    store_rate(small_disk, rate)
    fill(small_disk / "filler", free=0)
    configure_logs("warning")
    store_rate(small_disk, replace(rate, model="m" * 100_000))
    store_rate(small_disk / "filler" / "home", rate)
    assert capfd.readouterr().err.count("reading_rate.not_kept") == 2
    assert read_rate(small_disk) == rate


@pytest.mark.parametrize(
    "content",
    ["", '{"engine": "openvino", "model": "qwen', "[]", '{"engine": "openvino"}', "\x00" * 80,
     '{"engine": "a", "model": "b", "tokens_per_second": "fast", "prompt_tokens": 1, "first_word_seconds": 1}'],
)  # fmt: skip
def test_a_damaged_rate_counts_as_not_measured(content: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A damaged file raises no error, and the log names it."""
    (tmp_path / RATE_FILE).write_text(content)
    configure_logs("warning")
    assert read_rate(tmp_path) is None
    shown = capfd.readouterr().err
    assert "reading_rate.unreadable" in shown and RATE_FILE in shown
