"""The cores and the instructions of this machine's CPU."""

from __future__ import annotations

import os
from pathlib import Path

# Instructions that change how fast a model is computed, or how its numbers are rounded.
FEATURES = ("avx2", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def usable_cores() -> int:
    """The number of cores that this process may use; in a container often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_features(source: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Those of FEATURES that this CPU has; () on systems without /proc/cpuinfo."""
    if not source.is_file():
        return ()
    lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return tuple(name for name in FEATURES if name in flags)


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 itself; where it is emulated, it is slower than float32."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu_features())
