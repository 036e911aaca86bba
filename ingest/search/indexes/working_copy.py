"""A working copy of an index snapshot: passages are added and removed, and a commit gives the next snapshot.

It is private to its process: Tantivy changes a folder in place, so changes go to a copy, which is in
`index/.work-<process>-<random>`. Vectors are never computed here: the catalog has them.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ingest.base.files import flush_to_disk
from ingest.base.language import terms
from ingest.base.logs import get_logger
from ingest.passages.split import context_line
from ingest.search.indexes.bm25_index import BM25Index, BM25Writer
from ingest.search.indexes.snapshot import BM25_FOLDER, VECTORS_FILE, IndexSnapshot, IndexVersion, write_manifest
from ingest.search.indexes.snapshot_files import WORK_PREFIX
from ingest.search.indexes.vector_index import Ids
from ingest.store.vectors import vector_of

log = get_logger(__name__)


class WorkingCopy:
    """A changeable copy of a snapshot. For one thread; close it when done.

    `base` is the name of that snapshot's folder, '' when it was empty, and `changes` the number of passages that were
    added or removed since. With `in_memory`, BM25 is kept in memory: for a disk that is full.
    """

    def __init__(self, snapshot: IndexSnapshot, folder: Path, in_memory: bool = False) -> None:
        """Copy `snapshot`, which is a published one or empty, below `folder`.

        Raises OSError when the disk is full or the published folder was deleted, ValueError when that is damaged or
        when the snapshot is neither published nor empty.
        """
        if snapshot.folder is None and len(snapshot.vectors):
            raise ValueError("only a published or an empty snapshot can be copied")
        self.base = snapshot.name
        self.in_memory = in_memory
        self.changes = 0
        self._folder = folder
        self._fingerprint = snapshot.fingerprint
        # Shared with a snapshot, which never changes, until the first change.
        self._vectors = snapshot.vectors
        self._shared = True
        self._work: Path | None = None
        if in_memory:
            self._bm25 = BM25Writer()
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f"{WORK_PREFIX}{os.getpid()}-", dir=folder))
        try:
            target = self._work / BM25_FOLDER
            published = snapshot.folder
            self._bm25 = BM25Writer.copy_of(published / BM25_FOLDER, target) if published else BM25Writer(target)
        except BaseException:
            shutil.rmtree(self._work, ignore_errors=True)
            raise

    def add(self, rows: Mapping[int, sqlite3.Row]) -> None:
        """Add the passages in `rows`, which are those that `Catalog.passages` returns."""
        if not rows:
            return
        for passage_id, row in rows.items():
            self._bm25.add(passage_id, indexed_terms(row["title"], row["heading"], row["text"]))
        self._unshare()
        self._vectors.add(np.array(list(rows), np.int64), np.stack([vector_of(row) for row in rows.values()]))
        self.changes += len(rows)

    def remove(self, ids: Ids) -> None:
        """Remove the passages with these ids."""
        if not len(ids):
            return
        self._bm25.remove(ids)
        self._unshare()
        self._vectors.remove(ids)
        self.changes += len(ids)

    def commit(self, version: IndexVersion) -> IndexSnapshot:
        """A snapshot with all changes so far. Raises ValueError when they cannot be written."""
        bm25 = self._bm25.commit()
        self._shared = True
        return IndexSnapshot(self._vectors, bm25, version, self._fingerprint)

    def save(self, version: IndexVersion) -> IndexSnapshot:
        """Save the last commit in a new folder, complete on the disk. The copy cannot be changed afterwards.

        Raises OSError, RuntimeError or ValueError when it cannot be written; the copy can then still be used.
        """
        if self._work is None:
            raise ValueError("an index that is kept in memory cannot be published")
        self._bm25.finish()
        self._vectors.write(self._work / VECTORS_FILE)
        flush_to_disk(self._work / VECTORS_FILE)
        write_manifest(self._work, self._vectors, version, self._fingerprint)
        folder = self._folder / f"{version.revision}-{os.urandom(4).hex()}"
        self._work.rename(folder)
        self._work = None
        return IndexSnapshot(self._vectors, BM25Index.open(folder / BM25_FOLDER), version, self._fingerprint, folder)

    def close(self) -> None:
        """Delete the copy's folder."""
        try:
            self._bm25.finish()
        except ValueError:  # a disk that failed has ended Tantivy's writer; this copy is not needed any more
            log.warning("index.copy_failed", exc_info=True)
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def _unshare(self) -> None:
        if self._shared:
            self._vectors, self._shared = self._vectors.copy(), False


def indexed_terms(title: str, heading: str, text: str) -> list[str]:
    """The terms that BM25 finds a passage by: those of its context line and its text."""
    return terms(f"{context_line(title, heading)}\n{text}")
