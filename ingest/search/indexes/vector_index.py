"""The nearest vectors by FAISS: exact while they are few, compressed and looked over again when they are many.

Knows nothing of passages but their numbers. What it gives back of a large library is a proposal: the caller asks the
catalog for the exact vectors of the proposed ones and puts them in order (`SearchIndex.dense`).
"""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from ingest.base.types import Vectors

# Up to here every vector is compared as it is (77 MB and 3 ms at 384 dimensions); beyond, as product-quantised codes
# of 4 bits for every two dimensions, 16 times smaller and about 20 times faster (André, Kermarrec and Le Scouarnec,
# "Cache locality is not enough", VLDB 2015; in FAISS `IndexPQFastScan`).
EXACT_UNTIL = 50_000
# How many compressed neighbours are looked over again with their exact vectors. Of the ten truly nearest of 500,000
# mixed MiniLM vectors .9955 are among the first 100, all among 200; of 200,000 Gaussian ones .974 are among 200 and
# .9975 among 400.
PROPOSED = 400
# A quantiser learns from so many vectors; more only take longer.
_TRAINED_ON = 20_000
# So many removed ones are found and left out at every search before the codes are made anew.
_GONE_KEPT = 1_000
_CHUNK = 10_000

Ids = np.ndarray[Any, np.dtype[np.int64]]


class VectorIndex:
    """Vectors of length 1 by id. Safe to search from many threads while one changes it."""

    def __init__(self, dimension: int, index: Any = None) -> None:
        # FAISS's type stubs leave out the NumPy wrappers.
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension)) if index is None else index
        self.dimension = dimension
        # Removed from a compressed index, and left out of what it finds until it is made anew.
        self._gone: frozenset[int] | set[int] = frozenset()
        self._lock = threading.Lock()

    @classmethod
    def read(cls, path: Path, dimension: int) -> VectorIndex:
        """Raises RuntimeError or ValueError for a file that is damaged or of another dimension."""
        index = faiss.read_index(str(path))
        if index.d != dimension:
            raise ValueError(f"{path.name} has vectors of {index.d} numbers, not {dimension}")
        return cls(dimension, index)

    def write(self, path: Path) -> None:
        """Raises RuntimeError when the disk does not take it."""
        self._drop_gone()
        with self._lock:
            faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self._gone)

    @property
    def exact(self) -> bool:
        """Whether what `search` and `vector` give are the vectors' own values."""
        return isinstance(faiss.downcast_index(self._index.index), faiss.IndexFlat)

    @property
    def ids(self) -> Ids:
        """Every id, ascending."""
        with self._lock:
            ids: Ids = np.sort(faiss.vector_to_array(self._index.id_map).astype(np.int64))
            return ids[~np.isin(ids, list(self._gone))] if self._gone else ids

    def search(self, vector: Vectors, count: int) -> dict[int, float]:
        """Id → cosine of the `count` nearest, or about that when the index is not `exact`; best first."""
        # One question is too little work to share: waiting for other threads costs more, much more on a busy machine.
        faiss.omp_set_num_threads(1)
        with self._lock:
            gone = self._gone
            scores, ids = self._index.search(vector.reshape(1, -1), count + len(gone))
        found = {int(i): float(s) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0 and i not in gone}
        return dict(islice(found.items(), count))

    def vector(self, passage_id: int) -> Vectors:
        """What is held for an id, shape (dimension,). Raises RuntimeError for one it does not hold."""
        with self._lock:
            if passage_id in self._gone:
                raise RuntimeError(f"vector {passage_id} was removed")
            vector: Vectors = self._index.reconstruct(int(passage_id))
        return vector

    def as_held(self, vectors: Vectors) -> Vectors:
        """What the index would hold for these vectors: themselves, or what their codes stand for; same shape."""
        if self.exact or len(vectors) == 0:
            return vectors
        codes = self._no_codes()
        codes.add(vectors)
        held: Vectors = codes.reconstruct_n(0, len(vectors))
        return held

    def add(self, ids: Ids, vectors: Vectors) -> None:
        if not self._gone.isdisjoint(ids.tolist()):
            self._drop_gone()
        with self._lock:
            self._index.add_with_ids(vectors, ids)
        if self.exact and len(self) > EXACT_UNTIL:
            self._compress()

    def remove(self, ids: Ids) -> None:
        with self._lock:
            if self.exact:
                self._index.remove_ids(ids)
            else:
                # FAISS 1.15 leaves their codes behind, and what is added next becomes a mixture of both.
                self._gone = self._gone | set(ids.tolist())
        if len(self._gone) > _GONE_KEPT:
            self._drop_gone()

    def _drop_gone(self) -> None:
        """Make the codes anew without those that were removed: what a code stands for is encoded as that code again."""
        if not self._gone:
            return
        old, ids = self._index.index, faiss.vector_to_array(self._index.id_map).astype(np.int64)
        remaining = faiss.IndexIDMap2(self._no_codes())
        kept = ~np.isin(ids, list(self._gone))
        for start in range(0, len(ids), _CHUNK):
            some = slice(start, start + _CHUNK)
            held = old.reconstruct_n(start, len(ids[some]))
            remaining.add_with_ids(held[kept[some]], ids[some][kept[some]])
        with self._lock:
            self._index, self._gone = remaining, frozenset()

    def _no_codes(self) -> Any:
        """An empty index with the same quantiser."""
        codes: Any = faiss.IndexPQFastScan(self.dimension, self.dimension // 2, 4, faiss.METRIC_INNER_PRODUCT)
        trained: Any = faiss.downcast_index(self._index.index)
        codes.pq = trained.pq
        codes.is_trained = True
        return codes

    def _compress(self) -> None:
        """Go over to codes. Searches go on with the exact index meanwhile; only the one who changes it comes here."""
        held: Vectors = self._index.index.reconstruct_n(0, len(self))
        codes: Any = faiss.IndexPQFastScan(self.dimension, self.dimension // 2, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.omp_set_num_threads(1)  # 192 small problems one after another
        codes.train(held[:: max(1, len(held) // _TRAINED_ON)])
        compressed = faiss.IndexIDMap2(codes)
        compressed.add_with_ids(held, faiss.vector_to_array(self._index.id_map).astype(np.int64))
        with self._lock:
            self._index = compressed
