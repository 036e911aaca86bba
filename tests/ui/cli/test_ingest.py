"""`docent ingest`, which is also `python -m ingest`: what it prints, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.refuse.thresholds import read_fitted_thresholds
from ingest.library import Library
from ingest.runs.dry_run import DryRunReport
from ingest.runs.report import Failure, IngestReport
from tests.conftest import OFFICE
from tests.project import PROJECT
from ui.cli import ingest as command
from ui.cli.ingest import ingest_command, show_dry_run, show_report
from ui.cli.main import docent
from ui.cli.terminal.run import run

FIELDS = [
    "added", "updated", "unchanged", "removed", "failed", "passages", "seconds", "moved", "duplicates", "quarantined",
]  # fmt: skip


def test_as_a_module(office: Path, home: Path) -> None:
    """`python -m ingest` is the same command as `docent ingest` and does the same work, fitting thresholds included.

    As a process: JSON alone on standard output, exactly the promised fields, exit code 0.
    """
    assert docent.commands["ingest"] is ingest_command
    arguments = [sys.executable, "-m", "ingest", str(office), "--home", str(home), "--json"]
    finished = subprocess.run(arguments, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert finished.returncode == 0
    report = json.loads(finished.stdout)
    assert list(report) == FIELDS
    assert [report[name] for name in FIELDS[:6]] == [4, 0, 0, 0, [], 4]
    assert finished.stderr == ""
    fitted = read_fitted_thresholds(home)
    assert fitted is not None and fitted.passages == 4
    library = Library(home)
    assert library.search("What does E-07 mean?", 1)[0].path == "it/vpn.txt"
    library.close()


def test_something_failed(office: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; each failure has a path and a reason, and the rest was done."""
    (office / "empty.md").write_text("")
    assert run(ingest_command, [str(office), "--home", str(home), "--json"]) == 1
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert list(report) == FIELDS
    assert report["added"] == 4
    assert report["failed"] == [{"path": str(office / "empty.md"), "reason": "the file is empty: fill it or remove it"}]
    assert shown.err == ""


