"""Choosing an engine: the best that works, quotations otherwise, and a note that says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assistant.engines.choose import choose_engine
from assistant.engines.openvino_engine import OpenVINOEngine
from assistant.engines.transformers_engine import TransformersEngine
from assistant.models import convert as conversion
from assistant.models import parity
from ingest.base.errors import DocentError, SettingsError
from ingest.base.settings import Settings


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(**{"models_cache": tmp_path / "cache", "home": tmp_path / "home", **values})  # type: ignore[arg-type]


def test_auto_takes_the_model_when_its_weights_are_here(
    tiny_checkpoint: Path, tiny_models: Path, tmp_path: Path
) -> None:
    """Undamaged weights are used, and there is no note."""
    choice = choose_engine(settings(tmp_path, model=str(tiny_checkpoint), answers_at_once=3, models_cache=tiny_models))
    assert isinstance(choice.engine, OpenVINOEngine)
    assert (choice.name, choice.model, choice.note) == ("openvino", str(tiny_checkpoint), "")
    assert choice.engine.at_once == 3
    assert choice.engine.fresh_tokens > 0
    choice.engine.close()


def test_transformers_by_name_is_what_one_gets(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """The reference engine can be asked for by name; it generates one answer at a time."""
    choice = choose_engine(settings(tmp_path, model=str(tiny_checkpoint), engine="transformers"))
    assert isinstance(choice.engine, TransformersEngine)
    assert (choice.name, choice.note, choice.engine.at_once) == ("transformers", "", 1)


def test_an_engine_needs_no_disk_to_be_loaded(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """An engine answers also when its reading rate cannot be stored."""
    (tmp_path / "file").touch()
    choice = choose_engine(
        settings(tmp_path, model=str(tiny_checkpoint), engine="transformers", home=tmp_path / "file" / "home")
    )
    assert (choice.name, choice.note) == ("transformers", "")
    assert choice.engine is not None
    assert choice.engine.fresh_tokens > 0


@pytest.mark.parametrize("fault", ["parity", "conversion"])
def test_auto_passes_over_an_engine_that_fails_and_says_why(
    tiny_checkpoint: Path, tiny_models: Path, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A converted model that fails parity or cannot be made is not used; the next engine is, with a note."""
    if fault == "parity":
        monkeypatch.setattr(parity, "LEAST_SAME_CHOICE", 1.01)
        reason = "it disagrees with the original"
    else:

        def fail(*_arguments: object) -> Path:
            raise DocentError("no space for the model: free some.")

        monkeypatch.setattr(conversion, "convert_in_process", fail)
        reason = "no space for the model"
    choice = choose_engine(settings(tmp_path, model=str(tiny_checkpoint), models_cache=tiny_models))
    assert choice.name == "transformers"
    assert choice.note.startswith("Answers come more slowly than they could.")
    assert reason in choice.note
    if fault == "conversion":
        with pytest.raises(DocentError, match=reason):
            choose_engine(settings(tmp_path, model=str(tiny_checkpoint), engine="openvino"))


def test_auto_without_weights_quotes_and_says_how_to_get_them(tmp_path: Path) -> None:
    """A fresh offline machine is useful at once, and its banner names the command."""
    choice = choose_engine(settings(tmp_path))
    assert choice.engine is None
    assert choice.name == "extractive"
    assert choice.note == (
        "No model weights are on this machine, so answers are quoted from the documents. "
        "Run `docent models pull` to get qwen/Qwen1.5-0.5B-Chat."
    )


def test_auto_with_broken_weights_quotes_and_names_the_reason(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Damaged weights are named: with `auto` in the note, with an engine by name in the error."""
    folder = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "model.safetensors").write_bytes(b"")
    choice = choose_engine(settings(tmp_path, model=str(folder)))
    assert choice.name == "extractive"
    assert "model.safetensors is cut short" in choice.note
    assert "\n" not in choice.note
    with pytest.raises(DocentError, match=r"model\.safetensors is cut short"):
        choose_engine(settings(tmp_path, model=str(folder), engine="transformers"))


def test_asking_for_the_model_without_weights_is_a_wrong_setting(tmp_path: Path) -> None:
    """Who names the engine gets it or an error that says what to run."""
    with pytest.raises(
        SettingsError, match=r"'engine' is 'transformers' and qwen/.* is not on this machine: run `docent"
    ):
        choose_engine(settings(tmp_path, engine="transformers"))


def test_a_model_that_is_none_is_a_wrong_setting_under_auto_too(tmp_path: Path) -> None:
    """A misspelt folder does not quietly become quotations."""
    with pytest.raises(SettingsError, match="setting 'model' is '/no/such'"):
        choose_engine(settings(tmp_path, model="/no/such"))


def test_quotations_by_choice_need_no_excuse(tmp_path: Path) -> None:
    """Chosen by name, the extractive engine has no note."""
    choice = choose_engine(settings(tmp_path, engine="extractive"))
    assert (choice.name, choice.note) == ("extractive", "")
