"""The instructions and cores of the CPU, as the engines need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.base import cpu


@pytest.mark.parametrize(
    ("cpuinfo", "features"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_tile\n", ("avx2", "avx512_bf16")),
        ("flags\t\t: amx_bf16 fpu avx2\nflags\t\t: fpu\n", ("avx2", "amx_bf16")),
        ("processor\t: 0\n", ()),
    ],
)
def test_features_in_a_fixed_order(cpuinfo: str, features: tuple[str, ...], tmp_path: Path) -> None:
    """The first processor's flags decide; a file without flags has no features."""
    source = tmp_path / "cpuinfo"
    source.write_text(cpuinfo)
    assert cpu.cpu_features(source) == features


def test_a_system_without_cpuinfo_has_no_features(tmp_path: Path) -> None:
    """Without /proc/cpuinfo no feature is assumed."""
    assert cpu.cpu_features(tmp_path / "none") == ()


@pytest.mark.parametrize(
    ("features", "expected"),
    [(("avx2", "avx512_bf16"), True), (("amx_bf16",), True), (("avx2", "avx512_vnni"), False), ((), False)],
)
def test_bfloat16_only_where_the_cpu_has_it(
    features: tuple[str, ...], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere bfloat16 is emulated and slower than float32."""
    monkeypatch.setattr(cpu, "cpu_features", lambda: features)
    assert cpu.has_bfloat16() is expected


def test_only_the_cores_that_this_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container its share is counted, not the whole machine."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {1, 5, 7}, raising=False)
    assert cpu.usable_cores() == 3
