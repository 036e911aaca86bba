"""A snapshot's dense search: the nearest of all passages and the nearest of some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.search.indexes.search_index import SearchIndex
from ingest.store.catalog import Catalog
from tests.conftest import PutDocument, toy_vectors

TEXTS = ["annual leave", "sick leave", "the vpn client", "travel expenses", "annual report"]


def test_dense(tmp_path: Path, put: PutDocument) -> None:
    """Cosines and order are those of the stored vectors; with ids given, only these passages are searched."""
    catalog = Catalog(tmp_path / "catalog.db", create=True)
    put(catalog, "a.md", TEXTS)
    follower = SearchIndex(tmp_path / "index", 16, "toy")
    follower.refresh(catalog)
    index = follower.snapshot
    ids = [int(i) for i in catalog.passage_ids()]
    vector = toy_vectors(["annual leave of staff"])[0]
    cosines = dict(zip(ids, (toy_vectors(TEXTS) @ vector).tolist(), strict=True))
    ranked = sorted(ids, key=lambda passage_id: -cosines[passage_id])
    of_all = index.dense(vector, 3, catalog)
    assert list(of_all) == ranked[:3]
    chosen = [ids[4], ids[1], ids[2], 999]
    of_some = index.dense(vector, 2, catalog, chosen)
    assert list(of_some) == [passage_id for passage_id in ranked if passage_id in chosen][:2]
    for values in (of_all, of_some):
        assert list(values.values()) == pytest.approx([cosines[passage_id] for passage_id in values], abs=1e-6)
    assert index.dense(vector, 2, catalog, []) == {}
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    follower.close()
    catalog.close()
