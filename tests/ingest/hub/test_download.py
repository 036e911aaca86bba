"""Downloads of models: complete, interrupted, damaged and refused ones, from a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest

from ingest.base.errors import DocentError, SettingsError
from ingest.hub import download as download_module
from ingest.hub.cache import MANIFEST, HubFile, downloaded_names, find_downloaded, verify
from ingest.hub.download import DownloadProgress, download
from ingest.hub.endpoint import hub_endpoint, hub_reachable
from ingest.hub.select_files import select_files
from tests.fakes.loopback_hub import LoopbackHub, closed_port

NAME = "qwen/Tiny-1.5"
WEIGHTS = bytes(range(256)) * 4000


@pytest.fixture
def served(hub: LoopbackHub) -> LoopbackHub:
    hub.models[NAME] = {
        "config.json": b'{"model_type": "qwen2"}',
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"the same weights again",
        "onnx/model.safetensors": b"for another runtime",
        "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
        "modeling_custom.py": b"print('code')",
        "README.md": b"# Tiny",
    }
    return hub


@pytest.mark.usefixtures("served")
def test_only_needed_files_come_and_the_manifest_lists_them(tmp_path: Path) -> None:
    """A download has safetensors and JSON, also in sub-folders, nothing else, and a manifest with their hashes."""
    folder = download(NAME, tmp_path / "cache", 5)

    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"config.json", "model.safetensors", "1_Pooling/config.json", MANIFEST}
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["name"] == NAME
    assert manifest["revision"] == "master"
    listed = {entry["path"]: (entry["size"], entry["sha256"]) for entry in manifest["files"]}
    assert listed["model.safetensors"] == (len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())
    assert find_downloaded(NAME, tmp_path / "cache") == folder
    assert downloaded_names(tmp_path / "cache") == {NAME: folder}
    assert verify(folder) == []


def test_a_second_pull_fetches_no_file(served: LoopbackHub, tmp_path: Path) -> None:
    """Undamaged files are not downloaded again."""
    folder = download(NAME, tmp_path, 5)
    before = dict(served.sent)
    assert download(NAME, tmp_path, 5) == folder
    assert served.sent == before


def test_an_interrupted_download_is_resumed(served: LoopbackHub, tmp_path: Path) -> None:
    """After a broken connection the rest is requested by range, and no byte that has arrived is sent again."""
    served.cut_after["model.safetensors"] = [300_000]
    folder = download(NAME, tmp_path, 5)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    first, second = served.ranges_asked("model.safetensors")
    assert first == ""
    assert second.startswith("bytes=")
    assert served.sent["model.safetensors"] - len(WEIGHTS) == 300_000 - int(second[6:].rstrip("-"))


def test_an_abandoned_download_is_not_here_and_the_next_pull_resumes_it(
    served: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed download leaves nothing that can be loaded; the next one downloads only what is missing."""
    from modelscope_hub import _download

    monkeypatch.setattr(_download, "DOWNLOAD_RETRY_TIMES", 0)
    served.cut_after["model.safetensors"] = [300_000]
    with pytest.raises(DocentError, match=r"model\.safetensors.*run `docent models pull` again\.$"):
        download(NAME, tmp_path, 5)
    assert find_downloaded(NAME, tmp_path) is None

    folder = download(NAME, tmp_path, 5)
    assert find_downloaded(NAME, tmp_path) == folder
    assert served.ranges_asked("model.safetensors")[-1].startswith("bytes=")
    assert served.sent["model.safetensors"] < len(WEIGHTS) + 300_000
    assert served.ranges_asked("config.json") == [""]


def test_wrong_bytes_once_are_downloaded_again(served: LoopbackHub, tmp_path: Path) -> None:
    """A transfer with wrong bytes is repeated; the download succeeds."""
    served.wrong["model.safetensors"] = 1
    folder = download(NAME, tmp_path, 5)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert served.ranges_asked("model.safetensors") == ["", ""]


