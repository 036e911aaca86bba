"""Multi-vector embeddings: besides its own vector, a passage has one for each sentence and one for its surroundings.

In the vector of a whole passage, the one sentence that answers has little weight, and a passage does not contain the
other text of its section. Therefore both are embedded when a document is ingested. They are stored as signed bytes, one
byte per dimension for every sentence and for the surroundings: about 2.3 kB a passage with 384 dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np

from ingest.base.types import Passage, Vectors
from ingest.passages.embedders.embedder import UNREADABLE_SHARE, Embedder
from ingest.passages.sentences import readable, sentences_and_rows

# Passages before and after a passage that are its surroundings if they are under the same heading. Of 1, 2, 3 and all,
# 3 was as good as all on the headings of 18F's handbook (.644 nDCG@10; .634 for 1) and no different on XQuAD. With all,
# the passages of a long section would have nearly the same surroundings.
SURROUNDING = 3
# Passages whose sentences are embedded in one call: fast, and little memory even for a long document.
_PASSAGES_PER_CALL = 256
_SCALE_BYTES = 4


def pack_multi_vectors(
    documents: Sequence[Sequence[Passage]], vectors: Sequence[Vectors], embedder: Embedder
) -> list[list[bytes]]:
    """For each document the packed vectors of each of its passages; b"" for a passage that the embedder cannot read.

    `vectors` has for each document the vectors of its passages, shape (passages, dimension).
    """
    packed: list[list[bytes]] = [[] for _ in documents]
    all_passages = [
        (document, number) for document, passages in enumerate(documents) for number in range(len(passages))
    ]
    for first in range(0, len(all_passages), _PASSAGES_PER_CALL):
        batch = all_passages[first : first + _PASSAGES_PER_CALL]
        sentences = [_readable_sentences(documents[document][number].text, embedder) for document, number in batch]
        texts = [text for of_passage in sentences for text in of_passage]
        embedded = iter(embedder.embed_passages(texts)) if texts else iter(())
        for (document, number), of_passage in zip(batch, sentences, strict=True):
            surroundings = _surroundings(documents[document], vectors[document], number)
            rows = [surroundings, *islice(embedded, len(of_passage))]
            packed[document].append(_pack(np.stack(rows)) if of_passage else b"")
    return packed


def _readable_sentences(text: str, embedder: Embedder) -> list[str]:
    """The sentences and rows of a passage as they are embedded; [] when the embedder knows too few of its tokens."""
    if embedder.unknown_share(text) >= UNREADABLE_SHARE:
        return []
    return [readable(text[start:end], header) for start, end, header in sentences_and_rows(text)]


def unpack_multi_vectors(packed: bytes, dimension: int) -> Vectors:
    """Shape (1 + sentences and rows, dimension), (0, dimension) for b"".

    Row 0 is the surroundings, then each sentence and row in order; each has length 1, less the rounding of `_pack`.
    """
    if not packed:
        return np.zeros((0, dimension), np.float32)
    scale = np.frombuffer(packed, "<f4", 1)[0]
    rows = np.frombuffer(packed, np.int8, offset=_SCALE_BYTES).reshape(-1, dimension)
    vectors: Vectors = rows.astype(np.float32) * scale
    return vectors


def _surroundings(passages: Sequence[Passage], vectors: Vectors, number: int) -> Vectors:
    """Mean direction of a passage and of those near it under the same heading, shape (dimension,)."""
    first = max(0, number - SURROUNDING)
    nearby = [
        index
        for index in range(first, min(len(passages), number + SURROUNDING + 1))
        if passages[index].heading == passages[number].heading
    ]
    total = vectors[nearby].sum(axis=0)
    mean: Vectors = total / max(float(np.linalg.norm(total)), 1e-12)
    return mean


def _pack(vectors: Vectors) -> bytes:
    """One scale for all rows (float32), then a signed byte for each number: cosines change by less than 0.005."""
    scale = max(float(np.abs(vectors).max()), 1e-12) / 127
    signed: bytes = np.round(vectors / scale).astype(np.int8).tobytes()
    return np.array(scale, "<f4").tobytes() + signed
