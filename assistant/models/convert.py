"""A checkpoint made into an int8 OpenVINO model, once, in a folder that is whole or not there. Knows no prompts.

safetensors → GGUF → OpenVINO GenAI reads it and saves its own format → weights rounded to int8. The folder gets its
final name only when everything in it is written, checked against the original and described in a manifest. One
process makes models at a time, and removes what a killed one has left.
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
from assistant.models.int8_weights import round_model
from assistant.models.machine import require_disk, require_memory
from assistant.models.parity import Parity, compare
from ingest.base.cpu import cpu_features
from ingest.base.errors import DocentError
from ingest.base.files import alone_in, whole_folder
from ingest.base.logs import get_logger

FOLDER = "openvino"
MANIFEST = "docent-model.json"
MODEL_FILE = "openvino_model.xml"
# The key of the parity in a manifest on disk: models converted by earlier versions stay readable.
_PARITY_KEY = "agreement"
# Grows whenever what is written changes, so that older models are made again.
FORMAT = 3
# The GGUF file and the OpenVINO files before they are rounded, two bytes a weight each, and some room.
_DISK_BYTES_A_WEIGHT = 4.3
# The original in float32 is the most that is in memory at once; what else there is takes _MEMORY_BYTES.
_MEMORY_BYTES_A_WEIGHT = 4.5
_MEMORY_BYTES = 500_000_000
# What the model answers with besides its weights.
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
    """What a converted model was made from and how well it agrees.

    `source` identifies the checkpoint's files; `files` are the model's own, with their sizes in bytes.
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
        """As it is written to the folder; there the parity is called `agreement`."""
        fields = {_PARITY_KEY if name == "parity" else name: value for name, value in asdict(self).items()}
        return json.dumps(fields, indent=1)


def converted_folder(checkpoint: Path, models_cache: Path) -> Path:
    """Where the converted form of a checkpoint is, or would be."""
    return models_cache / FOLDER / f"{checkpoint.name}-{_source(checkpoint)}"


