"""A checkpoint made into an int8 OpenVINO model, once, in a folder that is whole or not there. Knows no prompts.

safetensors → Q8_0 GGUF → OpenVINO GenAI reads it and saves its own format. The folder gets its final name only
when everything in it is written, checked against the original and described in a manifest.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant.agreement import Agreement, compare
from assistant.engines.cpu import cpu_features
from assistant.gguf_file import write_gguf
from ingest.errors import DocentError
from ingest.logs import get_logger

FOLDER = "openvino"
MANIFEST = "docent-model.json"
MODEL_FILE = "openvino_model.xml"
# Grows whenever what is written changes, so that older models are made again.
FORMAT = 1
# The GGUF file, the OpenVINO files and some room; each is about one byte a weight, the checkpoint two.
_SPACE_FACTOR = 1.3
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
    """What a converted model was made from and how well it agrees; `source` identifies the checkpoint's files."""

    format: int
    source: str
    checkpoint: str
    openvino_genai: str
    gguf: str
    cpu: tuple[str, ...]
    agreement: Agreement


def converted_folder(checkpoint: Path, models_cache: Path) -> Path:
    """Where the converted form of a checkpoint is, or would be."""
    return models_cache / FOLDER / f"{checkpoint.name}-{_source(checkpoint)}"


def find_converted(checkpoint: Path, models_cache: Path) -> Path | None:
    """The converted model, when it is here, whole, and made by these versions on this kind of CPU; else None."""
    folder = converted_folder(checkpoint, models_cache)
    manifest = read_manifest(folder)
    if manifest is None or not (folder / MODEL_FILE).is_file():
        return None
    current = (FORMAT, _source(checkpoint), *_versions(), cpu_features())
    made = (manifest.format, manifest.source, manifest.openvino_genai, manifest.gguf, manifest.cpu)
    return folder if made == current else None


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a converted model; None when there is none that can be read."""
    try:
        data = json.loads((folder / MANIFEST).read_text("utf-8"))
        return Manifest(**{**data, "cpu": tuple(data["cpu"]), "agreement": Agreement(**data["agreement"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        if folder.is_dir():
            log.warning("model.manifest_unreadable", folder=str(folder), reason=repr(error))
        return None


def convert(checkpoint: Path, models_cache: Path, stage: StageCallback = lambda _name, _done, _total: None) -> Path:
    """Make the int8 OpenVINO model of a checkpoint, unless it is here already; tens of seconds.

    `stage` gets (what is being done, done, total). Raises DocentError when it cannot be made: too little disk, a
    checkpoint that OpenVINO does not read. Interrupted at any moment it leaves nothing that loads.
    """
    found = find_converted(checkpoint, models_cache)
    if found is not None:
        return found
    root = models_cache / FOLDER
    root.mkdir(parents=True, exist_ok=True)
    _require_space(checkpoint, root)
    started = time.monotonic()
    making = Path(tempfile.mkdtemp(prefix=".making-", dir=root))
    try:
        gguf_path = making / "model.gguf"
        write_gguf(checkpoint, gguf_path, lambda done, total: stage("Rounding weights to int8", done, total))
        stage("Compiling for OpenVINO", 0, 1)
        _save_openvino(gguf_path)
        gguf_path.unlink()
        for name in _COPIED:
            if (checkpoint / name).is_file():
                shutil.copyfile(checkpoint / name, making / name)
        stage("Comparing with the original", 0, 1)
        agreement = compare(checkpoint, making / MODEL_FILE)
        genai, gguf_version = _versions()
        manifest = Manifest(
            FORMAT, _source(checkpoint), str(checkpoint), genai, gguf_version, cpu_features(), agreement
        )
        (making / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), "utf-8")
        target = converted_folder(checkpoint, models_cache)
        shutil.rmtree(target, ignore_errors=True)
        making.rename(target)
    except (RuntimeError, ValueError, LookupError, OSError) as error:
        log.error("model.not_converted", checkpoint=str(checkpoint), exc_info=True)
        raise DocentError(
            f"{checkpoint} cannot be made into an OpenVINO model ({type(error).__name__}; the log has the details): "
            "the next engine answers instead; free some space or take another model, then run `docent models pull`."
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    log.info("model.converted", folder=str(target), seconds=round(time.monotonic() - started, 1), **asdict(agreement))
    return target


def convert_apart(checkpoint: Path, models_cache: Path) -> Path:
    """Like `convert`, in a process of its own: the memory the comparison takes is given back when it ends."""
    found = find_converted(checkpoint, models_cache)
    if found is not None:
        return found
    log.info("model.converting", checkpoint=str(checkpoint))
    run = subprocess.run(
        [sys.executable, "-m", "assistant.conversion", str(checkpoint), str(models_cache)],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
        log.error("model.not_converted", checkpoint=str(checkpoint), said=run.stderr[-2000:])
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


def _require_space(checkpoint: Path, root: Path) -> None:
    needed = int(_SPACE_FACTOR * sum(path.stat().st_size for path in checkpoint.glob("*.safetensors")))
    free = shutil.disk_usage(root).free
    if free < needed:
        raise DocentError(
            f"{root} has {free / 1e9:.1f} GB free and the OpenVINO model takes {needed / 1e9:.1f} GB while it is made: "
            "free some space or set `models_cache`."
        )


def main() -> None:
    """`python -m assistant.conversion CHECKPOINT MODELS_CACHE`: the folder on standard output, or one line of error."""
    try:
        print(convert(Path(sys.argv[1]), Path(sys.argv[2])))
    except DocentError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
