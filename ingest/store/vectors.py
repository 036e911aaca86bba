"""Vectors and packed multi-vector embeddings of passages, read from the catalog."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from ingest.base.types import Vectors
from ingest.store.database import Database


def vector_of(row: sqlite3.Row) -> Vectors:
    """The passage's vector, shape (dimension,)."""
    return np.frombuffer(row["vector"], "<f4").astype(np.float32)


def exact_cosines(catalog: Database, vector: Vectors, ids: Sequence[int]) -> dict[int, float]:
    """Passage id → cosine, -1 to 1, of its vector and `vector`, which has length 1 and shape (dimension,).

    Ids that the catalog no longer has are left out.
    """
    cosines: dict[int, float] = {}
    for rows in catalog.rows_by_id("SELECT id, vector FROM passages WHERE id IN ({ids})", ids):
        vectors = np.frombuffer(b"".join(row["vector"] for row in rows), "<f4").reshape(len(rows), -1)
        cosines.update(zip((int(row["id"]) for row in rows), (vectors @ vector).tolist(), strict=True))
    return cosines


def packed_multi_vectors(catalog: Database, ids: Sequence[int]) -> dict[int, bytes]:
    """Passage id → its packed multi-vector embedding; ids that the catalog no longer has are left out."""
    chunks = catalog.rows_by_id("SELECT id, views FROM passages WHERE id IN ({ids})", ids)
    return {int(row["id"]): row["views"] for rows in chunks for row in rows}
