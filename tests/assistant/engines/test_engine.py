"""Sampling, taken from the settings."""

from __future__ import annotations

from assistant.engines.engine import Sampling
from ingest.base.settings import Settings


def test_the_settings_decide() -> None:
    """Every field that has a setting follows it; a seed is only given by a caller."""
    settings = Settings(max_new_tokens=7, temperature=0.3, top_p=0.5, top_k=9, repetition_penalty=1.3)
    assert Sampling.from_settings(settings) == Sampling(7, 0.3, 0.5, 9, 1.3, None)


def test_the_defaults_are_those_of_the_settings() -> None:
    """An engine without settings samples like one with the default settings."""
    assert Sampling.from_settings(Settings()) == Sampling()
