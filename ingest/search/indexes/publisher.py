"""Keeps the published index level while its library is being written. Knows when, not what is in it."""

from __future__ import annotations

import time
from pathlib import Path

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.search.indexes.search_index import SearchIndex
from ingest.store.catalog import Catalog

# During a long run the index is published this often, and never for more than such a share of the time.
PUBLISH_SECONDS = 20.0
_PUBLISH_SHARE = 0.1
log = get_logger(__name__)


class Publisher:
    """The index of the one writer. Close it when done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: SearchIndex | None = None
        self._next = time.monotonic() + PUBLISH_SECONDS

    def publish_if_due(self, catalog: Catalog) -> None:
        """Publish when it is time again: whoever opens the library during a long run then has little to catch up on."""
        started = time.monotonic()
        if started >= self._next:
            self.publish(catalog)
            took = time.monotonic() - started
            self._next = time.monotonic() + max(PUBLISH_SECONDS, took / _PUBLISH_SHARE)

    def refresh(self, catalog: Catalog) -> None:
        """Bring the index level with a catalog of another generation than the current one; nobody sees it yet."""
        self._refresh(catalog, publish=False)

    def publish(self, catalog: Catalog) -> None:
        """Bring the index level with the catalog and let everyone have it. Raises DocentError when it cannot be."""
        self._refresh(catalog, publish=True)

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _refresh(self, catalog: Catalog, publish: bool) -> None:
        card = catalog.embedder()
        if card is None:  # nothing was ever embedded
            return
        try:
            if self._index is None or self._index.fingerprint != card["fingerprint"]:
                self.close()
                self._index = SearchIndex(self._folder, card["dimension"], card["fingerprint"])
            self._index.refresh(catalog)
            if publish:
                self._index.publish()
        except (ValueError, RuntimeError) as error:  # Tantivy's and FAISS's words for a disk that fails
            log.error("index.not_written", exc_info=True)
            raise DocentError(
                f"The index in {self._folder} cannot be written ({' '.join(str(error).split())[:200]}): free or mend "
                "the disk and run the same command again; the documents are kept."
            ) from error
