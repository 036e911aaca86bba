"""Releasing the memory of mapped files."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import psutil
import pytest

from assistant.engines.mapped_file import release_mapped

SIZE = 8 << 20
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux shows what is mapped")


def resident(path: Path) -> int:
    """Bytes of the file that count as this process's memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) * 1024 for line in lines[start:] if line.startswith("Rss:"))


@linux
def test_pages_are_released_and_read_again(tmp_path: Path) -> None:
    """After the release the file uses no memory, and reading it still gives its content."""
    path = tmp_path / "weights with spaces.bin"
    path.write_bytes(b"w" * SIZE)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert mapped[:].count(b"w") == SIZE and resident(path) == SIZE
        assert release_mapped(path) == SIZE
        assert resident(path) == 0
        assert mapped[SIZE - 3 :] == b"www"


@linux
def test_a_mapping_that_can_be_written_is_left_alone(tmp_path: Path) -> None:
    """Private changes exist nowhere else: dropping the pages would lose them."""
    path = tmp_path / "changed.bin"
    path.write_bytes(b"w" * SIZE)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[0] = ord("x")
        assert release_mapped(path) == 0
        assert mapped[0] == ord("x")


def test_a_file_that_is_not_mapped_and_a_system_that_hides_mappings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no error when there is nothing to release."""
    assert release_mapped(tmp_path / "none.bin") == 0
    monkeypatch.setattr(psutil.Process, "memory_maps", lambda _process, grouped: (tmp_path / f"none {grouped}").open())
    assert release_mapped(tmp_path / "none.bin") == 0
