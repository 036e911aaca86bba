"""`docent eval`: its table, its JSON and its comparisons. The figures are tested where they are computed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.measure import evaluate as module
from assistant.measure.evaluate import Evaluation
from tests.assistant.measure.test_evaluate import folder, prepared  # noqa: F401
from ui.cli.main import docent
from ui.cli.terminal.run import run


def scored(hits: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {"_id": f"{number}", "hit@5": hit, "ms": 5.0, "confidence": 0.5, "refused": False}
        for number, hit in enumerate(hits)
    ]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Instead of real sets: sets by name, with the scores of their questions."""
    sets = {"first": [1, 0] * 10, "second": [1] * 20}

    def evaluate(folders: Sequence[Path], _settings: Any, limit: int | None, _progress: Any) -> Iterator[Evaluation]:
        for path in folders:
            yield Evaluation(path.name, 3, 7, 1.5, scored(sets[path.name][:limit]))

    monkeypatch.setattr(module, "evaluate", evaluate)
    return sets


def table(out: str) -> dict[str, list[str]]:
    """The cells of each line by its first cell."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()}


@pytest.mark.usefixtures("prepared")
def test_a_real_set_is_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """The figures as JSON; without a terminal nothing on standard error."""
    assert run(docent, ["eval", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert (figures["set"], figures["queries"], figures["ndcg@10"], figures["refusal_auroc"]) == ("set", 4, 1.0, 1.0)
    assert figures["intervals"]["ndcg@10"] == [1.0, 1.0]
    assert err == ""


@pytest.mark.usefixtures("measured")
def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each metric, a column for each set, each value with its interval; no value where a set has none."""
    assert run(docent, ["eval", "first", "second", "--limit", "10"]) == 0
    out, err = capsys.readouterr()
    rows = table(out)
    assert out.splitlines()[0].split() == ["first", "second"]
    assert rows["queries"] == ["10", "10"]
    assert rows["hit@5"][0] == ".500"
    assert rows["hit@5"][2:] == ["1.000", "1.000–1.000"]
    assert rows["p50_ms"] == ["5.0", "5.0–5.0"] * 2
    assert "ndcg@10" not in rows
    assert err == ""


def test_a_saved_run_is_compared_with(
    measured: dict[str, list[int]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--save keeps the scores of each question; --compare later shows the differences, marks the significant ones and
    says which questions they cover. The exit code stays 0."""
    file = tmp_path / "before.json"
    assert run(docent, ["eval", "first", "--save", str(file)]) == 0
    assert table(capsys.readouterr().out)["hit@5"][0] == ".500"
    assert json.loads(file.read_text("utf-8"))["per_question"] == scored(measured["first"])
    measured["first"] = [1] * 19
    assert run(docent, ["eval", "first", "second", "--compare", str(file)]) == 0
    out = capsys.readouterr().out
    assert table(out)["hit@5"][2] == "+.474"
    assert table(out)["hit@5"][6:] == ["*", "1.000", "1.000–1.000"]
    assert "first: differences are over" not in out
    assert f"second: {file} does not contain this set." in out
    assert "About one mark in twenty appears by chance" in out
    measured["first"] = [0] * 5 + [1] * 20
    assert run(docent, ["eval", "first", "--compare", str(file)]) == 0
    assert "first: differences are over the 20 questions of both runs." in capsys.readouterr().out


@pytest.mark.usefixtures("measured")
def test_saving_goes_through_a_link(tmp_path: Path) -> None:
    """What --save names is written to, not replaced: it may be a link, a pipe or /dev/stdout."""
    (tmp_path / "latest.json").symlink_to(tmp_path / "today.json")
    assert run(docent, ["eval", "first", "--save", str(tmp_path / "latest.json")]) == 0
    assert (tmp_path / "latest.json").is_symlink()
    assert len(json.loads((tmp_path / "today.json").read_text("utf-8"))["per_question"]) == 20


@pytest.mark.usefixtures("measured")
def test_json_has_values_per_question_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A comparison with a file that lacks them shows differences, and says why they have no interval."""
    assert run(docent, ["eval", "first", "--json", "--per-question"]) == 0
    assert len(json.loads(capsys.readouterr().out)["per_question"]) == 20
    assert run(docent, ["eval", "first", "--json"]) == 0
    plain = capsys.readouterr().out
    assert "per_question" not in plain
    (tmp_path / "plain.json").write_text(plain, "utf-8")
    assert run(docent, ["eval", "first", "--compare", str(tmp_path / "plain.json")]) == 0
    out = capsys.readouterr().out
    assert table(out)["hit@5"][2:] == ["+.000"]
    assert "has no values per question" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval"], "Missing argument 'FOLDERS...'"),
        (["eval", "first", "--per-question"], "add --json"),
        (["eval", "first", "--compare", "nowhere.json"], "nowhere.json cannot be read"),
        (["eval", "first", "--save", "nowhere/after.json"], "its folder does not exist"),
    ],
)
@pytest.mark.usefixtures("measured")
def test_a_wrong_command_fails_before_any_work(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line on standard error, nothing printed."""
    assert run(docent, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


@pytest.mark.usefixtures("measured")
def test_a_narrow_terminal_gets_the_table_in_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many sets side by side as fit; no line is wider than the terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "50")
    assert run(docent, ["eval", "first", "second"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 50
    assert sum(line.startswith("hit@5") for line in lines) == 2
