"""Tantivy as we use it; that its scores are BM25 is proved in `test_search_index`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ingest.search.indexes.bm25_index import BM25Index, BM25Writer, digest_of


def fill(writer: BM25Writer) -> BM25Index:
    writer.add(5, ["red", "apple"])
    writer.add(6, ["green", "apple"])
    return writer.commit()


def test_seen_after_commit(tmp_path: Path) -> None:
    """In memory and in a folder alike: a commit gives an index with the changes, and an earlier one stays as it was."""
    for writer in (BM25Writer(), BM25Writer(tmp_path / "words")):
        earlier = fill(writer)
        assert list(earlier.search(["red"], 5)) == [5]
        writer.remove(np.array([5]))
        index = writer.commit()
        assert list(earlier.search(["red"], 5)) == [5]
        assert index.search(["red"], 5) == {}
        assert (len(index), index.ids.tolist()) == (1, [6])


def test_changing_a_copy(tmp_path: Path) -> None:
    """The folder that was copied stays as it was."""
    published = BM25Writer(tmp_path / "published")
    fill(published)
    published.finish()
    copy = BM25Writer.copy_of(tmp_path / "published", tmp_path / "copy")
    copy.remove(np.array([5]))
    copy.add(7, ["blue", "plum"])
    assert copy.commit().ids.tolist() == [6, 7]
    copy.finish()
    assert BM25Index.open(tmp_path / "published").ids.tolist() == [5, 6]
    assert BM25Index.open(tmp_path / "copy").ids.tolist() == [6, 7]


def test_digests() -> None:
    """Each passage has the digest of its terms; a passage that is in the index twice has -1."""
    writer = BM25Writer()
    assert fill(writer).digests() == {5: digest_of(["red", "apple"]), 6: digest_of(["green", "apple"])}
    writer.add(6, ["other"])
    assert writer.commit().digests()[6] == -1
    assert digest_of(["red", "apple"]) != digest_of(["apple", "red"])
