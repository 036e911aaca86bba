"""Does this machine have the memory and the disk that making a model takes? Knows nothing of models."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ingest.base.errors import DocentError

_MEMORY = Path("/proc/meminfo")
# Where Linux says what a container may use (control groups, version 2).
_CONTAINER = Path("/sys/fs/cgroup")


def require_disk(folder: Path, needed: int, what: str) -> None:
    """Raise DocentError when `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DocentError(
            f"{folder} has {free / 1e9:.1f} GB free and {what} takes {needed / 1e9:.1f} GB while it is made: "
            "free some space or set `models_cache` to another folder."
        )


def require_memory(needed: int, what: str) -> None:
    """Raise DocentError when fewer than `needed` bytes of memory can be had for `what`; unknown is enough."""
    free = available_memory()
    if free is not None and free < needed:
        raise DocentError(
            f"{free / 1e9:.1f} GB of memory are free and {what} takes {needed / 1e9:.1f} GB for a moment: close other "
            "programs, or set `model` to a smaller one."
        )


def available_memory(meminfo: Path = _MEMORY, container: Path = _CONTAINER) -> int | None:
    """Bytes a process may still take without swapping, as the kernel and the container say; None if neither does."""
    known = [free for free in (_kernel_says(meminfo), _container_says(container)) if free is not None]
    return min(known, default=None)


def _kernel_says(meminfo: Path) -> int | None:
    if not meminfo.is_file():
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text("ascii"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _container_says(container: Path) -> int | None:
    """What the limit leaves; pages of files count as used there and are given back when somebody needs them."""
    limit, used, details = (container / f"memory.{name}" for name in ("max", "current", "stat"))
    if not all(path.is_file() for path in (limit, used, details)) or limit.read_text("ascii").strip() == "max":
        return None
    files = re.search(r"^file (\d+)", details.read_text("ascii"), re.MULTILINE)
    return int(limit.read_text("ascii")) - int(used.read_text("ascii")) + (int(files[1]) if files else 0)
