"""A library opened for writing: write lock, catalog and index, all released at the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.base.types import Progress
from ingest.search.indexes.publisher import Publisher
from ingest.search.indexes.search_index import INDEX_FOLDER
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import write_lock

log = get_logger(__name__)


@dataclass
class LibraryWriter:
    """A library opened for writing. `publish_progress` shows the progress of the run to other processes.

    `documents_kept` counts the documents committed so far, for the message when the disk fails later.
    """

    catalog: Catalog
    publisher: Publisher
    publish_progress: Callable[[Progress], None]
    documents_kept: int = 0


@contextmanager
def open_for_writing(settings: Settings, command: str, create: bool = False) -> Iterator[LibraryWriter]:
    """Open the library as its one writer; other processes are shown `command`.

    Raises AnotherWriter while another process writes, DocentError when there is no library (and `create` is false) or
    the disk fails.
    """
    documents_kept = 0
    with write_lock(settings.home, command) as publish_progress:
        try:
            with (
                closing(Catalog(settings.home / CATALOG_FILE, create)) as catalog,
                closing(Publisher(settings.home / INDEX_FOLDER)) as publisher,
            ):
                library = LibraryWriter(catalog, publisher, publish_progress)
                try:
                    yield library
                finally:
                    documents_kept = library.documents_kept
        except sqlite3.DatabaseError as error:
            log.error("library.not_written", exc_info=True)
            raise DocentError(
                f"The library in {settings.home} cannot be written ({error}): free or repair the disk and run the same "
                f"command again; the {documents_kept} documents finished in this run are kept."
            ) from error
