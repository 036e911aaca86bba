"""Tantivy as we use it; that its scores are BM25 is proved in `test_search_index`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ingest.search.indexes.bm25_index import BM25Index, digest_of


def filled(index: BM25Index) -> BM25Index:
    index.add(5, ["red", "apple"])
    index.add(6, ["green", "apple"])
    index.commit()
    return index


def test_seen_after_commit(tmp_path: Path) -> None:
    """In memory and in a folder alike: what was added and removed counts from the commit on."""
    for index in (BM25Index(), BM25Index(tmp_path / "words")):
        filled(index)
        assert list(index.search(["red"], 5)) == [5]
        index.remove(np.array([5]))
        assert list(index.search(["red"], 5)) == [5]
        index.commit()
        assert index.search(["red"], 5) == {}
        assert (len(index), index.ids.tolist()) == (1, [6])


def test_changing_a_copy(tmp_path: Path) -> None:
    """The original never notices."""
    published = filled(BM25Index(tmp_path / "published"))
    published.finish()
    copy = BM25Index.open(tmp_path / "published").changeable_copy(tmp_path / "published", tmp_path / "copy")
    copy.remove(np.array([5]))
    copy.add(7, ["blue", "plum"])
    copy.commit()
    copy.finish()
    assert copy.ids.tolist() == [6, 7]
    assert BM25Index.open(tmp_path / "published").ids.tolist() == [5, 6]
    assert BM25Index.open(tmp_path / "copy").ids.tolist() == [6, 7]


def test_digests() -> None:
    """Each passage has the digest of its own words; one that is in it twice has none."""
    index = filled(BM25Index())
    assert index.digests() == {5: digest_of(["red", "apple"]), 6: digest_of(["green", "apple"])}
    index.add(6, ["other"])
    index.commit()
    assert index.digests()[6] == -1
    assert digest_of(["red", "apple"]) != digest_of(["apple", "red"])
