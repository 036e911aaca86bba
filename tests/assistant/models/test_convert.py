"""A checkpoint is converted completely or not at all, and again when anything it depends on changes."""

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
from assistant.models.convert import (
    FOLDER,
    MANIFEST,
    MODEL_FILE,
    convert,
    convert_in_process,
    find_converted,
    read_manifest,
)
from assistant.models.parity import Parity
from ingest.base.errors import DocentError
from ingest.base.files import alone_in
from tests.project import PROJECT

STEPS = ("write_gguf", "_save_openvino", "round_model", "compare")
# Converts, and after each step says its name and waits for a line. Comparing writes nothing, so it is not done.
WAITING = """
import sys
from pathlib import Path
from assistant.models import convert as conversion
def waiting(name, step):
    def run(*arguments):
        if name != "compare":
            step(*arguments)
        print(name, flush=True)
        sys.stdin.readline()
    return run
for name in sys.argv[3:]:
    setattr(conversion, name, waiting(name, getattr(conversion, name)))
conversion.convert(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def folders(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / FOLDER).iterdir() if path.is_dir())


@pytest.fixture
def cache(tiny_openvino: Path, tmp_path: Path) -> Path:
    """A models folder that holds the converted model."""
    shutil.copytree(tiny_openvino, tmp_path / "models" / FOLDER / tiny_openvino.name)
    return tmp_path / "models"


@pytest.fixture
def without_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions do not load the original to be compared with: quicker, for tests that are not about it."""
    monkeypatch.setattr(conversion, "compare", lambda *_: Parity(0.001, 0.9, 60))


def test_a_converted_model_agrees_with_its_original(tiny_openvino: Path) -> None:
    """Everything that an engine needs is there, and the manifest has the conversion parity."""
    manifest = read_manifest(tiny_openvino)
    assert manifest is not None
    assert manifest.parity.positions > 50
    assert 0 < manifest.parity.divergence < 0.02
    assert not list(tiny_openvino.glob("*.gguf"))
    assert {MODEL_FILE, "config.json", "tokenizer.json", MANIFEST} <= {path.name for path in tiny_openvino.iterdir()}


