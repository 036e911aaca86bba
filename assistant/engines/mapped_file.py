"""Releases the memory of a memory-mapped file that is no longer read.

OpenVINO maps the weights, copies them into its own layout and reads little of the file afterwards, but the mapped pages
still count as memory of the process: 0.47 of 1.3 GB for Qwen1.5-0.5B in int8, measured.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import psutil

from ingest.base.logs import get_logger

# MADV_DONTNEED of Linux: pages of a file are dropped, and read from the file again when they are needed.
_DONT_NEED = 4
log = get_logger(__name__)


def release_mapped(path: Path) -> int:
    """Drop this process's pages of a mapped file. Returns their size in bytes; 0 when none are mapped or not on Linux.

    On a system that hides the mappings it does nothing: the memory stays in use.
    """
    if not sys.platform.startswith("linux"):
        return 0
    library = ctypes.CDLL(None)
    wanted, released = str(path.resolve()), 0
    for mapping in _mappings():
        # Private pages that were written to would be lost; a read-only mapping has none.
        if mapping.path != wanted or "w" in mapping.perms:
            continue
        start, end = (int(part, 16) for part in mapping.addr.split("-"))
        if library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED) == 0:
            released += end - start
    return released


def _mappings() -> list[Any]:
    try:
        return list(psutil.Process().memory_maps(grouped=False))
    except (OSError, psutil.Error):
        log.warning("mapped_file.not_released", exc_info=True)
        return []
