"""Which files a person means by the paths given. Knows nothing of what is in them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from ingest.report import Failure

# Files that programs leave behind; nobody means them as documents.
_LEFTOVERS = ("~$", "Thumbs.db", "desktop.ini")


def absolute(path: Path) -> Path:
    """Without `..` but with links kept: a share that moves behind its link keeps its documents."""
    # Path.resolve would follow links, and Path.expanduser raises for a file called '~draft.md'.
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def printable(path: str | Path) -> str:
    """A name to show: what is not valid UTF-8 in it becomes a question mark."""
    return os.fsencode(path).decode("utf-8", "replace")


def discover(
    paths: Sequence[Path], own: Collection[Path], failed: list[Failure]
) -> tuple[dict[Path, Path], list[Path]]:
    """(file → the folder it was found through, folders that could not be listed).

    Folders in `own` are passed over when they are met on the way through a larger one. What cannot be taken in is
    added to `failed`.
    """
    found: dict[Path, Path] = {}
    unreadable: list[Path] = []

    def not_listed(error: OSError) -> None:
        unreadable.append(Path(error.filename))
        reason = f"the folder cannot be listed ({error.strerror}): check its permissions"
        failed.append(Failure(printable(error.filename), reason))

    def take(file: Path, root: Path) -> None:
        if str(file) == printable(file):
            found.setdefault(file, root)
        else:
            failed.append(Failure(printable(file), "its name is not valid UTF-8: rename it"))

    for given in paths:
        path = absolute(given)
        if path.is_dir():
            for folder, subfolders, names in os.walk(path, onerror=not_listed):
                subfolders[:] = sorted(
                    name for name in subfolders if not name.startswith(".") and Path(folder) / name not in own
                )
                for name in sorted(names):
                    if not name.startswith((".", *_LEFTOVERS)):
                        take(Path(folder) / name, path)
        elif path.exists():
            take(path, path.parent)
        else:
            unreadable.append(path)
            failed.append(Failure(printable(given), "there is no such file or folder: check the spelling"))
    return found, unreadable
