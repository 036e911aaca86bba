"""Conversion of a checkpoint to an int8 OpenVINO model, once for each checkpoint and machine.

Steps: safetensors → GGUF → OpenVINO GenAI reads it and saves its own format → weights rounded to int8. The folder gets
its final name after the model was compared with the original and described in a manifest. One process converts at a
time, and removes the unfinished files of a process that was killed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assistant.models.checkpoint import check_checkpoint, count_weights
from assistant.models.gguf_export import write_gguf
from assistant.models.machine import require_disk, require_memory
from assistant.models.parity import Parity, compare
from ingest.base.cpu import cpu_features
from ingest.base.errors import DocentError
from ingest.base.files import alone_in, whole_folder
from ingest.base.int8_weights import round_model
from ingest.base.logs import get_logger

FOLDER = "openvino"
MANIFEST = "docent-model.json"
MODEL_FILE = "openvino_model.xml"
# The key of the parity in a manifest on disk: models converted by earlier versions stay readable.
_PARITY_KEY = "agreement"
# Increased whenever the converted files change, so that older models are converted again.
FORMAT = 3
# The GGUF file and the OpenVINO files before rounding have two bytes for each weight each; the rest is reserve.
_DISK_BYTES_A_WEIGHT = 4.3
# The comparison takes the most memory: the original in float32 and some reserve, and _MEMORY_BYTES for everything else.
_MEMORY_BYTES_A_WEIGHT = 4.5
_MEMORY_BYTES = 500_000_000
# The files that an engine needs besides the weights; those that the checkpoint has are copied.
_COPIED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
)
StageCallback = Callable[[str, int, int], None]
log = get_logger(__name__)


@dataclass(frozen=True)
class Manifest:
    """What a converted model was made from, and its conversion parity.

    `source` identifies the checkpoint's files; `openvino_genai` and `gguf` are versions; `cpu` are the features of the
    CPU it was made on; `files` maps the names of the model's files to their sizes in bytes.
    """

    format: int
    source: str
    checkpoint: str
    openvino_genai: str
    gguf: str
    cpu: tuple[str, ...]
    parity: Parity
    files: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the manifest file, in which the parity is called `agreement`."""
        fields = {_PARITY_KEY if name == "parity" else name: value for name, value in asdict(self).items()}
        return json.dumps(fields, indent=1)


def converted_folder(checkpoint: Path, models_cache: Path) -> Path:
    """The folder of the converted model of a checkpoint, which need not exist yet."""
    return models_cache / FOLDER / f"{checkpoint.name}-{_source(checkpoint)}"


