"""A checkpoint becomes an OpenVINO model whole or not at all, and again when anything it depends on moves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from assistant.models import convert as conversion
from assistant.models import machine
from assistant.models.convert import FOLDER, MANIFEST, MODEL_FILE, convert, convert_apart, find_converted, read_manifest
from ingest.base.errors import DocentError
from ingest.base.files import alone_in
from tests.project import PROJECT

# Converts, and stays for ever in the step named, when that has just done its work.
HANGING = """
import sys
from pathlib import Path
from assistant.models import convert as conversion
done = getattr(conversion, sys.argv[3])
def hang(*arguments):
    done(*arguments)
    print("here", flush=True)
    sys.stdin.read()
setattr(conversion, sys.argv[3], hang)
conversion.convert(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def folders(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / FOLDER).iterdir() if path.is_dir())


@pytest.fixture
def cache(tiny_openvino: Path, tmp_path: Path) -> Path:
    """A models folder that holds the converted model."""
    shutil.copytree(tiny_openvino, tmp_path / "models" / FOLDER / tiny_openvino.name)
    return tmp_path / "models"


def test_a_converted_model_agrees_with_its_original(tiny_openvino: Path) -> None:
    """Everything an engine needs is there, and the manifest says how well it agrees."""
    manifest = read_manifest(tiny_openvino)
    assert manifest is not None
    assert manifest.parity.positions > 50
    assert 0 < manifest.parity.divergence < 0.02
    assert not list(tiny_openvino.glob("*.gguf"))
    assert {MODEL_FILE, "config.json", "tokenizer.json", MANIFEST} <= {path.name for path in tiny_openvino.iterdir()}


def test_what_is_here_is_not_made_again(
    tiny_checkpoint: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second call finds the first one's model."""
    monkeypatch.setattr(conversion, "write_gguf", lambda *_: pytest.fail("made again"))
    assert convert(tiny_checkpoint, cache) == find_converted(tiny_checkpoint, cache)
    assert convert_apart(tiny_checkpoint, cache) == find_converted(tiny_checkpoint, cache)


@pytest.mark.parametrize("moved", ["openvino_genai", "gguf", "cpu", "source", "format"])
def test_a_model_made_by_others_is_not_used(tiny_checkpoint: Path, cache: Path, moved: str) -> None:
    """Another version, another CPU, another checkpoint: the model is made again."""
    found = find_converted(tiny_checkpoint, cache)
    assert found is not None
    manifest = json.loads((found / MANIFEST).read_text())
    manifest[moved] = ["other"] if moved == "cpu" else "other"
    (found / MANIFEST).write_text(json.dumps(manifest))
    assert find_converted(tiny_checkpoint, cache) is None


def test_a_changed_checkpoint_is_another_model(tiny_checkpoint: Path, cache: Path, tmp_path: Path) -> None:
    """Weights that were replaced are not answered with the old ones."""
    copy = tmp_path / tiny_checkpoint.name
    shutil.copytree(tiny_checkpoint, copy)
    assert find_converted(copy, cache) is not None
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes())
    assert find_converted(copy, cache) is None


