"""The files of published index snapshots: which is current, whether they are whole, what may go. Knows no index.

`CURRENT` is one line, the name of a snapshot folder `<revision>-<random>`; it is only ever exchanged by renaming.
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
    """The current snapshot's; '' when nothing is published."""
    try:
        return (folder / CURRENT).read_text("utf-8", errors="replace").strip("\0 \n")
    except FileNotFoundError:
        return ""


def point_to(folder: Path, name: str) -> None:
    """Let everyone open this snapshot from now on. Raises OSError when the disk does not take it."""
    write_whole(folder / CURRENT, name)


def revision_of(name: str) -> int:
    """Of the catalog, when the snapshot of this name was published; -1 for no snapshot's name."""
    prefix = name.partition("-")[0]
    return int(prefix) if prefix.isdigit() else -1


def sums(snapshot: Path) -> dict[str, list[int]]:
    """Size and CRC-32 of each file of a snapshot but its manifest."""
    found = {}
    for path in sorted(snapshot.rglob("*")):
        if path.is_file() and path.name != MANIFEST and path.suffix != ".lock":
            size = crc = 0
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    size, crc = size + len(block), zlib.crc32(block, crc)
            found[path.relative_to(snapshot).as_posix()] = [size, crc]
    return found


def clean(folder: Path, keep: set[str]) -> None:
    """Remove older snapshots, and working copies of processes that are gone."""
    for entry in folder.iterdir():
        if entry.name.startswith(WORK_PREFIX):
            if not psutil.pid_exists(int(entry.name.split("-")[1])):
                shutil.rmtree(entry, ignore_errors=True)
        elif entry.is_dir() and entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)
