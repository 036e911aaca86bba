"""`docent bench engine` and `compare`: the figures they print, and that a comparison alternates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ui.cli.bench import engine as bench
from ui.cli.main import docent
from ui.cli.terminal.run import run


def test_one_engine_as_json(
    tiny_checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The promised figures are printed as JSON."""
    sizes = ["--prompt-tokens", "40", "--new-tokens", "3", "--repeats", "1"]
    model = ["--model", str(tiny_checkpoint), "--models-cache", str(tmp_path)]
    assert run(docent, ["bench", "engine", "--engine", "transformers", *model, *sizes, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert {"ttft_s", "prefill_tok_s", "decode_tok_s", "followup_ttft_s", "rss_gb", "load_s"} <= set(figures)


def test_a_comparison_takes_turns_and_shows_ratios(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each round measures each engine once; the table has medians, and ratios to the first row."""
    asked: list[tuple[str, str]] = []
    speeds = iter([1.0, 2.0, 4.0, 3.0, 6.0, 8.0, 2.0, 4.0, 6.0])

    def measure(_flags: Any, engine: str, environment: dict[str, str], _sizes: Any) -> dict[str, Any]:
        asked.append((engine, environment.get("DOCENT_DTYPE", "")))
        return {**dict.fromkeys(bench.COLUMNS[1:], 1.0), "ttft_s": next(speeds)}

    monkeypatch.setattr(bench, "_measure", measure)
    monkeypatch.setattr(bench, "find_spec", lambda _name: None)
    arguments = ["bench", "compare", "--rounds", "3", "--models-cache", str(tmp_path)]
    assert run(docent, [*arguments, "--json"]) == 0
    assert asked == [("openvino", ""), ("transformers", "bfloat16"), ("transformers", "float32")] * 3
    table = json.loads(capsys.readouterr().out)
    assert [(row["engine"], row["ttft_s"]) for row in table] == [
        ("openvino int8", 2.0),
        ("transformers bfloat16", 4.0),
        ("transformers float32", 6.0),
    ]
    speeds = iter([2.0, 4.0, 6.0])
    assert run(docent, ["bench", "compare", "--rounds", "1", "--models-cache", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| engine | ttft_s |")
    assert lines[4].startswith("| transformers float32 | 6.0 (3.00 ×) |")


def test_random_weights_of_an_unknown_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Exit code 2 and one line."""
    arguments = ["bench", "engine", "--random-weights", "qwen9", "--models-cache", str(tmp_path)]
    assert run(docent, arguments) == 2
    assert "--random-weights qwen9 could not be made" in capsys.readouterr().err
