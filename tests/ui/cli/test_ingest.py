"""`docent ingest`, which is also `python -m ingest`: what it prints, its exit code, and the fit at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.refuse.thresholds import THRESHOLDS_FILE, read_fitted_thresholds
from ingest import watch
from ingest.base.types import Failure
from ingest.library import Library
from ingest.runs.dry_run import DryRunReport
from ingest.runs.report import IngestReport
from tests.conftest import OFFICE
from tests.project import PROJECT
from tests.ui.cli.conftest import Docent
from ui.cli.ingest import ingest_command, show_dry_run, show_report
from ui.cli.main import docent

FIELDS = [
    "added", "updated", "unchanged", "removed", "failed", "passages", "seconds", "moved", "duplicates", "quarantined",
]  # fmt: skip
pytestmark = pytest.mark.usefixtures("in_process_readers")


def test_as_a_module(office: Path, home: Path) -> None:
    """`python -m ingest` is the same command as `docent ingest` and does the same work, fitting thresholds included.

    As a process: JSON alone on standard output, exactly the promised fields, exit code 0.
    """
    assert docent.commands["ingest"] is ingest_command
    arguments = [sys.executable, "-m", "ingest", str(office), "--home", str(home), "--json"]
    finished = subprocess.run(arguments, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    report = json.loads(finished.stdout)
    assert list(report) == FIELDS
    assert [report[name] for name in FIELDS[:6]] == [4, 0, 0, 0, [], 4]
    fitted = read_fitted_thresholds(home)
    assert fitted is not None and fitted.passages == 4
    library = Library(home)
    assert library.search("What does E-07 mean?", 1)[0].path == "it/vpn.txt"
    library.close()


def test_a_run_ends_with_fitted_thresholds(run_docent: Docent, home: Path, ingested_office: Path) -> None:
    """`ingest` and `rebuild` fit the thresholds to the library; a run that changes little keeps the last fit."""
    assert read_fitted_thresholds(home) is None
    assert run_docent("ingest", str(ingested_office)).err == "Fitting the confidence thresholds to the library …\n"
    first = read_fitted_thresholds(home)
    assert first is not None and first.passages == 4
    fitted_at = (home / THRESHOLDS_FILE).stat().st_mtime_ns
    assert run_docent("ingest", str(ingested_office)).err == ""
    assert (home / THRESHOLDS_FILE).stat().st_mtime_ns == fitted_at
    run_docent("rebuild")
    second = read_fitted_thresholds(home)
    assert second is not None and second.last_passage > first.last_passage


def test_what_was_done_is_reported(run_docent: Docent, ingested_office: Path) -> None:
    """As JSON with exactly the promised fields, as text in one line; exit code 1 when a file failed.

    Each failure has a path and a reason, and the rest is done all the same.
    """
    empty = ingested_office / "empty.md"
    empty.write_text("")
    (ingested_office / "it" / "vpn.txt").unlink()
    (ingested_office / "parking.txt").write_text("Parking behind the house is free for visitors.")
    first = run_docent("ingest", str(ingested_office), "--json")
    assert (first.code, first.err) == (1, "")
    assert list(first.json) == FIELDS
    assert [first.json[name] for name in FIELDS[:4]] == [1, 0, 3, 1]
    assert first.json["failed"] == [{"path": str(empty), "reason": "the file is empty: fill it or remove it"}]
    second = run_docent("ingest", str(ingested_office))
    assert second.code == 1
    assert second.err.startswith(f"Failed: {empty}: the file is empty: fill it or remove it.\n")
    line = "0 added, 0 updated, 4 unchanged, 0 removed, 1 failed; the library has 4 passages. Took "
    assert second.out.startswith(line) and second.out.count("\n") == 1


def test_wrong_path(run_docent: Docent) -> None:
    """A path that does not exist fails, with its whole name."""
    result = run_docent("ingest", "nowhere")
    line = f"Failed: {Path('nowhere').absolute()}: there is no such file or folder: check the spelling."
    assert (result.code, line in result.err) == (1, True)


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
def test_wrong_command(run_docent: Docent, arguments: list[str], message: str) -> None:
    """Exit code 2, and what is wrong."""
    result = run_docent("ingest", *arguments)
    assert (result.code, message in result.err) == (2, True)


def test_home_that_is_a_file(run_docent: Docent, office: Path, tmp_path: Path) -> None:
    """A state folder that cannot be made is one line, before anything is done."""
    (tmp_path / "file").write_text("")
    result = run_docent("ingest", str(office), "--home", str(tmp_path / "file"))
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert f"{tmp_path / 'file' / 'logs'} cannot be used (Not a directory)" in result.err
    assert "set DOCENT_HOME to a folder that can be written" in result.err


def test_log_has_no_text(run_docent: Docent, home: Path, ingested_office: Path) -> None:
    """The log of a run has counts and names, and no words of any document."""
    (ingested_office / "parking.txt").write_text("Parking behind the house is free for visitors.")
    assert run_docent("ingest", str(ingested_office)).code == 0
    log = (home / "logs" / "docent.log").read_text("utf-8")
    assert [entry["added"] for entry in map(json.loads, log.splitlines()) if "added" in entry] == [1]
    assert "behind the house" not in log
    assert "annual leave" not in log


def test_watching(run_docent: Docent, office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is reported; the exit code is that of the last."""

    def runs(*_arguments: Any, **_options: Any) -> Iterator[IngestReport]:
        yield IngestReport(added=2, failed=[Failure("a.md", "the file is empty: fill it or remove it")])
        yield IngestReport(updated=1, unchanged=2)

    monkeypatch.setattr(watch, "watch", runs)
    result = run_docent("ingest", str(office), "--watch")
    assert result.code == 0
    assert [line.split(";")[0] for line in result.out.splitlines()] == [
        "2 added, 0 updated, 0 unchanged, 0 removed, 1 failed",
        "0 added, 1 updated, 2 unchanged, 0 removed, 0 failed",
    ]
    assert "Watching for changes; press Ctrl-C to stop." in result.err


