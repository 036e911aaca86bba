"""A library that version 0.1 wrote, opened with today's code.

`tests/files/version-0.1` was written by that version: three documents in two languages, one of them a newer version
of another; one document in quarantine; one file that cannot be read; and one rebuild, so that there are two
embedding sets. Only the embedder's folder is missing, which has 90 MB: the tests use the one of this test run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from assistant.engines.latency import ReadingRate, read_rate
from assistant.refuse.answerability import CAUTION, REFUSE, VERSION, Thresholds
from assistant.refuse.thresholds import THRESHOLDS_FILE, CurrentThresholds, read_fitted_thresholds, still_holds
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.passages.embedders.embedder import Embedder
from ingest.runs.check import check
from ingest.runs.rebuild import rollback
from ingest.runs.report import IngestReport
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.sync import ingest
from tests.project import PROJECT

WRITTEN = PROJECT / "tests" / "files" / "version-0.1"
# Where the documents were then, and the time of every file.
FOLDER_THEN = "/tmp/v01/office"
MODIFIED = 1_700_000_000


@pytest.fixture
def office(tmp_path: Path, home: Path) -> Path:
    """The documents, and their library in `home` with today's paths."""
    office = tmp_path / "office"
    shutil.copytree(WRITTEN / "office", office)
    for path in office.rglob("*.*"):
        os.utime(path, (MODIFIED, MODIFIED))
    shutil.copytree(WRITTEN / "library", home, dirs_exist_ok=True)
    with contextlib.closing(sqlite3.connect(home / CATALOG_FILE)) as connection, connection:
        for table in ("paths", "unreadable"):
            connection.execute(
                f"UPDATE {table} SET path = replace(path, :then, :now), root = replace(root, :then, :now)",
                {"then": FOLDER_THEN, "now": str(office)},
            )
    return office


def first_found(settings: Settings, question: str) -> str:
    library = Library(settings.home)
    hits = library.search(question, 1)
    library.close()
    return hits[0].path


@pytest.mark.usefixtures("office")
def test_its_passages_are_found(settings: Settings, english_embedder: Embedder) -> None:
    """In both languages, the newer version first; the index, whose terms were others then, is built again for that."""
    assert check(settings.home) == []
    catalog = Catalog(settings.home / CATALOG_FILE)
    card = catalog.embedder() or {}
    catalog.close()
    assert card["fingerprint"] == english_embedder.card.fingerprint
    snapshots = sorted((settings.home / "index").iterdir())
    assert first_found(settings, "How many days of annual leave do full-time staff get?") == "hr/leave-policy-2026.md"
    assert first_found(settings, "出差住宿标准") == "finance/差旅.md"
    assert sorted((settings.home / "index").iterdir()) == snapshots


def test_it_is_listed_whole(office: Path, settings: Settings) -> None:
    """Every document with its language, its state and its file."""
    library = Library(settings.home)
    listed = {document.name: document for document in library.catalog.listed()}
    library.close()
    assert {name: (document.state, document.passages, document.language) for name, document in listed.items()} == {
        "finance/差旅.md": ("answering", 1, "zh"),
        "hr/leave-policy-2024.md": ("answering", 1, "other"),
        "hr/leave-policy-2026.md": ("answering", 1, "en"),
        "scan.txt": ("quarantined", 0, "other"),
    }
    assert listed["finance/差旅.md"].paths == (str(office / "finance" / "差旅.md"),)


@pytest.mark.usefixtures("in_process_readers")
def test_a_run_over_the_unchanged_folder_changes_nothing(office: Path, settings: Settings) -> None:
    """Nothing is embedded again and no passage gets another number; what failed then is tried again, and named."""

    def passages() -> list[tuple[int, bytes]]:
        with contextlib.closing(sqlite3.connect(settings.home / CATALOG_FILE)) as connection:
            return list(connection.execute("SELECT id, vector FROM passages ORDER BY id"))

    before = passages()
    report = ingest([office], settings)
    assert report == IngestReport(
        unchanged=4, passages=3, seconds=report.seconds, failed=report.failed, quarantined=report.quarantined
    )
    assert [Path(failure.path).name for failure in report.failed] == ["broken.docx"]
    assert [Path(failure.path).name for failure in report.quarantined] == ["scan.txt"]
    assert passages() == before
    assert check(settings.home) == []


@pytest.mark.usefixtures("office")
def test_its_rebuild_can_be_undone(settings: Settings) -> None:
    """The embedding set that was current before it is still there, and takes the place of the later one."""
    catalog = Catalog(settings.home / CATALOG_FILE)
    later = catalog.passage_ids().tolist()
    catalog.close()
    assert rollback(settings).passages == 3
    catalog = Catalog(settings.home / CATALOG_FILE)
    assert catalog.passage_ids().tolist() == [1, 2, 3]
    catalog.close()
    assert later == [4, 5, 6]
    assert check(settings.home) == []
    assert first_found(settings, "出差住宿标准") == "finance/差旅.md"


@pytest.mark.usefixtures("office")
def test_thresholds_fitted_then_are_fitted_again(settings: Settings) -> None:
    """Answerability was another number then, so its thresholds are not used: the defaults are, until a new fit."""
    written = json.loads((settings.home / THRESHOLDS_FILE).read_text("utf-8"))
    assert written["version"] < VERSION
    assert read_fitted_thresholds(settings.home) is None
    # Others than the defaults, which alone would not show that the file is passed over.
    (settings.home / THRESHOLDS_FILE).write_text(json.dumps({**written, "refuse": 0.2, "caution": 0.9}), "utf-8")
    assert CurrentThresholds(settings.home).now == Thresholds(REFUSE, CAUTION)
    catalog = Catalog(settings.home / CATALOG_FILE)
    assert not still_holds(catalog, read_fitted_thresholds(settings.home))
    catalog.close()


@pytest.mark.usefixtures("office")
def test_the_reading_rate_measured_then_still_holds(settings: Settings) -> None:
    """The engine's reading rate is read as it was written."""
    assert read_rate(settings.home) == ReadingRate("openvino", "qwen/Qwen1.5-0.5B-Chat", 1100.5, 1485, 1.5)
