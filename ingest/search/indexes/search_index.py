"""The index of one process: it follows the catalog, and the writer publishes it for all others.

Searches use its `snapshot`, which is exchanged as a whole. `policy` decides how a refresh brings it up to date: open
what another process has published, change a working copy, or build it from the catalog again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.base.logs import get_logger
from ingest.search.indexes.policy import ApplyChanges, HeldIndex, Keep, OpenSnapshot, Rebuild, decide
from ingest.search.indexes.snapshot import (
    IndexSnapshot,
    IndexVersion,
    catalog_version,
    empty_snapshot,
    open_published,
)
from ingest.search.indexes.snapshot_files import clean, point_to, published_name, revision_of
from ingest.search.indexes.vector_index import Ids
from ingest.search.indexes.working_copy import WorkingCopy
from ingest.store.catalog import Catalog

INDEX_FOLDER = "index"
# An index of more than LARGE passages is not published again for LEFT_TO_READERS changes or fewer: every reader applies
# them in a fraction of a second, and the removal of one document need not wait for a publication.
LARGE = 10_000
LEFT_TO_READERS = 1_000
_CHUNK = 2_000
log = get_logger(__name__)


class SearchIndex:
    """The snapshot that a process searches and, once it has changed anything, its working copy.

    Many threads may search `snapshot` while one refreshes. Close it when done.
    """

    def __init__(self, folder: Path, dimension: int, fingerprint: str) -> None:
        """Open the published snapshot in `folder`; without one of this embedder, start with an empty index."""
        self.folder = folder
        self.snapshot = open_published(folder, dimension, fingerprint) or empty_snapshot(dimension, fingerprint)
        self._copy: WorkingCopy | None = None

    def refresh(self, catalog: Catalog, or_in_memory: bool = False) -> bool:
        """Bring the snapshot up to date with the catalog. True when it was exchanged.

        Raises OSError, RuntimeError or ValueError when the changes cannot be written; the snapshot then stays as it
        was. With `or_in_memory` nothing is raised in that case: BM25 is kept in memory until another snapshot is
        published. An index in memory cannot be published.
        """
        with catalog.consistent_snapshot():
            return self._refresh(catalog, or_in_memory)

    def _refresh(self, catalog: Catalog, or_in_memory: bool) -> bool:
        version = catalog_version(catalog)
        action = decide(version, revision_of(published_name(self.folder)), self._held())
        if isinstance(action, Keep):
            return False
        if isinstance(action, OpenSnapshot):
            self._open_published(version.lineage)
            action = decide(version, -1, self._held())
        if isinstance(action, ApplyChanges):
            try:
                self._apply_changes(catalog, version)
            except (OSError, RuntimeError, ValueError) as error:
                # Without `or_in_memory` a rebuild helps only when the writer has deleted the published folder.
                if not or_in_memory and not isinstance(error, FileNotFoundError):
                    raise
                action = Rebuild(str(error))
        if isinstance(action, Rebuild):
            self._rebuild(catalog, version, action.reason, or_in_memory)
        return True

    def _held(self) -> HeldIndex:
        return HeldIndex(
            self.snapshot.version,
            in_memory=self._copy is not None and self._copy.in_memory,
            changeable=self._copy is not None or self.snapshot.folder is not None or not len(self.snapshot.vectors),
        )

    def _open_published(self, lineage: str) -> None:
        opened = open_published(self.folder, self.snapshot.dimension, self.snapshot.fingerprint, lineage)
        if opened is not None:
            self._exchange(opened, None)

    def _apply_changes(self, catalog: Catalog, version: IndexVersion) -> None:
        added, removed = _differences(catalog, self.snapshot)
        if not len(added) and not len(removed):
            self.snapshot = replace(self.snapshot, version=version)
            return
        copy = self._copy or WorkingCopy(self.snapshot, self.folder)
        self._copy = None  # a copy whose change failed is closed
        self.snapshot, self._copy = _changed(copy, catalog, version, added, removed), copy

    def _rebuild(self, catalog: Catalog, version: IndexVersion, reason: str, or_in_memory: bool) -> None:
        """Build the index from the catalog; searches use the present snapshot until that is done."""
        log.info("index.rebuilding", reason=reason)
        try:
            built = self._built(catalog, version, in_memory=False)
        except (OSError, RuntimeError, ValueError) as error:
            if not or_in_memory:
                raise
            log.warning("index.kept_in_memory", reason=str(error))
            built = self._built(catalog, version, in_memory=True)
        self._exchange(*built)

    def _built(self, catalog: Catalog, version: IndexVersion, in_memory: bool) -> tuple[IndexSnapshot, WorkingCopy]:
        empty = empty_snapshot(self.snapshot.dimension, self.snapshot.fingerprint)
        copy = WorkingCopy(empty, self.folder, in_memory)
        return _changed(copy, catalog, version, *_differences(catalog, empty)), copy

    def _exchange(self, snapshot: IndexSnapshot, copy: WorkingCopy | None) -> None:
        self.close()
        self.snapshot, self._copy = snapshot, copy

    def publish(self) -> None:
        """Save the snapshot and make it the one that all processes open, unless a large index has few changes.

        Only for the process with the write lock. Raises OSError, RuntimeError or ValueError when it cannot be written.
        """
        published = published_name(self.folder)
        base = self._copy.base if self._copy else self.snapshot.name
        if base and base == published:
            unchanged = self._copy is None and self.snapshot.revision == revision_of(published)
            changes = self._copy.changes if self._copy else 0
            if unchanged or (len(self.snapshot.vectors) > LARGE and changes <= LEFT_TO_READERS):
                return
        self._copy = self._copy or WorkingCopy(self.snapshot, self.folder)
        saved = self._copy.save(self.snapshot.version)
        self.snapshot, self._copy = saved, None
        point_to(self.folder, saved.name)
        clean(self.folder, keep={saved.name, published})

    def close(self) -> None:
        """Delete this process's working copy."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None


def _differences(catalog: Catalog, snapshot: IndexSnapshot) -> tuple[Ids, Ids]:
    """Passage ids that only the catalog has, and those that only the snapshot has."""
    in_catalog, in_index = catalog.passage_ids(), snapshot.ids
    added = np.setdiff1d(in_catalog, in_index, assume_unique=True)
    return added, np.setdiff1d(in_index, in_catalog, assume_unique=True)


def _changed(copy: WorkingCopy, catalog: Catalog, version: IndexVersion, added: Ids, removed: Ids) -> IndexSnapshot:
    """Apply these changes to the copy and commit them. Closes the copy when that fails: its content is then unknown."""
    try:
        for start in range(0, len(added), _CHUNK):
            copy.add(catalog.passages(added[start : start + _CHUNK].tolist()))
        copy.remove(removed)
        return copy.commit(version)
    except BaseException:
        copy.close()
        raise
