"""The folder of a reranker on this machine, and whether it holds a cross-encoder; nothing is downloaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ingest.base.errors import DocentError, SettingsError
from ingest.base.logs import get_logger
from ingest.hub.cache import find_downloaded, is_hub_name

# Written by sentence-transformers; a sequence classifier of transformers is a cross-encoder without this file.
_PARTS_FILE = "config_sentence_transformers.json"
_CONFIG_FILE = "config.json"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
log = get_logger(__name__)


def find_reranker(name: str, models_cache: Path) -> Path | None:
    """The folder of a cross-encoder, given as a path or by its hub name; None when it has not been downloaded yet.

    Raises SettingsError when the name is neither a folder nor a ModelScope name, DocentError for another kind of model.
    """
    folder = Path(os.path.expanduser(name))  # noqa: PTH111 - Path.expanduser raises for '~nobody'
    if not folder.is_dir():
        if not is_hub_name(name):
            raise SettingsError(
                f"setting 'reranker' is {name!r}: allowed are a ModelScope name (owner/name) or a folder that exists."
            )
        downloaded = find_downloaded(name, models_cache)
        if downloaded is None:
            return None
        folder = downloaded
    check_reranker(folder)
    return folder


def check_reranker(folder: Path) -> None:
    """Raise DocentError when the folder has no cross-encoder. Reads its configuration, not its weights.

    Without this check sentence-transformers would open any other model too, with random weights in the last layer.
    """
    try:
        kinds = json.loads((folder / _CONFIG_FILE).read_text("utf-8")).get("architectures") or []
        parts = folder / _PARTS_FILE
        declared = json.loads(parts.read_text("utf-8")).get("model_type") if parts.is_file() else None
    except (OSError, ValueError, AttributeError) as error:
        log.warning("reranker.unreadable", folder=str(folder), exc_info=True)
        raise unusable(folder, f"{_CONFIG_FILE} or {_PARTS_FILE} is missing or damaged") from error
    if declared != "CrossEncoder" and not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        raise unusable(folder, f"it holds {', '.join(map(str, kinds)) or 'a model'}, which is no cross-encoder")
    if not any(file for pattern in _WEIGHTS for file in folder.glob(pattern)):
        raise unusable(folder, "no weights (*.safetensors) are there")


def unusable(folder: Path, reason: str) -> DocentError:
    """The error for a folder that cannot be used."""
    return DocentError(
        f"reranker folder {folder}: {reason}: run `docent models pull` again, or set `reranker` to another model."
    )
