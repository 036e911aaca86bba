"""What could not be read is not read again at every run, and is as soon as it could be read differently."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import documents as formats
from ingest.base.settings import Settings
from ingest.documents.workers import pool as reading
from ingest.runs.report import IngestReport
from ingest.store import unreadable_files as unreadable
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.unreadable_files import (
    UnreadableFile,
    readers_fingerprint,
    remember_unreadable,
    unreadable_files,
)
from ingest.sync import ingest

pytestmark = pytest.mark.usefixtures("in_process_readers")

Run = Callable[..., tuple[IngestReport, list[str]]]


@pytest.fixture(autouse=True)
def own_fingerprint() -> Iterator[None]:
    yield
    readers_fingerprint.cache_clear()


@pytest.fixture
def run(office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Ingest the office, or other paths: the report, and the names of the files that were read."""
    for path in office.rglob("*.*"):  # so old that their times can be trusted
        os.utime(path, (1, 1))
    read: list[str] = []
    read_one = reading.Readers._read_one

    def noted(self: reading.Readers, path: Path, known: str | None) -> reading.ReadOutcome:
        read.append(path.name)
        return read_one(self, path, known)

    monkeypatch.setattr(reading.Readers, "_read_one", noted)

    def run(*paths: Path) -> tuple[IngestReport, list[str]]:
        read.clear()
        report = ingest(paths or [office], settings)
        return report, list(read)

    return run


def damage(office: Path, name: str = "broken.docx", content: bytes = b"PK not a document") -> Path:
    path = office / name
    path.write_bytes(content)
    os.utime(path, (1, 1))
    return path


def test_not_read_again(office: Path, run: Run) -> None:
    """It is named with the same reason at every run, without being opened."""
    path = damage(office)
    first, read = run()
    assert path.name in read
    ((failed, reason),) = [(failure.path, failure.reason) for failure in first.failed]
    assert failed == str(path)
    second, read = run()
    assert read == []
    assert [(failure.path, failure.reason) for failure in second.failed] == [(str(path), reason)]
    assert (second.unchanged, second.removed) == (4, 0)


def test_read_again_when_named(office: Path, run: Run) -> None:
    """Whoever names the file itself wants it tried."""
    path = damage(office)
    run()
    report, read = run(path)
    assert (read, len(report.failed)) == ([path.name], 1)
    assert run()[1] == []


@pytest.mark.parametrize("what", ["content", "time"])
def test_read_again_when_changed(office: Path, run: Run, what: str) -> None:
    """A corrected file is added; one that was only touched is tried again and remembered again."""
    path = damage(office, "broken.json")
    run()
    if what == "content":
        damage(office, "broken.json", b'{"rule": "Badges are worn in the laboratory."}')
    os.utime(path, (2, 2))
    report, read = run()
    assert read == [path.name]
    assert (report.added, len(report.failed)) == ((1, 0) if what == "content" else (0, 1))
    again, read = run()
    assert (read, len(again.failed)) == ([], 0 if what == "content" else 1)


@pytest.mark.parametrize("what", ["code", "ocr"])
def test_read_again_by_other_readers(
    office: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    """A newer Docent, or text recognition that was installed since, may read what could not be read."""
    path = damage(office)
    run()
    if what == "code":
        (tmp_path / "formats").mkdir()
        monkeypatch.setattr(formats, "__path__", [str(tmp_path / "formats")])
    else:
        can = unreadable.can_recognise()
        monkeypatch.setattr(unreadable, "can_recognise", lambda: not can)
    readers_fingerprint.cache_clear()
    assert run()[1] == [path.name]
    assert run()[1] == []


def test_what_may_pass_is_not_remembered(office: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk or share that fails says nothing about the file: it is tried at the next run."""
    path = damage(office)
    read_one = reading.Readers._read_one

    def failing(self: reading.Readers, path: Path, known: str | None) -> reading.ReadOutcome:
        return replace(read_one(self, path, known), error="the disk failed", is_lasting=False)

    with monkeypatch.context() as away:
        away.setattr(reading.Readers, "_read_one", failing)
        run(path)
    assert path.name in run()[1]
    assert run()[1] == []


def test_an_older_version_stays(office: Path, settings: Settings, run: Run) -> None:
    """A document whose file was damaged keeps its place in the library until the file is removed."""
    run()
    path = damage(office, "it/vpn.txt", bytes(range(256)) * 40)
    for _ in range(2):
        report, _ = run()
        assert (report.removed, [failure.path for failure in report.failed]) == (0, [str(path)])
        catalog = Catalog(settings.home / CATALOG_FILE)
        assert "it/vpn.txt" in [document.name for document in catalog.documents()]
        catalog.close()


def test_forgotten_when_gone(office: Path, settings: Settings, run: Run, tmp_path: Path) -> None:
    """What was removed is not kept in mind, and what is on a share that is away today is."""
    there, gone = damage(office, "there.docx"), damage(office, "gone.docx")
    share = tmp_path / "share"
    share.mkdir()
    away = damage(share, "away.docx")
    run(office, share)
    gone.unlink()
    share.rename(tmp_path / "unmounted")
    run(office, share)
    catalog = Catalog(settings.home / CATALOG_FILE)
    assert list(unreadable_files(catalog)) == [there, away]
    catalog.close()


def test_every_field_is_kept(settings: Settings) -> None:
    """What is remembered comes back whole; the same path is remembered once, and what is forgotten is gone."""
    catalog = Catalog(settings.home / CATALOG_FILE, create=True)
    first = UnreadableFile(
        Path("/office/a.docx"), Path("/office"), 12, 3_000, 4_000_000_000, "abc", "it is damaged", "r1"
    )
    second = replace(first, path=Path("/office/扫描.pdf"), reason="needs OCR")
    remember_unreadable(catalog, [first, second], [])
    assert unreadable_files(catalog) == {first.path: first, second.path: second}
    newer = replace(first, sha256="def")
    remember_unreadable(catalog, [newer], [first.path, second.path])
    assert unreadable_files(catalog) == {first.path: newer}
    catalog.close()
