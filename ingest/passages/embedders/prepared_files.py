"""Checksums of the files of a prepared embedder, in a manifest beside them: what was damaged or cut short since.

The card is not among them: it is small, and opening the embedder reads all of it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

MANIFEST = "files.json"


def write_checksums(folder: Path) -> None:
    """Write the manifest of all files that are in the folder now; the card follows later. Raises OSError."""
    sums = {
        path.name: [path.stat().st_size, _sha256(path)]
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps(sums, indent=1), "utf-8")


def has_checksums(folder: Path) -> bool:
    """Whether the embedder has a manifest; those that were prepared by earlier versions have none."""
    return (folder / MANIFEST).is_file()


def changed_files(folder: Path, every_byte: bool = False) -> list[str]:
    """Names of the files that are missing or have another size than in the manifest; none without a manifest.

    With `every_byte` also those with another SHA-256, which takes about a second for 400 MB.
    """
    if not has_checksums(folder):
        return []
    try:
        sums = {
            str(name): (int(size), str(digest))
            for name, (size, digest) in json.loads((folder / MANIFEST).read_text("utf-8")).items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return [MANIFEST]
    return [name for name, (size, digest) in sums.items() if _differs(folder / name, size, digest, every_byte)]


def _differs(path: Path, size: int, digest: str, every_byte: bool) -> bool:
    try:
        return path.stat().st_size != size or (every_byte and _sha256(path) != digest)
    except OSError:
        return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
