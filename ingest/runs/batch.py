"""Outcomes that are embedded together and committed in one transaction.

A batch is small, so that it fits into memory and little work is lost when the run is killed. It is large enough for the
embedder, which is fastest with many texts of similar length, and for the disk, which has to flush every commit.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.base.settings import Settings
from ingest.base.types import Failure, ReadDocument
from ingest.passages.embedders.library_embedder import passage_embedder
from ingest.passages.split_and_embed import NO_VECTORS, PassageEmbedder
from ingest.runs.library_writer import LibraryWriter, open_for_writing
from ingest.runs.outcomes import Outcome, Removal
from ingest.runs.plan import Change
from ingest.runs.report import Counts
from ingest.store.records import QUARANTINED, NewDocument, NewFile
from ingest.store.write_lock import INGESTING

# The most passages and files of a batch, and the seconds after which a batch is no longer filled.
BATCH_PASSAGES = 256
BATCH_FILES = 500
BATCH_SECONDS = 5.0


@dataclass(frozen=True)
class Batch:
    """Outcomes in their order, and a removal after them, if any."""

    outcomes: Sequence[Outcome] = ()
    removal: Removal | None = None

    @property
    def failures(self) -> list[Failure]:
        """The failures of all outcomes, then those of the removal."""
        failures = [failure for outcome in self.outcomes for failure in outcome.failures]
        return [*failures, *(self.removal.failures if self.removal is not None else ())]

    def embed(self, embedder: PassageEmbedder) -> Batch:
        """The batch with a vector and packed multi-vectors for every passage."""
        with_passages = [new for outcome in self.outcomes for new in outcome.new_documents if new.passages]
        embedded = iter(embedder.embed([(new.document.title, new.passages) for new in with_passages]))

        def filled(new: NewDocument) -> NewDocument:
            if not new.passages:
                return new
            vectors, multi_vectors = next(embedded)
            return replace(new, vectors=vectors, multi_vectors=multi_vectors)

        outcomes = [_with_documents(outcome, map(filled, outcome.new_documents)) for outcome in self.outcomes]
        return replace(self, outcomes=outcomes)

    def commit(self, library: LibraryWriter) -> Counts:
        """Write all entries in one transaction, then the removal in another. Returns the counts of both."""
        entries = [outcome.entry for outcome in self.outcomes if outcome.entry is not None]
        if entries:
            library.catalog.put(entries)
        counts = Counts.total(outcome.counts for outcome in self.outcomes)
        library.documents_kept += counts.added + counts.updated
        if self.removal is not None and self.removal.missing:
            removed = library.catalog.remove_paths(record.path for record in self.removal.missing)
            counts += Counts(removed=removed)
        return counts


def batches(results: Iterable[Outcome | Removal]) -> Iterator[Batch]:
    """Group the results into batches: a batch ends when it is full, after `BATCH_SECONDS`, and at a removal."""
    waiting: list[Outcome] = []
    passages, since = 0, 0.0
    for result in results:
        if isinstance(result, Removal):
            yield Batch(waiting, result)
            waiting, passages = [], 0
            continue
        if not waiting:
            since = time.monotonic()
        waiting.append(result)
        passages += result.passages
        is_full = passages >= BATCH_PASSAGES or len(waiting) >= BATCH_FILES
        if is_full or time.monotonic() - since >= BATCH_SECONDS:
            yield Batch(waiting)
            waiting, passages = [], 0
    if waiting:
        yield Batch(waiting)


def split_all(results: Iterable[Outcome | Removal], embedder: PassageEmbedder) -> Iterator[Outcome | Removal]:
    """The results in their order; the new documents of each outcome have their passages."""
    for result in results:
        yield split(result, embedder) if isinstance(result, Outcome) else result


def split(outcome: Outcome, embedder: PassageEmbedder) -> Outcome:
    """The outcome with the passages of its new documents; a quarantined document gets none."""
    documents = [
        new if new.state == QUARANTINED else replace(new, passages=embedder.split(new.document))
        for new in outcome.new_documents
    ]
    return _with_documents(outcome, documents)


def _with_documents(outcome: Outcome, documents: Iterable[NewDocument]) -> Outcome:
    if not isinstance(outcome.entry, NewFile):
        return outcome
    return replace(outcome, entry=replace(outcome.entry, documents=list(documents)))


def ingest_documents(documents: Sequence[tuple[str, ReadDocument, str]], settings: Settings) -> None:
    """Fill a library with documents that are already read, each given as (name, document, SHA-256 of its content).

    Two documents with the same content stay two documents, because the name is hashed too. Raises DocentError as
    `open_for_writing` does.
    """
    root = settings.home.absolute() / "documents"
    with open_for_writing(settings, INGESTING, create=True) as library:
        embedder = passage_embedder(library.catalog, settings)

        def outcome(name: str, document: ReadDocument, sha256: str) -> Outcome:
            unique_hash = hashlib.sha256(f"{name}\0{sha256}".encode()).hexdigest()
            new = NewDocument(document, embedder.split(document), NO_VECTORS)
            entry = NewFile(root / name, root, 0, 0, 0, unique_hash, (new,))
            return Outcome(entry.path, Change.ADDED, 1, entry=entry)

        for batch in batches(outcome(*document) for document in documents):
            batch.embed(embedder).commit(library)
            library.publisher.publish_if_due(library.catalog)
        library.publisher.publish(library.catalog)
