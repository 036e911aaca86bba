"""`docent bench search` and `docent bench ingest`: what they call and print. The figures are tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.measure import bench_ingest, bench_search
from ingest.base.settings import Settings
from ui.cli.main import docent
from ui.cli.terminal.run import run


def test_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The library has the requested size and folder, and its figures are printed as JSON or text."""
    made: list[tuple[Path, int]] = []
    monkeypatch.setattr(bench_search, "make_library", lambda settings, n, _progress: made.append((settings.home, n)))
    figures = {"recall@10": 1.0, "search_ms": {"p50": 2.0, "p95": 3.0}}
    monkeypatch.setattr(bench_search, "bench_search", lambda _settings: figures)
    arguments = ["bench", "search", "--passages", "5000", "--keep", str(tmp_path)]
    assert run(docent, [*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == figures
    assert run(docent, arguments) == 0
    assert "search_ms  p50 2.0  p95 3.0" in capsys.readouterr().out
    assert made == [(tmp_path / "5000", 5000)] * 2


def test_ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is ingested into a temporary library; a path that is not a folder is rejected."""
    homes: list[Path] = []

    def measured(folder: Path, settings: Settings, _progress: Any) -> dict[str, Any]:
        homes.append(settings.home)
        assert settings.home.is_dir()
        return {"folder": str(folder)}

    monkeypatch.setattr(bench_ingest, "bench_ingest", measured)
    assert run(docent, ["bench", "ingest", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(tmp_path)}
    assert not homes[0].exists()
    assert run(docent, ["bench", "ingest", str(tmp_path / "none")]) == 2
    assert "which is not a folder" in capsys.readouterr().err
