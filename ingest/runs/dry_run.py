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
    """The report a run would give, and the paths by what it would do with them; `moved` are (from, to).

    `ignored` are files and whole folders that are no documents; `failed_kinds` counts failures by kind of file.
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
        return dict(Counter(Path(failure.path).suffix.lower() or "others" for failure in self.report.failed))

    def as_json(self) -> dict[str, Any]:
        """What the run itself would print, and `files` by what would become of them."""
        files = {
            "added": self.added, "updated": self.updated, "moved": self.moved, "duplicates": self.duplicates,
            "removed": self.removed, "ignored": self.ignored,
        }  # fmt: skip
        return {**self.report.as_json(), "files": files, "failed_kinds": self.failed_kinds}


def dry_run(
    paths: Sequence[Path], settings: Settings, progress: ProgressCallback = no_progress, *, allow_removals: bool = False
) -> DryRunReport:
    """What `ingest` would do with the same arguments now. Nothing is written; without a library all is new.

    `passages` of its report is what the library has today: how many a run would add only the embedder could tell.
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
    """What a library knows; all empty where there is none."""

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
    """Files below the folders that were neither found nor failed; of a folder with no such file, only the folder."""
    seen = {*scanned.found, *(Path(failure.path) for failure in report.failed)}
    with_something = {parent for path in seen for parent in path.parents}
    ignored = []
    for given in scanned.folders:
        for folder, subfolders, names in os.walk(given):
            here = Path(folder)
            ignored += [str(here / name) for name in names if here / name not in seen]
            nothing = [name for name in subfolders if here / name not in with_something]
            ignored += [f"{here / name}{os.sep}" for name in nothing if any((here / name).iterdir())]
            subfolders[:] = [name for name in subfolders if name not in nothing]
    return sorted(ignored)
