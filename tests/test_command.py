"""`docent ingest`, which is also `python -m ingest`: what it prints, and the code it ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest import command
from ingest.command import ingest_command, show
from ingest.library import Library
from ingest.report import Failure, IngestReport
from ingest.terminal import run
from ui.cli import docent

PROJECT = Path(__file__).parent.parent
FIELDS = ["added", "updated", "unchanged", "removed", "failed", "passages", "seconds"]


def test_same_command() -> None:
    """`python -m ingest` and `docent ingest` are one command, not two that look alike."""
    assert docent.commands["ingest"] is ingest_command
    assert "ingest_command" in (PROJECT / "ingest" / "__main__.py").read_text()


def test_as_a_module(office: Path, home: Path) -> None:
    """As a process: JSON alone on standard output, exactly the promised fields, exit code 0."""
    arguments = [sys.executable, "-m", "ingest", str(office), "--home", str(home), "--json"]
    finished = subprocess.run(arguments, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert finished.returncode == 0
    report = json.loads(finished.stdout)
    assert list(report) == FIELDS
    assert [report[name] for name in FIELDS[:6]] == [4, 0, 0, 0, [], 4]
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
    assert f"Not taken in: {office / 'empty.md'}: the file is empty: fill it or remove it." in shown.err
    assert shown.out.startswith(
        "4 added, 0 updated, 0 unchanged, 0 removed, 1 failed; the library has 4 passages. Took "
    )


def test_wrong_path(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is not there is a failure of the run, said by the name it was given."""
    assert run(ingest_command, ["nowhere", "--home", str(home)]) == 1
    assert "Not taken in: nowhere: there is no such file or folder: check the spelling." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'PATHS...'"),
        (["x", "--log-level", "loud"], "setting 'log_level' is 'loud'"),
        (["x", "--embedder", "no such model"], "setting 'embedder' is 'no such model'"),
        (["x", "--nosuch"], "No such option"),
    ],
)
def test_wrong_command(arguments: list[str], said: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, with what is wrong."""
    assert run(ingest_command, [*arguments, "--home", str(home)]) == 2
    assert said in capsys.readouterr().err


def test_home_that_is_a_file(office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A state folder that cannot be is one line, before anything is done."""
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
    assert json.loads(log.splitlines()[-1])["added"] == 4
    assert "annual leave" not in log
    assert "certificate" not in log


def test_watching(
    office: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every run is told; the code is the last one's."""

    def runs(*_arguments: Any) -> Iterator[IngestReport]:
        yield IngestReport(added=2, failed=[Failure("a.md", "the file is empty: fill it or remove it")])
        yield IngestReport(updated=1, unchanged=2)

    monkeypatch.setattr(command, "watch", runs)
    assert run(ingest_command, [str(office), "--home", str(home), "--watch"]) == 0
    shown = capsys.readouterr()
    assert [line.split(";")[0] for line in shown.out.splitlines()] == [
        "2 added, 0 updated, 0 unchanged, 0 removed, 1 failed",
        "0 added, 1 updated, 2 unchanged, 0 removed, 0 failed",
    ]
    assert "Following the folders; Ctrl-C ends." in shown.err


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    """1 when something failed, else 0, in both forms."""
    failed = IngestReport(failed=[Failure("差旅.md", "the file is empty")])
    assert [show(report, as_json) for report in (IngestReport(), failed) for as_json in (False, True)] == [0, 0, 1, 1]
    assert "差旅.md" in capsys.readouterr().out
