"""Documents to passages with vectors: embedded together, each passage keeps its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.base.types import Page, ReadDocument
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.multi_vector import pack_multi_vectors
from ingest.passages.split_and_embed import PassageEmbedder, estimated_rebuild_minutes
from ingest.store.catalog import Catalog

TEXTS = {
    "Leave": "Full-time staff get 25 days of leave. " * 40,
    "Empty": "",
    "VPN": "Error E-07 means that the certificate has expired.",
}


def test_every_passage_has_its_own_vector(embedder: Embedder) -> None:
    """However many documents go to the embedder together, vectors come back as if each had gone alone."""
    maker = PassageEmbedder(lambda: embedder)
    documents = [ReadDocument(title, (Page("", text),)) for title, text in TEXTS.items()]
    split = [(document.title, maker.split(document)) for document in documents]
    assert [len(passages) > 1 for _, passages in split] == [True, False, False]
    together = maker.embed(split)
    assert [len(vectors) for vectors, _ in together] == [len(passages) for _, passages in split]
    for (title, passages), (vectors, packed) in zip(split, together, strict=True):
        assert packed == pack_multi_vectors([passages], embedder)[0]
        assert all(packed)
        for passage, vector in zip(passages, vectors, strict=True):
            alone = embedder.embed_passages([f"{title}\n{passage.text}"])[0]
            assert float(alone @ vector) == pytest.approx(1.0, abs=2e-3)
    assert maker.embed([]) == []


def test_opened_when_needed() -> None:
    """Who has nothing to embed does not wait for the model."""
    maker = PassageEmbedder(lambda: pytest.fail("opened"))
    assert maker.embed([]) == []


def test_rate_is_remembered(embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild can say how long it takes once something was embedded, and not before."""
    catalog = Catalog(tmp_path / "catalog.db", create=True)
    maker = PassageEmbedder(lambda: embedder)
    maker.save_rate(catalog)
    assert estimated_rebuild_minutes(catalog) is None
    maker.embed([("VPN", maker.split(ReadDocument("VPN", (Page("", TEXTS["VPN"]),))))])
    maker.save_rate(catalog)
    assert catalog.note("passages_per_second") > 0
    catalog.set_note("passages_per_second", 50.0)
    monkeypatch.setattr(Catalog, "counts", lambda _self: (100, 9_000))
    assert estimated_rebuild_minutes(catalog) == 3
    catalog.close()


def test_vectors_are_float32(embedder: Embedder) -> None:
    """As the catalog and the index hold them."""
    maker = PassageEmbedder(lambda: embedder)
    ((vectors, _),) = maker.embed([("VPN", maker.split(ReadDocument("VPN", (Page("", TEXTS["VPN"]),))))])
    assert vectors.dtype == np.float32
