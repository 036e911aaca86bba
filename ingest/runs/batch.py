"""Files on their way into the catalog, embedded together and committed together. Knows nothing of folders.

A batch is small enough to be held in memory and to be lost, and large enough that neither the embedder, which is
fastest with many texts of like length, nor the disk, which is asked once a commit, slows a run of small files down.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingest.base.types import Vectors
from ingest.passages.split_and_embed import PassageEmbedder
from ingest.runs.plan import Fate
from ingest.runs.progress import Meter
from ingest.runs.report import IngestReport
from ingest.search.indexes.publisher import Publisher
from ingest.store.catalog import Catalog
from ingest.store.records import NewDocument, NewFile, NewPath

# What a batch holds at most, and how long a file waits for company.
BATCH_PASSAGES = 256
BATCH_FILES = 500
BATCH_SECONDS = 5.0


@dataclass(frozen=True)
class _Waiting:
    entry: NewFile | NewPath
    fate: Fate
    documents: int
    size: int


class Batch:
    """Takes entries one by one, commits them many at a time, and then counts them in report and meter."""

    def __init__(
        self, catalog: Catalog, maker: PassageEmbedder, publisher: Publisher, report: IngestReport, meter: Meter
    ) -> None:
        self._catalog = catalog
        self._maker = maker
        self._publisher = publisher
        self._report = report
        self._meter = meter
        self._waiting: list[_Waiting] = []
        self._passages = 0
        self._since = 0.0

    def add(self, entry: NewFile | NewPath, fate: Fate, documents: int) -> None:
        """Take an entry, whose passages have no vectors yet and whose content gives so many documents."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(_Waiting(entry, fate, documents, entry.size))
        self._passages += _passages(entry)
        full = self._passages >= BATCH_PASSAGES or len(self._waiting) >= BATCH_FILES
        if full or time.monotonic() - self._since >= BATCH_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Embed and write what is waiting, in one transaction."""
        waiting, self._waiting, self._passages = self._waiting, [], 0
        if not waiting:
            return
        embedded = iter(
            self._maker.embed(
                [
                    (new.document.title, new.passages)
                    for item in waiting
                    if isinstance(item.entry, NewFile)
                    for new in item.entry.documents
                    if new.passages
                ]
            )
        )
        self._catalog.put(
            replace(
                item.entry,
                documents=[
                    _with_vectors(new, *next(embedded)) if new.passages else new for new in item.entry.documents
                ],
            )
            if isinstance(item.entry, NewFile)
            else item.entry
            for item in waiting
        )
        for item in waiting:
            self._report.count(item.fate.value, item.documents)
            self._meter.finish(1, item.size, _pages(item.entry), _passages(item.entry))
        self._publisher.publish_if_due(self._catalog)


def _with_vectors(new: NewDocument, vectors: Vectors, multi_vectors: Sequence[bytes]) -> NewDocument:
    return replace(new, vectors=vectors, multi_vectors=multi_vectors)


def _passages(entry: NewFile | NewPath) -> int:
    return sum(len(new.passages) for new in entry.documents) if isinstance(entry, NewFile) else 0


def _pages(entry: NewFile | NewPath) -> int:
    return sum(len(new.document.pages) for new in entry.documents) if isinstance(entry, NewFile) else 0
