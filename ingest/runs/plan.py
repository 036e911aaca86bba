"""The files that a run has to read, and the change that each of them means. Reads no file and writes nothing.

A file is recognised as unchanged by size and time alone, unless its times cannot be trusted; every other file is
hashed, which also shows which files were only moved or copied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ingest.documents.workers.pool import ReadOutcome
from ingest.runs.scan import Scan
from ingest.store.records import FileRecord, format_of

# Unless asked to, a run removes nothing when at least REFUSED_DOCUMENTS documents and more than REFUSED_SHARE of those
# below the given folders are gone.
REFUSED_SHARE = 0.3
REFUSED_DOCUMENTS = 5

# SHA-256 and format: the same bytes of one kind are the same content.
Content = tuple[str, str]


@dataclass(frozen=True)
class Plan:
    """The files to read: first those that may have moved, because they show which missing files are really gone.

    `hashes` is path → SHA-256: a file whose content still has this hash is not parsed.
    """

    perhaps_moved: list[Path]
    changed: list[Path]
    hashes: dict[Path, str]

    @property
    def to_read(self) -> list[Path]:
        """All files to read, in the order in which they are read."""
        return [*self.perhaps_moved, *self.changed]


def plan(scan: Scan) -> Plan:
    """The files to read, without those that are unchanged.

    A new file with the size and format of a missing one may be that file, moved; with those of an unchanged file it may
    be a copy.
    """
    twins: dict[tuple[int, str], list[FileRecord]] = {}
    for record in (*scan.missing.values(), *scan.unchanged.values()):
        twins.setdefault((record.size, record.format), []).append(record)
    perhaps_moved: list[Path] = []
    changed: list[Path] = []
    hashes: dict[Path, str] = {}
    for path, file in scan.found.items():
        if path in scan.unchanged:
            continue
        alike = twins.get((file.size, format_of(path)), [])
        if path in scan.known:
            hashes[path] = scan.known[path].sha256
        elif alike:
            hashes[path] = max(
                alike,
                key=lambda record: (
                    record.path in scan.missing,
                    record.path.name == path.name,
                    record.modified_ns == file.modified_ns,
                ),
            ).sha256
        may_have_moved = any(record.path in scan.missing for record in alike)
        (perhaps_moved if may_have_moved else changed).append(path)
    return Plan(perhaps_moved, changed, hashes)


class Change(Enum):
    """What a run does with a file that was read; the values are names of `Counts`, except for FAILED."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MOVED = "moved"
    DUPLICATE = "duplicates"
    FAILED = "failed"


@dataclass(frozen=True)
class Resolution:
    """The change, the number of documents in the file, and its failed parts (member, reason).

    `is_new` when the library does not have that content yet; `moved_from` is the earlier path of a file that moved.
    """

    change: Change
    documents: int = 0
    failures: Collection[tuple[str, str]] = ()
    is_new: bool = False
    moved_from: Path | None = None


@dataclass
class _Holding:
    """Content that the library has or is about to have, with the paths that lead to it."""

    documents: int
    failures: Collection[tuple[str, str]]
    paths: set[Path] = field(default_factory=set)


class Contents:
    """The contents of the library during the run. They decide whether a file that was read is new, moved or a copy.

    `missing` are the records whose file is gone, without those found again under another path.
    """

    def __init__(self, known: Mapping[Path, FileRecord], missing: Mapping[Path, FileRecord]) -> None:
        self.missing = dict(missing)
        self._known = known
        self._holdings: dict[Content, _Holding] = {}
        for record in known.values():
            holding = self._holdings.setdefault(
                (record.sha256, record.format), _Holding(record.documents, record.failures)
            )
            holding.paths.add(record.path)

    def resolve(self, read: ReadOutcome) -> Resolution:
        """The change for a file that was read. From now on its path leads to the content that was read."""
        path, content = read.path, (read.sha256, format_of(read.path))
        record, holding = self._known.get(path), self._holdings.get(content)
        if read.error is not None:
            return Resolution(Change.FAILED)
        is_new = holding is None
        if holding is None:
            if read.file is None:  # its content was known when the run began, but no path leads to it any more
                return Resolution(Change.FAILED)
            holding = self._holdings[content] = _Holding(len(read.file.documents), read.file.failures)
        elif path in holding.paths:
            return Resolution(Change.UNCHANGED, holding.documents, holding.failures)
        moved_from = next((other for other in sorted(holding.paths) if other in self.missing), None)
        holding.paths.add(path)
        if record is not None:
            self._leave(path, (record.sha256, record.format))
        if moved_from is not None:
            del self.missing[moved_from]
            holding.paths.discard(moved_from)
        change = Change.ADDED if is_new else Change.MOVED if moved_from else Change.DUPLICATE
        return Resolution(Change.UPDATED if record else change, holding.documents, holding.failures, is_new, moved_from)

    def _leave(self, path: Path, content: Content) -> None:
        holding = self._holdings[content]
        holding.paths.discard(path)
        if not holding.paths:  # the catalog deletes it in the same step
            del self._holdings[content]

    def refusal(self, documents_below: int) -> str:
        """The reason not to remove the missing documents unless asked to; '' when they may be removed.

        `documents_below` is the number of documents that the library has from the given folders.
        """
        missing_documents = sum(record.documents for record in self.missing.values())
        if missing_documents < REFUSED_DOCUMENTS or missing_documents <= REFUSED_SHARE * documents_below:
            return ""
        return (
            f"{missing_documents} of its {documents_below} documents are gone, which looks like a mishap: none was "
            "removed; look at the folder, or run again with --allow-removals"
        )
