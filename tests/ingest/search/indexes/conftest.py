"""An index over a small catalog of texts, with toy vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ingest.search.indexes.search_index import SearchIndex
from ingest.store.catalog import Catalog

DIMENSION = 16


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library" / "catalog.db", create=True)
    yield catalog
    catalog.close()


@pytest.fixture
def folder(catalog: Catalog) -> Path:
    return catalog.path.parent / "index"


def opened(folder: Path, fingerprint: str = "toy") -> SearchIndex:
    return SearchIndex(folder, DIMENSION, fingerprint)


def refreshed(folder: Path, catalog: Catalog) -> SearchIndex:
    index = opened(folder)
    index.refresh(catalog)
    return index


def random_texts(count: int, longest: int, seed: int = 1) -> list[str]:
    """Texts of numbers, which the analysis leaves as they are; low ones are common, high ones rare."""
    chosen = np.random.default_rng(seed)
    return [
        " ".join(str(100 + min(int(value), 60)) for value in chosen.geometric(0.08, chosen.integers(3, longest)))
        for _ in range(count)
    ]
