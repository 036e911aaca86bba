"""Compare the files below the given paths with what the library knows. Opens no document and writes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ingest.base.errors import ReadError
from ingest.base.settings import Settings
from ingest.base.types import Failure
from ingest.documents.read import reader_for
from ingest.runs.find_files import FoundFile, absolute, find_files
from ingest.store.records import FileRecord, SeenFile
from ingest.store.unreadable_files import UnreadableFile

_Seen = TypeVar("_Seen", bound=SeenFile)


@dataclass(frozen=True)
class Scan:
    """The files below `folders`, and the records of the library by path (`known`).

    `found` are the files to ingest, in order, without those that would only fail. Those in `unchanged` are as they were
    when they were last read, by size and time alone. `missing` are the records whose file is gone; `documents_below` is
    the number of documents that the library has from `folders`. `forget` are the paths of unreadable files in the
    catalog that are gone or have to be tried again.
    """

    folders: Sequence[Path]
    found: Mapping[Path, FoundFile]
    known: Mapping[Path, FileRecord]
    unchanged: Mapping[Path, FileRecord]
    missing: Mapping[Path, FileRecord]
    documents_below: int
    failures: Sequence[Failure] = ()
    forget: Collection[Path] = ()


def scan(
    paths: Sequence[Path], settings: Settings, known: Mapping[Path, FileRecord],
    unreadable: Mapping[Path, UnreadableFile], allow_removals: bool,
) -> Scan:  # fmt: skip
    """List files and folders, and compare them with the records `known` and the `unreadable` files.

    Files below a folder that cannot be listed do not count as missing. Neither do those of a folder that is suddenly
    empty, unless `allow_removals`: it may be a share that is not mounted.
    """
    # The library's own files and the models are not documents.
    excluded = (absolute(settings.home), absolute(settings.models_cache))
    listing = find_files(paths, excluded)
    named = [absolute(path) for path in paths]
    folders = [path for path in named if path not in listing.files and path not in listing.unreachable]
    emptied = {} if allow_removals else _emptied(folders, known)
    unreachable = [*listing.unreachable, *emptied]
    below = {record.path: record for folder in folders for record in _below(folder, known.values())}
    missing = {path: known[path] for path in _gone(below.values(), listing.files, unreachable)}

    now_ns = time.time_ns()
    remembered = [file for folder in folders for file in _below(folder, unreadable.values())]
    changed = [
        path for path, file in unreadable.items()
        if path in listing.files and not file.is_still_unreadable(*listing.files[path].size_and_time, now_ns)
    ]  # fmt: skip
    # A file that a person names is tried again.
    forget = {*named, *changed, *_gone(remembered, listing.files, unreachable)} & unreadable.keys()
    hopeless = _hopeless(listing.files, known, {path: unreadable[path] for path in unreadable.keys() - forget})
    found = {path: file for path, file in listing.files.items() if path not in hopeless}
    unchanged = {
        path: known[path] for path, file in found.items()
        if path in known and known[path].is_unchanged(*file.size_and_time, now_ns)
    }  # fmt: skip
    failures = [
        *listing.failures,
        *(Failure(str(path), reason) for path, reason in (*emptied.items(), *hopeless.items())),
    ]
    failures += [failure for record in unchanged.values() for failure in parts_failed(record.path, record.failures)]
    documents_below = sum(record.documents for record in below.values())
    return Scan(folders, found, known, unchanged, missing, documents_below, failures, forget)


def parts_failed(path: Path, failures: Iterable[tuple[str, str]]) -> list[Failure]:
    """The parts of a file that could not be read; `failures` are (member, reason)."""
    return [Failure(f"{path}/{member}", reason) for member, reason in failures]


def _emptied(folders: Iterable[Path], known: Mapping[Path, FileRecord]) -> dict[Path, str]:
    """Folder → reason, for each folder that is empty although the library has documents from it."""
    reasons = {}
    for folder in folders:
        documents = sum(record.documents for record in _below(folder, known.values()))
        if documents and _is_empty(folder):
            reasons[folder] = (
                f"it is empty, but the library has {documents} documents from it: none was removed; mount what belongs "
                "there, or run again with --allow-removals"
            )
    return reasons


def _hopeless(
    files: Iterable[Path], known: Collection[Path], unreadable: Mapping[Path, UnreadableFile]
) -> dict[Path, str]:
    """Path → reason, for files that would only fail again or have a format without a reader, such as videos."""
    reasons = {}
    for path in files:
        if path in unreadable:
            reasons[path] = unreadable[path].reason
        elif path not in known:
            try:
                reader_for(path)
            except ReadError as error:
                reasons[path] = str(error)
    return reasons


def _gone(recorded: Iterable[SeenFile], listed: Collection[Path], unreachable: Iterable[Path]) -> list[Path]:
    """Paths of recorded files that are not listed any more, without those below `unreachable`."""
    absent = [file for file in recorded if file.path not in listed]
    hidden = {*unreachable, *(file.path for folder in unreachable for file in _below(folder, absent))}
    return [file.path for file in absent if file.path not in hidden]


def _below(folder: Path, files: Iterable[_Seen]) -> list[_Seen]:
    prefix = f"{str(folder).rstrip(os.sep)}{os.sep}"
    return [file for file in files if str(file.path).startswith(prefix)]


def _is_empty(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except OSError:  # `find_files` has reported it
        return False
