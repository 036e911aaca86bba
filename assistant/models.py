"""Which models are on this machine, and fetching the ones that are not. Reads no weights; knows nothing of engines.

`settings.model` is a folder where such a folder exists, else a ModelScope name (`owner/name`).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.errors import DocentError, SettingsError
from ingest.hub import ProgressCallback, download, downloaded_names, find_downloaded, is_hub_name
from ingest.settings import Settings

MODEL_TYPE = "qwen2"
# A safetensors header larger than this is damage, not a model (the limit of the safetensors library itself).
LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class ModelState:
    """One line of `docent models list`.

    `role` is chat, embedding or other; `path` None when nothing is here; `size` in bytes of the folder's files;
    `state` is ready, bundled, not here, or `broken: ` and the reason.
    """

    name: str
    role: str
    path: Path | None
    size: int
    state: str


def locate(settings: Settings) -> Path | None:
    """The folder of the chat model, checked; None when it has a name and has not been downloaded yet.

    Raises SettingsError when `settings.model` is neither a folder nor a name, DocentError when the folder is broken.
    """
    folder = _folder(settings.model, settings)
    if folder is not None:
        check_checkpoint(folder)
    return folder


def check_checkpoint(folder: Path) -> None:
    """Raise DocentError with one line when `folder` is no whole Qwen2 checkpoint. Quick: headers and sizes only."""
    config = _read_json(folder / "config.json")
    model_type = config.get("model_type")
    if model_type != MODEL_TYPE:
        raise DocentError(
            f"model folder {folder}: config.json says model_type {model_type!r}, and only {MODEL_TYPE!r} (Qwen1.5, "
            "Qwen2, Qwen2.5) can be run: set `model` to such a model."
        )
    if not (folder / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (folder / name).is_file():
                raise _broken(folder, f"neither tokenizer.json nor {name} is there")
    for path in _weight_files(folder):
        _check_safetensors(path)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a chat model of the kind we run, as opposed to an embedder."""
    return (folder / "config.json").is_file() and _read_json(folder / "config.json").get("model_type") == MODEL_TYPE


def list_models(settings: Settings) -> list[ModelState]:
    """The chat model, the embedder, then every other complete download, each with where it is and how it is."""
    states = [_chat_state(settings), _embedder_state(settings)]
    known = {state.name for state in states}
    for name, path in downloaded_names(settings.models_cache).items():
        if name not in known:
            states.append(ModelState(name, "other", path, _folder_size(path), "ready"))
    return states


def pull(settings: Settings, names: Sequence[str] = (), progress: ProgressCallback | None = None) -> list[Path]:
    """Download models and return their folders; without names the chat model and, if it has a hub name, the embedder.

    A name that is a folder on this machine is checked and returned as it is; a bundled embedder is passed over.
    Raises what `ingest.hub.download` raises, and DocentError when the chat model that came is not one we can run.
    """
    wanted = list(names) or [settings.model, *([settings.embedder] if is_hub_name(settings.embedder) else [])]
    folders = []
    for name in dict.fromkeys(wanted):
        folder = Path(name).expanduser()
        if not folder.is_dir():
            folder = download(name, settings.models_cache, settings.hub_connect_seconds, progress)
        if name == settings.model:
            check_checkpoint(folder)
        folders.append(folder)
    return folders


def _folder(model: str, settings: Settings) -> Path | None:
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if is_hub_name(model):
        return find_downloaded(model, settings.models_cache)
    raise SettingsError(
        f"setting 'model' is '{model}', which is neither a folder that exists nor a ModelScope name (owner/name)."
    )


def _chat_state(settings: Settings) -> ModelState:
    try:
        path = _folder(settings.model, settings)
        if path is not None:
            check_checkpoint(path)
    except DocentError as error:
        folder = Path(settings.model).expanduser()
        here = folder if folder.is_dir() else find_downloaded(settings.model, settings.models_cache)
        return ModelState(settings.model, "chat", here, _folder_size(here), f"broken: {error}")
    return ModelState(settings.model, "chat", path, _folder_size(path), "not here" if path is None else "ready")


def _embedder_state(settings: Settings) -> ModelState:
    name = settings.embedder
    folder = Path(name).expanduser()
    if folder.is_dir():
        return ModelState(name, "embedding", folder, _folder_size(folder), "ready")
    if not is_hub_name(name):
        return ModelState(name, "embedding", None, 0, "bundled")
    here = find_downloaded(name, settings.models_cache)
    return ModelState(name, "embedding", here, _folder_size(here), "not here" if here is None else "ready")


def _folder_size(folder: Path | None) -> int:
    return 0 if folder is None else sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up the weights: those the index names, or all there are."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = _read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise _broken(folder, f"{index.name} lists no files")
        paths = [folder / str(name) for name in sorted(set(shards.values()))]
    else:
        paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise _broken(folder, "no *.safetensors file is there (other weight formats are not loaded)")
    for path in paths:
        if not path.is_file():
            raise _broken(folder, f"{path.name} is missing")
    return paths


def _check_safetensors(path: Path) -> None:
    """A file cut short is found from its header, which says where the last tensor ends. Format: 8 bytes little-endian
    header length, a JSON header with `data_offsets` relative to its end, the data (github.com/huggingface/safetensors).
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise _broken(path.parent, f"{path.name} is cut short or is no safetensors file")
        try:
            header = json.loads(stream.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _broken(path.parent, f"the header of {path.name} is damaged") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise _broken(path.parent, f"{path.name} has {size} bytes where its header says {expected}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _broken(path.parent, f"{path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise _broken(path.parent, f"{path.name} cannot be read") from error
    if not isinstance(content, dict):
        raise _broken(path.parent, f"{path.name} is not a JSON object")
    return content


def _broken(folder: Path, reason: str) -> DocentError:
    return DocentError(
        f"model folder {folder}: {reason}: run `docent models pull` again, or set `model` to a whole checkpoint."
    )
