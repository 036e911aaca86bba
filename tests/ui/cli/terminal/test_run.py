"""Exit codes, and errors as one line on standard error."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import click
import pytest

from ingest.base.errors import DocentError, SettingsError
from tests.project import PROJECT
from ui.cli.terminal.run import run


def command(does: Any) -> click.Command:
    """A command with one whole number as argument that calls `does`."""

    @click.command("try")
    @click.argument("times", type=int, default=1)
    def try_command(times: int) -> Any:
        return does(times)

    return try_command


def raising(error: BaseException) -> Any:
    def does(*_arguments: Any) -> None:
        raise error

    return does


@pytest.mark.parametrize(
    ("does", "arguments", "code"),
    [
        (lambda *_: 0, [], 0),
        (lambda *_: None, [], 0),
        (lambda *_: 1, [], 1),
        (raising(DocentError("The library is empty: run `docent ingest`.")), [], 1),
        (raising(SettingsError("setting 'port' is wrong.")), [], 2),
        (raising(KeyboardInterrupt()), [], 1),
        (lambda *_: 0, ["many"], 2),
        (lambda *_: 0, ["--no-such-option"], 2),
        (lambda *_: 0, ["--help"], 0),
    ],
)
def test_exit_codes(does: Any, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 all went well, 1 some of it failed, 2 the command or its settings are wrong; never a traceback."""
    assert run(command(does), arguments, name="docent try") == code
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err + shown.out
    if code:
        assert shown.out == ""


def test_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The message goes to standard error as it is."""
    assert run(command(raising(DocentError("There is no library: run `docent ingest FOLDER`."))), []) == 1
    assert capsys.readouterr().err == "Error: There is no library: run `docent ingest FOLDER`.\n"


def test_stopping(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C: exit code 1, and a line that says that finished work is kept."""
    assert run(command(raising(KeyboardInterrupt())), []) == 1
    assert capsys.readouterr().err.strip() == "Stopped. The work finished so far is kept."


def test_an_unexpected_error_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error is named in one line, with the way to its traceback; that way shows it."""

    @click.command()
    def broken() -> None:
        raise ZeroDivisionError("by nothing")

    assert run(broken, []) == 1
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "ZeroDivisionError: by nothing" in shown
    assert "DOCENT_LOG_LEVEL=debug" in shown
    monkeypatch.setenv("DOCENT_LOG_LEVEL", "debug")
    with pytest.raises(ZeroDivisionError):
        run(broken, [])


def test_a_closed_pipe_is_no_failure() -> None:
    """When the program that reads our output stops, as `head` does: exit code 0 and no message."""
    program = (
        "import sys, click; from ui.cli.terminal.run import run\n"
        "@click.command()\n"
        "def many():\n"
        "    for number in range(10_000): click.echo(f'line {number}')\n"
        "sys.exit(run(many, []))\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    finished = subprocess.run(
        [sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, cwd=PROJECT, check=False
    )
    os.close(writing)
    assert (finished.returncode, finished.stderr) == (0, b"")
