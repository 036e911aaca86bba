"""What this CPU can do that whoever computes should know. A leaf: it knows nothing of models."""

from __future__ import annotations

import os
from pathlib import Path

# Instructions that change how fast, or with which rounding, a model is computed.
FEATURES = ("avx2", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def usable_cores() -> int:
    """Cores this process may run on; containers often allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_features(source: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Those of FEATURES that this CPU has; () on systems that do not say."""
    if not source.is_file():
        return ()
    lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return tuple(name for name in FEATURES if name in flags)


def has_bfloat16() -> bool:
    """bfloat16 pays only where the CPU multiplies it itself; elsewhere it is emulated and slower than float32."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu_features())
