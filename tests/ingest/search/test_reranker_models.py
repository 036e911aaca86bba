"""The model of a reranker: pulled, missing, broken or wrongly named, and searches that go on without it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from assistant.models.locate import list_models, pull
from ingest.base.errors import DocentError, SettingsError
from ingest.base.settings import Settings
from ingest.hub.reranker_files import check_reranker
from ingest.passages.embedders.bundled import english_folder
from ingest.search import rerank
from ingest.search.hybrid import ScoredHit
from ingest.search.rerank import Reranker
from tests.fakes.loopback_hub import LoopbackHub, closed_port
from tests.fakes.tiny_encoders import build_cross_encoder
from tests.ingest.search.conftest import QUESTION, names, opened
from ui.doctor import examine

NAME = "someone/tiny-reranker"


def test_a_missing_model_is_reported_and_used_once_it_is_there(
    site: Settings,
    plain: list[ScoredHit],
    cross_encoder: Path,
    hub: LoopbackHub,
) -> None:
    """Searches go on without it and fetch nothing; `models pull` gets it, and the same library then uses it."""
    hub.add_folder(NAME, cross_encoder)
    wanted = site.model_copy(update={"reranker": NAME, "model": str(cross_encoder)})
    line = (
        f"Searches go without the reranker: reranker {NAME} is not on this machine: run `docent models pull` to get it."
    )
    library = opened(wanted, NAME)
    assert library.status().note == line
    assert library.search_scored(QUESTION) == plain
    status = library.status()
    assert (status.note, status.problem, status.documents) == (line, "", 4)
    assert hub.requests == []
    with pytest.raises(DocentError, match=r"^reranker someone/tiny-reranker is not on this machine: run `docent mod"):
        Reranker(NAME, wanted.models_cache).open()
    state = next(state for state in list_models(wanted) if state.role == "reranking")
    assert (state.name, state.path, state.size, state.state) == (NAME, None, 0, "not here")

    (folder,) = pull(wanted, [NAME])
    state = next(state for state in list_models(wanted) if state.role == "reranking")
    assert (state.path, state.state) == (folder, "ready")
    assert [state.role for state in list_models(wanted)].count("other") == 0
    assert names(library.search_scored(QUESTION))[0] == "it/vpn.txt"
    assert library.status().note == ""
    library.close()


def test_pull_without_names_brings_it(
    site: Settings,
    cross_encoder: Path,
    tiny_checkpoint: Path,
    hub: LoopbackHub,
) -> None:
    """After the chat model, when it has a hub name; one that is no cross-encoder is refused after it was downloaded."""
    hub.add_folder(NAME, cross_encoder)
    hub.models["someone/other"] = {"config.json": b'{"architectures": ["BertModel"]}', "model.safetensors": b"x"}
    wanted = site.model_copy(update={"model": str(tiny_checkpoint), "reranker": NAME})
    chat, folder = pull(wanted)
    assert chat == tiny_checkpoint
    assert (folder / "model.safetensors").read_bytes() == (cross_encoder / "model.safetensors").read_bytes()
    assert pull(wanted.model_copy(update={"reranker": str(cross_encoder)})) == [tiny_checkpoint]
    with pytest.raises(DocentError, match="it holds BertModel, which is no cross-encoder"):
        pull(wanted.model_copy(update={"reranker": "someone/other"}))


def broken(how: str, cross_encoder: Path, folder: Path) -> None:
    """Make a folder that is no usable cross-encoder."""
    if how == "an embedder":
        shutil.copytree(english_folder(), folder)
        return
    shutil.copytree(cross_encoder, folder)
    weights = folder / "model.safetensors"
    match how:
        case "cut short":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "no weights":
            weights.unlink()
        case "no configuration":
            (folder / "config.json").unlink()
        case "no numbers":
            import torch
            from safetensors.torch import load_file, save_file

            tensors = load_file(weights)
            save_file({name: torch.full_like(tensor, float("nan")) for name, tensor in tensors.items()}, weights)
        case "three labels":
            shutil.rmtree(folder)
            build_cross_encoder(folder, "dublin", ["leave"], labels=3)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("an embedder", "it holds BertModel, which is no cross-encoder"),
        ("cut short", r"it cannot be loaded \(SafetensorError\)"),
        ("no weights", r"no weights \(\*\.safetensors\) are there"),
        ("no configuration", r"config\.json or .* is missing or damaged"),
        ("no numbers", r"failed on a question \(ValueError\)"),
        ("three labels", "it gives 3 scores for a passage where a reranker gives one"),
    ],
)
def test_a_broken_model_is_one_line_and_searches_go_on(
    how: str, message: str, site: Settings, plain: list[ScoredHit], cross_encoder: Path, tmp_path: Path
) -> None:
    """The same order as without it, and the reason in the status; opening it by itself says the same."""
    broken(how, cross_encoder, tmp_path / "broken")
    library = opened(site, tmp_path / "broken")
    assert library.search_scored(QUESTION) == plain
    assert library.search_scored(QUESTION, 2) == plain[:2]
    with pytest.raises(DocentError, match=message) as caught:
        Reranker(str(tmp_path / "broken"), site.models_cache).scores(QUESTION, ["leave"])
    assert "\n" not in str(caught.value)
    assert library.status().note == f"Searches go without the reranker: {caught.value}"
    assert library.status().problem == ""
    library.close()


def test_a_model_that_cannot_be_loaded_is_not_tried_at_every_search(
    site: Settings, cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading takes seconds, and a server's questions should not wait for what has failed."""
    tried: list[Path] = []

    def failing(folder: Path) -> Any:
        tried.append(folder)
        raise DocentError("reranker folder x: damaged.")

    monkeypatch.setattr(rerank, "_load", failing)
    library = opened(site, cross_encoder)
    for _ in range(3):
        library.search(QUESTION)
    assert tried == [cross_encoder]
    library.close()


