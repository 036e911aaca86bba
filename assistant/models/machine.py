"""Checks that this machine has the free memory and disk that converting a model takes."""

from __future__ import annotations

import shutil
from pathlib import Path

from ingest.base.errors import DocentError
from ingest.base.memory import available_memory


def require_disk(folder: Path, needed: int, what: str) -> None:
    """Raise DocentError when `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DocentError(
            f"{folder} has {free / 1e9:.1f} GB free and {what} takes {needed / 1e9:.1f} GB while it is made: "
            "free some space or set `models_cache` to another folder."
        )


def require_memory(needed: int, what: str) -> None:
    """Raise DocentError when fewer than `needed` bytes of memory are available for `what`.

    Nothing is raised where the available memory is not known.
    """
    free = available_memory()
    if free is not None and free < needed:
        raise DocentError(
            f"{free / 1e9:.1f} GB of memory are free and {what} takes {needed / 1e9:.1f} GB for some seconds: close "
            "other programs, or set `model` to a smaller one."
        )
