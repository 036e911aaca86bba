"""An index snapshot: vectors and BM25 of the catalog's passages at one version of the catalog, for reading only.

A published snapshot is a folder `index/<revision>-<random>` with both indexes and a manifest; the one-line file
`index/CURRENT` names the one that all processes open. It is a cache, which can be built from the catalog again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.base.files import flush_to_disk
from ingest.base.logs import get_logger
from ingest.base.types import Vectors
from ingest.search.indexes.bm25_index import BM25Index
from ingest.search.indexes.snapshot_files import MANIFEST, published_name, sums
from ingest.search.indexes.vector_index import PROPOSED, Ids, VectorIndex
from ingest.store.catalog import Catalog
from ingest.store.vectors import exact_cosines

# Catalog note that a restored backup changes: ids and revisions of another lineage mean other passages.
LINEAGE = "lineage"
VECTORS_FILE = "vectors.faiss"
BM25_FOLDER = "words"
# Of the files, and of the terms in them: a text must become the same terms as when it was indexed.
_FORMAT = 4
log = get_logger(__name__)


@dataclass(frozen=True)
class IndexVersion:
    """The state of the catalog that an index is up to date with; revision -1 for an index that was never built."""

    lineage: str = ""
    embedding_set: int = 0
    revision: int = -1


def catalog_version(catalog: Catalog) -> IndexVersion:
    """The version of an index that is up to date with the catalog now."""
    return IndexVersion(catalog.note(LINEAGE) or "", catalog.embedding_set, catalog.revision)


@dataclass(frozen=True)
class IndexSnapshot:
    """Both indexes at one version. Never changes; safe to share between threads.

    `folder` is the published folder it was opened from, None for a snapshot that is not published. `fingerprint` is
    that of the embedder whose vectors it has.
    """

    vectors: VectorIndex
    bm25: BM25Index
    version: IndexVersion
    fingerprint: str
    folder: Path | None = None

    @property
    def name(self) -> str:
        """Name of the published folder it was opened from; '' for a snapshot that is not published."""
        return self.folder.name if self.folder else ""

    @property
    def revision(self) -> int:
        """The catalog's revision that the index is up to date with; -1 for an index that was never built."""
        return self.version.revision

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.vectors.dimension

    @property
    def ids(self) -> Ids:
        """Every passage id in the index, ascending."""
        return self.vectors.ids

    def dense(
        self, vector: Vectors, count: int, catalog: Catalog | None = None, among: Sequence[int] | None = None
    ) -> dict[int, float]:
        """Passage id → cosine, -1 to 1, of the `count` nearest passages, best first; with `among` only of these ids.

        `vector` has length 1 and shape (dimension,). In a large index cosines are approximate; with a `catalog` they
        are computed from its exact vectors.
        """
        if among is not None:
            return _nearest(self.cosines(vector, among, catalog), count)
        if self.vectors.exact or catalog is None:
            return self.vectors.search(vector, count)
        proposed = list(self.vectors.search(vector, max(PROPOSED, count)))
        return _nearest(exact_cosines(catalog, vector, proposed), count)

    def cosines(self, vector: Vectors, ids: Sequence[int], catalog: Catalog | None = None) -> dict[int, float]:
        """Passage id → cosine for the ids given; ids that are not in the index are left out. Exact as in `dense`."""
        if not self.vectors.exact and catalog is not None:
            return exact_cosines(catalog, vector, ids)
        cosines: dict[int, float] = {}
        for passage_id in ids:
            try:
                cosines[passage_id] = float(self.vectors.vector(passage_id) @ vector)
            except RuntimeError:  # not in the index
                continue
        return cosines

    def lexical(self, query_terms: Sequence[str], count: int, among: Sequence[int] | None = None) -> dict[int, float]:
        """Passage id → BM25 of the `count` best passages, as `BM25Index.search`."""
        return self.bm25.search(query_terms, count, among)

    def inverse_frequencies(self, query_terms: Sequence[str]) -> dict[str, float]:
        """Term → its BM25 weight, higher for a term that fewer passages have."""
        return self.bm25.inverse_frequencies(query_terms)

    def lexical_bound(self, query_terms: Sequence[str]) -> float:
        """The BM25 score that no passage can exceed for these terms; 0 when there are none."""
        return self.bm25.bound(query_terms)

    def changed_files(self) -> list[str]:
        """Files of the published folder whose size or checksum differs from the manifest; for `check`."""
        if self.folder is None:
            return []
        written = json.loads((self.folder / MANIFEST).read_text("utf-8"))["files"]
        present = sums(self.folder)
        return sorted(name for name in {*written, *present} if written.get(name) != present.get(name))


def _nearest(cosines: dict[int, float], count: int) -> dict[int, float]:
    return dict(sorted(cosines.items(), key=lambda item: (-item[1], item[0]))[:count])


def empty_snapshot(dimension: int, fingerprint: str) -> IndexSnapshot:
    """A snapshot without passages, in memory."""
    return IndexSnapshot(VectorIndex(dimension), BM25Index.empty(), IndexVersion(), fingerprint)


def write_manifest(folder: Path, vectors: VectorIndex, version: IndexVersion, fingerprint: str) -> None:
    """Write the manifest of `folder`, whose indexes are complete. Raises OSError when it cannot be written."""
    manifest = {
        "format": _FORMAT, "fingerprint": fingerprint, "dimension": vectors.dimension, "passages": len(vectors),
        "lineage": version.lineage, "generation": version.embedding_set, "revision": version.revision,
        "files": sums(folder),
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    flush_to_disk(folder / MANIFEST)


def open_published(folder: Path, dimension: int, fingerprint: str, lineage: str | None = None) -> IndexSnapshot | None:
    """The published snapshot in `folder`. None when there is none of this embedder (and lineage) or it is damaged."""
    name = ""
    # The writer deletes a snapshot when it has published two others. If that happens here, CURRENT names another one.
    while (current := published_name(folder)) != name:
        name = current
        try:
            return _open(folder / name, dimension, fingerprint, lineage)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            # A deleted or damaged cache is built from the catalog again, and the log says why.
            log.warning("index.snapshot_unusable", snapshot=name, reason=str(error))
    return None


def has_other_format(folder: Path) -> bool:
    """Whether another version of Docent published the snapshot in `folder`; it is then built from the catalog again."""
    try:
        manifest = json.loads((folder / published_name(folder) / MANIFEST).read_text("utf-8"))
        return bool(manifest["format"] != _FORMAT)
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged
        return False


def _open(folder: Path, dimension: int, fingerprint: str, lineage: str | None) -> IndexSnapshot | None:
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    if (manifest["format"], manifest["fingerprint"]) != (_FORMAT, fingerprint):
        return None
    version = IndexVersion(manifest["lineage"], int(manifest["generation"]), int(manifest["revision"]))
    if lineage is not None and version.lineage != lineage:
        return None
    vectors = VectorIndex.read(folder / VECTORS_FILE, dimension)
    bm25 = BM25Index.open(folder / BM25_FOLDER)
    if not len(vectors) == manifest["passages"] == len(bm25):
        raise ValueError("the two indexes and the manifest disagree")
    return IndexSnapshot(vectors, bm25, version, fingerprint, folder)
