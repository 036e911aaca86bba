"""Publishes the index while its library is being written, and when the writing is done."""

from __future__ import annotations

import time
from pathlib import Path

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.search.indexes.search_index import SearchIndex
from ingest.store.catalog import Catalog

# During a long run the index is published this often, and publishing takes at most this share of the time.
PUBLISH_SECONDS = 20.0
_PUBLISH_SHARE = 0.1
log = get_logger(__name__)


class Publisher:
    """Keeps and publishes the index of the process with the write lock. Close it when done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: SearchIndex | None = None
        self._next = time.monotonic() + PUBLISH_SECONDS

    def publish_if_due(self, catalog: Catalog) -> None:
        """Publish if the last time was long enough ago, so that readers have few changes to apply during a long run.

        Raises DocentError as `publish` does.
        """
        started = time.monotonic()
        if started >= self._next:
            self.publish(catalog)
            seconds = time.monotonic() - started
            self._next = time.monotonic() + max(PUBLISH_SECONDS, seconds / _PUBLISH_SHARE)

    def refresh(self, catalog: Catalog) -> None:
        """Bring the index up to date with a catalog that was opened for another embedding set, without publishing it.

        Raises DocentError when the index cannot be written.
        """
        self._refresh(catalog, publish=False)

    def publish(self, catalog: Catalog) -> None:
        """Bring the index up to date with the catalog and publish it. Raises DocentError when it cannot be written."""
        self._refresh(catalog, publish=True)

    def close(self) -> None:
        """Delete the working copy of the index; what was published stays."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def _refresh(self, catalog: Catalog, publish: bool) -> None:
        card = catalog.embedder()
        if card is None:  # the library never had a passage
            return
        try:
            if self._index is None or self._index.snapshot.fingerprint != card["fingerprint"]:
                self.close()
                self._index = SearchIndex(self._folder, card["dimension"], card["fingerprint"])
            self._index.refresh(catalog)
            if publish:
                self._index.publish()
        except (ValueError, RuntimeError) as error:  # raised by Tantivy and FAISS for a disk that fails
            log.error("index.not_written", exc_info=True)
            raise DocentError(
                f"The index in {self._folder} cannot be written ({' '.join(str(error).split())[:200]}): free or "
                "repair the disk and run the same command again; the documents are kept."
            ) from error
