"""What all commands have in common: wrong arguments, wrong settings, help, and `docent` as a process."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ingest.base.settings import Settings
from tests.fakes.loopback_hub import closed_port
from tests.project import PROJECT
from tests.ui.cli.conftest import Docent, Result
from ui.cli.main import docent

COMMAND = str(Path(sys.executable).with_name("docent"))
PROMISED = (
    "ingest", "search", "ask", "serve", "list", "remove", "rebuild", "status", "check", "doctor", "models",
    "models list", "models pull", "eval",
)  # fmt: skip


@pytest.mark.usefixtures("filled")
def test_doctor_prints_its_findings(run_docent: Docent, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each; exit code 1 when one is a problem."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    well = run_docent("doctor", "--json")
    assert [list(finding) for finding in well.json] == [["name", "ok", "text"]] * 9
    assert {finding["name"]: finding["ok"] for finding in well.json}["library"] is True
    result = run_docent("doctor", "--model", "nonsense", "--engine", "auto")
    assert result.code == 1
    problems = [line for line in result.out.splitlines() if line.startswith("PROBLEM  ")]
    assert [line.split()[1].rstrip(":") for line in problems] == ["engine", "chat"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "  "], "TEXT is empty"),
        (["ask", ""], "TEXT is empty"),
        (["ask", "x" * 1001], "1 to 1000 characters"),
        (["search"], "Missing argument 'TEXT'"),
        (["search", "leave", "-k", "0"], "Invalid value for '-k'"),
        (["search", "leave", "--colour"], "No such option '--colour'"),
        (["find", "leave"], "No such command 'find'"),
        (["ingest"], "Missing argument 'PATHS...'"),
        (["serve", "--port", "99999"], "setting 'port' is '99999'"),
        (["ask", "leave", "--engine", "magic"], "setting 'engine' is 'magic'"),
        (["ask", "leave", "--temperature", "-1"], "setting 'temperature' is '-1'"),
        (["eval", "nowhere"], "not in BEIR layout"),
        (["eval", "nowhere", "--limit", "0"], "Invalid value for '--limit'"),
        (["models", "pull", "nonsense"], "'nonsense' is not of the form owner/name"),
    ],
)
def test_a_wrong_command_is_exit_code_2(run_docent: Docent, arguments: list[str], message: str) -> None:
    """One line on standard error names what is wrong, and nothing else is printed."""
    wrong = run_docent(*arguments)
    assert (wrong.code, wrong.out) == (2, "")
    assert message in wrong.err
    assert wrong.err.splitlines()[-1].startswith("Error: ")


def test_a_wrong_setting_is_named_wherever_it_came_from(run_docent: Docent, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment, from the file, or misspelt: one line with the key, and exit code 2."""
    monkeypatch.setenv("DOCENT_PASSAGES", "many")
    wrong = run_docent("list")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "'passages' is 'many'" in wrong.err
    monkeypatch.delenv("DOCENT_PASSAGES")
    monkeypatch.setenv("DOCENT_MODLE", "x")
    assert "DOCENT_MODLE is not a setting" in run_docent("list").err
    monkeypatch.delenv("DOCENT_MODLE")
    Path("docent.toml").write_text("passages = 0\n", "utf-8")
    assert "'passages' is 0" in run_docent("list").err
    Path("docent.toml").write_text("passages = \n", "utf-8")
    wrong = run_docent("list")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "docent.toml is not valid TOML" in wrong.err


@pytest.mark.usefixtures("filled")
def test_a_port_that_is_taken(run_docent: Docent) -> None:
    """Exit code 1 and a line that names the port and the option."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run_docent("serve", "--port", str(port))
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        f"Error: Port {port} on 127.0.0.1 is taken: stop what uses it or choose another with `docent serve --port`."
    )


def test_help_is_quick_everywhere() -> None:
    """Every command, the promised ones among them, explains itself without loading torch, LlamaIndex or the page."""
    commands = ["", *every_command(docent)]
    assert set(PROMISED) <= set(commands)
    script = (
        "import sys\nfrom ui.cli.terminal.run import run\nfrom ui.cli.main import docent\n"
        "for words in sys.argv[1:]:\n    print('##', words, run(docent, [*words.split(), '--help'], name='docent'))\n"
        "print([name for name in ('torch', 'transformers', 'streamlit', 'llama_index', 'modelscope')"
        " if name in sys.modules])"
    )
    command = [sys.executable, "-X", "utf8", "-c", script, *commands]
    finished = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", check=False)
    assert finished.stderr == ""
    *pages, loaded = finished.stdout.strip().splitlines()
    assert loaded == "[]"
    assert [line for line in pages if line.startswith("##")] == [f"## {words} 0" for words in commands]
    for words in commands:
        assert f"Usage: {' '.join(['docent', *words.split()])} " in finished.stdout


def every_command(group: click.Group, before: str = "") -> Iterator[str]:
    """The words of each command, groups included."""
    for name, command in group.commands.items():
        yield f"{before}{name}"
        if isinstance(command, click.Group):
            yield from every_command(command, f"{before}{name} ")


def test_the_console_script_works(filled: Settings, tmp_path: Path) -> None:
    """`docent` as installed: only JSON on standard output, an error as one line, and the exit codes."""

    def process(*arguments: str) -> Result:
        command = [COMMAND, *arguments, "--home", str(filled.home)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    asked = process("ask", "How many days of annual leave do full-time staff get?", "--engine", "extractive", "--json")
    assert (asked.code, asked.err) == (0, "")
    assert asked.json["citations"][0]["quote"] == "Full-time staff get 25 days of annual leave a year."
    wrong = process("ask", "leave", "--engine", "magic")
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1)
