"""What a run would do, without doing it. Reads the files as a run would, so that it finds the same failures."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.base.settings import Settings
from ingest.base.types import ProgressCallback, no_progress
from ingest.runs.outcomes import Removal, outcomes
from ingest.runs.plan import Change, plan
from ingest.runs.report import Counts, IngestReport, Meter
from ingest.runs.scan import Scan, scan
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import FileRecord
from ingest.store.unreadable_files import UnreadableFile, unreadable_files


@dataclass(frozen=True)
class DryRunReport:
    """The report that a run would give, and the paths by what the run would do with them; `moved` are (from, to).

    `ignored` are files and whole folders that are not documents.
    """

    report: IngestReport
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def failed_kinds(self) -> dict[str, int]:
        """Suffix in lower case, or 'others' → number of failed files."""
        return dict(Counter(Path(failure.path).suffix.lower() or "others" for failure in self.report.failed))

    def as_json(self) -> dict[str, Any]:
        """The JSON report of the run, with `files` (paths by what the run would do with them) and `failed_kinds`."""
        files = {
            "added": self.added, "updated": self.updated, "moved": self.moved, "duplicates": self.duplicates,
            "removed": self.removed, "ignored": self.ignored,
        }  # fmt: skip
        return {**self.report.as_json(), "files": files, "failed_kinds": self.failed_kinds}


def dry_run(
    paths: Sequence[Path], settings: Settings, progress: ProgressCallback = no_progress, *, allow_removals: bool = False
) -> DryRunReport:
    """What `ingest` would do with the same arguments now. Nothing is written; without a library all files are new.

    `passages` of its report is the number in the library today: only the embedder could tell how many a run would add.
    """
    started = time.monotonic()
    library = _library(settings)
    scanned = scan(paths, settings, library.files, library.unreadable, allow_removals)
    planned = plan(scanned)
    size = sum(scanned.found[path].size for path in planned.to_read)
    meter = Meter(progress, lambda _progress: None, len(scanned.found), size)
    meter.finish(len(scanned.unchanged))
    counts = Counts(unchanged=sum(record.documents for record in scanned.unchanged.values()))
    failed, quarantined = list(scanned.failures), []
    paths_by_change: dict[Change, list[str]] = {change: [] for change in Change}
    moved: list[tuple[str, str]] = []
    removed: list[FileRecord] = []
    with closing(outcomes(scanned, planned, library.accepted, meter, allow_removals)) as read:
        for outcome in read:
            failed += outcome.failures
            if isinstance(outcome, Removal):
                removed += outcome.missing
                continue
            counts += outcome.counts
            quarantined += outcome.quarantined
            paths_by_change[outcome.change].append(str(outcome.path))
            if outcome.moved_from is not None and outcome.change is Change.MOVED:
                moved.append((str(outcome.moved_from), str(outcome.path)))
            meter.finish(1, outcome.size)
    counts += Counts(removed=sum(record.documents for record in removed))
    report = IngestReport.of(counts, library.passages, started, failed, quarantined)
    return DryRunReport(
        report, paths_by_change[Change.ADDED], paths_by_change[Change.UPDATED], moved,
        paths_by_change[Change.DUPLICATE], sorted(str(record.path) for record in removed), _ignored(scanned, report),
    )  # fmt: skip


@dataclass(frozen=True)
class _Library:
    """What the library knows about files; empty without a library."""

    files: dict[Path, FileRecord] = field(default_factory=dict)
    accepted: Collection[tuple[str, str]] = ()
    unreadable: dict[Path, UnreadableFile] = field(default_factory=dict)
    passages: int = 0


def _library(settings: Settings) -> _Library:
    if not (settings.home / CATALOG_FILE).is_file():
        return _Library()
    with closing(Catalog(settings.home / CATALOG_FILE)) as catalog:
        return _Library(catalog.files(), catalog.accepted(), unreadable_files(catalog), catalog.counts()[1])


def _ignored(scanned: Scan, report: IngestReport) -> list[str]:
    """Files below the folders that are neither to ingest nor failed; a folder of only such files as one entry."""
    considered = {*scanned.found, *(Path(failure.path) for failure in report.failed)}
    considered_folders = {parent for path in considered for parent in path.parents}
    ignored = []
    for root in scanned.folders:
        for folder, subfolders, names in os.walk(root):
            path = Path(folder)
            ignored += [str(path / name) for name in names if path / name not in considered]
            unused = [name for name in subfolders if path / name not in considered_folders]
            ignored += [f"{path / name}{os.sep}" for name in unused if any((path / name).iterdir())]
            subfolders[:] = [name for name in subfolders if name not in unused]
    return sorted(ignored)
