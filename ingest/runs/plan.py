"""What a run has to do, from what was found and what the library knows. Pure: reads no file and writes nothing.

A file is recognised as unchanged by size and time alone, unless its times cannot be trusted; everything else is
hashed, which also tells what was only moved or copied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ingest.documents.workers.pool import ReadOutcome
from ingest.runs.find_files import Found
from ingest.store.records import FileRecord, format_of

# A run that would remove more than this share of the documents below the given folders, and at least so many, asks.
REFUSED_SHARE = 0.3
REFUSED_DOCUMENTS = 5

Content = tuple[str, str]


class Fate(Enum):
    """What becomes of a file that was looked at."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MOVED = "moved"
    DUPLICATE = "duplicates"
    FAILED = "failed"


@dataclass(frozen=True)
class Settled:
    """What an outcome came to: the fate of its file, and how many documents with which failed parts its content gives.

    `is_new` when the library has to take that content in; `moved_from` is where a file that moved was.
    """

    fate: Fate
    documents: int = 0
    failures: Collection[tuple[str, str]] = ()
    is_new: bool = False
    moved_from: Path | None = None


@dataclass
class _Held:
    """Content that the library has or is about to have, with the paths that lead to it."""

    documents: int
    failures: Collection[tuple[str, str]]
    paths: set[Path] = field(default_factory=set)


class Plan:
    """The found files in three heaps, and what the library holds while the run goes on.

    `unchanged` need not be opened. `perhaps_moved` come first: only when they are read is it known which of the
    `missing` are really gone. `changed` are all others. `skip` has the SHA-256 that makes parsing needless.
    """

    def __init__(
        self,
        found: Mapping[Path, Found],
        known: Mapping[Path, FileRecord],
        missing: Iterable[Path],
        folders: Sequence[Path],
        documents_below: int,
        now_ns: int,
    ) -> None:
        """`missing` are known paths that are gone from `folders`, below which `documents_below` were known.

        `now_ns` is the clock, nanoseconds since 1970.
        """
        self.folders = folders
        self.found = found
        self.known = known
        self.documents_below = documents_below
        self.missing = {path: known[path] for path in missing}
        self.unchanged: list[FileRecord] = []
        self.perhaps_moved: list[Path] = []
        self.changed: list[Path] = []
        self.skip: dict[Path, str] = {}
        self._held: dict[Content, _Held] = {}
        for record in known.values():
            held = self._held.setdefault(
                (record.sha256, record.format), _Held(record.documents, record.failures)
            )  # fmt: skip
            held.paths.add(record.path)
        for path, file in found.items():
            if path in known and known[path].is_unchanged(file.size, file.modified_ns, now_ns):
                self.unchanged.append(known[path])
            elif path in known:
                self.skip[path] = known[path].sha256
        self._look_for_twins()

    def _look_for_twins(self) -> None:
        """New files of a size and kind that is missing may be it, moved; of one that is unchanged, a copy."""
        twins: dict[tuple[int, str], list[FileRecord]] = {}
        for record in (*self.missing.values(), *self.unchanged):
            twins.setdefault((record.size, record.format), []).append(record)
        settled = {record.path for record in self.unchanged}
        for path, file in self.found.items():
            if path in settled:
                continue
            alike = twins.get((file.size, format_of(path)), [])
            if alike:
                best = max(
                    alike,
                    key=lambda record: (
                        record.path in self.missing,
                        record.path.name == path.name,
                        record.modified_ns == file.modified_ns,
                    ),
                )
                self.skip.setdefault(path, best.sha256)
            moved = any(record.path in self.missing for record in alike)
            (self.perhaps_moved if moved else self.changed).append(path)

    @property
    def to_read(self) -> list[Path]:
        return [*self.perhaps_moved, *self.changed]

    def settle(self, outcome: ReadOutcome) -> Settled:
        """What an outcome means. From now on its path leads to that content."""
        path, content = outcome.path, (outcome.sha256, format_of(outcome.path))
        record, held = self.known.get(path), self._held.get(content)
        if outcome.error is not None or (outcome.file is None and held is None):
            return Settled(Fate.FAILED)
        if held is not None and path in held.paths:
            return Settled(Fate.UNCHANGED, held.documents, held.failures)
        is_new = held is None
        if held is None:
            assert outcome.file is not None
            held = self._held[content] = _Held(len(outcome.file.documents), outcome.file.failures)
        moved_from = next((other for other in sorted(held.paths) if other in self.missing), None)
        held.paths.add(path)
        if record is not None:
            self._leave(path, (record.sha256, record.format))
        if moved_from is not None:
            del self.missing[moved_from]
            held.paths.discard(moved_from)
        fate = Fate.ADDED if is_new else Fate.MOVED if moved_from else Fate.DUPLICATE
        return Settled(Fate.UPDATED if record else fate, held.documents, held.failures, is_new, moved_from)

    def _leave(self, path: Path, content: Content) -> None:
        held = self._held[content]
        held.paths.discard(path)
        if not held.paths:  # the catalog forgets it in the same step
            del self._held[content]

    def refusal(self) -> str:
        """Why what is missing is not removed unasked, '' when it may be.

        So much of what is known below the given folders is gone that it looks like a mishap.
        """
        gone = sum(record.documents for record in self.missing.values())
        if gone < REFUSED_DOCUMENTS or gone <= REFUSED_SHARE * self.documents_below:
            return ""
        return (
            f"{gone} of its {self.documents_below} documents are gone, which looks like a mishap: none was removed; "
            "look at the folder, or run again with --allow-removals"
        )
