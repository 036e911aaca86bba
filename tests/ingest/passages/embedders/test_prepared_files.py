"""The checksums of a prepared embedder name what is missing, cut short or changed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.passages.embedders.prepared_files import MANIFEST, changed_files, has_checksums, write_checksums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.bin", "model.xml", "tokenizer.model"):
        (tmp_path / name).write_bytes(name.encode() * 100)
    write_checksums(tmp_path)
    (tmp_path / "embedder.json").write_text("{}")
    return tmp_path


def test_untouched(folder: Path) -> None:
    """Nothing has changed; what was written after the checksums does not count."""
    assert has_checksums(folder)
    assert changed_files(folder) == []
    assert changed_files(folder, every_byte=True) == []


def test_missing_cut_short_and_changed(folder: Path) -> None:
    """The size is looked at always, every byte when asked for."""
    (folder / "model.xml").unlink()
    (folder / "model.bin").write_bytes(b"model.bin")
    content = (folder / "tokenizer.model").read_bytes()
    (folder / "tokenizer.model").write_bytes(content[:50] + b"?" + content[51:])
    assert changed_files(folder) == ["model.bin", "model.xml"]
    assert changed_files(folder, every_byte=True) == ["model.bin", "model.xml", "tokenizer.model"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model.bin": 3}', '{"model.bin": ["x", "y"]}'])
def test_damaged_manifest(folder: Path, content: str) -> None:
    """It is itself what has changed."""
    (folder / MANIFEST).write_text(content)
    assert changed_files(folder) == [MANIFEST]


def test_without_a_manifest(folder: Path) -> None:
    """An embedder that an earlier version prepared has none, and counts as unchanged."""
    (folder / MANIFEST).unlink()
    (folder / "model.bin").write_bytes(b"")
    assert not has_checksums(folder)
    assert changed_files(folder, every_byte=True) == []
