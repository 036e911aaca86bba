from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from assistant.models import check_checkpoint, list_models, locate, pull
from ingest.errors import DocentError, SettingsError
from ingest.settings import Settings
from tests.fixtures_models import hub, tiny_checkpoint  # noqa: F401
from tests.loopback_hub import LoopbackHub

NAME = "qwen/Qwen1.5-0.5B-Chat"


@pytest.fixture
def copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:  # noqa: F811
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    return folder


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(**{"models_cache": tmp_path / "cache", "home": tmp_path / "home", **values})  # type: ignore[arg-type]


def test_a_folder_is_used_as_it_is(tiny_checkpoint: Path, tmp_path: Path) -> None:  # noqa: F811
    """A whole checkpoint in a folder needs no download and no manifest."""
    assert locate(settings(tmp_path, model=str(tiny_checkpoint))) == tiny_checkpoint


def test_a_name_that_was_not_downloaded_is_not_here(tmp_path: Path) -> None:
    """None, not an error: the machine may simply be offline."""
    assert locate(settings(tmp_path)) is None


@pytest.mark.parametrize("model", ["/no/such/folder", "a/b/c", "qwen"])
def test_neither_folder_nor_name_is_a_wrong_setting(model: str, tmp_path: Path) -> None:
    """A misspelt folder is named, not looked up on the hub."""
    with pytest.raises(SettingsError, match=f"setting 'model' is '{model}', which is neither"):
        locate(settings(tmp_path, model=model))


def test_pulled_models_are_found_and_listed(hub: LoopbackHub, tiny_checkpoint: Path, tmp_path: Path) -> None:  # noqa: F811
    """Pull without names brings the chat model; afterwards it is located and listed as ready, with its size."""
    hub.add_folder(NAME, tiny_checkpoint)
    hub.models["someone/embedder"] = {"config.json": b"{}", "model.safetensors": b"x" * 10}
    site = settings(tmp_path)
    before = list_models(site)
    assert [(state.name, state.role, state.state) for state in before] == [
        (NAME, "chat", "not here"),
        ("all-MiniLM-L6-v2", "embedding", "bundled"),
    ]
    (folder,) = pull(site)
    assert locate(site) == folder
    chat = list_models(site)[0]
    assert (chat.path, chat.state) == (folder, "ready")
    assert chat.size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    pull(site, ["someone/embedder"])
    assert [(state.name, state.role, state.state) for state in list_models(site)][-1] == (
        "someone/embedder",
        "other",
        "ready",
    )
    both = settings(tmp_path, embedder="someone/embedder")
    assert [path.parts[-3] for path in pull(both)] == ["qwen--Qwen1.5-0.5B-Chat", "someone--embedder"]
    assert [state.role for state in list_models(both)] == ["chat", "embedding"]


def test_a_folder_is_checked_and_not_fetched(tiny_checkpoint: Path, tmp_path: Path) -> None:  # noqa: F811
    """A model that is a folder on this machine needs no hub; one that is broken is said to be."""
    assert pull(settings(tmp_path, model=str(tiny_checkpoint))) == [tiny_checkpoint]
    (tmp_path / "broken").mkdir()
    with pytest.raises(DocentError, match=r"config\.json"):
        pull(settings(tmp_path, model=str(tmp_path / "broken")))


def test_a_model_of_another_kind_is_said_after_the_pull(hub: LoopbackHub, tmp_path: Path) -> None:  # noqa: F811
    """What cannot be run is named at once, not at the first question."""
    hub.models[NAME] = {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x"}
    with pytest.raises(DocentError, match="says model_type 'llama', and only 'qwen2'"):
        pull(settings(tmp_path))


def test_cut_weights_are_found_from_their_header(copy: Path, tmp_path: Path) -> None:
    """A checkpoint copied halfway is refused in one line with both sizes, and listed as broken."""
    weights = copy / "model.safetensors"
    size = weights.stat().st_size
    with weights.open("r+b") as stream:
        stream.truncate(size - 5)
    with pytest.raises(DocentError) as caught:
        locate(settings(tmp_path, model=str(copy)))
    assert str(caught.value) == (
        f"model folder {copy}: model.safetensors has {size - 5} bytes where its header says {size}: "
        "run `docent models pull` again, or set `model` to a whole checkpoint."
    )
    state = list_models(settings(tmp_path, model=str(copy)))[0]
    assert state.state.startswith("broken: model folder")
    assert state.path == copy


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", b"{", "config.json cannot be read"),
        ("config.json", b"[]", "config.json is not a JSON object"),
        ("tokenizer.json", None, "neither tokenizer.json nor vocab.json is there"),
        ("model.safetensors", None, "no *.safetensors file is there"),
        ("model.safetensors", b"", "model.safetensors is cut short"),
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0" + b"x" * 40, "the header of model.safetensors is damaged"),
        ("model.safetensors", b"\xff" * 100, "model.safetensors is cut short or is no safetensors file"),
        (
            "model.safetensors.index.json",
            json.dumps({"weight_map": {"a": "model-2.safetensors"}}).encode(),
            "model-2.safetensors is missing",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_in_one_line(
    copy: Path, file: str, content: bytes | None, reason: str
) -> None:
    """Each kind of damage is named with its file and what to do."""
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    with pytest.raises(DocentError) as caught:
        check_checkpoint(copy)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("run `docent models pull` again, or set `model` to a whole checkpoint.")
    assert "\n" not in str(caught.value)