def test_wrong_bytes_are_refused_and_a_later_download_succeeds(served: LoopbackHub, tmp_path: Path) -> None:
    """Bytes that differ from the hub's list are never loaded: the error names the file; a new download repairs it."""
    served.wrong["model.safetensors"] = 3  # as often as the SDK tries
    with pytest.raises(DocentError) as caught:
        download(NAME, tmp_path, 5)
    assert str(caught.value) == (
        f"model {NAME}: model.safetensors: its bytes differ from the hub's list, so it was deleted; "
        "run `docent models pull` again."
    )
    assert find_downloaded(NAME, tmp_path) is None
    assert not list(tmp_path.glob("models/**/*.safetensors"))

    folder = download(NAME, tmp_path, 5)
    assert find_downloaded(NAME, tmp_path) == folder
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.usefixtures("served")
def test_our_own_check_catches_what_the_sdk_lets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docent checks by itself: a file that the SDK returns with the right size and wrong bytes is deleted."""
    real = download_module._fetch

    def damaging(*arguments: object) -> Path:
        folder = real(*arguments)  # type: ignore[arg-type]
        (folder / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"x")
        return folder

    monkeypatch.setattr(download_module, "_fetch", damaging)
    with pytest.raises(
        DocentError, match=r"model\.safetensors: its SHA-256 is not the one the hub lists; it was deleted"
    ):
        download(NAME, tmp_path, 5)
    assert find_downloaded(NAME, tmp_path) is None
    assert not list(tmp_path.glob("models/**/model.safetensors"))


@pytest.mark.usefixtures("served")
def test_damage_on_disk_is_found_and_repaired(tmp_path: Path) -> None:
    """A shortened file is found by its size, a changed one by `verify`; a download repairs both."""
    folder = download(NAME, tmp_path, 5)
    (folder / "model.safetensors").write_bytes(WEIGHTS[:100])
    assert find_downloaded(NAME, tmp_path) is None
    assert verify(folder) == [f"model.safetensors: has 100 bytes where the hub lists {len(WEIGHTS)}"]
    download(NAME, tmp_path, 5)
    (folder / "model.safetensors").write_bytes(b"x" + WEIGHTS[1:])
    assert verify(folder) == ["model.safetensors: its SHA-256 is not the one the hub lists"]
    download(NAME, tmp_path, 5)
    assert verify(folder) == []


def test_a_new_version_on_the_hub_replaces_the_old(served: LoopbackHub, tmp_path: Path) -> None:
    """A second download updates a model to the hub's version."""
    download(NAME, tmp_path, 5)
    served.models[NAME]["config.json"] = b'{"model_type": "qwen2", "new": true}'
    folder = download(NAME, tmp_path, 5)
    assert (folder / "config.json").read_bytes() == served.models[NAME]["config.json"]
    assert verify(folder) == []


