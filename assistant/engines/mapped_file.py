"""Gives back the memory of a file that was mapped and is no longer read. Knows nothing of models.

OpenVINO maps the weights, rearranges them into memory of its own and reads little of the file afterwards, yet the
process goes on being charged for all of it: 0.47 GB of 1.3 for Qwen1.5-0.5B in int8, measured.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

# POSIX_MADV_DONTNEED on Linux: pages of a file are dropped, and read again from it should anybody want them.
_DONT_NEED = 4


def release_mapped(path: Path, maps: Path = Path("/proc/self/maps")) -> int:
    """Drop this process's pages of a mapped file; returns the bytes mapped, 0 when none are or nobody can say."""
    if not sys.platform.startswith("linux") or not maps.is_file():
        return 0
    library = ctypes.CDLL(None, use_errno=True)
    wanted, released = str(path.resolve()), 0
    for line in maps.read_text(errors="surrogateescape").splitlines():
        addresses, permissions, *_, name = line.split(maxsplit=5) if line.count(" ") >= 5 else (line, "", "")
        # Private pages that were written to would be lost; those of a read-only mapping cannot have been.
        if name != wanted or "w" in permissions:
            continue
        start, end = (int(part, 16) for part in addresses.split("-"))
        if library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED) == 0:
            released += end - start
    return released
