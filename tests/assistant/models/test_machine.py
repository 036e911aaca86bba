"""The errors when memory or disk are too small to convert a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assistant.models import machine
from assistant.models.machine import require_disk, require_memory
from ingest.base.errors import DocentError


def test_too_little_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is free, what it takes and what to do; enough or unknown says nothing."""
    monkeypatch.setattr(machine, "available_memory", lambda: 1_500_000_000)
    require_memory(1_500_000_000, "the comparison")
    with pytest.raises(DocentError) as raised:
        require_memory(2_500_000_000, "the comparison")
    assert str(raised.value) == (
        "1.5 GB of memory are free and the comparison takes 2.5 GB for some seconds: close other programs, or set "
        "`model` to a smaller one."
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
