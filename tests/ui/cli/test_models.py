"""`docent models` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.loopback_hub import LoopbackHub, closed_port
from tests.ui.cli.conftest import Docent


def test_models_are_listed_and_pulled(
    run_docent: Docent, home: Path, hub: LoopbackHub, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A model is listed as not here; after it was pulled from the hub, with every byte, it is listed as ready."""
    monkeypatch.setenv("DOCENT_MODEL", "owner/tiny")
    hub.add_folder("owner/tiny", tiny_checkpoint)
    before = run_docent("models", "list", "--json")
    assert before.code == 0
    assert [list(state) for state in before.json] == [["name", "role", "path", "size", "state"]] * 3
    assert [(state["name"], Path(state["path"]).name, state["state"]) for state in before.json] == [
        ("owner/tiny", "", "not here"),
        ("multilingual-e5-small", "e5-small-q4.bin", "bundled"),
        ("all-MiniLM-L6-v2", "model", "bundled"),
    ]
    pulled = run_docent("models", "pull", "--json")
    assert pulled.code == 0
    (ready,) = pulled.json
    assert Path(ready).is_dir()
    assert Path(ready).is_relative_to(home / "models")
    state = run_docent("models", "list", "--json").json[0]
    assert (state["name"], state["role"], state["state"]) == ("owner/tiny", "chat", "ready")
    here = Path(state["path"])
    assert (here / "model.safetensors").read_bytes() == (tiny_checkpoint / "model.safetensors").read_bytes()
    assert state["size"] >= sum(file.stat().st_size for file in tiny_checkpoint.iterdir())
    assert run_docent("models", "pull").out == f"Ready: {ready}\n"
    assert run_docent("models", "list").out.splitlines()[0].endswith("MB, ready)")


def test_a_hub_that_does_not_answer(run_docent: Docent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1 and one line that names the hub and the variable."""
    endpoint = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", endpoint)
    result = run_docent("models", "pull")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert endpoint in result.err
    assert "MODELSCOPE_ENDPOINT" in result.err
