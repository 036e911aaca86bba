"""Durations as people say them."""

from __future__ import annotations

import pytest

from ui.duration import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min"), (3540, "59 min"), (3600, "1 h 0 min"), (7900, "2 h 12 min")],
)
def test_duration(seconds: float, text: str) -> None:
    """Seconds, minutes, or hours and minutes, rounded."""
    assert duration(seconds) == text
    assert duration(130, ("{} 秒", "{} 分钟", "{} 小时")) == "2 分钟"