def find_converted(checkpoint: Path, models_cache: Path) -> Path | None:
    """The converted model, when it is here, whole, and made by these versions on this kind of CPU; else None."""
    folder = converted_folder(checkpoint, models_cache)
    manifest = read_manifest(folder)
    if manifest is None or manifest.files != _sizes(folder):
        return None
    current = (FORMAT, _source(checkpoint), *_versions(), cpu_features())
    made = (manifest.format, manifest.source, manifest.openvino_genai, manifest.gguf, manifest.cpu)
    return folder if made == current else None


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a converted model; None when there is none that can be read."""
    try:
        data = json.loads((folder / MANIFEST).read_text("utf-8"))
        parity = Parity(**data.pop(_PARITY_KEY))
        return Manifest(**{**data, "cpu": tuple(data["cpu"]), "parity": parity})
    except (OSError, ValueError, TypeError, KeyError) as error:
        if folder.is_dir():
            log.warning("model.manifest_unreadable", folder=str(folder), reason=repr(error))
        return None


def convert(checkpoint: Path, models_cache: Path, stage: StageCallback = lambda _name, _done, _total: None) -> Path:
    """Make the int8 OpenVINO model of a checkpoint, unless it is here already; tens of seconds.

    `stage` gets (what is being done, done, total); while another process makes a model, this one waits for it. Raises
    DocentError when it cannot be made: too little disk or memory, a CPU without what it takes, a checkpoint that is
    broken or that OpenVINO does not read. Interrupted at any moment it leaves nothing that loads.
    """
    found = find_converted(checkpoint, models_cache)
    if found is not None:
        return found
    from safetensors import SafetensorError

    check_checkpoint(checkpoint)
    target = converted_folder(checkpoint, models_cache)
    try:
        with alone_in(target.parent, lambda: stage("Waiting for another program that is making a model", 0, 1)):
            # Another process may have made it meanwhile.
            return find_converted(checkpoint, models_cache) or _make(checkpoint, target, stage)
    except (RuntimeError, ValueError, TypeError, LookupError, OSError, MemoryError, SafetensorError) as error:
        log.error("model.not_converted", checkpoint=str(checkpoint), exc_info=True)
        raise DocentError(
            f"{checkpoint} cannot be made into an OpenVINO model ({type(error).__name__}; the log has the details): "
            "the next engine answers instead; free some space or take another model, then run `docent models pull`."
        ) from error


def _make(checkpoint: Path, target: Path, stage: StageCallback) -> Path:
    started = time.monotonic()
    weights = count_weights(checkpoint)
    _require_instructions()
    require_disk(target.parent, int(_DISK_BYTES_A_WEIGHT * weights), "the OpenVINO model")
    require_memory(_memory_for(weights), "comparing the OpenVINO model with its original")
    with whole_folder(target) as making:
        gguf_path = making / "model.gguf"
        write_gguf(checkpoint, gguf_path, lambda done, total: stage("Reading the checkpoint", done, total))
        stage("Compiling for OpenVINO", 0, 1)
        _save_openvino(gguf_path)
        gguf_path.unlink()
        whole = (making / MODEL_FILE).rename(making / "float16.xml")
        (making / MODEL_FILE).with_suffix(".bin").rename(whole.with_suffix(".bin"))
        round_model(whole, making / MODEL_FILE, lambda done, total: stage("Rounding weights to int8", done, total))
        for part in (whole, whole.with_suffix(".bin")):
            part.unlink()
        for name in _COPIED:
            if (checkpoint / name).is_file():
                shutil.copyfile(checkpoint / name, making / name)
        stage("Comparing with the original", 0, 1)
        parity = compare(checkpoint, making / MODEL_FILE)
        genai, gguf_version = _versions()
        manifest = Manifest(
            FORMAT, _source(checkpoint), str(checkpoint), genai, gguf_version, cpu_features(), parity, _sizes(making)
        )
        (making / MANIFEST).write_text(manifest.to_json(), "utf-8")
    log.info("model.converted", folder=str(target), seconds=round(time.monotonic() - started, 1), **asdict(parity))
    return target


def convert_apart(checkpoint: Path, models_cache: Path) -> Path:
    """Like `convert`, in a process of its own: the memory the comparison takes is given back when it ends."""
    found = find_converted(checkpoint, models_cache)
    if found is not None:
        return found
    log.info("model.converting", checkpoint=str(checkpoint))
    run = subprocess.run(
        [sys.executable, "-m", "assistant.models.convert", str(checkpoint), str(models_cache)],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        log.error("model.not_converted", checkpoint=str(checkpoint), status=run.returncode, said=run.stderr[-2000:])
        if run.returncode < 0:
            raise DocentError(
                f"Making the OpenVINO model of {checkpoint} was ended from outside (signal {-run.returncode}), most "
                "likely for want of memory: close other programs, then run `docent models pull`."
            )
        reason = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DocentError(reason.removeprefix("Error: "))
    return Path(run.stdout.strip().splitlines()[-1])


def _save_openvino(gguf_path: Path) -> None:
    import openvino_genai

    openvino_genai.LLMPipeline(str(gguf_path), "CPU", enable_save_ov_model=True)
    if not gguf_path.with_name(MODEL_FILE).is_file():
        raise RuntimeError("OpenVINO GenAI read the model and saved nothing")


def _source(checkpoint: Path) -> str:
    """Names, sizes and change times of the files that matter, hashed: quick, and moved by any change to them."""
    digest = hashlib.sha256()
    for path in sorted([*checkpoint.glob("*.safetensors"), *checkpoint.glob("*.json"), *checkpoint.glob("merges.txt")]):
        status = path.stat()
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def _versions() -> tuple[str, str]:
    return importlib.metadata.version("openvino-genai"), importlib.metadata.version("gguf")


def _require_instructions() -> None:
    """Raise DocentError on an x86 CPU without AVX2, which the int8 model is computed with; others are not asked."""
    # Only Linux says what its CPU can do; elsewhere no features are known and none are missed.
    if sys.platform == "linux" and platform.machine() == "x86_64" and "avx2" not in cpu_features():
        raise DocentError(
            "This CPU has no AVX2 instructions, which the OpenVINO model needs: set `engine` to transformers or "
            "extractive, or use a CPU from 2013 or later (a virtual machine may have to be given its host's CPU type)."
        )


def _memory_for(weights: int) -> int:
    return int(_MEMORY_BYTES_A_WEIGHT * weights) + _MEMORY_BYTES


def _sizes(folder: Path) -> dict[str, int]:
    """The files of a converted model and their sizes: one cut short, whatever cut it, is no model."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def main() -> None:
    """`python -m assistant.models.convert CHECKPOINT MODELS_CACHE`: print the folder, or one line of error."""
    try:
        print(convert(Path(sys.argv[1]), Path(sys.argv[2])))
    except DocentError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
