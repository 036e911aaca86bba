"""A library open for its one writer: lock, catalog and index, all let go of at the end. Knows nothing of documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.runs.report import IngestReport, Progress
from ingest.search.indexes.publisher import Publisher
from ingest.search.indexes.search_index import INDEX_FOLDER
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import write_lock

log = get_logger(__name__)


@dataclass(frozen=True)
class Writing:
    """What a writer works with; `note` tells other processes how far it is."""

    catalog: Catalog
    publisher: Publisher
    note: Callable[[Progress], None]


@contextmanager
def open_for_writing(
    settings: Settings, doing: str, report: IngestReport | None = None, create: bool = False
) -> Iterator[Writing]:
    """Hold the library for writing; `report` is what a disk that fails in between is told with.

    Raises AnotherWriter when somebody else does, DocentError when there is no library (and `create` is false) or the
    disk fails.
    """
    with write_lock(settings.home, doing) as note:
        try:
            catalog = Catalog(settings.home / CATALOG_FILE, create)
            publisher = Publisher(settings.home / INDEX_FOLDER)
            try:
                yield Writing(catalog, publisher, note)
            finally:
                publisher.close()
                catalog.close()
        except sqlite3.DatabaseError as error:
            log.error("library.not_written", exc_info=True)
            done = report.added + report.updated if report else 0
            raise DocentError(
                f"The library in {settings.home} cannot be written ({error}): free or mend the disk and run the same "
                f"command again; the {done} documents finished in this run are kept."
            ) from error
