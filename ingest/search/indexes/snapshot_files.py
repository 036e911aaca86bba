"""The files of published index snapshots: which is current, whether they are whole, what may go. Knows no index.

`CURRENT` is one line, the name of a snapshot folder `<revision>-<random>`; it is only ever exchanged by renaming.
"""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

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
    pointer = folder / f".{CURRENT}.{os.getpid()}"
    pointer.write_text(name, "utf-8")
    to_disk(pointer)
    pointer.replace(folder / CURRENT)


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


def to_disk(path: Path) -> None:
    """A file that a rename is about to make official must be whole also after a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def clean(folder: Path, keep: set[str]) -> None:
    """Remove older snapshots, and working copies of processes that are gone."""
    for entry in folder.iterdir():
        if entry.name.startswith(WORK_PREFIX):
            if not _is_running(int(entry.name.split("-")[1])):
                shutil.rmtree(entry, ignore_errors=True)
        elif entry.is_dir() and entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as somebody else
        return True
    return True
