from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assistant.models import machine
from assistant.models.machine import available_memory, require_disk, require_memory
from ingest.base.errors import DocentError

MEMINFO = "MemTotal:       24000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n"


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A control group that may use 6 GB, uses 5 and could give back 2 of them."""
    for name, content in {
        "max": "6000000000\n",
        "current": "5000000000\n",
        "stat": "anon 3000000000\nfile 2000000000\ninactive_file 1500000000\n",
    }.items():
        (tmp_path / f"memory.{name}").write_text(content)
    return tmp_path


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path / "meminfo"


def test_memory_is_what_kernel_and_container_both_allow(meminfo: Path, container: Path, tmp_path: Path) -> None:
    """The smaller of the two; a limit of `max` is none, and a system that says nothing is not guessed at."""
    nothing = tmp_path / "nothing"
    assert available_memory(meminfo, nothing) == 8_192_000_000
    assert available_memory(meminfo, container) == 3_000_000_000
    assert available_memory(nothing, container) == 3_000_000_000
    (container / "memory.max").write_text("max\n")
    assert available_memory(meminfo, container) == 8_192_000_000
    assert available_memory(nothing, nothing) is None


def test_too_little_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free, what it takes and what to do; enough or unknown says nothing."""
    monkeypatch.setattr(machine, "available_memory", lambda: 1_500_000_000)
    require_memory(1_500_000_000, "the comparison")
    with pytest.raises(DocentError) as raised:
        require_memory(2_500_000_000, "the comparison")
    assert str(raised.value) == (
        "1.5 GB of memory are free and the comparison takes 2.5 GB for a moment: close other programs, or set `model` "
        "to a smaller one."
    )
    monkeypatch.setattr(machine, "available_memory", lambda: None)
    require_memory(10**15, "the comparison")


def test_too_little_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder, what is free, what it takes and what to do."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000_000))
    require_disk(tmp_path, 1_000_000_000, "the model")
    with pytest.raises(DocentError) as raised:
        require_disk(tmp_path, 1_600_000_000, "the model")
    assert str(raised.value) == (
        f"{tmp_path} has 1.0 GB free and the model takes 1.6 GB while it is made: free some space or set "
        "`models_cache` to another folder."
    )
