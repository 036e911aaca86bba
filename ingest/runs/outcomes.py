"""The loop that a run and a dry run share: read the files of a plan, and find the change for each. Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.base.logs import get_logger
from ingest.base.types import Failure, ReadDocument
from ingest.documents.quality import ACCEPTED_SCORE, score_document
from ingest.documents.workers.pool import Readers, ReadOutcome
from ingest.passages.split_and_embed import NO_VECTORS
from ingest.runs.plan import Change, Contents, Plan
from ingest.runs.report import Counts, Meter
from ingest.runs.scan import Scan, parts_failed
from ingest.store.records import QUARANTINED, FileRecord, NewDocument, NewFile, NewPath
from ingest.store.unreadable_files import UnreadableFile, readers_fingerprint

log = get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The result of reading one file: its change, and the `entry` to write to the catalog, None for nothing.

    The documents of a new file have no passages yet. `documents` is the number in the file, `size` the bytes of the
    file when it was listed. `unreadable` goes to the catalog, so that the next run does not try the file again.
    """

    path: Path
    change: Change
    documents: int = 0
    size: int = 0
    entry: NewFile | NewPath | None = None
    failures: Sequence[Failure] = ()
    unreadable: UnreadableFile | None = None

    @property
    def counts(self) -> Counts:
        """The documents of this file, counted under its change; all 0 for a failed file."""
        return Counts() if self.change is Change.FAILED else Counts(**{self.change.value: self.documents})

    @property
    def new_documents(self) -> Sequence[NewDocument]:
        """The documents of a new file; () when the library has its content already."""
        return self.entry.documents if isinstance(self.entry, NewFile) else ()

    @property
    def passages(self) -> int:
        """Number of passages in the new documents."""
        return sum(len(new.passages) for new in self.new_documents)

    @property
    def pages(self) -> int:
        """Number of pages of the new documents."""
        return sum(len(new.document.pages) for new in self.new_documents)

    @property
    def moved_from(self) -> Path | None:
        """The earlier path of a file that was moved, else None."""
        return self.entry.moved_from if isinstance(self.entry, NewPath) else None

    @property
    def quarantined(self) -> list[Failure]:
        """Path and reason of each new document that is quarantined."""
        return [
            Failure("/".join(filter(None, (str(self.path), new.document.member))), new.reason)
            for new in self.new_documents
            if new.state == QUARANTINED
        ]


@dataclass(frozen=True)
class Removal:
    """The records whose files are gone, or the reason why they are not removed."""

    missing: Sequence[FileRecord]
    failures: Sequence[Failure] = ()


def outcomes(
    scan: Scan, plan: Plan, accepted: Collection[tuple[str, str]], meter: Meter, allow_removals: bool
) -> Generator[Outcome | Removal, None, None]:
    """One outcome for each file to read, and at most one removal, after the files that may have moved.

    So documents of deleted files leave the answers before the slow reading begins. `accepted` are the (SHA-256, member)
    that a person released from quarantine. Close the iterator to end the reader processes. Raises DocentError when no
    reader process can be started.
    """
    contents = Contents(scan.known, scan.missing)
    with Readers() as readers:
        yield from _read(plan.perhaps_moved, scan, plan, contents, accepted, readers, meter)
        refusal = "" if allow_removals else contents.refusal(scan.documents_below)
        if refusal:
            yield Removal([], [Failure(", ".join(map(str, scan.folders)), refusal)])
        elif contents.missing:
            yield Removal(list(contents.missing.values()))
        yield from _read(plan.changed, scan, plan, contents, accepted, readers, meter)


def _read(
    paths: Sequence[Path], scan: Scan, plan: Plan, contents: Contents, accepted: Collection[tuple[str, str]],
    readers: Readers, meter: Meter,
) -> Iterator[Outcome]:  # fmt: skip
    checked_ns: dict[Path, int] = {}

    def handed_out() -> Iterator[Path]:
        for path in paths:
            checked_ns[path] = time.time_ns()  # its reading cannot have begun before
            yield path

    for read in readers.read_all(handed_out(), plan.hashes):
        meter.look_at(read.path)
        yield _outcome(read, scan, contents, accepted, checked_ns[read.path])


def _outcome(
    read: ReadOutcome, scan: Scan, contents: Contents, accepted: Collection[tuple[str, str]], checked_ns: int
) -> Outcome:
    file = scan.found[read.path]
    resolved = contents.resolve(read)
    file_fields = (read.path, file.root, read.size, read.modified_ns, checked_ns, read.sha256)
    failures = parts_failed(read.path, resolved.failures)
    if resolved.change is Change.FAILED:
        failure = _failure(read)
        unreadable = UnreadableFile(*file_fields, failure.reason, readers_fingerprint()) if read.is_lasting else None
        return Outcome(read.path, Change.FAILED, 0, file.size, None, [*failures, failure], unreadable)
    entry: NewFile | NewPath = NewPath(*file_fields, resolved.moved_from)
    if resolved.is_new and read.file is not None:
        documents = [judged(document, read.sha256, accepted) for document in read.file.documents]
        entry = NewFile(*file_fields, documents, read.file.failures)
    return Outcome(read.path, resolved.change, resolved.documents, file.size, entry, failures)


def judged(document: ReadDocument, sha256: str, accepted: Collection[tuple[str, str]]) -> NewDocument:
    """The document with its parse score; below `ACCEPTED_SCORE` it is quarantined unless a person accepted it."""
    score = score_document(document)
    is_bad = score.score < ACCEPTED_SCORE and (sha256, document.member) not in accepted
    reason = (score.reason or "little of it can be read") if is_bad else ""
    return NewDocument(document, (), NO_VECTORS, score.language, score.score, reason)


def _failure(read: ReadOutcome) -> Failure:
    reason = read.error or "it changed while it was being read: run again when nobody writes to it"
    log.warning("ingest.file_failed", path=str(read.path), reason=reason)
    return Failure(str(read.path), reason)