def test_for_people(office: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Failures on standard error, one line each; the outcome in one line on standard output."""
    (office / "empty.md").write_text("")
    assert run(ingest_command, [str(office), "--home", str(home)]) == 1
    shown = capsys.readouterr()
    assert f"Failed: {office / 'empty.md'}: the file is empty: fill it or remove it." in shown.err
    assert shown.out.startswith(
        "4 added, 0 updated, 0 unchanged, 0 removed, 1 failed; the library has 4 passages. Took "
    )


def test_wrong_path(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that does not exist fails, with its whole name."""
    assert run(ingest_command, ["nowhere", "--home", str(home)]) == 1
    line = f"Failed: {Path('nowhere').absolute()}: there is no such file or folder: check the spelling."
    assert line in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'PATHS...'"),
        (["x", "--watch", "--dry-run"], "--watch, --dry-run and --accept cannot be combined"),
        (["x", "--dry-run", "--accept", "y"], "--watch, --dry-run and --accept cannot be combined"),
        (["x", "--log-level", "loud"], "setting 'log_level' is 'loud'"),
        (["x", "--embedder", "no such model"], "setting 'embedder' is 'no such model'"),
        (["x", "--nosuch"], "No such option"),
    ],
)
def test_wrong_command(arguments: list[str], message: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and what is wrong."""
    assert run(ingest_command, [*arguments, "--home", str(home)]) == 2
    assert message in capsys.readouterr().err


def test_home_that_is_a_file(office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A state folder that cannot be made is one line, before anything is done."""
    (tmp_path / "file").write_text("")
    assert run(ingest_command, [str(office), "--home", str(tmp_path / "file")]) == 1
    shown = capsys.readouterr().err
    assert f"{tmp_path / 'file' / 'logs'} cannot be used (Not a directory)" in shown
    assert "set DOCENT_HOME to a folder that can be written" in shown
    assert shown.count("\n") == 1


def test_log_has_no_text(office: Path, home: Path) -> None:
    """The log of a run has counts and names, and no words of any document."""
    assert run(ingest_command, [str(office), "--home", str(home)]) == 0
    log = (home / "logs" / "docent.log").read_text("utf-8")
    assert [entry["added"] for entry in map(json.loads, log.splitlines()) if "added" in entry] == [4]
    assert "annual leave" not in log
    assert "certificate" not in log


def test_watching(
    office: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every run is reported; the exit code is that of the last."""

    def runs(*_arguments: Any, **_options: Any) -> Iterator[IngestReport]:
        yield IngestReport(added=2, failed=[Failure("a.md", "the file is empty: fill it or remove it")])
        yield IngestReport(updated=1, unchanged=2)

    monkeypatch.setattr(command, "watch", runs)
    assert run(ingest_command, [str(office), "--home", str(home), "--watch"]) == 0
    shown = capsys.readouterr()
    assert [line.split(";")[0] for line in shown.out.splitlines()] == [
        "2 added, 0 updated, 0 unchanged, 0 removed, 1 failed",
        "0 added, 1 updated, 2 unchanged, 0 removed, 0 failed",
    ]
    assert "Watching for changes; press Ctrl-C to stop." in shown.err


def test_dry_run(office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What would be done, path by path and in numbers, with the exit code of the run. No library and no log is made."""
    (office / "empty.md").write_text("")
    (office / ".secret").write_text("x")
    home = tmp_path / "none"
    assert run(ingest_command, [str(office), "--home", str(home), "--dry-run"]) == 1
    shown = capsys.readouterr()
    assert f"Would add: {office / 'it' / 'vpn.txt'}" in shown.out
    assert f"Would ignore: {office / '.secret'}" in shown.out
    assert shown.out.splitlines()[-1] == (
        "Result: 4 added, 0 updated, 0 unchanged, 0 removed, 1 failed, 1 ignored. Failed by kind: 1 .md. "
        "Dry run: nothing was changed."
    )
    assert f"Failed: {office / 'empty.md'}: " in shown.err
    assert run(ingest_command, [str(office), "--home", str(home), "--dry-run", "--json"]) == 1
    forecast = json.loads(capsys.readouterr().out)
    assert list(forecast) == [*FIELDS, "files", "failed_kinds"]
    assert sorted(Path(path).name for path in forecast["files"]["added"]) == sorted(Path(name).name for name in OFFICE)
    assert forecast["failed_kinds"] == {".md": 1}
    assert not home.exists()


def test_long_forecast(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many paths a person is shown ten, and how to see all."""
    forecast = DryRunReport(
        IngestReport(moved=1), added=[f"{number}.md" for number in range(12)], moved=[("a.md", "b.md")]
    )
    assert show_dry_run(forecast, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[9:12] == ["Would add: 9.md", "Would add: 2 more; --json lists all", "Would move: a.md → b.md"]


def test_progress_for_programs(office: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --progress, JSON lines on standard error up to the last file, and only the result on standard output."""
    assert run(ingest_command, [str(office), "--home", str(home), "--json", "--progress"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["added"] == 4
    last = [json.loads(line) for line in shown.err.splitlines()][-1]
    assert list(last) == ["done", "total", "pages", "passages", "passages_per_second", "seconds", "left", "path"]
    assert (last["done"], last["total"], last["passages"], last["left"]) == (4, 4, 4, 0.0)


def test_quarantine_and_acceptance(office: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A quarantined document is reported with the reason and the way to use it anyway, which needs no folder."""
    garbage = "Zebra crossing " + "".join(
        chr(0xE000 + number % 600) + " " * (number % 7 == 0) for number in range(3000)
    )
    (office / "scan.txt").write_text(garbage, "utf-8")
    assert run(ingest_command, [str(office), "--home", str(home)]) == 0
    shown = capsys.readouterr()
    assert f"Quarantined: {office / 'scan.txt'}: " in shown.err
    assert "5 added, 0 updated, 0 unchanged, 0 removed, 0 failed, 1 quarantined; the library" in shown.out
    assert run(ingest_command, ["--accept", str(office / "scan.txt"), "--home", str(home)]) == 0
    assert capsys.readouterr().out.startswith("0 added, 1 updated, ")


def test_exit_code_of_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    """1 when a file failed, else 0, as text and as JSON."""
    failed = IngestReport(failed=[Failure("差旅.md", "the file is empty")])
    assert [show_report(report, as_json) for report in (IngestReport(), failed) for as_json in (False, True)] == [
        0,
        0,
        1,
        1,
    ]
    assert "差旅.md" in capsys.readouterr().out
