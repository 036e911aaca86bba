"""What the tests of commands share: running one in this process, on a library of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.base.settings import Settings
from ui.cli.main import docent
from ui.cli.terminal.run import run


class Result:
    """What a command did: its exit code, standard output and standard error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Docent = Callable[..., Result]


@pytest.fixture
def run_docent(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Docent:
    """Runs a command on this test's library, without a chat model. Whatever it prints, it is never a traceback."""
    monkeypatch.setenv("DOCENT_HOME", str(home))
    monkeypatch.setenv("DOCENT_ENGINE", "extractive")
    monkeypatch.setenv("DOCENT_MODELS_CACHE", str(home / "models"))
    monkeypatch.setenv("DOCENT_HUB_CONNECT_SECONDS", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run_docent(*arguments: str) -> Result:
        capsys.readouterr()
        code = run(docent, list(arguments), name="docent")
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Result(code, out, err)

    return run_docent


@pytest.fixture
def filled(ingested_office: Path, settings: Settings) -> Settings:  # noqa: ARG001 - it fills the library
    """The settings of a library that holds the small office."""
    return settings
