"""The passages nearest to a vector, of all or of some. Knows nothing of words."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.base.types import Vectors
from ingest.search.indexes.snapshot import IndexSnapshot
from ingest.store.catalog import Catalog


def nearest(
    index: IndexSnapshot, catalog: Catalog, vector: Vectors, count: int, among: Sequence[int] | None = None
) -> dict[int, float]:
    """Passage id → cosine of the `count` nearest, best first; with `among` of these passages only, exactly."""
    if among is None:
        return index.dense(vector, count, catalog)
    cosines = index.cosines(vector, among, catalog)
    return dict(sorted(cosines.items(), key=lambda item: (-item[1], item[0]))[:count])
