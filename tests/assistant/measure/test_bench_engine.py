"""Measuring a real engine gives figures of what their names say; their size is not tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.measure.bench_engine import bench_engine
from ingest.base.errors import SettingsError
from ingest.base.settings import Settings

FIGURES = [
    "engine", "model", "prompt_tokens", "new_tokens", "ttft_s", "prefill_tok_s", "decode_tok_s", "same_again_ttft_s",
    "followup_ttft_s", "load_s",
]  # fmt: skip


def settings(checkpoint: Path, tmp_path: Path, **changes: object) -> Settings:
    values = {"model": str(checkpoint), "models_cache": tmp_path / "models", "home": tmp_path / "home", "threads": 2}
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["transformers", "openvino"])
def test_each_engine_gives_the_contracts_figures(
    engine: str, tiny_checkpoint: Path, tiny_models: Path, tmp_path: Path
) -> None:
    """Prompt and answer are as long as asked for, and every rate and time is a positive number."""
    figures = bench_engine(
        settings(tiny_checkpoint, tmp_path, engine=engine, models_cache=tiny_models), 60, 4, repeats=1
    )
    assert list(figures) == [*FIGURES, "rss_gb"]
    assert figures["engine"] == engine
    # The instruction and ChatML's markers come on top of the prompt's own tokens.
    assert 60 <= figures["prompt_tokens"] <= 100
    assert 1 <= figures["new_tokens"] <= 4
    assert all(figures[name] > 0 for name in FIGURES[4:])


def test_asking_together_is_told_as_ratios(tiny_checkpoint: Path, tiny_models: Path, tmp_path: Path) -> None:
    """The ratios are those of the times in the same figures."""
    figures = bench_engine(settings(tiny_checkpoint, tmp_path, engine="transformers"), 40, 3, users=1, repeats=1)
    assert "users" not in figures
    openvino = settings(tiny_checkpoint, tmp_path, engine="openvino", models_cache=tiny_models)
    figures = bench_engine(openvino, 200, 8, users=3, repeats=1)
    assert figures["users"] == 3
    assert figures["together_ratio"] == pytest.approx(figures["together_s"] / figures["serial_s"], rel=0.05)
    assert figures["last_first_token_ratio"] > 0


def test_without_a_model_there_is_nothing_to_measure(tmp_path: Path) -> None:
    """Without a model, the error says how to get one."""
    with pytest.raises(SettingsError, match=r"no model to measure: No model weights .* Run `docent models pull`"):
        bench_engine(settings(Path("qwen/Qwen1.5-0.5B-Chat"), tmp_path), 60, 4)