def test_dry_run(run_docent: Docent, office: Path, tmp_path: Path) -> None:
    """What would be done, path by path and in numbers, with the exit code of the run. No library and no log is made."""
    (office / "empty.md").write_text("")
    (office / ".secret").write_text("x")
    home = tmp_path / "none"
    result = run_docent("ingest", str(office), "--home", str(home), "--dry-run")
    assert result.code == 1
    assert f"Would add: {office / 'it' / 'vpn.txt'}" in result.out
    assert f"Would ignore: {office / '.secret'}" in result.out
    assert result.out.splitlines()[-1] == (
        "Result: 4 added, 0 updated, 0 unchanged, 0 removed, 1 failed, 1 ignored. Failed by kind: 1 .md. "
        "Dry run: nothing was changed."
    )
    assert f"Failed: {office / 'empty.md'}: " in result.err
    result = run_docent("ingest", str(office), "--home", str(home), "--dry-run", "--json")
    assert result.code == 1
    assert list(result.json) == [*FIELDS, "files", "failed_kinds"]
    added = sorted(Path(path).name for path in result.json["files"]["added"])
    assert added == sorted(Path(name).name for name in OFFICE)
    assert result.json["failed_kinds"] == {".md": 1}
    assert not home.exists()


def test_long_forecast(capsys: pytest.CaptureFixture[str]) -> None:
    """Of many paths a person is shown ten, and how to see all."""
    paths = [f"{number}.md" for number in range(12)]
    forecast = DryRunReport(IngestReport(moved=1), added=paths, moved=[("a.md", "b.md")])
    assert show_dry_run(forecast, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[9:12] == ["Would add: 9.md", "Would add: 2 more; --json lists all", "Would move: a.md → b.md"]


def test_progress_for_programs(run_docent: Docent, office: Path) -> None:
    """With --progress, JSON lines on standard error up to the last file, and only the result on standard output."""
    result = run_docent("ingest", str(office), "--json", "--progress")
    assert (result.code, result.json["added"]) == (0, 4)
    last = [json.loads(line) for line in result.err.splitlines()][-1]
    assert list(last) == ["done", "total", "pages", "passages", "passages_per_second", "seconds", "left", "path"]
    assert (last["done"], last["total"], last["passages"], last["left"]) == (4, 4, 4, 0.0)


def test_quarantine_and_acceptance(run_docent: Docent, ingested_office: Path) -> None:
    """A quarantined document is reported with the reason and the way to use it anyway, which needs no folder."""
    garbage = "".join(chr(0xE000 + number % 600) + " " * (number % 7 == 0) for number in range(3000))
    scan = ingested_office / "scan.txt"
    scan.write_text(f"Zebra crossing {garbage}", "utf-8")
    result = run_docent("ingest", str(ingested_office))
    assert result.code == 0
    assert f"Quarantined: {scan}: " in result.err
    assert "1 added, 0 updated, 4 unchanged, 0 removed, 0 failed, 1 quarantined; the library" in result.out
    result = run_docent("ingest", "--accept", str(scan))
    assert (result.code, result.out.startswith("0 added, 1 updated, ")) == (0, True)


@pytest.mark.parametrize("as_json", [False, True])
def test_exit_code_of_a_report(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """1 when a file failed, else 0, as text and as JSON."""
    assert show_report(IngestReport(), as_json) == 0
    assert show_report(IngestReport(failed=[Failure("差旅.md", "the file is empty")]), as_json) == 1
    shown = capsys.readouterr()
    assert "差旅.md" in shown.out + shown.err
