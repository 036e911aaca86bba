"""Split and embed every document again into a new embedding set, and switch to it; or go back to the previous set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.base.types import Passage, Progress, ProgressCallback, no_progress
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.embedders.library_embedder import (
    embedder_for_rebuild,
    embedder_of_library,
    open_or_repair,
    require_passage_room,
)
from ingest.passages.split_and_embed import PassageEmbedder
from ingest.runs.batch import BATCH_PASSAGES
from ingest.runs.library_writer import LibraryWriter, open_for_writing
from ingest.runs.report import Counts, IngestReport, Meter
from ingest.store import embedding_sets
from ingest.store.catalog import Catalog
from ingest.store.embedding_sets import EmbeddedDocument

log = get_logger(__name__)


def rebuild(settings: Settings, progress: ProgressCallback = no_progress) -> IngestReport:
    """Split and embed every document again from the text the library kept, and switch to the result in one step.

    Uses the embedder that the settings name, else the library's own. Searches use the old passages until the switch. A
    rebuild that was killed is continued by the next one. Raises DocentError when there is no library or another process
    writes.
    """
    with open_for_writing(settings, "docent rebuild") as library:
        progress(Progress(0, 0, 0, ""))
        embedder = _open_embedder(library.catalog, settings)
        embedding_set = embedding_sets.begin(library.catalog, asdict(embedder.card))
        return _complete_and_switch(library, embedding_set, embedder, progress)


def rollback(settings: Settings, progress: ProgressCallback = no_progress) -> IngestReport:
    """Go back to the previous embedding set; the current one is then the previous one.

    Documents that were added since are first embedded with its embedder. Raises DocentError when there is no previous
    set.
    """
    with open_for_writing(settings, "docent rebuild --rollback") as library:
        embedding_set = embedding_sets.previous(library.catalog)
        if embedding_set is None:
            raise DocentError("There is nothing to go back to: no rebuild has replaced these passages.")
        progress(Progress(0, 0, 0, ""))
        card = embedding_sets.card(library.catalog, embedding_set)
        embedder = require_passage_room(
            open_or_repair(
                embedder_of_library(card, settings), lambda: embedder_of_library(card, settings, repair=True)
            )
        )
        return _complete_and_switch(library, embedding_set, embedder, progress)


def _complete_and_switch(
    library: LibraryWriter, embedding_set: int, embedder: Embedder, progress: ProgressCallback
) -> IngestReport:
    """Embed the documents that the set lacks, prepare its index, switch to it, and publish that index."""
    started = time.monotonic()
    catalog = library.catalog
    passage_embedder = PassageEmbedder(lambda: embedder)
    lacking = embedding_sets.lacking(catalog, embedding_set)
    meter = Meter(progress, library.publish_progress, len(lacking), len(lacking))
    for batch in _batches(catalog, passage_embedder, lacking, meter):
        embedded = passage_embedder.embed([(document.title, document.passages) for document in batch])
        embedding_sets.add_passages(
            catalog,
            embedding_set,
            [
                EmbeddedDocument(document.id, document.passages, vectors, multi_vectors)
                for document, (vectors, multi_vectors) in zip(batch, embedded, strict=True)
            ],
        )
        meter.finish(len(batch), len(batch), passages=sum(len(document.passages) for document in batch))
    passage_embedder.save_rate(catalog)
    with closing(Catalog(catalog.path, embedding_set=embedding_set)) as next_catalog:
        library.publisher.refresh(next_catalog)
    embedding_sets.switch(catalog, embedding_set)
    library.publisher.publish(catalog)
    embedding_sets.drop_others(catalog)
    documents, passages = catalog.counts()
    report = IngestReport.of(Counts(updated=documents), passages, started)
    log.info("rebuild.done", documents=report.updated, passages=report.passages, seconds=report.seconds)
    return report


@dataclass(frozen=True)
class _SplitDocument:
    id: int
    title: str
    passages: list[Passage]


def _batches(
    catalog: Catalog, passage_embedder: PassageEmbedder, document_ids: list[int], meter: Meter
) -> Iterator[list[_SplitDocument]]:
    """The documents, split, in batches large enough for a fast embedder and small enough for the memory."""
    batch: list[_SplitDocument] = []
    for document_id in document_ids:
        content = catalog.content(document_id)
        meter.look_at(content.title)
        batch.append(_SplitDocument(document_id, content.title, passage_embedder.split(content)))
        if sum(len(document.passages) for document in batch) >= BATCH_PASSAGES:
            yield batch
            batch = []
    if batch:
        yield batch


def _open_embedder(catalog: Catalog, settings: Settings) -> Embedder:
    """The embedder to rebuild with; when any byte of its prepared folder is damaged, it is prepared again."""
    card = catalog.embedder()
    folder = embedder_for_rebuild(card, settings)
    return require_passage_room(
        open_or_repair(folder, lambda: embedder_for_rebuild(card, settings, repair=True), every_byte=True)
    )
