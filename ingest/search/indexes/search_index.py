"""FAISS and Tantivy over the catalog's passages: a cache that can always be remade. Knows nothing of documents.

A snapshot is a folder `index/<revision>-<random>` with both indexes and a manifest, made under a temporary name
and swapped in by renaming the one-line file `index/CURRENT`. Whoever opens it brings its own copy level with the
catalog (adds what is new, drops what is gone); only the one writer publishes. Vectors are never computed here:
the catalog has them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ingest.base.files import flush_to_disk
from ingest.base.language import terms
from ingest.base.logs import get_logger
from ingest.base.types import Vectors
from ingest.passages.split import context_line
from ingest.search.indexes.bm25_index import BM25Index
from ingest.search.indexes.snapshot_files import (
    MANIFEST,
    WORK_PREFIX,
    clean,
    point_to,
    published_name,
    revision_of,
    sums,
)
from ingest.search.indexes.vector_index import PROPOSED, Ids, VectorIndex
from ingest.store.catalog import Catalog
from ingest.store.vectors import exact_cosines, vector_of

INDEX_FOLDER = "index"
# Catalog note that a restored backup changes: ids and revisions of another lineage mean other passages.
LINEAGE = "lineage"
_VECTORS = "vectors.faiss"
_WORDS = "words"
_FORMAT = 3
_LEVEL_CHUNK = 2_000
# A large index is not written anew for fewer changes than these: every reader catches up with them in a fraction of
# a second, and removing one document is done in less.
LARGE = 10_000
LEFT_TO_READERS = 1_000
log = get_logger(__name__)


@dataclass(frozen=True)
class IndexVersion:
    """What of which catalog an index holds."""

    lineage: str = ""
    generation: int = 0
    revision: int = -1


class SearchIndex:
    """Both indexes at one revision of the catalog. Safe to search from many threads while `level` runs in one."""

    def __init__(self, folder: Path, dimension: int, fingerprint: str, published: bool = True) -> None:
        """Open the published snapshot in `folder`, or start empty when none fits this embedder (or none is wanted)."""
        self.folder = folder
        self.dimension = dimension
        self.fingerprint = fingerprint
        self.vectors = VectorIndex(dimension)
        self.bm25 = BM25Index()
        self.version = IndexVersion()
        self._snapshot: Path | None = None
        self._work: Path | None = None
        self._unpublished = 0
        # A disk that fails in the middle leaves FAISS ahead of Tantivy; both are then made anew.
        self._torn = False
        # A reader whose disk is full has its words here instead of in a working copy.
        self._in_memory = False
        if published:
            self._open_published()

    @property
    def revision(self) -> int:
        """Of the catalog, as of the last `level`; -1 for an index that was never level."""
        return self.version.revision

    # Searching

    def dense(self, vector: Vectors, count: int, catalog: Catalog | None = None) -> dict[int, float]:
        """Passage id → cosine, -1 to 1, of the `count` nearest, best first.

        A large index only knows about where they are; with a `catalog` the nearest are found by their exact vectors.
        """
        vectors = self.vectors
        if vectors.exact or catalog is None:
            return vectors.search(vector, count)
        proposed = list(vectors.search(vector, max(PROPOSED, count)))
        exact = exact_cosines(catalog, vector, proposed)
        return dict(sorted(exact.items(), key=lambda item: (-item[1], item[0]))[:count])

    def cosines(self, vector: Vectors, ids: Sequence[int], catalog: Catalog | None = None) -> dict[int, float]:
        """Passage id → cosine, for the ids given (those the index holds); exact as `dense` is."""
        vectors = self.vectors
        if not vectors.exact and catalog is not None:
            return exact_cosines(catalog, vector, ids)
        found: dict[int, float] = {}
        for passage_id in ids:
            try:
                found[passage_id] = float(vectors.vector(passage_id) @ vector)
            except RuntimeError:  # dropped since the other leg found it
                continue
        return found

    def lexical(self, query_terms: Sequence[str], count: int, among: Sequence[int] | None = None) -> dict[int, float]:
        """Passage id → BM25 of the `count` best, of all passages or `among` the ids given; each term counts once."""
        return self.bm25.search(query_terms, count, among)

    def inverse_frequencies(self, query_terms: Sequence[str]) -> dict[str, float]:
        """Term → its BM25 weight: rare terms tell passages apart."""
        return self.bm25.inverse_frequencies(query_terms)

    def lexical_bound(self, query_terms: Sequence[str]) -> float:
        """The BM25 score that no passage can exceed for these terms; 0 when there are none."""
        return self.bm25.bound(query_terms)

    @property
    def ids(self) -> Ids:
        """Every passage id the index holds, ascending."""
        return self.vectors.ids

    # Keeping level with the catalog

    def refresh(self, catalog: Catalog, or_in_memory: bool = False) -> bool:
        """Add what the catalog has gained and drop what it has lost. True when anything changed.

        Raises OSError, RuntimeError or ValueError when the disk does not take it. With `or_in_memory` the words are
        then kept in memory until there is another snapshot; such an index cannot be published.
        """
        with catalog.consistent_snapshot():
            return self._refresh(catalog, or_in_memory)

    def _refresh(self, catalog: Catalog, or_in_memory: bool) -> bool:
        now = IndexVersion(catalog.note(LINEAGE) or "", catalog.generation, catalog.revision)
        if now == self.version:
            return False
        other = self.revision >= 0 and now.lineage != self.version.lineage
        # Words in memory are given up for any snapshot that knows as much, others for one that knows more.
        enough = self.revision + (0 if self._in_memory else 1)
        if (other or revision_of(published_name(self.folder)) >= enough) and self._open_published(now.lineage):
            other = False
            if now == self.version:
                return True
        reason = "nothing is of this lineage" if other else "the last change ended half way" if self._torn else ""
        if not reason:
            self._torn = True
            try:
                self._follow(catalog)
            except (OSError, RuntimeError, ValueError) as error:
                # The snapshot to be copied may have been deleted under us; a full disk is another case.
                if not or_in_memory and not isinstance(error, FileNotFoundError):
                    raise
                reason = str(error)
        if reason:
            self._start_over(catalog, reason, or_in_memory)
        self._torn = False
        self.version = now
        return True

    def _follow(self, catalog: Catalog) -> None:
        wanted, held = catalog.passage_ids(), self.ids
        new = np.setdiff1d(wanted, held, assume_unique=True)
        gone = np.setdiff1d(held, wanted, assume_unique=True)
        if not len(new) and not len(gone):
            return
        self._begin_changes()
        for start in range(0, len(new), _LEVEL_CHUNK):
            self._add(catalog, new[start : start + _LEVEL_CHUNK])
        if len(gone):
            self.bm25.remove(gone)
            self.vectors.remove(gone)
        self.bm25.commit()
        self._unpublished += len(new) + len(gone)

    def _add(self, catalog: Catalog, ids: Ids) -> None:
        rows = catalog.passages(ids.tolist())
        if not rows:
            return
        for passage_id, row in rows.items():
            self.bm25.add(passage_id, indexed_terms(row["title"], row["heading"], row["text"]))
        self.vectors.add(np.array(list(rows), np.int64), np.stack([vector_of(row) for row in rows.values()]))

    def _start_over(self, catalog: Catalog, reason: str, or_in_memory: bool) -> None:
        """Make all of it anew, and go on answering from what there is until that is done."""
        log.info("index.made_anew", reason=reason)
        try:
            fresh = self._made_anew(catalog)
        except (OSError, RuntimeError, ValueError) as error:
            if not or_in_memory:
                raise
            log.warning("index.kept_in_memory", reason=str(error))
            fresh = self._made_anew(catalog, in_memory=True)
        self.close()
        self.vectors, self.bm25, self._work = fresh.vectors, fresh.bm25, fresh._work
        self._snapshot, self._unpublished, self._in_memory = None, fresh._unpublished, fresh._in_memory

    def _made_anew(self, catalog: Catalog, in_memory: bool = False) -> SearchIndex:
        fresh = SearchIndex(self.folder, self.dimension, self.fingerprint, published=False)
        fresh._in_memory = in_memory
        try:
            fresh._follow(catalog)
        except BaseException:
            fresh.close()
            raise
        return fresh

    # Snapshots and working copies

    def publish(self) -> None:
        """Write the index as the snapshot everyone opens from now on, or leave few changes of a large one to readers.

        For the one writer only. Raises OSError, RuntimeError or ValueError when the disk does not take it.
        """
        published = published_name(self.folder)
        if self._snapshot is not None and self._snapshot.name == published and (
            (self._work is None and revision_of(published) == self.revision)
            or (len(self.vectors) > LARGE and self._unpublished <= LEFT_TO_READERS)
        ):  # fmt: skip
            return
        self._begin_changes()
        assert self._work is not None
        self.bm25.finish()
        self.vectors.write(self._work / _VECTORS)
        manifest = {
            "format": _FORMAT, "fingerprint": self.fingerprint, "dimension": self.dimension,
            "passages": len(self.vectors), **asdict(self.version), "files": sums(self._work),
        }  # fmt: skip
        (self._work / MANIFEST).write_text(json.dumps(manifest), "utf-8")
        for file in (self._work / _VECTORS, self._work / MANIFEST):
            flush_to_disk(file)
        name = f"{self.revision}-{os.urandom(4).hex()}"
        self._work.rename(self.folder / name)
        self._work = None
        point_to(self.folder, name)
        self._snapshot, self._unpublished = self.folder / name, 0
        self.bm25 = BM25Index.open(self._snapshot / _WORDS)
        clean(self.folder, keep={name, published})

    def close(self) -> None:
        """Drop this process's working copy."""
        try:
            self.bm25.finish()
        except ValueError:  # a disk that failed has ended Tantivy's writer; nothing of this copy is wanted any more
            log.warning("index.copy_failed", exc_info=True)
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def changed_files(self) -> list[str]:
        """Files of the opened snapshot that are not as they were written; for `check`."""
        if self._snapshot is None:
            return []
        written = json.loads((self._snapshot / MANIFEST).read_text("utf-8"))["files"]
        found = sums(self._snapshot)
        return sorted(name for name in {*written, *found} if written.get(name) != found.get(name))

    def _begin_changes(self) -> None:
        """Tantivy changes its folder in place, so changes go to a copy of the snapshot that only we see."""
        if self._work is not None or self._in_memory:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{WORK_PREFIX}{os.getpid()}-", dir=self.folder))
        try:
            if self._snapshot is None:
                self.bm25 = BM25Index(work / _WORDS)
            else:
                self.bm25 = self.bm25.changeable_copy(self._snapshot / _WORDS, work / _WORDS)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        self._work = work

    def _open_published(self, lineage: str | None = None) -> bool:
        """Take over the published snapshot. False, with nothing changed, when there is none that fits."""
        name = published_name(self.folder)
        if not name:
            return False
        snapshot = self.folder / name
        try:
            manifest = json.loads((snapshot / MANIFEST).read_text("utf-8"))
            if (manifest["format"], manifest["fingerprint"]) != (_FORMAT, self.fingerprint):
                return False
            standing = IndexVersion(manifest["lineage"], int(manifest["generation"]), int(manifest["revision"]))
            if lineage is not None and standing.lineage != lineage:
                return False
            vectors = VectorIndex.read(snapshot / _VECTORS, self.dimension)
            words = BM25Index.open(snapshot / _WORDS)
            if not len(vectors) == manifest["passages"] == len(words):
                raise ValueError("the two indexes and the manifest disagree")
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            # Deleting or damaging the cache is safe: it is remade from the catalog, and the log says why.
            log.warning("index.snapshot_unusable", snapshot=name, reason=str(error))
            return name != published_name(self.folder) and self._open_published(lineage)
        self.close()
        self.vectors, self.bm25, self.version = vectors, words, standing
        self._snapshot, self._unpublished, self._torn, self._in_memory = snapshot, 0, False, False
        return True


def indexed_terms(title: str, heading: str, text: str) -> list[str]:
    """What a passage is found by in the word index."""
    return terms(f"{context_line(title, heading)}\n{text}")