def test_progress_adds_up(served: LoopbackHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Progress never decreases and ends at the model's full size; the SDK itself prints nothing."""
    seen: list[DownloadProgress] = []
    download(NAME, tmp_path, 5, seen.append)
    total = len(WEIGHTS) + len(served.models[NAME]["config.json"]) + len(served.models[NAME]["1_Pooling/config.json"])
    assert {progress.total for progress in seen} == {total}
    assert seen[-1].done == total
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert max(progress.file_done for progress in seen if progress.file == "model.safetensors") == len(WEIGHTS)
    captured = capfd.readouterr()
    assert "Downloading" not in captured.out + captured.err
    assert "it/s" not in captured.err


def test_an_offline_machine_gets_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a hub the error is one line that names it, well within the time limit, and nothing is written."""
    endpoint = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", endpoint)
    started = time.monotonic()
    with pytest.raises(DocentError) as caught:
        download(NAME, tmp_path / "cache", 5)
    assert time.monotonic() - started < 2
    assert str(caught.value).startswith(f"model hub {endpoint} did not answer within 5 s: check the connection")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_hub_that_never_answers_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that accepts and never answers, and a name server that hangs, are given up after the limit."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        assert hub_reachable(0.2, f"http://127.0.0.1:{silent.getsockname()[1]}") is False
        assert time.monotonic() - started < 1
    monkeypatch.setenv("ALL_PROXY", "nonsense://nowhere")
    assert hub_reachable(5, "http://hub.invalid") is False
    monkeypatch.delenv("ALL_PROXY")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    started = time.monotonic()
    assert hub_reachable(0.2, "http://hub.invalid") is False
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "a/../b", "/etc/passwd", "a/b/c", "qwen", "a/..", ".a/b", "a\\b/c", ""]
)
def test_names_that_could_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    """Only `owner/name` is a valid name; others are not sent to the hub or looked for on the disk."""
    assert find_downloaded(name, tmp_path) is None
    with pytest.raises(SettingsError, match="is not of the form owner/name"):
        download(name, tmp_path, 5)


def test_an_unknown_model_is_named(hub: LoopbackHub, tmp_path: Path) -> None:
    """The hub's 404 becomes one line that names the model and the hub."""
    with pytest.raises(DocentError, match=f"^model no/such: {hub.endpoint} has no such model or file; check the name"):
        download("no/such", tmp_path, 5)


def test_a_list_that_points_outside_is_refused(served: LoopbackHub, tmp_path: Path) -> None:
    """A hub cannot make Docent write outside the model's folder."""
    served.models[NAME]["../../evil.json"] = b"{}"
    with pytest.raises(DocentError, match="outside its folder: use another hub"):
        download(NAME, tmp_path / "cache", 5)
    assert not list(tmp_path.rglob("evil.json"))


def test_a_file_without_a_hash_is_refused(served: LoopbackHub, tmp_path: Path) -> None:
    """A file that cannot be checked is not downloaded."""
    served.without_hash.add("model.safetensors")
    with pytest.raises(DocentError, match=r"gives no SHA-256 for model\.safetensors"):
        download(NAME, tmp_path, 5)


def test_a_full_disk_is_an_error_before_the_download(
    served: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Space is checked first, so nothing is downloaded when there is too little."""
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(DocentError, match=r"1 MB to download and .* has 0 MB free"):
        download(NAME, tmp_path, 5)
    assert "model.safetensors" not in served.sent


def test_a_model_of_an_older_sdk_is_checked_and_kept(served: LoopbackHub, tmp_path: Path) -> None:
    """Files of an older SDK in its own layout are checked where they are, not downloaded again."""
    old = tmp_path / "models" / "qwen" / "Tiny-1___5"
    old.mkdir(parents=True)
    (old / "model.safetensors").write_bytes(WEIGHTS)
    assert find_downloaded(NAME, tmp_path) is None
    assert download(NAME, tmp_path, 5) == old
    assert find_downloaded(NAME, tmp_path) == old
    assert "model.safetensors" not in served.sent


def test_torch_weights_come_only_where_there_is_nothing_better() -> None:
    """`.bin` weights are selected from a folder without safetensors, so older embedders still load."""
    files = [HubFile(path, 1, "0" * 64) for path in ("pytorch_model.bin", "2_Dense/pytorch_model.bin")]
    assert [file.path for file in select_files(files)] == ["2_Dense/pytorch_model.bin", "pytorch_model.bin"]
    files.append(HubFile("model.safetensors", 1, "0" * 64))
    assert [file.path for file in select_files(files)] == ["2_Dense/pytorch_model.bin", "model.safetensors"]


def test_the_endpoint_is_the_sdks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that is checked before the SDK is imported is the one that the SDK uses."""
    from modelscope_hub import HubConfig

    for value in ("http://127.0.0.1:9/", "hub.example.com", "HTTPS://Hub.example", " ", ""):
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", value)
        assert hub_endpoint() == HubConfig().endpoint
    monkeypatch.delenv("MODELSCOPE_ENDPOINT")
    assert hub_endpoint() == HubConfig().endpoint == "https://modelscope.cn"