@pytest.mark.parametrize("name", ["/no/such/folder", "reranker", "a/b/c", "~nobody-here/model"])
def test_a_wrong_name_is_a_wrong_setting(name: str, site: Settings) -> None:
    """The error says what is allowed, and the hub is not asked; a search reports it in the status."""
    with pytest.raises(SettingsError, match=r"setting 'reranker' is .*: allowed are a ModelScope name \(owner/name\)"):
        Reranker(name, site.models_cache).open()
    library = opened(site, name)
    assert library.search(QUESTION)
    assert library.status().note.startswith("Searches go without the reranker: setting 'reranker' is")
    [state] = [
        model.state for model in list_models(site.model_copy(update={"reranker": name})) if model.role == "reranking"
    ]
    assert state.startswith("broken: setting 'reranker'")
    library.close()


def test_declared_by_sentence_transformers(cross_encoder: Path, tmp_path: Path) -> None:
    """A cross-encoder of sentence-transformers counts by its own declaration, whatever it is made of."""
    folder = Path(shutil.copytree(cross_encoder, tmp_path / "copy"))
    (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen3ForCausalLM"]}))
    with pytest.raises(DocentError, match="it holds Qwen3ForCausalLM, which is no cross-encoder"):
        check_reranker(folder)
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    check_reranker(folder)


def test_doctor_tries_it(site: Settings, cross_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much longer a search takes with it; that searches go without one that cannot be used; nothing without."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def finding(reranker: str | None) -> list[tuple[bool, str]]:
        wanted = site.model_copy(update={"reranker": reranker, "hub_connect_seconds": 1.0})
        return [(result.ok, result.text) for result in examine(wanted) if result.name == "reranker"]

    ((ok, text),) = finding(str(cross_encoder))
    assert ok
    assert text.startswith(f"{cross_encoder} makes each search ")
    assert finding(NAME) == [
        (False, f"not used for searches: reranker {NAME} is not on this machine: run `docent models pull` to get it.")
    ]
    assert finding(None) == []
