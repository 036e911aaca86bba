"""Download of a model from ModelScope with its SDK; every file is checked against the hub's list.

Chat models, embedders and rerankers are downloaded in the same way.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.base.errors import DocentError, SettingsError
from ingest.base.logs import get_logger
from ingest.hub.cache import (
    MANIFEST,
    REVISION,
    HubFile,
    file_problem,
    find_downloaded,
    is_hub_name,
    model_folders,
    read_manifest,
    size_of,
    verify,
    write_manifest,
)
from ingest.hub.endpoint import PULL_AGAIN, hub_endpoint, require_hub
from ingest.hub.select_files import refuse_unusable_list, select_files

log = get_logger(__name__)


@dataclass(frozen=True)
class DownloadProgress:
    """Bytes downloaded so far: `file_done` of `file_total` for `file`, and `done` of `total` for the whole model.

    `done` includes the files that were on this machine before.
    """

    name: str
    file: str
    file_done: int
    file_total: int
    done: int
    total: int


ProgressCallback = Callable[[DownloadProgress], None]


def download(name: str, cache: Path, connect_seconds: float, progress: ProgressCallback | None = None) -> Path:
    """Download the model `owner/name` into `cache` and return its folder; an interrupted download is resumed.

    A model on this machine is hashed again and compared with the hub's list, so a second download updates and repairs
    it. The SDK's download threads call `progress`, which must not raise. Raises SettingsError for a name of another
    form, DocentError when the hub does not answer, has no such model or sends other bytes than it lists, and when the
    disk is full.
    """
    if not is_hub_name(name):
        raise SettingsError(f"model name '{name}' is not of the form owner/name, as in qwen/Qwen1.5-0.5B-Chat.")
    require_hub(connect_seconds)
    try:
        endpoint, listed = _list_files(name)
        files = select_files(listed)
        refuse_unusable_list(name, listed, files)
        downloaded = find_downloaded(name, cache)
        if downloaded is not None:
            if read_manifest(downloaded) == files and not verify(downloaded):
                return downloaded
            # While its files are replaced, no process may load the folder.
            (downloaded / MANIFEST).unlink()
        _require_space(name, files, cache)
        folder = _fetch(name, files, cache, endpoint, progress)
    except DocentError:
        raise
    except Exception as error:
        log.info("download_failed", model=name, error=repr(error))
        raise DocentError(f"model {name}: {_reason(error)}; {PULL_AGAIN}.") from error
    _check_or_delete(name, folder, files)
    write_manifest(name, folder, files, endpoint)
    log.info("downloaded", model=name, files=len(files), bytes=sum(file.size for file in files))
    return folder


def _list_files(name: str) -> tuple[str, list[HubFile]]:
    """The address of the hub that has the model, and every file it lists for the model."""
    with _quiet_sdk():
        from modelscope_hub import HubApi, HubConfig

        # A fresh configuration: the SDK's shared one keeps the endpoint it saw first.
        endpoint = HubApi(HubConfig()).resolve_endpoint_for_read(name)
        entries = HubApi(HubConfig(endpoint=endpoint)).list_repo_files(name, "model", revision=REVISION)
    return endpoint, [
        HubFile(entry.path, entry.size, (entry.sha256 or "").lower()) for entry in entries if not entry.is_dir
    ]


def _require_space(name: str, files: Sequence[HubFile], cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    existing = next((folder for folder in model_folders(name, cache) if folder.is_dir()), None)
    needed = sum(file.size for file in files if existing is None or size_of(existing / file.path) != file.size)
    free = shutil.disk_usage(cache).free
    if needed > free:
        raise DocentError(
            f"model {name}: {needed / 1e6:.0f} MB to download and {cache} has {free / 1e6:.0f} MB free: make room "
            "or set `models_cache` to another folder."
        )


def _fetch(name: str, files: Sequence[HubFile], cache: Path, endpoint: str, progress: ProgressCallback | None) -> Path:
    with _quiet_sdk():
        from modelscope.hub.snapshot_download import snapshot_download

        callbacks = [_reporter(name, files, cache, progress)] if progress is not None else None
        return Path(
            snapshot_download(
                name,
                revision=REVISION,
                cache_dir=str(cache),
                # Exact names; `[` is the only character of a file name that the SDK takes for a pattern.
                allow_patterns=[file.path.replace("[", "[[]") for file in files],
                progress_callbacks=callbacks,
                endpoint=endpoint,
            )
        )


def _reporter(name: str, files: Sequence[HubFile], cache: Path, progress: ProgressCallback) -> type:
    """A class as the SDK expects it, one instance per file, that adds up what all instances have received."""
    from modelscope_hub import ProgressCallback as SdkCallback

    total = sum(file.size for file in files)
    lock = threading.Lock()
    done_by_file = {
        file.path: file.size
        for file in files
        for folder in model_folders(name, cache)
        if size_of(folder / file.path) == file.size
    }

    class Reporter(SdkCallback):  # type: ignore[misc]  # the SDK has no type information
        def __init__(self, filename: str, file_size: int) -> None:
            super().__init__(filename, file_size)
            with lock:
                done_by_file[filename] = 0

        def update(self, size: int) -> None:
            with lock:
                done_by_file[self.filename] += size
                file_done, done = done_by_file[self.filename], sum(done_by_file.values())
                progress(DownloadProgress(name, self.filename, file_done, self.file_size, done, total))

    return Reporter


@contextlib.contextmanager
def _quiet_sdk() -> Iterator[None]:
    """Hide the SDK's progress bars and log lines inside: Docent shows its own progress on the terminal."""
    importlib.import_module("modelscope.hub")  # sets its log level when it is imported
    sdk: Any = importlib.import_module("modelscope_hub._download")
    for library in ("modelscope", "modelscope_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    bar = sdk.tqdm
    sdk.tqdm = functools.partial(bar, disable=True)
    try:
        yield
    finally:
        sdk.tqdm = bar


def _reason(error: Exception) -> str:
    """The reason of an error of the SDK, for a message to a person."""
    from modelscope_hub.errors import FileDownloadError, FileIntegrityError, NotExistError

    if isinstance(error, FileDownloadError) and error.failed_files:
        path, cause = next(iter(error.failed_files.items()))
        return f"{path}: {_reason(cause)}" if isinstance(cause, Exception) else f"{path} was not fetched"
    if isinstance(error, FileIntegrityError):
        return "its bytes differ from the hub's list, so it was deleted"
    if isinstance(error, NotExistError) or isinstance(error.__cause__, NotExistError):
        return f"{hub_endpoint()} has no such model or file; check the name"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full; make room or set `models_cache` to another folder"
    if isinstance(error, PermissionError):
        return f"{error.filename} cannot be written; correct its permissions or set `models_cache` to another folder"
    return f"the connection to the hub broke off ({type(error).__name__}); what has arrived is kept"


def _check_or_delete(name: str, folder: Path, files: Sequence[HubFile]) -> None:
    for file in files:
        if problem := file_problem(folder / file.path, file):
            (folder / file.path).unlink(missing_ok=True)
            raise DocentError(f"model {name}: {file.path}: {problem}; it was deleted, {PULL_AGAIN}.")
