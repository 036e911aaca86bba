"""`docent backup` and `docent restore` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.library import Library
from ingest.sync import ingest
from ui.cli.main import docent
from ui.cli.terminal.run import run


def test_there_and_back(office: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Saved, put elsewhere, refused where something is, and put there all the same when asked to."""
    ingest([office], settings)
    home, file, new = str(settings.home), str(tmp_path / "saved"), str(tmp_path / "new")
    assert run(docent, ["backup", file, "--home", home, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passages"] == 4
    assert run(docent, ["restore", file, "--home", new]) == 0
    assert "Restored 4 documents and 4 passages" in capsys.readouterr().out
    library = Library(tmp_path / "new")
    assert library.search("What does E-07 mean?")[0].path == "it/vpn.txt"
    library.close()
    assert run(docent, ["restore", file, "--home", home]) == 1
    assert "add --replace" in capsys.readouterr().err
    assert run(docent, ["restore", file, "--home", home, "--replace", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 4


def test_a_wrong_file(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 1."""
    (tmp_path / "wrong").write_text("not a backup")
    assert run(docent, ["restore", str(tmp_path / "wrong"), "--home", str(settings.home)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert run(docent, ["backup", str(tmp_path / "b"), "--home", str(tmp_path / "none")]) == 1
    assert "There is no library" in capsys.readouterr().err
