"""The nearest vectors by FAISS: exact up to 50,000 vectors, compressed above.

A compressed index only proposes candidates: the caller orders them by their exact vectors from the catalog
(`IndexSnapshot.dense`).
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from ingest.base.types import Vectors

# Up to this number vectors are kept as they are (77 MB and 3 ms at 384 dimensions); beyond, as product-quantised codes
# of 4 bits for every two dimensions, 16 times smaller and about 20 times faster (André, Kermarrec and Le Scouarnec,
# "Cache locality is not enough", VLDB 2015; in FAISS `IndexPQFastScan`).
EXACT_UNTIL = 50_000
# How many compressed neighbours are compared again by their exact vectors. Of the ten truly nearest of 500,000 mixed
# MiniLM vectors .9955 are among the first 100, all among 200; of 200,000 Gaussian ones .974 are among 200 and .9975
# among 400; of 100,000 mixed e5 vectors, which are nearer to each other, .978 are among 400 and .993 among 800.
PROPOSED = 800
# A quantiser learns from this many vectors; more only take longer.
_TRAINED_ON = 20_000
# This many removed vectors are left out at every search before the codes are written again without them.
_MOST_REMOVED = 1_000
_CHUNK = 10_000

Ids = np.ndarray[Any, np.dtype[np.int64]]


class VectorIndex:
    """Vectors of length 1 by id. Safe to search from many threads while nobody changes it: change a `copy`."""

    def __init__(self, dimension: int, index: Any = None, removed: frozenset[int] = frozenset()) -> None:
        # FAISS's type stubs leave out the NumPy wrappers.
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension)) if index is None else index
        self.dimension = dimension
        # Ids removed from a compressed index: their codes are still in it, and every search leaves them out.
        self._removed = removed

    @classmethod
    def read(cls, path: Path, dimension: int) -> VectorIndex:
        """The index in a file. Raises RuntimeError or ValueError when it is damaged or has another dimension."""
        index = faiss.read_index(str(path))
        if index.d != dimension:
            raise ValueError(f"{path.name} has vectors of {index.d} numbers, not {dimension}")
        return cls(dimension, index)

    def write(self, path: Path) -> None:
        """Write the index to a file, without removed vectors. Raises RuntimeError when it cannot be written."""
        faiss.write_index(self._without_removed(), str(path))

    def copy(self) -> VectorIndex:
        """An index of the same vectors; changing it does not change this one."""
        return VectorIndex(self.dimension, faiss.clone_index(self._index), self._removed)

    def __len__(self) -> int:
        return int(self._index.ntotal) - len(self._removed)

    @property
    def exact(self) -> bool:
        """Whether the vectors are kept as they are, so that `search` and `vector` give exact values."""
        return isinstance(faiss.downcast_index(self._index.index), faiss.IndexFlat)

    @property
    def ids(self) -> Ids:
        """Every id, ascending."""
        ids: Ids = np.sort(faiss.vector_to_array(self._index.id_map).astype(np.int64))
        return ids[~np.isin(ids, list(self._removed))] if self._removed else ids

    def search(self, vector: Vectors, count: int) -> dict[int, float]:
        """Id → cosine of the `count` nearest, best first; approximate when the index is not `exact`."""
        # A single query is too little work for several threads: waiting for them takes longer than the query.
        faiss.omp_set_num_threads(1)
        scores, ids = self._index.search(vector.reshape(1, -1), count + len(self._removed))
        nearest = {
            int(i): float(score)
            for i, score in zip(ids[0], scores[0], strict=True)
            if i >= 0 and i not in self._removed
        }
        return dict(islice(nearest.items(), count))

    def vector(self, passage_id: int) -> Vectors:
        """The vector with this id, shape (dimension,); in a compressed index, the vector decoded from its code.

        Raises RuntimeError for an id that is not in the index.
        """
        if passage_id in self._removed:
            raise RuntimeError(f"vector {passage_id} was removed")
        vector: Vectors = self._index.reconstruct(int(passage_id))
        return vector

    def as_held(self, vectors: Vectors) -> Vectors:
        """The vectors as the index would return them: unchanged, or encoded and decoded; same shape."""
        if self.exact or len(vectors) == 0:
            return vectors
        codes = self._no_codes()
        codes.add(vectors)
        decoded: Vectors = codes.reconstruct_n(0, len(vectors))
        return decoded

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add vectors, shape (len(ids), dimension), under ids that are not in the index."""
        if not self._removed.isdisjoint(ids.tolist()):
            self._drop_removed()
        self._index.add_with_ids(vectors, ids)
        if self.exact and len(self) > EXACT_UNTIL:
            self._compress()

    def remove(self, ids: Ids) -> None:
        """Remove the vectors with these ids."""
        if self.exact:
            self._index.remove_ids(ids)
            return
        # FAISS 1.15 does not remove their codes, and mixes them with the codes of vectors that are added later.
        self._removed |= frozenset(ids.tolist())
        if len(self._removed) > _MOST_REMOVED:
            self._drop_removed()

    def _drop_removed(self) -> None:
        self._index, self._removed = self._without_removed(), frozenset()

    def _without_removed(self) -> Any:
        """A FAISS index without the removed codes; the others are decoded and encoded to the same codes again."""
        if not self._removed:
            return self._index
        ids = faiss.vector_to_array(self._index.id_map).astype(np.int64)
        remaining = faiss.IndexIDMap2(self._no_codes())
        is_kept = ~np.isin(ids, list(self._removed))
        for start in range(0, len(ids), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            decoded = self._index.index.reconstruct_n(start, len(ids[chunk]))
            remaining.add_with_ids(decoded[is_kept[chunk]], ids[chunk][is_kept[chunk]])
        return remaining

    def _no_codes(self) -> Any:
        """An empty index with the same quantiser."""
        codes: Any = faiss.IndexPQFastScan(self.dimension, self.dimension // 2, 4, faiss.METRIC_INNER_PRODUCT)
        trained: Any = faiss.downcast_index(self._index.index)
        codes.pq = trained.pq
        codes.is_trained = True
        return codes

    def _compress(self) -> None:
        """Replace the exact vectors by codes."""
        vectors: Vectors = self._index.index.reconstruct_n(0, len(self))
        codes: Any = faiss.IndexPQFastScan(self.dimension, self.dimension // 2, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.omp_set_num_threads(1)  # 192 small problems one after another
        codes.train(vectors[:: max(1, len(vectors) // _TRAINED_ON)])
        compressed = faiss.IndexIDMap2(codes)
        compressed.add_with_ids(vectors, faiss.vector_to_array(self._index.id_map).astype(np.int64))
        self._index = compressed
