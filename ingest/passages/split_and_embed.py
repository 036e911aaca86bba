"""Split documents into passages and embed the passages, many documents at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from ingest.base.types import Passage, ReadDocument, Vectors
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.multi_vector import pack_multi_vectors
from ingest.passages.split import embedded_context, split
from ingest.store.catalog import Catalog

# The longest passage, in tokens of the embedder: what retrieves best, not what an embedder can read.
PASSAGE_TOKENS = 256
_RATE_NOTE = "passages_per_second"
NO_VECTORS: Vectors = np.zeros((0, 0), np.float32)


class PassageEmbedder:
    """Splits documents and embeds passages. Opens the embedder at first use and measures its rate."""

    def __init__(self, load: Callable[[], Embedder]) -> None:
        self._load = load
        self._passages = 0
        self._seconds = 0.0

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder, loaded at first use."""
        return self._load()

    def split(self, document: ReadDocument) -> list[Passage]:
        """The passages of a document, each short enough for the embedder."""
        return split(document, self.embedder.count_tokens, self._limit)

    @property
    def _limit(self) -> int:
        return min(PASSAGE_TOKENS, self.embedder.passage_tokens)

    def embed(self, documents: Sequence[tuple[str, Sequence[Passage]]]) -> list[tuple[Vectors, list[bytes]]]:
        """For each (title, passages) the vectors, shape (passages, dimension), and the packed multi-vectors.

        All texts are embedded together: the embedder is fastest with many texts of similar length.
        """
        if not documents:
            return []
        count_tokens, limit = self.embedder.count_tokens, self._limit
        texts = [
            f"{embedded_context(title, passage.heading, count_tokens, limit)}\n{passage.text}"
            for title, passages in documents
            for passage in passages
        ]
        started = time.monotonic()
        all_vectors = self.embedder.embed_passages(texts)
        ends = np.cumsum([len(passages) for _, passages in documents])
        vectors = np.split(all_vectors, ends[:-1])
        packed = pack_multi_vectors([passages for _, passages in documents], self.embedder)
        self._seconds += time.monotonic() - started
        self._passages += len(texts)
        return list(zip(vectors, packed, strict=True))

    def save_rate(self, catalog: Catalog) -> None:
        """Store the rate, in passages per second, in the catalog for `estimated_rebuild_minutes`."""
        if self._seconds > 0:
            catalog.set_note(_RATE_NOTE, round(self._passages / self._seconds, 2))


def estimated_rebuild_minutes(catalog: Catalog) -> int | None:
    """Minutes to embed all passages again at the rate of the last run, at least 1; None when the rate is unknown."""
    rate = catalog.note(_RATE_NOTE)
    return max(1, round(catalog.counts()[1] / rate / 60)) if rate else None