def find_converted(checkpoint: Path, models_cache: Path) -> Path | None:
    """The converted model if it is complete and was made by these versions on this kind of CPU, else None."""
    folder = converted_folder(checkpoint, models_cache)
    manifest = read_manifest(folder)
    if manifest is None or manifest.files != _sizes(folder):
        return None
    current = (FORMAT, _source(checkpoint), *_versions(), cpu_features())
    converted = (manifest.format, manifest.source, manifest.openvino_genai, manifest.gguf, manifest.cpu)
    return folder if converted == current else None


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a converted model; None when it is missing or unreadable."""
    try:
        data = json.loads((folder / MANIFEST).read_text("utf-8"))
        parity = Parity(**data.pop(_PARITY_KEY))
        return Manifest(**{**data, "cpu": tuple(data["cpu"]), "parity": parity})
    except (OSError, ValueError, TypeError, KeyError) as error:
        if folder.is_dir():
            log.warning("model.manifest_unreadable", folder=str(folder), reason=repr(error))
        return None


def convert(checkpoint: Path, models_cache: Path, stage: StageCallback = lambda _name, _done, _total: None) -> Path:
    """Convert a checkpoint to an int8 OpenVINO model, unless it is converted already. Returns the model's folder.

    This takes tens of seconds. `stage` gets (name of the step, done, total). While another process converts a model,
    this one waits. Raises DocentError for too little disk or memory, a CPU without AVX2, or a checkpoint that is
    damaged or that OpenVINO does not read. An interrupted conversion leaves no folder that an engine would load.
    """
    converted = find_converted(checkpoint, models_cache)
    if converted is not None:
        return converted
    from safetensors import SafetensorError

    check_checkpoint(checkpoint)
    target = converted_folder(checkpoint, models_cache)
    try:
        with alone_in(target.parent, lambda: stage("Waiting for another process that is converting a model", 0, 1)):
            # Another process may have converted it while this one waited.
            return find_converted(checkpoint, models_cache) or _convert(checkpoint, target, stage)
    except (RuntimeError, ValueError, TypeError, LookupError, OSError, MemoryError, SafetensorError) as error:
        log.error("model.not_converted", checkpoint=str(checkpoint), exc_info=True)
        raise DocentError(
            f"{checkpoint} cannot be converted to an OpenVINO model ({type(error).__name__}; the log has the details), "
            "so another engine is used: free some disk or choose another model, then run `docent models pull`."
        ) from error


def _convert(checkpoint: Path, target: Path, stage: StageCallback) -> Path:
    started = time.monotonic()
    weights = count_weights(checkpoint)
    _require_instructions()
    require_disk(target.parent, int(_DISK_BYTES_A_WEIGHT * weights), "the OpenVINO model")
    require_memory(_memory_for(weights), "comparing the OpenVINO model with its original")
    with whole_folder(target) as unfinished:
        gguf_path = unfinished / "model.gguf"
        write_gguf(checkpoint, gguf_path, lambda done, total: stage("Reading the checkpoint", done, total))
        stage("Compiling for OpenVINO", 0, 1)
        _save_openvino(gguf_path)
        gguf_path.unlink()
        float16 = (unfinished / MODEL_FILE).rename(unfinished / "float16.xml")
        (unfinished / MODEL_FILE).with_suffix(".bin").rename(float16.with_suffix(".bin"))
        round_model(
            float16, unfinished / MODEL_FILE, lambda done, total: stage("Rounding weights to int8", done, total)
        )
        for path in (float16, float16.with_suffix(".bin")):
            path.unlink()
        for name in _COPIED:
            if (checkpoint / name).is_file():
                shutil.copyfile(checkpoint / name, unfinished / name)
        stage("Comparing with the original", 0, 1)
        parity = compare(checkpoint, unfinished / MODEL_FILE)
        genai, gguf_version = _versions()
        manifest = Manifest(
            FORMAT,
            _source(checkpoint),
            str(checkpoint),
            genai,
            gguf_version,
            cpu_features(),
            parity,
            _sizes(unfinished),
        )
        (unfinished / MANIFEST).write_text(manifest.to_json(), "utf-8")
    log.info("model.converted", folder=str(target), seconds=round(time.monotonic() - started, 1), **asdict(parity))
    return target


def convert_in_process(checkpoint: Path, models_cache: Path) -> Path:
    """Like `convert`, in a process of its own: when it ends, the memory of the comparison is free again."""
    converted = find_converted(checkpoint, models_cache)
    if converted is not None:
        return converted
    log.info("model.converting", checkpoint=str(checkpoint))
    process = subprocess.run(
        [sys.executable, "-m", "assistant.models.convert", str(checkpoint), str(models_cache)],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        log.error(
            "model.not_converted", checkpoint=str(checkpoint), status=process.returncode, stderr=process.stderr[-2000:]
        )
        if process.returncode < 0:
            raise DocentError(
                f"Converting {checkpoint} to an OpenVINO model was stopped by signal {-process.returncode}, probably "
                "because memory ran out: close other programs, then run `docent models pull`."
            )
        reason = (
            process.stderr.strip().splitlines() or ["the converting process failed and gave no reason: see the log"]
        )[-1]
        raise DocentError(reason.removeprefix("Error: "))
    return Path(process.stdout.strip().splitlines()[-1])


def _save_openvino(gguf_path: Path) -> None:
    import openvino_genai

    openvino_genai.LLMPipeline(str(gguf_path), "CPU", enable_save_ov_model=True)
    if not gguf_path.with_name(MODEL_FILE).is_file():
        raise RuntimeError("OpenVINO GenAI read the model and saved nothing")


def _source(checkpoint: Path) -> str:
    """A hash of the names, sizes and modification times of the checkpoint's files; the contents are not read."""
    digest = hashlib.sha256()
    for path in sorted([*checkpoint.glob("*.safetensors"), *checkpoint.glob("*.json"), *checkpoint.glob("merges.txt")]):
        status = path.stat()
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def _versions() -> tuple[str, str]:
    return importlib.metadata.version("openvino-genai"), importlib.metadata.version("gguf")


def _require_instructions() -> None:
    """Raise DocentError on an x86 CPU without AVX2, which the int8 model needs. Other CPUs are not checked."""
    # Only Linux lists the features of its CPU.
    if sys.platform == "linux" and platform.machine() == "x86_64" and "avx2" not in cpu_features():
        raise DocentError(
            "This CPU has no AVX2 instructions, which the OpenVINO model needs: set `engine` to transformers or "
            "extractive, or use a CPU from 2013 or later (a virtual machine may have to be given its host's CPU type)."
        )


def _memory_for(weights: int) -> int:
    return int(_MEMORY_BYTES_A_WEIGHT * weights) + _MEMORY_BYTES


def _sizes(folder: Path) -> dict[str, int]:
    """The files of a converted model and their sizes in bytes: a file cut short makes the model unusable."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def main() -> None:
    """`python -m assistant.models.convert CHECKPOINT MODELS_CACHE`: print the model's folder or an error."""
    try:
        print(convert(Path(sys.argv[1]), Path(sys.argv[2])))
    except DocentError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
