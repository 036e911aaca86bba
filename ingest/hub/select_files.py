"""Which of the files that the hub lists for a model are downloaded: by their names, for models of every kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from ingest.base.errors import DocentError
from ingest.hub.cache import MANIFEST, HubFile

WANTED_SUFFIXES = (".safetensors", ".json", ".txt", ".model", ".tiktoken", ".jinja")
# The same weights for runtimes that Docent does not use.
UNWANTED_FOLDERS = frozenset({"onnx", "openvino", "coreml", "flax", "tf", "gguf"})
GGUF_SUFFIX = ".gguf"
# Eight bits in blocks of 32 weights: of the GGUF formats, the one that Docent prefers.
BEST_GGUF = "q8_0"


def select_files(files: Sequence[HubFile]) -> list[HubFile]:
    """The files that loading a model needs, sorted by path.

    These are safetensors, JSON and tokenizer files, also in sub-folders; PyTorch `.bin` weights only from a folder
    without safetensors; no files for other runtimes, and no code. Where a model has GGUF files and no such weights, the
    GGUF file that `pick_gguf` chooses.
    """
    with_safetensors = {str(PurePosixPath(file.path).parent) for file in files if file.path.endswith(".safetensors")}
    selected = []
    for file in files:
        path = PurePosixPath(file.path)
        if UNWANTED_FOLDERS.intersection(part.lower() for part in path.parts[:-1]) or path.name == MANIFEST:
            continue
        is_torch = path.name.startswith("pytorch_model") and path.suffix in (".bin", ".json")
        if is_torch and str(path.parent) in with_safetensors:
            continue
        if path.suffix.lower() in WANTED_SUFFIXES or is_torch:
            selected.append(file)
    if not any(_is_weights(file) for file in selected):
        best = pick_gguf(gguf_names(files))
        selected += [file for file in files if file.path == best]
    return sorted(selected, key=lambda file: file.path)


def gguf_names(files: Sequence[HubFile]) -> list[str]:
    """The GGUF files in a model's top folder, sorted; a model may have one for each quantization."""
    return sorted(file.path for file in files if "/" not in file.path and file.path.lower().endswith(GGUF_SUFFIX))


def pick_gguf(names: Sequence[str]) -> str | None:
    """The GGUF file to use: the only one, or the only one in q8_0; None where neither exists."""
    if len(names) == 1:
        return names[0]
    best = [name for name in names if BEST_GGUF in name.lower()]
    return best[0] if len(best) == 1 else None


def refuse_unusable_list(name: str, listed: Sequence[HubFile], files: Sequence[HubFile]) -> None:
    """Raise DocentError when `files`, selected from `listed`, have no weights, an unsafe path or no SHA-256."""
    ggufs = gguf_names(listed)
    if ggufs and not any(_is_weights(file) for file in files):
        raise DocentError(
            f"model {name} comes as {', '.join(ggufs)}, of which not exactly one is in {BEST_GGUF}: fetch the one you "
            f"want with `modelscope download --model {name} FILE` and set `model` to that file."
        )
    if not files:
        raise DocentError(f"model {name}: the hub lists no files that can be used; check the name.")
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or "\\" in file.path or "\0" in file.path:
            raise DocentError(f"model {name}: the hub lists {file.path!r}, outside its folder: use another hub.")
        if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
            raise DocentError(
                f"model {name}: the hub gives no SHA-256 for {file.path}, so it cannot be checked: use another hub, "
                "or put the files into a folder yourself and set `model` to it."
            )


def _is_weights(file: HubFile) -> bool:
    return file.path.lower().endswith((".safetensors", ".bin", GGUF_SUFFIX))