@pytest.mark.parametrize("step", ["write_gguf", "_save_openvino", "round_model", "compare"])
def test_a_failure_at_any_step_leaves_nothing(
    tiny_checkpoint: Path,
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
    assert folders(tmp_path) == []


def test_too_little_disk_is_said_before_anything_is_written(
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line names the folder, what is free and what it takes."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(DocentError, match="GB free and the OpenVINO model takes"):
        convert(tiny_checkpoint, tmp_path)
    assert folders(tmp_path) == []


def test_too_little_memory_is_said_before_anything_is_written(
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison would need it; half an hour of swapping or a killed process is no answer."""
    monkeypatch.setattr(machine, "available_memory", lambda: 300_000_000)
    with pytest.raises(
        DocentError, match=r"^0\.3 GB of memory are free and comparing the OpenVINO model with its orig"
    ):
        convert(tiny_checkpoint, tmp_path)
    assert folders(tmp_path) == []


@pytest.mark.parametrize(
    ("system", "kind", "features", "refused"),
    [
        ("linux", "x86_64", (), True),
        ("linux", "x86_64", ("avx2",), False),
        ("linux", "aarch64", (), False),
        ("darwin", "x86_64", (), False),
    ],
)
def test_a_cpu_without_what_the_build_needs_is_told_so(
    system: str, kind: str, features: tuple[str, ...], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing and what to do; who cannot be asked is not refused."""
    monkeypatch.setattr(conversion.sys, "platform", system)
    monkeypatch.setattr(conversion.platform, "machine", lambda: kind)
    monkeypatch.setattr(conversion, "cpu_features", lambda: features)
    if refused:
        with pytest.raises(DocentError, match="has no AVX2 instructions, which the OpenVINO model needs: set `engine`"):
            conversion._require_instructions()
    else:
        conversion._require_instructions()


@pytest.mark.parametrize("change", ["cut", "removed", "added"])
def test_a_model_that_lost_something_is_made_again(tiny_checkpoint: Path, cache: Path, change: str) -> None:
    """A file that is shorter than when it was written, or gone, is not loaded."""
    found = find_converted(tiny_checkpoint, cache)
    assert found is not None
    weights = found / "openvino_model.bin"
    if change == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif change == "removed":
        weights.unlink()
    else:
        (found / "stray.bin").write_bytes(b"")
    assert find_converted(tiny_checkpoint, cache) is None
    convert(tiny_checkpoint, cache)
    assert find_converted(tiny_checkpoint, cache) == found


@pytest.mark.parametrize("step", ["write_gguf", "_save_openvino", "round_model", "compare"])
def test_killed_in_the_middle_it_starts_again_cleanly(tiny_checkpoint: Path, tmp_path: Path, step: str) -> None:
    """What kill -9 leaves at any step does not load, does not stand in the way and is gone after the next run."""
    command = [sys.executable, "-c", HANGING, str(tiny_checkpoint), str(tmp_path), step]
    running = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert any(line == "here\n" for line in running.stdout)
    running.kill()
    running.wait()
    assert find_converted(tiny_checkpoint, tmp_path) is None
    assert [name[:8] for name in folders(tmp_path)] == [".making-"]
    made = convert(tiny_checkpoint, tmp_path)
    assert read_manifest(made) is not None
    assert folders(tmp_path) == [made.name]


def test_of_two_at_once_the_second_waits_and_finds_the_firsts(
    tiny_checkpoint: Path,
    tiny_openvino: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that it waits, and does not make what it then finds made."""
    monkeypatch.setattr(conversion, "write_gguf", lambda *_: pytest.fail("made again"))
    said: list[str] = []
    waiting = threading.Event()

    def stage(name: str, _done: int, _total: int) -> None:
        said.append(name)
        waiting.set()

    results: list[Path] = []
    second = threading.Thread(target=lambda: results.append(convert(tiny_checkpoint, tmp_path, stage)))
    with alone_in(tmp_path / FOLDER):
        second.start()
        assert waiting.wait(60)
        shutil.copytree(tiny_openvino, tmp_path / FOLDER / tiny_openvino.name)
    second.join()
    assert said == ["Waiting for another program that is making a model"]
    assert results == [tmp_path / FOLDER / tiny_openvino.name]


def test_apart_the_reason_comes_back_as_one_line(
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is wrong with a checkpoint is said as in this process; an end from outside, which says nothing, is named."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(DocentError, match="says model_type 'llama', and only 'qwen2' and 'qwen3'") as raised:
        convert_apart(tmp_path / "broken", tmp_path / "models")
    assert "\n" not in str(raised.value)
    killed = subprocess.CompletedProcess([], -9, "", "")
    monkeypatch.setattr(conversion.subprocess, "run", lambda *_arguments, **_options: killed)
    with pytest.raises(DocentError, match=r"was ended from outside \(signal 9\), most likely for want of memory"):
        convert_apart(tiny_checkpoint, tmp_path / "models")
