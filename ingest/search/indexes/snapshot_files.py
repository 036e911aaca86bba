"""The folders of published index snapshots: which one is current, checksums of its files, deleting old ones.

`CURRENT` is one line, the name of a snapshot folder `<revision>-<random>`; it is only ever replaced by a rename.
"""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import psutil

from ingest.base.files import write_whole

CURRENT = "CURRENT"
MANIFEST = "manifest.json"
WORK_PREFIX = ".work-"


def published_name(folder: Path) -> str:
    """Name of the current snapshot's folder; '' when nothing is published."""
    try:
        return (folder / CURRENT).read_text("utf-8", errors="replace").strip("\0 \n")
    except FileNotFoundError:
        return ""


def point_to(folder: Path, name: str) -> None:
    """Make this snapshot the one that all processes open. Raises OSError when `CURRENT` cannot be written."""
    write_whole(folder / CURRENT, name)


def revision_of(name: str) -> int:
    """The catalog's revision that a snapshot of this name is up to date with; -1 when it is no snapshot's name."""
    prefix = name.partition("-")[0]
    return int(prefix) if prefix.isdigit() else -1


def sums(snapshot: Path) -> dict[str, list[int]]:
    """Relative path → [size in bytes, CRC-32] of each file of a snapshot but its manifest."""
    by_file = {}
    for path in sorted(snapshot.rglob("*")):
        if path.is_file() and path.name != MANIFEST and path.suffix != ".lock":
            size = crc = 0
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    size, crc = size + len(block), zlib.crc32(block, crc)
            by_file[path.relative_to(snapshot).as_posix()] = [size, crc]
    return by_file


def clean(folder: Path, keep: set[str]) -> None:
    """Delete the snapshots that are not named in `keep`, and the working copies of processes that have ended."""
    for entry in folder.iterdir():
        if entry.name.startswith(WORK_PREFIX):
            if not psutil.pid_exists(int(entry.name.split("-")[1])):
                shutil.rmtree(entry, ignore_errors=True)
        elif entry.is_dir() and entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)
