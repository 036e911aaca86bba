"""`docent bench ingest`: the pipeline and its steps, on the same passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.measure.bench_ingest import bench_ingest
from ingest.base.errors import DocentError
from ingest.base.settings import Settings


def test_figures(office: Path, settings: Settings) -> None:
    """Counts are those of the library, rates follow from them, and every step took time."""
    figures = bench_ingest(office, settings)
    assert (figures["files"], figures["documents"], figures["passages"], figures["failed"]) == (4, 4, 4, 0)
    assert min(figures["ratios"]) <= figures["ratio"] <= max(figures["ratios"])
    assert figures["seconds"] == pytest.approx(4 / figures["passages_a_second"], rel=0.1)
    assert list(figures["steps_alone_s"]) == ["read", "split", "catalog", "embed", "index", "before embedding"]
    assert all(rate > 0 for rate in figures["pages_a_second"].values())


def test_nothing_to_measure(tmp_path: Path, settings: Settings) -> None:
    """An empty folder is an error of one line."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DocentError, match="can be ingested: name a folder"):
        bench_ingest(tmp_path / "empty", settings)
