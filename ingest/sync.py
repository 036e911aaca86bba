"""From files to searchable passages: the walk of a document, read → structure → split → embed → commit → index."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.base.types import Failure, Progress, ProgressCallback, no_progress
from ingest.passages.embedders.library_embedder import passage_embedder
from ingest.passages.split_and_embed import PassageEmbedder
from ingest.runs.batch import batches, split_all
from ingest.runs.library_writer import LibraryWriter, open_for_writing
from ingest.runs.outcomes import outcomes
from ingest.runs.plan import plan
from ingest.runs.report import Counts, IngestReport, Meter
from ingest.runs.scan import Scan, scan
from ingest.runs.select import accept_documents
from ingest.store.records import QUARANTINED
from ingest.store.unreadable_files import remember_unreadable, unreadable_files
from ingest.store.write_lock import INGESTING

log = get_logger(__name__)


def ingest(
    paths: Sequence[Path], settings: Settings, progress: ProgressCallback = no_progress, *,
    accept: Sequence[str] = (), allow_removals: bool = False,
) -> IngestReport:  # fmt: skip
    """Add, update and remove documents so that the library holds what the files and folders hold now.

    Work is committed in batches: when the run is killed, committed documents stay and searches find them. `accept`
    names documents to release from quarantine; with `allow_removals` documents are also removed when so many files are
    missing that it looks like a mistake. Raises SettingsError when the settings name another embedder than the
    library's, DocentError when another process writes or the disk fails.
    """
    started = time.monotonic()
    with open_for_writing(settings, INGESTING, create=True) as library:
        catalog = library.catalog
        progress(Progress(0, 0, 0, ""))
        embedder = passage_embedder(catalog, settings)
        counts, failed = accept_documents(catalog, embedder, accept)
        scanned = scan(paths, settings, catalog.files(), unreadable_files(catalog), allow_removals)
        ingested, failures = _ingest_files(scanned, library, embedder, progress, allow_removals)
        embedder.save_rate(catalog)
        library.publisher.publish(catalog)
        report = IngestReport.of(
            counts + ingested, catalog.counts()[1], started, [*failed, *failures], _quarantined(library, scanned)
        )
    log.info(
        "ingest.done", **{**report.as_json(), "failed": len(report.failed), "quarantined": len(report.quarantined)}
    )
    return report


def _ingest_files(
    scanned: Scan, library: LibraryWriter, embedder: PassageEmbedder, progress: ProgressCallback, allow_removals: bool
) -> tuple[Counts, list[Failure]]:
    """Read, structure, split, embed, commit and index the scanned files. Returns the counts and the failures."""
    catalog = library.catalog
    planned = plan(scanned)
    size = sum(scanned.found[path].size for path in planned.to_read)
    meter = Meter(progress, library.publish_progress, len(scanned.found), size)
    meter.finish(len(scanned.unchanged))
    counts = Counts(unchanged=sum(record.documents for record in scanned.unchanged.values()))
    failures, unreadable = list(scanned.failures), []
    # 1. Read and 2. structure, in processes that work ahead: a file becomes documents, each Markdown by pages.
    with closing(outcomes(scanned, planned, catalog.accepted(), meter, allow_removals)) as read:
        # 3. Split: a document becomes passages small enough to embed and to quote.
        for batch in batches(split_all(read, embedder)):
            # 4. Embed: a passage gets its vectors, many passages at a time.
            embedded = batch.embed(embedder)
            # 5. Commit: files, documents, passages and vectors in one transaction.
            counts += embedded.commit(library)
            # 6. Index: the search indexes follow the catalog.
            library.publisher.publish_if_due(catalog)
            failures += batch.failures
            for outcome in batch.outcomes:
                meter.finish(1, outcome.size, outcome.pages, outcome.passages)
                unreadable += [outcome.unreadable] if outcome.unreadable is not None else []
    remember_unreadable(catalog, unreadable, scanned.forget)
    return counts, failures


def _quarantined(library: LibraryWriter, scanned: Scan) -> list[Failure]:
    """The documents of the given paths that are kept but not answered from, each with the reason."""
    return [
        Failure(document.path, document.reason)
        for document in library.catalog.listed(QUARANTINED)
        if any(Path(path) in scanned.found for path in document.paths)
    ]
