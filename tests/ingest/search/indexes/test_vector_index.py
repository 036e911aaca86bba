"""FAISS as we use it: exact while small, compressed when large, the same ids all the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.base.types import Vectors
from ingest.search.indexes import vector_index
from ingest.search.indexes.vector_index import VectorIndex


def unit(count: int, seed: int = 1) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    normalised: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normalised


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> VectorIndex:
    """500 vectors, numbered from 1,000, in an index that compresses from 300 on."""
    monkeypatch.setattr(vector_index, "EXACT_UNTIL", 300)
    index = VectorIndex(16)
    for start in range(0, 500, 100):
        index.add(np.arange(start, start + 100) + 1_000, unit(500)[start : start + 100])
    return index


def test_exact(tmp_path: Path) -> None:
    """Few vectors are kept and found as they are, also after writing and reading."""
    index = VectorIndex(16)
    index.add(np.array([7, 9, 8]), unit(3))
    index.write(tmp_path / "v")
    for held in (index, VectorIndex.read(tmp_path / "v", 16)):
        assert held.exact
        assert held.ids.tolist() == [7, 8, 9]
        assert held.vector(9).tobytes() == unit(3)[1].tobytes()
        assert next(iter(held.search(unit(3)[2], 2))) == 8
        assert held.as_held(unit(3)).tobytes() == unit(3).tobytes()


def test_compressed(large: VectorIndex, tmp_path: Path) -> None:
    """Many are kept as codes under the same ids; nearly all near ones are proposed; they can be removed and added."""
    assert not large.exact
    assert large.ids.tolist() == list(range(1_000, 1_500))
    large.write(tmp_path / "v")
    for held in (large, VectorIndex.read(tmp_path / "v", 16)):
        assert not held.exact
        vectors = unit(500)
        for row in range(0, 500, 50):
            nearest = set((np.argsort(-(vectors @ vectors[row]))[:5] + 1_000).tolist())
            assert nearest <= set(held.search(vectors[row], 60))
        held.remove(np.array([1_010, 1_020]))
        assert len(held) == 498
        assert 1_010 not in held.search(vectors[10], 100)
        with pytest.raises(RuntimeError):
            held.vector(1_010)
        held.add(np.array([5_000]), vectors[10:11])
        assert np.array_equal(held.vector(5_000), held.as_held(vectors[10:11])[0])
        assert next(iter(held.search(vectors[10], 5))) == 5_000
        held.add(np.array([1_010]), vectors[20:21])
        assert next(iter(held.search(vectors[20], 5))) == 1_010
        held.write(tmp_path / "again")
        again = VectorIndex.read(tmp_path / "again", 16)
        assert again.ids.tolist() == held.ids.tolist() == sorted({*range(1_000, 1_500), 5_000} - {1_020})
        assert np.array_equal(again.vector(1_499), again.as_held(vectors[499:])[0])


def test_removing_many(large: VectorIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many are only left out, the codes are written again, and each stands for the same vector as before."""
    monkeypatch.setattr(vector_index, "_MOST_REMOVED", 50)
    before = {i: large.vector(i) for i in range(1_100, 1_500)}
    large.remove(np.arange(1_000, 1_100))
    assert (len(large), large._removed) == (400, frozenset())
    assert all(np.array_equal(large.vector(i), vector) for i, vector in before.items())
    assert large.ids.tolist() == list(range(1_100, 1_500))


def test_as_held(large: VectorIndex) -> None:
    """What a code stands for can be computed from the exact vector, so that a changed code is noticed."""
    expected = large.as_held(unit(500)[40:60])
    assert np.array_equal(expected, np.stack([large.vector(i) for i in range(1_040, 1_060)]))
    assert not np.array_equal(large.as_held(unit(20, seed=9))[0], large.vector(1_040))
    assert large.as_held(unit(0)).shape == (0, 16)


def test_wrong_files(tmp_path: Path) -> None:
    """Another dimension and garbage are refused."""
    index = VectorIndex(16)
    index.write(tmp_path / "v")
    with pytest.raises(ValueError, match="vectors of 16 numbers, not 8"):
        VectorIndex.read(tmp_path / "v", 8)
    (tmp_path / "v").write_bytes(b"no")
    with pytest.raises(RuntimeError):
        VectorIndex.read(tmp_path / "v", 16)


def test_a_copy_is_changed_by_itself(large: VectorIndex) -> None:
    """What is added to a copy or removed from it is not in the original, exact or compressed."""
    small = VectorIndex(16)
    small.add(np.array([1, 2]), unit(2))
    for index in (small, large):
        before = index.ids.tolist()
        copy = index.copy()
        copy.remove(np.array(before[:1]))
        copy.add(np.array([9_000]), unit(1, seed=5))
        assert copy.ids.tolist() == [*before[1:], 9_000]
        assert index.ids.tolist() == before
        assert 9_000 not in index.search(unit(1, seed=5)[0], 3)
        assert next(iter(copy.search(unit(1, seed=5)[0], 3))) == 9_000