def test_what_is_converted_is_not_converted_again(
    tiny_checkpoint: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second call finds the model of the first."""
    monkeypatch.setattr(conversion, "write_gguf", lambda *_: pytest.fail("converted again"))
    assert convert(tiny_checkpoint, cache) == find_converted(tiny_checkpoint, cache)
    assert convert_in_process(tiny_checkpoint, cache) == find_converted(tiny_checkpoint, cache)


@pytest.mark.parametrize("changed", ["openvino_genai", "gguf", "cpu", "source", "format"])
def test_a_model_made_by_other_versions_is_not_used(tiny_checkpoint: Path, cache: Path, changed: str) -> None:
    """Another version, another CPU, another checkpoint: the model is converted again."""
    found = find_converted(tiny_checkpoint, cache)
    assert found is not None
    manifest = json.loads((found / MANIFEST).read_text())
    assert manifest.keys() >= {"agreement", changed}  # the names that earlier versions wrote and read
    manifest[changed] = ["other"] if changed == "cpu" else "other"
    (found / MANIFEST).write_text(json.dumps(manifest))
    assert find_converted(tiny_checkpoint, cache) is None


def test_a_changed_checkpoint_is_another_model(tiny_checkpoint: Path, cache: Path, tmp_path: Path) -> None:
    """After its weights were replaced, the old converted model is not used."""
    copy = tmp_path / tiny_checkpoint.name
    shutil.copytree(tiny_checkpoint, copy)
    assert find_converted(copy, cache) is not None
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes())
    assert find_converted(copy, cache) is None


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_leaves_nothing(
    tiny_checkpoint: Path,
    tmp_path: Path,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line says that another engine is used; no folder is left that could be taken for a model."""

    def fail(*_arguments: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(conversion, step, fail)
    with pytest.raises(DocentError, match="so another engine is used: free some disk"):
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
    """The comparison needs it, and would swap for half an hour or be killed."""
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
def test_a_cpu_without_avx2_is_refused(
    system: str, kind: str, features: tuple[str, ...], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says what is missing and what to do; a system that lists no CPU features is not refused."""
    monkeypatch.setattr(conversion.sys, "platform", system)
    monkeypatch.setattr(conversion.platform, "machine", lambda: kind)
    monkeypatch.setattr(conversion, "cpu_features", lambda: features)
    if refused:
        with pytest.raises(DocentError, match="has no AVX2 instructions, which the OpenVINO model needs: set `engine`"):
            conversion._require_instructions()
    else:
        conversion._require_instructions()


@pytest.mark.usefixtures("without_comparison")
@pytest.mark.parametrize("change", ["cut", "removed", "added"])
def test_a_model_with_a_changed_file_is_converted_again(tiny_checkpoint: Path, cache: Path, change: str) -> None:
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


@pytest.fixture(scope="module")
def killed(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each step, with what a conversion has on the disk after it; the last one was killed there."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", WAITING, str(tiny_checkpoint), str(folder / "models"), *STEPS]
    running = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin is not None and running.stdout is not None
    lines = (line.strip() for line in running.stdout)
    for step in STEPS:
        assert any(line == step for line in lines)
        shutil.copytree(folder / "models", folder / step)
        if step != STEPS[-1]:
            running.stdin.write("\n")
            running.stdin.flush()
    running.kill()
    running.wait()
    return folder


@pytest.mark.usefixtures("without_comparison")
@pytest.mark.parametrize("step", STEPS)
def test_after_a_kill_conversion_starts_again_cleanly(
    tiny_checkpoint: Path,
    killed: Path,
    tmp_path: Path,
    step: str,
) -> None:
    """What kill -9 leaves at any step is not loaded, does not prevent the next conversion, and is removed by it."""
    shutil.copytree(killed / step, tmp_path, dirs_exist_ok=True)
    assert find_converted(tiny_checkpoint, tmp_path) is None
    assert [name[:8] for name in folders(tmp_path)] == [".making-"]
    converted = convert(tiny_checkpoint, tmp_path)
    assert read_manifest(converted) is not None
    assert folders(tmp_path) == [converted.name]


def test_of_two_at_once_the_second_waits_and_uses_the_model_of_the_first(
    tiny_checkpoint: Path,
    tiny_openvino: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that it waits, and does not convert what the first has converted."""
    monkeypatch.setattr(conversion, "write_gguf", lambda *_: pytest.fail("converted again"))
    stages: list[str] = []
    waiting = threading.Event()

    def stage(name: str, _done: int, _total: int) -> None:
        stages.append(name)
        waiting.set()

    results: list[Path] = []
    second = threading.Thread(target=lambda: results.append(convert(tiny_checkpoint, tmp_path, stage)))
    with alone_in(tmp_path / FOLDER):
        second.start()
        assert waiting.wait(60)
        shutil.copytree(tiny_openvino, tmp_path / FOLDER / tiny_openvino.name)
    second.join()
    assert stages == ["Waiting for another process that is converting a model"]
    assert results == [tmp_path / FOLDER / tiny_openvino.name]


def test_the_reason_of_the_converting_process_is_one_line(
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error is the same as in this process; a killed process, which gives no reason, is named as that."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(DocentError, match="says model_type 'llama', and only 'qwen2' and 'qwen3'") as raised:
        convert_in_process(tmp_path / "broken", tmp_path / "models")
    assert "\n" not in str(raised.value)
    killed = subprocess.CompletedProcess([], -9, "", "")
    monkeypatch.setattr(conversion.subprocess, "run", lambda *_arguments, **_options: killed)
    with pytest.raises(DocentError, match=r"was stopped by signal 9, probably because memory ran out"):
        convert_in_process(tiny_checkpoint, tmp_path / "models")
