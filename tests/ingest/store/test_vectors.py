"""Vectors and multi-vectors as the catalog keeps them: the right ones, however many are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.base.types import Page, Passage, ReadDocument
from ingest.store import database
from ingest.store.catalog import Catalog
from ingest.store.records import NewDocument, NewFile
from ingest.store.vectors import exact_cosines, packed_multi_vectors, vector_of
from tests.conftest import toy_vectors

TEXTS = ["annual leave", "sick leave", "the vpn client", "travel expenses", "annual report"]


@pytest.mark.parametrize("chunk", [1, 2, 10_000])
def test_each_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Whatever is asked for at a time, in any order; an id that is gone is left out."""
    monkeypatch.setattr(database, "_IDS_AT_ONCE", chunk)
    catalog = Catalog(tmp_path / "catalog.db", create=True)
    passages = [Passage(number, text, "", "", 0, len(text)) for number, text in enumerate(TEXTS)]
    own = toy_vectors(TEXTS)
    multi_vectors = [f"multi_vectors of {text}".encode() for text in TEXTS]
    new = NewDocument(ReadDocument("T", (Page("", "\n".join(TEXTS)),)), passages, own, multi_vectors=multi_vectors)
    catalog.put([NewFile(tmp_path / "a.md", tmp_path, 1, 1, 0, "abc", (new,))])
    ids = [int(i) for i in catalog.passage_ids()]
    assert all(np.array_equal(vector_of(row), own[ids.index(i)]) for i, row in catalog.passages(ids).items())
    asked = [ids[3], 999, ids[0], ids[4]]
    question = toy_vectors(["annual leave of staff"])[0]
    assert exact_cosines(catalog, question, asked) == pytest.approx(
        {ids[number]: float(own[number] @ question) for number in (3, 0, 4)}, abs=1e-6
    )
    assert packed_multi_vectors(catalog, asked) == {ids[number]: multi_vectors[number] for number in (3, 0, 4)}
    assert (exact_cosines(catalog, question, [999]), packed_multi_vectors(catalog, [])) == ({}, {})
    catalog.close()
