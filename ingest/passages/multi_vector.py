"""Multi-vector embeddings: besides its own vector, a passage has one for each of its sentences and table rows.

In the vector of a whole passage, the one sentence that answers has little weight. Therefore each sentence is embedded
when a document is ingested. The vectors are stored as signed bytes, one byte per dimension: about 2 kB a passage with
384 dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from ingest.base.types import Passage, Vectors
from ingest.passages.embedders.embedder import UNREADABLE_SHARE, Embedder
from ingest.passages.sentences import readable, sentences_and_rows

# Passages whose sentences are embedded in one call: fast, and little memory even for a long document.
_PASSAGES_PER_CALL = 256
_SCALE_BYTES = 4


def pack_multi_vectors(documents: Sequence[Sequence[Passage]], embedder: Embedder) -> list[list[bytes]]:
    """For each document the packed vectors of each of its passages; b"" for a passage that the embedder cannot read."""
    packed: list[list[bytes]] = [[] for _ in documents]
    all_passages = [(document, passage) for document, passages in enumerate(documents) for passage in passages]
    for first in range(0, len(all_passages), _PASSAGES_PER_CALL):
        batch = all_passages[first : first + _PASSAGES_PER_CALL]
        sentences = [_readable_sentences(passage.text, embedder) for _, passage in batch]
        # Rows of tables and lines of forms are often the same.
        numbers = {text: number for number, text in enumerate(dict.fromkeys(chain.from_iterable(sentences)))}
        vectors = embedder.embed_passages(list(numbers)) if numbers else np.zeros((0, 0), np.float32)
        for (document, _), of_passage in zip(batch, sentences, strict=True):
            packed[document].append(_pack(vectors[[numbers[text] for text in of_passage]]) if of_passage else b"")
    return packed


def _readable_sentences(text: str, embedder: Embedder) -> list[str]:
    """The sentences and rows of a passage as they are embedded; [] when the embedder knows too few of its tokens."""
    if embedder.unknown_share(text) >= UNREADABLE_SHARE:
        return []
    return [readable(text[start:end], header) for start, end, header in sentences_and_rows(text)]


def unpack_multi_vectors(packed: bytes, dimension: int) -> Vectors:
    """The vector of each sentence and row in order, shape (sentences and rows, dimension); (0, dimension) for b"".

    Each has length 1, less the rounding of `_pack`.
    """
    if not packed:
        return np.zeros((0, dimension), np.float32)
    scale = np.frombuffer(packed, "<f4", 1)[0]
    rows = np.frombuffer(packed, np.int8, offset=_SCALE_BYTES).reshape(-1, dimension)
    # Up to version 0.1 the scale was positive, and the first row was the vector of the passage's section.
    if scale > 0:
        rows = rows[1:]
    vectors: Vectors = rows.astype(np.float32) * abs(scale)
    return vectors


def _pack(vectors: Vectors) -> bytes:
    """One scale for all rows (float32, negative), then a signed byte for each number.

    Cosines change by less than 0.005.
    """
    scale = max(float(np.abs(vectors).max()), 1e-12) / 127
    signed: bytes = np.round(vectors / scale).astype(np.int8).tobytes()
    return np.array(-scale, "<f4").tobytes() + signed
