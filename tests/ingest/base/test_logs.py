"""Logs: JSON lines in a rotating file, and handlers that are replaced, not added."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from ingest.base import logs
from ingest.base.logs import configure_logs, get_logger
from tests.conftest import fill


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "docent.log").read_text("utf-8").splitlines()]


def test_one_json_object_a_line(tmp_path: Path) -> None:
    """Every record is one line of JSON with its event, values, level, logger and time; Chinese stays readable."""
    configure_logs("info", tmp_path, console=False)
    get_logger("ingest.sync").info("ingest.done", added=3, path="休假制度.md")
    logging.getLogger("library").warning("from %s", "elsewhere")
    ours, other = lines(tmp_path)
    assert (ours["event"], ours["added"], ours["path"]) == ("ingest.done", 3, "休假制度.md")
    assert (ours["level"], ours["logger"]) == ("info", "ingest.sync")
    assert ours["timestamp"].endswith("Z")
    assert (other["event"], other["level"], other["logger"]) == ("from elsewhere", "warning", "library")
    assert "休假制度.md" in (tmp_path / "docent.log").read_text("utf-8")


def test_traceback_goes_to_the_file(tmp_path: Path) -> None:
    """The log has the traceback that the one line for a person leaves out."""
    configure_logs("info", tmp_path, console=False)
    try:
        raise ValueError("the reason")
    except ValueError:
        get_logger("x").error("failed", exc_info=True)
    (record,) = lines(tmp_path)
    assert "ValueError: the reason" in record["exception"]
    assert "test_logs.py" in record["exception"]


def test_level(tmp_path: Path) -> None:
    """Nothing below the level is written."""
    configure_logs("warning", tmp_path, console=False)
    log = get_logger("x")
    for write in (log.debug, log.info, log.warning, log.error):
        write("event", by=write.__name__)
    assert [record["level"] for record in lines(tmp_path)] == ["warning", "error"]


def test_configuring_again_replaces(tmp_path: Path) -> None:
    """After a second call no line is written twice or to the old file; handlers of others stay."""
    foreign = logging.NullHandler()
    logging.getLogger().addHandler(foreign)
    configure_logs("info", tmp_path / "first", console=False)
    configure_logs("info", tmp_path / "second", console=False)
    get_logger("x").info("once")
    assert [record["event"] for record in lines(tmp_path / "second")] == ["once"]
    assert not (tmp_path / "first" / "docent.log").exists()
    assert foreign in logging.getLogger().handlers
    logging.getLogger().removeHandler(foreign)


def test_file_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full file is renamed with a number, the oldest is deleted, and the newest lines are in `docent.log`."""
    monkeypatch.setattr(logs, "LOG_BYTES", 2_000)
    monkeypatch.setattr(logs, "LOG_FILES", 2)
    folder = tmp_path / "logs"
    configure_logs("info", folder, console=False)
    for number in range(100):
        get_logger("x").info("event", number=number)
    assert sorted(path.name for path in folder.iterdir()) == ["docent.log", "docent.log.1", "docent.log.2"]
    assert lines(folder)[-1]["number"] == 99
    assert all(path.stat().st_size <= 2_000 for path in folder.iterdir())


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    """Console lines go to standard error; standard output is for the result of the command."""
    configure_logs("info")
    get_logger("x").info("started", port=8501)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "started" in shown.err
    assert "8501" in shown.err


def test_a_full_disk_is_reported_once(small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error gets one line and no traceback; when there is room again, the log continues."""
    configure_logs("info", small_disk, console=False)
    log = get_logger("x")
    fill(small_disk / "filler", 0)
    for _ in range(3):
        log.info("lost", text="x" * 20_000)
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.endswith(
        "cannot be written (No space left on device): free some space or repair the disk; until then log entries are "
        "lost."
    )
    (small_disk / "filler").unlink()
    log.info("found")
    assert lines(small_disk)[-1]["event"] == "found"
