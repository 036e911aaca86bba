"""Finds the models on this machine and downloads the others.

`settings.model` is a folder or a GGUF file if such a path exists, else a ModelScope name (`owner/name`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.models.checkpoint import check_checkpoint, is_checkpoint, writes_text
from assistant.models.gguf_import import SUFFIX, find_unpacked, unpack
from ingest.base.errors import DocentError, SettingsError
from ingest.base.files import alone_in
from ingest.base.settings import Settings
from ingest.hub.cache import downloaded_names, find_downloaded, is_hub_name
from ingest.hub.download import DownloadProgress, ProgressCallback, download
from ingest.hub.reranker_files import check_reranker, find_reranker
from ingest.hub.select_files import pick_gguf
from ingest.passages.embedders.bundled import (
    BUNDLED,
    MULTILINGUAL,
    english_folder,
    multilingual_problem,
    multilingual_weights,
)

__all__ = ["ModelState", "is_checkpoint", "list_models", "locate", "pull"]


@dataclass(frozen=True)
class ModelState:
    """One line of `docent models list`.

    `role` is chat, embedding, reranking or other; `path` is None when the model is not on this machine; `size` is that
    of its files in bytes; `state` is ready, bundled, not here, not unpacked yet, or `broken: ` and the reason.
    """

    name: str
    role: str
    path: Path | None
    size: int
    state: str


def locate(settings: Settings, unpacking: bool = True) -> Path | None:
    """The folder of the chat model, checked; None when it is not downloaded yet.

    A GGUF file is unpacked first, once, which takes seconds; without `unpacking` the result is None until then. Raises
    SettingsError when `settings.model` is no folder, file or ModelScope name, DocentError when it is damaged.
    """
    path = _path(settings.model, settings)
    if path is not None and path.is_file():
        path = unpack(path, settings.models_cache) if unpacking else find_unpacked(path, settings.models_cache)
    if path is not None:
        check_checkpoint(path)
    return path


def list_models(settings: Settings) -> list[ModelState]:
    """The chat model, the embedder, the other bundled embedders, the reranker if one is set, then other downloads."""
    embedders = dict.fromkeys([settings.embedder, *BUNDLED])
    states = [_chat_state(settings), *(_embedder_state(name, settings) for name in embedders)]
    if settings.reranker:
        states.append(_reranker_state(settings.reranker, settings))
    known = {state.name for state in states}
    for name, path in downloaded_names(settings.models_cache).items():
        if name not in known:
            states.append(ModelState(name, "other", path, _size(path), "ready"))
    return states


def pull(settings: Settings, names: Sequence[str] = (), progress: ProgressCallback | None = None) -> list[Path]:
    """Download models and return their folders.

    Without `names` these are the chat model of the settings, and the embedder and the reranker where those are names of
    the hub: the bundled embedder needs no download. A name that is a folder on this machine is checked and returned, a
    GGUF file is unpacked. While another process downloads, this one waits. Raises what `hub.download` raises, and
    DocentError when a chat model or reranker is not supported.
    """
    optional = [name for name in (settings.embedder, settings.reranker) if name and is_hub_name(name)]
    wanted = list(names) or [settings.model, *optional]
    folders = []
    for name in dict.fromkeys(wanted):
        path = _local(name)
        if path is None:
            path = _download_alone(name, settings, progress)
        path = _gguf_of(path)
        if path.is_file():
            path = _unpack_shown(path, settings.models_cache, progress)
        if name == settings.reranker:
            check_reranker(path)
        elif name == settings.model or writes_text(path):
            check_checkpoint(path)
        folders.append(path)
    return folders


def _download_alone(name: str, settings: Settings, progress: ProgressCallback | None) -> Path:
    """Download a model while no other process downloads one."""

    def waiting() -> None:
        if progress is not None:
            progress(DownloadProgress("Waiting for another download to end", "", 0, 0, 0, 0))

    try:
        with alone_in(settings.models_cache, waiting):
            return download(name, settings.models_cache, settings.hub_connect_seconds, progress)
    except OSError as error:
        raise DocentError(
            f"{settings.models_cache} cannot be written ({error.strerror}): correct its permissions or set "
            "`models_cache` to another folder."
        ) from error


def _unpack_shown(path: Path, models_cache: Path, progress: ProgressCallback | None) -> Path:
    """Unpack a GGUF file and report it as the progress of a download."""

    def show(label: str, done: int = 0, total: int = 0) -> None:
        if progress is not None:
            progress(DownloadProgress(label, path.name, done, total, done, total))

    return unpack(
        path,
        models_cache,
        lambda done, total: show(f"Unpacking {path.name}", done, total),
        lambda: show("Waiting for another process that is unpacking a model"),
    )


def _path(model: str, settings: Settings) -> Path | None:
    """The checkpoint's folder or the GGUF file of `model`; None when it must be downloaded."""
    path = _local(model)
    if path is None:
        if not is_hub_name(model):
            raise SettingsError(
                f"setting 'model' is '{model}', which is neither a folder that exists nor a ModelScope name "
                "(owner/name), nor a GGUF file that exists."
            )
        path = find_downloaded(model, settings.models_cache)
    return None if path is None else _gguf_of(path)


