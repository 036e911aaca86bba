"""Memory that is free and memory that is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ingest.base.memory import available_memory, peak_memory, resident_memory


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


def test_available_memory_is_what_machine_and_container_both_allow(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smaller of the two; a limit of `max` is none, and a system that says nothing is not guessed at."""
    nothing = tmp_path / "nothing"
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8_192_000_000))
    assert available_memory(nothing) == 8_192_000_000
    assert available_memory(container) == 3_000_000_000
    monkeypatch.setattr(psutil, "virtual_memory", nothing.open)
    assert available_memory(container) == 3_000_000_000
    assert available_memory(nothing) is None
    (container / "memory.max").write_text("max\n")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8_192_000_000))
    assert available_memory(container) == 8_192_000_000


def test_resident_memory_is_added_up_over_processes() -> None:
    """Counted for each process by number; one that has ended holds nothing."""
    own = resident_memory(["self"])
    assert own > 10_000_000
    assert resident_memory(["self", "self"]) == pytest.approx(2 * own, rel=0.1)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert resident_memory([str(ended.pid)]) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the peak may count the parent's")
def test_the_peak_is_of_this_process_alone() -> None:
    """A process that is started by a large one begins small; what it gave back still counts."""
    ballast = bytearray(200_000_000)
    script = """
from ingest.base.memory import peak_memory
before = peak_memory()
ballast = bytearray(50_000_000)
del ballast
print(before, peak_memory())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before < 100_000_000 and after >= before + 40_000_000
    assert peak_memory() > len(ballast)
