"""What the catalog keeps of passages as numbers: their vectors, and their packed views. Knows nothing of any index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from ingest.base.types import Vectors
from ingest.store.database import Database

# SQLite allows 32,766 variables in a statement.
_CHUNK = 10_000


def vector_of(row: sqlite3.Row) -> Vectors:
    """The passage's vector, shape (dimension,)."""
    return np.frombuffer(row["vector"], "<f4").astype(np.float32)


def exact_cosines(catalog: Database, vector: Vectors, ids: Sequence[int]) -> dict[int, float]:
    """Passage id → cosine of its own vector, -1 to 1; ids that are gone are left out."""
    cosines: dict[int, float] = {}
    for rows in _columns(catalog, "id, vector", ids):
        vectors = np.frombuffer(b"".join(row["vector"] for row in rows), "<f4").reshape(len(rows), -1)
        cosines.update(zip((int(row["id"]) for row in rows), (vectors @ vector).tolist(), strict=True))
    return cosines


def packed_multi_vectors(catalog: Database, ids: Sequence[int]) -> dict[int, bytes]:
    """Passage id → its packed views; ids that are gone are left out."""
    return {int(row["id"]): row["views"] for rows in _columns(catalog, "id, views", ids) for row in rows}


def _columns(catalog: Database, columns: str, ids: Sequence[int]) -> Iterator[list[sqlite3.Row]]:
    """Rows of the passages with these ids, as many at a time as SQLite takes; never an empty list."""
    for start in range(0, len(ids), _CHUNK):
        chunk = [int(i) for i in ids[start : start + _CHUNK]]
        rows = catalog.rows(f"SELECT {columns} FROM passages WHERE id IN ({','.join('?' * len(chunk))})", chunk)
        if rows:
            yield rows
