"""How much memory is free, and how much processes use, in bytes."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from ingest.base.logs import get_logger

# Where Linux shows the memory limit of a container (control groups, version 2).
_CONTAINER = Path("/sys/fs/cgroup")
_STATUS = Path("/proc/self/status")
log = get_logger(__name__)


def available_memory(container: Path = _CONTAINER) -> int | None:
    """Bytes that a process of this machine and container can still allocate without swapping; None if unknown."""
    sizes = [size for size in (_machine_memory(), _container_memory(container)) if size is not None]
    return min(sizes, default=None)


def _machine_memory() -> int | None:
    try:
        return int(psutil.virtual_memory().available)
    except OSError:  # /proc may be hidden from this process
        log.warning("memory.unknown", exc_info=True)
        return None


def _container_memory(container: Path) -> int | None:
    """Bytes below the container's limit; None without a limit.

    The container counts cached files as used; they are added, because the kernel frees them when memory is needed.
    """
    limit, used, details = (container / f"memory.{name}" for name in ("max", "current", "stat"))
    if not all(path.is_file() for path in (limit, used, details)) or limit.read_text("ascii").strip() == "max":
        return None
    files = re.search(r"^file (\d+)", details.read_text("ascii"), re.MULTILINE)
    return int(limit.read_text("ascii")) - int(used.read_text("ascii")) + (int(files[1]) if files else 0)


def resident_memory(processes: Sequence[str]) -> int:
    """Resident memory of the processes together, each given by its number or as 'self'; an ended one counts 0."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += int(psutil.Process(None if process == "self" else int(process)).memory_info().rss)
    return total


def peak_memory() -> int:
    """The largest resident memory of this process so far; 0 on Windows and where it is unknown."""
    if _STATUS.is_file():
        # psutil does not report it, and `ru_maxrss` of a new process begins with its parent's, which may hold a model.
        peak = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text("ascii", "replace"), re.MULTILINE)
        return int(peak[1]) * 1024 if peak else 0
    if sys.platform == "win32":
        return 0
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
