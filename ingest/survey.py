"""What is there, compared with what the library knows: the plan of a run. Opens no file and writes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ingest.discover import Found, absolute, discover
from ingest.errors import ReadError
from ingest.plan import Plan
from ingest.read import reader_for
from ingest.records import FileRecord
from ingest.report import Failure, IngestReport
from ingest.settings import Settings


def survey(
    paths: Sequence[Path], settings: Settings, known: Mapping[Path, FileRecord], report: IngestReport,
    allow_removals: bool,
) -> Plan:  # fmt: skip
    """Look at folders and files; what cannot be taken in is added to the report, and so is what is unchanged.

    What could not be looked at is not gone, and a folder that is suddenly empty is taken for a share that is not
    mounted, unless `allow_removals`.
    """
    # The library's own files and the models are not documents.
    own = (absolute(settings.home), absolute(settings.models_cache))
    found, unreadable = discover(paths, own, report.failed)
    folders = [path for given in paths if (path := absolute(given)) not in found and path not in unreadable]
    for folder in folders:
        lost = sum(record.documents for record in _below(folder, known.values()))
        if lost and not allow_removals and _is_empty(folder):
            unreadable.append(folder)
            reason = (
                f"it is empty, but the library has {lost} documents from it: none was removed; mount what belongs "
                "there, or run again with --allow-removals"
            )
            report.failed.append(Failure(str(folder), reason))
    below = {record.path: record for folder in folders for record in _below(folder, known.values())}
    hidden = {*unreadable, *(record.path for folder in unreadable for record in _below(folder, below.values()))}
    missing = [path for path in below if path not in found and path not in hidden]
    documents_below = sum(record.documents for record in below.values())
    plan = Plan(_readable(found, known, report), known, missing, folders, documents_below, time.time_ns())
    for record in plan.unchanged:
        report.unchanged += record.documents
        report.failed += [Failure(f"{record.path}/{member}", reason) for member, reason in record.failures]
    return plan


def _readable(found: Mapping[Path, Found], known: Mapping[Path, FileRecord], report: IngestReport) -> dict[Path, Found]:
    """Without files of kinds that nothing reads: a film need not be hashed to be refused."""
    readable = {}
    for path, file in found.items():
        try:
            if path not in known:
                reader_for(path)
            readable[path] = file
        except ReadError as error:
            report.failed.append(Failure(str(path), str(error)))
    return readable


def _below(folder: Path, records: Iterable[FileRecord]) -> list[FileRecord]:
    inside = f"{str(folder).rstrip(os.sep)}{os.sep}"
    return [record for record in records if str(record.path).startswith(inside)]


def _is_empty(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except OSError:  # said by whoever listed it
        return False
