"""Every document split and embedded anew beside the living passages, and the way back. Knows nothing of files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ingest.base.errors import DocentError, SettingsError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.base.types import Passage
from ingest.passages.embedders.embedder import Embedder, load_embedder
from ingest.passages.embedders.library_embedder import embedder_for_rebuild, embedder_of_library, require_passage_room
from ingest.passages.split_and_embed import PassageEmbedder
from ingest.runs.batch import BATCH_PASSAGES
from ingest.runs.progress import Meter
from ingest.runs.report import IngestReport, Progress, ProgressCallback, no_progress
from ingest.runs.writing import Writing, open_for_writing
from ingest.store import embedding_sets as generations
from ingest.store.catalog import Catalog

log = get_logger(__name__)


def rebuild(settings: Settings, progress: ProgressCallback = no_progress) -> IngestReport:
    """Split and embed every document anew from the text the library kept, and go over to the result in one step.

    With the embedder that settings ask for, else with the library's own. Searches go on with the old passages until
    then; a run that is killed goes on where it was. Raises DocentError when there is no library.
    """
    with open_for_writing(settings, "docent rebuild") as library:
        progress(Progress(0, 0, 0, ""))
        embedder = _freshly_opened(library.catalog, settings)
        generation = generations.begin(library.catalog, asdict(embedder.card))
        return _go_over(library, generation, embedder, progress)


def rollback(settings: Settings, progress: ProgressCallback = no_progress) -> IngestReport:
    """Go back to the generation before the current one, which then is the one to go back to.

    Documents that came since are embedded with its embedder first. Raises DocentError when there is none.
    """
    with open_for_writing(settings, "docent rebuild --rollback") as library:
        generation = generations.previous(library.catalog)
        if generation is None:
            raise DocentError("There is nothing to go back to: no rebuild has replaced these passages.")
        progress(Progress(0, 0, 0, ""))
        card = generations.card(library.catalog, generation)
        embedder = require_passage_room(load_embedder(embedder_of_library(card, settings)))
        return _go_over(library, generation, embedder, progress)


def _go_over(library: Writing, generation: int, embedder: Embedder, progress: ProgressCallback) -> IngestReport:
    """Fill what the generation lacks a batch at a time, make its index ready, switch, and publish that index."""
    started = time.monotonic()
    report = IngestReport()
    catalog = library.catalog
    maker = PassageEmbedder(lambda: embedder)
    lacking = generations.lacking(catalog, generation)
    meter = Meter(progress, library.note, len(lacking), len(lacking))
    for batch in _batches(catalog, maker, lacking, meter):
        embedded = maker.embed([(title, passages) for _, title, passages in batch])
        generations.fill(
            catalog,
            generation,
            [(number, passages, *own) for (number, _, passages), own in zip(batch, embedded, strict=True)],
        )
        meter.finish(len(batch), len(batch), passages=sum(len(passages) for _, _, passages in batch))
    maker.save_rate(catalog)
    beside = Catalog(catalog.path, generation=generation)
    try:
        library.publisher.refresh(beside)
    finally:
        beside.close()
    generations.switch(catalog, generation)
    library.publisher.publish(catalog)
    generations.drop_others(catalog)
    report.updated, report.passages = catalog.counts()
    report.seconds = round(time.monotonic() - started, 3)
    log.info("rebuild.done", documents=report.updated, passages=report.passages, seconds=report.seconds)
    return report


def _batches(
    catalog: Catalog, maker: PassageEmbedder, document_ids: list[int], meter: Meter
) -> Iterator[list[tuple[int, str, list[Passage]]]]:
    """(document id, title, passages) of documents enough for the embedder to be quick and the memory to be small."""
    batch: list[tuple[int, str, list[Passage]]] = []
    for number in document_ids:
        content = catalog.content(number)
        meter.look_at(content.title)
        batch.append((number, content.title, maker.split(content)))
        if sum(len(passages) for _, _, passages in batch) >= BATCH_PASSAGES:
            yield batch
            batch = []
    if batch:
        yield batch


def _freshly_opened(catalog: Catalog, settings: Settings) -> Embedder:
    """The embedder to rebuild with; a compiled one that is damaged is made again."""
    folder: Path = embedder_for_rebuild(catalog.embedder(), settings)
    try:
        return require_passage_room(load_embedder(folder))
    except SettingsError:
        raise
    except DocentError:
        log.warning("embedder.made_again", folder=str(folder), exc_info=True)
        shutil.rmtree(folder)
    return require_passage_room(load_embedder(embedder_for_rebuild(catalog.embedder(), settings)))
