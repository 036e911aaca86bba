"""Options named after settings."""

from __future__ import annotations

from typing import Any

import click
import pytest

from ingest.base.settings import Settings
from ui.cli.terminal.options import settings_from, settings_options
from ui.cli.terminal.run import run


def test_settings_as_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An option has the name and the description of its setting, and wins over the environment."""
    seen: list[Settings] = []
    monkeypatch.setenv("DOCENT_PORT", "1000")

    @click.command("try")
    @settings_options("port", "log_level")
    def try_command(**flags: Any) -> None:
        seen.append(settings_from(flags))

    assert run(try_command, ["--port", "2000", "--log-level", "debug"]) == 0
    assert run(try_command, []) == 0
    assert [(settings.port, settings.log_level) for settings in seen] == [(2000, "debug"), (1000, "info")]
    assert run(try_command, ["--help"]) == 0
    assert "--log-level VALUE" in capsys.readouterr().out
    assert run(try_command, ["--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("Error: setting 'port' is '0': ")