def _local(name: str) -> Path | None:
    """The folder or GGUF file of this name on this machine. Raises SettingsError for a GGUF file that is not there."""
    path = Path(name).expanduser()
    if path.suffix.lower() == SUFFIX and not path.exists():
        raise SettingsError(f"there is no file '{name}': set `model` to a GGUF file that exists.")
    return path if path.is_dir() or (path.is_file() and path.suffix.lower() == SUFFIX) else None


def _gguf_of(path: Path) -> Path:
    """The GGUF file to use of a folder that has only GGUF files as weights; any other path unchanged."""
    if not path.is_dir() or any(path.glob("*.safetensors")):
        return path
    files = sorted(path.glob(f"*{SUFFIX}"))
    if not files:
        return path
    chosen = pick_gguf([file.name for file in files])
    if chosen is None:
        raise DocentError(
            f"{path} holds {', '.join(file.name for file in files)}: set `model` to the one of these files you want."
        )
    return path / chosen


def _chat_state(settings: Settings) -> ModelState:
    name = settings.model
    path: Path | None = None
    try:
        path = _path(name, settings)
        folder = locate(settings, unpacking=False)
    except DocentError as error:
        folder = path or (Path(name).expanduser() if Path(name).expanduser().is_dir() else None)
        return ModelState(name, "chat", folder, _size(folder), f"broken: {error}")
    state = "ready" if folder is not None else "not here" if path is None else "not unpacked yet"
    return ModelState(name, "chat", folder or path, _size(folder or path), state)


def _embedder_state(name: str, settings: Settings) -> ModelState:
    if name in BUNDLED:
        return _bundled_state(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return ModelState(name, "embedding", folder, _size(folder), "ready")
    if not is_hub_name(name):
        return ModelState(name, "embedding", None, 0, f"broken: there is no folder {name}.")
    path = find_downloaded(name, settings.models_cache)
    return ModelState(name, "embedding", path, _size(path), "not here" if path is None else "ready")


def _bundled_state(name: str) -> ModelState:
    """A bundled embedder is `not here` when its package is not installed, broken when its weights are damaged."""
    try:
        path = multilingual_weights() if name == MULTILINGUAL else english_folder()
    except DocentError:
        return ModelState(name, "embedding", None, 0, "not here")
    problem = multilingual_problem() if name == MULTILINGUAL else ""
    path_or_none = path if path.exists() else None
    return ModelState(
        name, "embedding", path_or_none, _size(path_or_none), f"broken: {problem}" if problem else "bundled"
    )


def _reranker_state(name: str, settings: Settings) -> ModelState:
    try:
        path = find_reranker(name, settings.models_cache)
    except DocentError as error:
        return ModelState(name, "reranking", None, 0, f"broken: {error}")
    return ModelState(name, "reranking", path, _size(path), "not here" if path is None else "ready")


def _size(path: Path | None) -> int:
    """The size in bytes of a file, or of all files in a folder; 0 for None."""
    if path is None:
        return 0
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
