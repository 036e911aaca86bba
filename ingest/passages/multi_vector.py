"""A passage seen three ways: by itself, by its statements, and with the passages around it. Knows nothing of storage.

One vector for a whole passage blurs the sentence that answers, and one passage cut from a section has lost what the
rest of it says. Both are embedded when a document is taken in and kept as signed bytes: for every statement and once
for the surroundings as many bytes as the embedder has dimensions, about 2.3 kB a passage with 384 of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from ingest.base.types import Passage, Vectors
from ingest.passages.embedders.embedder import UNREADABLE_SHARE, Embedder
from ingest.passages.sentences import readable, sentences_and_rows

# Passages before and after that count as the surroundings, as long as they stand under the same heading. The whole
# of a long section would be everyone's neighbour; of 1, 2, 3 and all, 3 was as good as all on the headings of 18F's
# handbook (.644 nDCG@10; .634 for 1) and no different on XQuAD.
SURROUNDING = 3
# Passages whose statements go to the embedder together: fast, and the vectors of a long document take no room.
_TOGETHER = 256
_SCALE_BYTES = 4


def pack_multi_vectors(
    documents: Sequence[Sequence[Passage]], vectors: Sequence[Vectors], embedder: Embedder
) -> list[list[bytes]]:
    """For each document the other views of each of its passages; empty for a passage that the embedder cannot read.

    `vectors` has the passages' own for each document, shape (passages, dimension).
    """
    packed: list[list[bytes]] = [[] for _ in documents]
    places = [(number, place) for number, passages in enumerate(documents) for place in range(len(passages))]
    for first in range(0, len(places), _TOGETHER):
        some = places[first : first + _TOGETHER]
        texts = [_readable_statements(documents[number][place].text, embedder) for number, place in some]
        together = [text for own in texts for text in own]
        embedded = iter(embedder.embed_passages(together)) if together else iter(())
        for (number, place), own in zip(some, texts, strict=True):
            surroundings = _surroundings(documents[number], vectors[number], place)
            rows = [surroundings, *islice(embedded, len(own))]
            packed[number].append(_pack(np.stack(rows)) if own else b"")
    return packed


def _readable_statements(text: str, embedder: Embedder) -> list[str]:
    if embedder.unknown_share(text) >= UNREADABLE_SHARE:
        return []
    return [readable(text[start:end], header) for start, end, header in sentences_and_rows(text)]


def unpack_multi_vectors(packed: bytes, dimension: int) -> Vectors:
    """Row 0 the surroundings, then each statement in order, each of about length 1; no rows when nothing is packed."""
    if not packed:
        return np.zeros((0, dimension), np.float32)
    scale = np.frombuffer(packed, "<f4", 1)[0]
    rows = np.frombuffer(packed, np.int8, offset=_SCALE_BYTES).reshape(-1, dimension)
    views: Vectors = rows.astype(np.float32) * scale
    return views


def _surroundings(passages: Sequence[Passage], vectors: Vectors, place: int) -> Vectors:
    """Mean direction of the passage and of those near it under the same heading, shape (dimension,)."""
    first = max(0, place - SURROUNDING)
    near = [
        number
        for number in range(first, min(len(passages), place + SURROUNDING + 1))
        if passages[number].heading == passages[place].heading
    ]
    total = vectors[near].sum(axis=0)
    mean: Vectors = total / max(float(np.linalg.norm(total)), 1e-12)
    return mean


def _pack(views: Vectors) -> bytes:
    """One scale for all rows, then a signed byte for each number: cosines change by less than 0.005."""
    scale = max(float(np.abs(views).max()), 1e-12) / 127
    signed: bytes = np.round(views / scale).astype(np.int8).tobytes()
    return np.array(scale, "<f4").tobytes() + signed
