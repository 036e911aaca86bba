"""What a run would do, told without doing it. Reads the files as a run would, so that failures are real."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.base.settings import Settings
from ingest.documents.workers.pool import Readers
from ingest.runs.plan import Fate, Plan
from ingest.runs.progress import Meter
from ingest.runs.report import Failure, IngestReport, ProgressCallback, no_progress
from ingest.runs.scan import scan
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.unreadable_files import unreadable_files
from ingest.sync import failure_of, judged


@dataclass
class DryRunReport:
    """The report a run would give, and path by path what it would do; `moved` are (from, to).

    `ignored` are files and whole folders that are nobody's documents; `failed_kinds` counts failures by kind of file.
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
        lists = {
            name: getattr(self, name) for name in ("added", "updated", "moved", "duplicates", "removed", "ignored")
        }
        return {**self.report.as_json(), "files": lists, "failed_kinds": self.failed_kinds}


def dry_run(
    paths: Sequence[Path], settings: Settings, progress: ProgressCallback = no_progress, *, allow_removals: bool = False
) -> DryRunReport:
    """What `ingest` would do with the same arguments now. Nothing is written; without a library all is new.

    `passages` of its report is what the library has today: how many a run would add only the embedder could say.
    """
    started = time.monotonic()
    report = IngestReport()
    told = DryRunReport(report)
    known, accepted, unreadable = {}, set(), {}
    if (settings.home / CATALOG_FILE).is_file():
        catalog = Catalog(settings.home / CATALOG_FILE)
        known, accepted, report.passages = catalog.files(), catalog.accepted(), catalog.counts()[1]
        unreadable = unreadable_files(catalog)
        catalog.close()
    plan = scan(paths, settings, known, unreadable, report, allow_removals)
    _read(plan, accepted, told, progress)
    refusal = "" if allow_removals else plan.refusal()
    if refusal:
        report.failed.append(Failure(", ".join(map(str, plan.folders)), refusal))
    else:
        told.removed = sorted(map(str, plan.missing))
        report.removed = sum(record.documents for record in plan.missing.values())
    told.ignored = _ignored(plan.folders, {*plan.found, *(Path(failure.path) for failure in report.failed)})
    report.seconds = round(time.monotonic() - started, 3)
    return told


def _read(plan: Plan, accepted: Collection[tuple[str, str]], told: DryRunReport, progress: ProgressCallback) -> None:
    report = told.report
    meter = Meter(
        progress, lambda _progress: None, len(plan.found), sum(plan.found[path].size for path in plan.to_read)
    )
    meter.finish(len(plan.unchanged))
    with Readers() as readers:
        for outcome in readers.read_all(plan.to_read, plan.skip):
            meter.look_at(outcome.path)
            settled = plan.settle(outcome)
            path = str(outcome.path)
            if settled.fate is Fate.FAILED:
                report.failed.append(failure_of(outcome))
            else:
                report.count(settled.fate.value, settled.documents)
            report.failed += [Failure(f"{path}/{member}", reason) for member, reason in settled.failures]
            if settled.fate is Fate.MOVED:
                told.moved.append((str(settled.moved_from), path))
            elif settled.fate not in {Fate.FAILED, Fate.UNCHANGED}:
                getattr(told, settled.fate.value).append(path)
            if settled.is_new and outcome.file is not None:
                new = [judged(document, outcome.sha256, accepted) for document in outcome.file.documents]
                report.quarantined += [
                    Failure("/".join(filter(None, (path, one.document.member))), one.reason)
                    for one in new
                    if one.reason
                ]
            meter.finish(1, plan.found[outcome.path].size)


def _ignored(folders: Sequence[Path], seen: Collection[Path]) -> list[str]:
    """Files below the folders that were not seen; of a folder in which nothing was, only the folder."""
    with_something = {parent for path in seen for parent in path.parents}
    ignored = []
    for given in folders:
        for folder, subfolders, names in os.walk(given):
            here = Path(folder)
            ignored += [str(here / name) for name in names if here / name not in seen]
            nothing = [name for name in subfolders if here / name not in with_something]
            ignored += [f"{here / name}{os.sep}" for name in nothing if any((here / name).iterdir())]
            subfolders[:] = [name for name in subfolders if name not in nothing]
    return sorted(ignored)
