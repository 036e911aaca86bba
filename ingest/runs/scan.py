"""What is there, compared with what the library knows: the plan of a run. Opens no file and writes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from ingest.base.errors import ReadError
from ingest.base.settings import Settings
from ingest.documents.read import reader_for
from ingest.runs.find_files import Found, absolute, discover
from ingest.runs.plan import Plan
from ingest.runs.report import Failure, IngestReport
from ingest.store.records import FileRecord, SeenFile
from ingest.store.unreadable_files import UnreadableFile

_Seen = TypeVar("_Seen", bound=SeenFile)


def scan(
    paths: Sequence[Path], settings: Settings, known: Mapping[Path, FileRecord], unreadable: dict[Path, UnreadableFile],
    report: IngestReport, allow_removals: bool,
) -> Plan:  # fmt: skip
    """Look at folders and files; what cannot be taken in is added to the report, and so is what is unchanged.

    What could not be looked at is not gone, and a folder that is suddenly empty is taken for a share that is not
    mounted, unless `allow_removals`. Of `unreadable` those are taken out that are gone or have to be read again.
    """
    # The library's own files and the models are not documents.
    own = (absolute(settings.home), absolute(settings.models_cache))
    found, unreachable = discover(paths, own, report.failed)
    folders = [path for given in paths if (path := absolute(given)) not in found and path not in unreachable]
    for folder in folders:
        lost = sum(record.documents for record in _below(folder, known.values()))
        if lost and not allow_removals and _is_empty(folder):
            unreachable.append(folder)
            reason = (
                f"it is empty, but the library has {lost} documents from it: none was removed; mount what belongs "
                "there, or run again with --allow-removals"
            )
            report.failed.append(Failure(str(folder), reason))
    below = {record.path: record for folder in folders for record in _below(folder, known.values())}
    missing = _gone(below.values(), found, unreachable)
    documents_below = sum(record.documents for record in below.values())
    now_ns = time.time_ns()
    read_again = [absolute(path) for path in paths]  # a file that a person names is tried again
    read_again += _gone([one for folder in folders for one in _below(folder, unreadable.values())], found, unreachable)
    read_again += [
        path for path, one in unreadable.items() if path in found and not _is_still(one, found[path], now_ns)
    ]
    for path in read_again:
        unreadable.pop(path, None)
    plan = Plan(_readable(found, known, unreadable, report), known, missing, folders, documents_below, now_ns)
    for record in plan.unchanged:
        report.unchanged += record.documents
        report.failed += [Failure(f"{record.path}/{member}", reason) for member, reason in record.failures]
    return plan


def _readable(
    found: Mapping[Path, Found], known: Mapping[Path, FileRecord], unreadable: Mapping[Path, UnreadableFile],
    report: IngestReport,
) -> dict[Path, Found]:  # fmt: skip
    """Without what would only fail again, and without kinds that nothing reads: a film need not be hashed for that."""
    readable = {}
    for path, file in found.items():
        try:
            if path in unreadable:
                raise ReadError(unreadable[path].reason)
            if path not in known:
                reader_for(path)
            readable[path] = file
        except ReadError as error:
            report.failed.append(Failure(str(path), str(error)))
    return readable


def _is_still(one: UnreadableFile, file: Found, now_ns: int) -> bool:
    return one.is_still_unreadable(file.size, file.modified_ns, now_ns)


def _gone(seen: Iterable[SeenFile], found: Collection[Path], unreachable: Iterable[Path]) -> list[Path]:
    """Those that are not there any more; below what could not be looked at, nobody knows."""
    absent = [one for one in seen if one.path not in found]
    hidden = {*unreachable, *(one.path for folder in unreachable for one in _below(folder, absent))}
    return [one.path for one in absent if one.path not in hidden]


def _below(folder: Path, seen: Iterable[_Seen]) -> list[_Seen]:
    inside = f"{str(folder).rstrip(os.sep)}{os.sep}"
    return [one for one in seen if str(one.path).startswith(inside)]


def _is_empty(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except OSError:  # said by whoever listed it
        return False
