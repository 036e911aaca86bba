"""The file of multilingual-e5-small: weights and vocabulary as they were written, and one line for any other file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ingest.passages.embedders.bundled import multilingual_weights
from ingest.passages.embedders.e5_file import read_e5
from tests.fakes.e5_files import PIECES, SIZES, blocks_of, e5_bytes, tensors


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.bin"


def test_weights_as_they_were_written(file: Path) -> None:
    """A weight is (half byte - 8) × scale; the first sixteen of a block are the low halves of its bytes."""
    halves = np.arange(64).reshape(2, 32) * 7 % 16
    scales = np.array([0.5, 2.0])
    numbers = np.array([1.5, -2.0, 3.25], "<f4")
    file.write_bytes(e5_bytes([("m", 1, 64, blocks_of(scales, halves)), ("v", 0, 3, numbers.tobytes())]))
    source = read_e5(file)
    expected = (halves - 8) * scales[:, None]
    assert source.matrix("m", 2, 32).tolist() == expected.tolist()
    assert source.matrix("m", 1, 64).tolist() == expected.reshape(1, 64).tolist()
    assert source.vector("v", 3).tolist() == [1.5, -2.0, 3.25]
    assert source.sizes == dataclasses.replace(SIZES, epsilon=source.sizes.epsilon)


def test_vocabulary_as_it_was_written(file: Path) -> None:
    """Pieces with their log probabilities; of the map of characters, what NFKC does not do by itself."""
    file.write_bytes(e5_bytes([]))
    vocabulary = read_e5(file).vocabulary
    assert [piece for piece, _ in vocabulary.pieces] == list(PIECES)
    assert [score for _, score in vocabulary.pieces][::10] == [0.0, -10.0]
    assert (vocabulary.begin, vocabulary.padding, vocabulary.end, vocabulary.unknown) == (0, 1, 2, 3)
    assert vocabulary.replaced == {"\u200b": ""}  # ｘ and ～ are x and ~ in NFKC too


def test_the_real_file() -> None:
    """The sizes of multilingual-e5-small, and every tensor that its encoder needs can be decoded."""
    source = read_e5(multilingual_weights())
    sizes = source.sizes
    assert (sizes.hidden, sizes.layers, sizes.heads, sizes.inner) == (384, 12, 12, 1536)
    assert (sizes.vocabulary, sizes.positions, sizes.types) == (250_037, 512, 2)
    assert len(source.vocabulary.pieces) == 250_002
    assert source.vocabulary.pieces[source.vocabulary.begin][0] == "<s>"
    first = next(source.matrix_parts("emb.word", sizes.vocabulary, sizes.hidden))
    assert first.shape[1] == 384
    assert 0.01 < first.std() < 1.0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"magic": b"GGUF"}, "it does not begin with E5S1"),
        ({"version": 2}, "it has version 2 of its layout, not 1"),
        ({"block": 64}, "the sizes in its header do not fit each other"),
        ({"sizes": dataclasses.replace(SIZES, heads=0)}, "the sizes in its header do not fit each other"),
        ({"sizes": dataclasses.replace(SIZES, heads=5)}, "the sizes in its header do not fit each other"),
        ({"sizes": dataclasses.replace(SIZES, types=0)}, "the sizes in its header do not fit each other"),
        ({"sizes": dataclasses.replace(SIZES, vocabulary=4)}, "its vocabulary is larger than its embedding table"),
    ],
)
def test_another_layout(file: Path, changed: dict[str, object], reason: str) -> None:
    """What is wrong with the header is said."""
    file.write_bytes(e5_bytes([], **changed))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=reason):
        read_e5(file)


def test_cut_short_anywhere(file: Path) -> None:
    """Wherever the file ends too early, the error says so; nothing else is raised."""
    whole = e5_bytes(tensors()[:3])
    for length in range(0, len(whole), 13):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut short|does not begin with"):
            read_e5(file)


def test_garbage_anywhere(file: Path) -> None:
    """A file of which some bytes are overwritten is read, or refused by a ValueError."""
    whole = e5_bytes(tensors()[:3])
    header = len(whole) - sum(len(content) for *_, content in tensors()[:3])
    for start in range(0, header, 3):
        file.write_bytes(whole[:start] + b"\xff" * 8 + whole[start + 8 :])
        try:
            read_e5(file)
        except ValueError as error:
            assert "\n" not in str(error)


def test_tensors_that_do_not_fit(file: Path) -> None:
    """A tensor that is missing, of another kind or of another shape is named."""
    file.write_bytes(e5_bytes(tensors()))
    source = read_e5(file)
    with pytest.raises(ValueError, match=r"tensor l9\.q\.w is missing"):
        source.matrix("l9.q.w", 32, 32)
    with pytest.raises(ValueError, match=r"tensor emb\.ln\.w is not a matrix of 1 rows and 32 columns"):
        source.matrix("emb.ln.w", 1, 32)
    with pytest.raises(ValueError, match=r"tensor l0\.q\.w is not a matrix of 31 rows"):
        source.matrix("l0.q.w", 31, 32)
    with pytest.raises(ValueError, match=r"tensor emb\.ln\.w is not a vector of 31"):
        source.vector("emb.ln.w", 31)
    with pytest.raises(ValueError, match=r"tensor l0\.q\.w is not a vector of 1024"):
        source.vector("l0.q.w", 1024)
