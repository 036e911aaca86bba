"""A checkpoint becomes an OpenVINO model whole or not at all, and again when anything it depends on moves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant import conversion
from assistant.conversion import FOLDER, MANIFEST, MODEL_FILE, convert, convert_apart, find_converted, read_manifest
from ingest.errors import DocentError
from tests.fixtures_models import tiny_checkpoint, tiny_openvino  # noqa: F401


@pytest.fixture
def cache(tiny_openvino: Path, tmp_path: Path) -> Path:  # noqa: F811
    """A models folder that holds the converted model."""
    shutil.copytree(tiny_openvino, tmp_path / "models" / FOLDER / tiny_openvino.name)
    return tmp_path / "models"


def test_a_converted_model_agrees_with_its_original(tiny_openvino: Path) -> None:  # noqa: F811
    """Everything an engine needs is there, and the manifest says how well it agrees."""
    manifest = read_manifest(tiny_openvino)
    assert manifest is not None
    assert manifest.agreement.positions > 50
    assert 0 < manifest.agreement.divergence < 0.02
    assert not list(tiny_openvino.glob("*.gguf"))
    assert {MODEL_FILE, "config.json", "tokenizer.json", MANIFEST} <= {path.name for path in tiny_openvino.iterdir()}


def test_what_is_here_is_not_made_again(
    tiny_checkpoint: Path,  # noqa: F811
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second call finds the first one's model."""
    monkeypatch.setattr(conversion, "write_gguf", lambda *_: pytest.fail("made again"))
    assert convert(tiny_checkpoint, cache) == find_converted(tiny_checkpoint, cache)
    assert convert_apart(tiny_checkpoint, cache) == find_converted(tiny_checkpoint, cache)


@pytest.mark.parametrize("moved", ["openvino_genai", "gguf", "cpu", "source", "format"])
def test_a_model_made_by_others_is_not_used(tiny_checkpoint: Path, cache: Path, moved: str) -> None:  # noqa: F811
    """Another version, another CPU, another checkpoint: the model is made again."""
    found = find_converted(tiny_checkpoint, cache)
    assert found is not None
    manifest = json.loads((found / MANIFEST).read_text())
    manifest[moved] = ["other"] if moved == "cpu" else "other"
    (found / MANIFEST).write_text(json.dumps(manifest))
    assert find_converted(tiny_checkpoint, cache) is None


def test_a_changed_checkpoint_is_another_model(tiny_checkpoint: Path, cache: Path, tmp_path: Path) -> None:  # noqa: F811
    """Weights that were replaced are not answered with the old ones."""
    copy = tmp_path / tiny_checkpoint.name
    shutil.copytree(tiny_checkpoint, copy)
    assert find_converted(copy, cache) is not None
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes())
    assert find_converted(copy, cache) is None


@pytest.mark.parametrize("step", ["write_gguf", "_save_openvino", "compare"])
def test_a_failure_at_any_step_leaves_nothing(
    tiny_checkpoint: Path,  # noqa: F811
    tmp_path: Path,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line says that the next engine answers; no folder is left that could be taken for a model."""

    def fail(*_arguments: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(conversion, step, fail)
    with pytest.raises(DocentError, match="the next engine answers instead"):
        convert(tiny_checkpoint, tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_too_little_disk_is_said_before_anything_is_written(
    tiny_checkpoint: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line names the folder, what is free and what it takes."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(conversion.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(DocentError, match="GB free and the OpenVINO model takes"):
        convert(tiny_checkpoint, tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_killed_in_the_middle_it_starts_again_cleanly(tiny_checkpoint: Path, tmp_path: Path) -> None:  # noqa: F811
    """What a killed run leaves does not load and does not stand in the way."""
    command = [sys.executable, "-m", "assistant.conversion", str(tiny_checkpoint), str(tmp_path)]
    running = subprocess.Popen(command, cwd=Path(conversion.__file__).parent.parent)
    while not list(tmp_path.glob(f"{FOLDER}/.making-*")) and running.poll() is None:
        time.sleep(0.005)
    running.kill()
    running.wait()
    assert find_converted(tiny_checkpoint, tmp_path) is None
    assert read_manifest(convert(tiny_checkpoint, tmp_path)) is not None


def test_apart_the_reason_comes_back_as_one_line(tmp_path: Path) -> None:
    """A checkpoint that cannot be read gives the same line as in this process."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(DocentError, match=r"cannot be made into an OpenVINO model \(KeyError") as raised:
        convert_apart(tmp_path / "broken", tmp_path / "models")
    assert "\n" not in str(raised.value)
