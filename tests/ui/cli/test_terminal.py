"""What commands share: exit codes, one-line errors, and progress for people and for pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import click
import pytest

from ingest.base.errors import DocentError, SettingsError
from ingest.base.settings import Settings
from ingest.runs.report import Progress
from tests.project import PROJECT
from ui.cli import terminal
from ui.cli.terminal import duration, print_json, progress_shown, run, settings_from, settings_options


def command(does: Any) -> click.Command:
    """A command with one argument and one setting that does what it is given."""

    @click.command("try")
    @click.argument("times", type=int, default=1)
    @settings_options("port", "log_level")
    def trying(times: int, **flags: Any) -> Any:
        return does(times, flags)

    return trying


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
    """On standard error, as the error says it."""
    assert run(command(raising(DocentError("There is no library: run `docent ingest FOLDER`."))), []) == 1
    assert capsys.readouterr().err == "Error: There is no library: run `docent ingest FOLDER`.\n"


def test_stopping(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C says that nothing finished is lost."""
    assert run(command(raising(KeyboardInterrupt())), []) == 1
    assert capsys.readouterr().err.strip() == "Stopped. What was finished is kept."


def test_faults_of_the_program_are_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw says what it is and how to see where; then the traceback is there."""

    @click.command()
    def broken() -> None:
        raise ZeroDivisionError("by nothing")

    assert run(broken, []) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "ZeroDivisionError: by nothing" in said
    assert "DOCENT_LOG_LEVEL=debug" in said
    monkeypatch.setenv("DOCENT_LOG_LEVEL", "debug")
    with pytest.raises(ZeroDivisionError):
        run(broken, [])


def test_settings_as_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An option is called and described like its setting, and wins over the environment."""
    seen: list[Settings] = []
    monkeypatch.setenv("DOCENT_PORT", "1000")
    trying = command(lambda _times, flags: seen.append(settings_from(flags)))
    assert run(trying, ["--port", "2000", "--log-level", "debug"]) == 0
    assert run(trying, []) == 0
    assert [(settings.port, settings.log_level) for settings in seen] == [(2000, "debug"), (1000, "info")]
    assert run(trying, ["--help"]) == 0
    assert "--log-level VALUE" in capsys.readouterr().out
    assert run(trying, ["--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("Error: setting 'port' is '0': ")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON for programs, with Chinese as it is."""
    print_json({"path": "差旅.md", "score": 0.5})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"path": "差旅.md", "score": 0.5}
    assert "差旅.md" in shown


def test_reader_that_leaves() -> None:
    """When whoever reads our output has seen enough, as `head` has, that is no failure and no message."""
    program = (
        "import sys, click; from ui.cli.terminal import run\n"
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


def at(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Let the clock show these times, one after the other."""
    ticks = iter(seconds)
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: next(ticks)))


def test_plain_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a line now and then, on standard error, with files, pages, passages, rate and time left."""
    at(monkeypatch, 0.0, 1.0, 3.0, 4.0, 9.0, 9.0, 20.0, 20.0)
    with progress_shown("Ingesting") as show:
        show(Progress(0, 0, 0, ""))
        show(Progress(0, 10, 0, "a.md"))
        show(Progress(5, 10, 40, "c.md", 7, 10.0, 90.0))
        show(Progress(6, 10, 44, "d.md", 8, 11.0, 8.0))
        show(Progress(10, 10, 100, "", 12, 20.0, 0.0))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "Ingesting: 6 of 10 files, 8 pages, 44 passages, 4 passages/s, about 8 s left",
        "Ingesting: 10 of 10 files, 12 pages, 100 passages, 5 passages/s, about 0 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min"), (3540, "59 min"), (3600, "1 h 0 min"), (7900, "2 h 12 min")],
)
def test_duration(seconds: float, said: str) -> None:
    """Time left in the words people use."""
    assert duration(seconds) == said


def test_json_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: one object a line, twice a second at most, and always the last."""
    at(monkeypatch, 0.0, 0.0, 0.1, 0.2, 0.2)
    with progress_shown("Ingesting", quiet=True, json_lines=True) as show:
        show(Progress(1, 3, 4, "差旅.md", 2, 2.0, 5.04))
        show(Progress(2, 3, 5, "b.md", 3, 3.0, 2.0))
        show(Progress(3, 3, 6, "", 4, 4.0, 0.0))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [json.loads(line) for line in shown.err.splitlines()] == [
        {
            "done": 1,
            "total": 3,
            "pages": 2,
            "passages": 4,
            "passages_per_second": 2.0,
            "seconds": 2.0,
            "left": 5.0,
            "path": "差旅.md",
        },
        {
            "done": 3,
            "total": 3,
            "pages": 4,
            "passages": 6,
            "passages_per_second": 1.5,
            "seconds": 4.0,
            "left": 0.0,
            "path": "",
        },
    ]
    assert "差旅.md" in shown.err


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` nothing but the result is printed."""
    with progress_shown("Ingesting", quiet=True) as show:
        show(Progress(1, 2, 3, "a.md"))
    assert capsys.readouterr() == ("", "")


def test_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal a bar with counts, rate, time left and the file's name as it is, brackets included."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with progress_shown("Ingesting") as show:
        show(Progress(0, 0, 0, ""))
        show(Progress(1, 2, 3, "/srv/[red]plan.md", 4, 1.0, 130.0))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1/2" in shown.err
    assert "3 passages/s" in shown.err
    assert "2 min left" in shown.err
    assert "[red]plan.md" in shown.err


def test_a_name_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks, colours and turned text in a file's name are shown as what they are; letters of any script stay."""
    terminal.say("a\nb\x1b[31m\u202etxt.exe 年假 e\u0301 👩‍💻.md")
    terminal.say("c\td", err=True)
    said = capsys.readouterr()
    assert said.out == "a\ufffdb\ufffd[31m\ufffdtxt.exe 年假 e\u0301 👩‍💻.md\n"
    assert said.err == "c\ufffdd\n"
