"""Measuring llama.cpp, where its package is installed, which no other part of Docent needs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: pip install 'docent[compare]'")


def test_it_runs_the_same_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """The GGUF file is made once, and the figures have the same names as those of Docent's engines."""
    from assistant.measure.bench_llama_cpp import bench_llama_cpp

    figures = bench_llama_cpp(tiny_checkpoint, tmp_path, "Q8_0", 40, 4, 1)
    assert {"ttft_s", "decode_tok_s", "same_again_ttft_s", "followup_ttft_s", "rss_gb", "load_s"} <= set(figures)
    assert [path.name for path in tmp_path.glob("*gguf")] == [f"{tiny_checkpoint.name}-Q8_0.gguf"]
