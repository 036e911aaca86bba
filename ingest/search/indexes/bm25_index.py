"""BM25 over passages in Tantivy: an index that is searched, and the writer that makes the next one.

A published folder is never changed: `BM25Writer.copy_of` copies it by hard links, which takes neither time nor space.
That is safe because Tantivy writes every file of a segment once and replaces `meta.json` by renaming.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tantivy

from ingest.search.indexes.vector_index import Ids

# Tantivy's BM25 constant k1 (its source, query/bm25.rs); a term's score never exceeds idf * (k1 + 1).
_K1 = 1.2
# Memory in which Tantivy collects new passages before it writes a segment; it needs at least 15 MB.
_WRITER_BYTES = 50_000_000
# Ids in one query that removes passages.
_CHUNK = 2_000


class BM25Index:
    """The terms of passages by passage id, as of one commit. Never changes; safe to share between threads."""

    def __init__(self, index: Any) -> None:
        """Search the last commit of a `tantivy.Index`."""
        self._schema = index.schema
        self._searcher = index.searcher()

    @classmethod
    def open(cls, folder: Path) -> BM25Index:
        """The index in a folder. Raises ValueError when Tantivy cannot open it."""
        return cls(tantivy.Index.open(str(folder)))

    @classmethod
    def empty(cls) -> BM25Index:
        """An index without passages, in memory."""
        return cls(tantivy.Index(_schema()))

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query_terms: Sequence[str], count: int, among: Sequence[int] | None = None) -> dict[int, float]:
        """Passage id → BM25 of the `count` best, of all passages or of those with the ids `among`.

        A term counts once, also when `query_terms` has it several times.
        """
        unique = sorted(set(query_terms))
        if not unique or count < 1 or (among is not None and not among):
            return {}
        query = tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "terms", term, index_option="freq"))
                for term in unique
            ]
        )
        if among is not None:
            by_id = tantivy.Query.term_set_query(self._schema, "id", [int(i) for i in among])
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, tantivy.Query.const_score_query(by_id, 0.0)), (tantivy.Occur.Should, query)]
            )
        hits = self._searcher.search(query, count, count=False).hits
        ids = self._searcher.fast_field_values("id", [address for _, address in hits])
        return {int(i): float(score) for i, (score, _) in zip(ids, hits, strict=True)}

    def inverse_frequencies(self, query_terms: Sequence[str]) -> dict[str, float]:
        """Term → its BM25 weight, ln(1 + (N - n + 0.5) / (n + 0.5)), for n of N passages that have it."""
        # Tantivy counts passages that were dropped until their segment is merged, here as in its own scores.
        total = self._searcher.doc_freq("any", 1)
        # In the order of the question, so that a sum of weights is the same to the last bit in every process.
        counts = {term: min(self._searcher.doc_freq("terms", term), total) for term in dict.fromkeys(query_terms)}
        return {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in counts.items()}

    def passage_counts(self, query_terms: Sequence[str]) -> dict[str, int]:
        """Term → how many passages have it. Passages that were removed count until their segment is merged."""
        return {term: int(self._searcher.doc_freq("terms", term)) for term in query_terms}

    def terms_with_prefix(self, prefix: str) -> dict[str, int]:
        """Term → how many passages have it, for the terms that begin with `prefix`, the most frequent first."""
        return dict(self._searcher.terms_with_prefix("terms", prefix))

    def bound(self, query_terms: Sequence[str]) -> float:
        """The BM25 score that no passage can exceed for these terms; 0 when there are none."""
        return (_K1 + 1) * sum(self.inverse_frequencies(query_terms).values())

    def digests(self) -> dict[int, int]:
        """Passage id → `digest_of` the terms it was added with; -1 for a passage that is in the index twice or more."""
        hits = self._searcher.search(tantivy.Query.all_query(), max(1, self._searcher.num_docs)).hits
        addresses = [address for _, address in hits]
        by_id: dict[int, int] = {}
        ids, digests = (self._searcher.fast_field_values(field, addresses) for field in ("id", "digest"))
        for passage_id, digest in zip(ids, digests, strict=True):
            by_id[int(passage_id)] = -1 if int(passage_id) in by_id else int(digest or 0)
        return by_id

    @property
    def ids(self) -> Ids:
        """Every passage id in the index, ascending."""
        return np.array(sorted(self.digests()), np.int64)


class BM25Writer:
    """Changes a Tantivy folder, or an index in memory. For one thread; many threads may search what it commits."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make an index without passages in `folder`, which must not exist; without a folder, in memory."""
        if folder is None:
            self._index = tantivy.Index(_schema())
        else:
            folder.mkdir()
            self._index = tantivy.Index(_schema(), path=str(folder))
        self._writer: Any = None

    @classmethod
    def copy_of(cls, published: Path, folder: Path) -> BM25Writer:
        """Copy the index in `published` into `folder`, which must not exist, and open the copy for writing.

        Raises OSError when the disk is full or `published` was deleted, ValueError when it is damaged.
        """
        folder.mkdir()
        for file in published.iterdir():
            if not file.name.endswith(".lock"):
                _link(file, folder / file.name)
        writer = cls.__new__(cls)
        writer._index, writer._writer = tantivy.Index.open(str(folder)), None
        return writer

    def add(self, passage_id: int, passage_terms: Sequence[str]) -> None:
        """Add a passage. Searches find it after the next `commit`."""
        entry = tantivy.Document()
        entry.add_unsigned("id", passage_id)
        entry.add_unsigned("any", 1)
        entry.add_unsigned("digest", digest_of(passage_terms))
        entry.add_text("terms", " ".join(passage_terms))
        self._open_writer().add_document(entry)

    def remove(self, ids: Ids) -> None:
        """Remove the passages with these ids. Searches find them until the next `commit`."""
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK].tolist()
            query = tantivy.Query.term_set_query(self._index.schema, "id", chunk)
            self._open_writer().delete_documents_by_query(query)

    def commit(self) -> BM25Index:
        """The index with all changes so far. Raises ValueError when they cannot be written."""
        if self._writer is not None:
            self._writer.commit()
            self._index.reload()
        return BM25Index(self._index)

    def finish(self) -> None:
        """Wait for running merges. Nothing is written afterwards until the next `add` or `remove`."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.wait_merging_threads()

    def _open_writer(self) -> Any:
        if self._writer is None:
            self._writer = self._index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        return self._writer


def digest_of(passage_terms: Sequence[str]) -> int:
    """A 63-bit digest of a passage's terms, in order."""
    return int.from_bytes(hashlib.blake2b(" ".join(passage_terms).encode(), digest_size=8).digest()) >> 1


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", stored=False, indexed=True, fast=True)
    # The same in every passage, so that its frequency is their number as Tantivy counts it.
    builder.add_unsigned_field("any", stored=False, indexed=True)
    # A digest of the terms, so that `check` can compare them with those of the catalog's passage.
    builder.add_unsigned_field("digest", stored=False, indexed=False, fast=True)
    builder.add_text_field("terms", stored=False, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _link(source: Path, target: Path) -> None:
    # JSON files are copied: Tantivy replaces meta.json by renaming, but may change its other small files in place.
    if source.suffix != ".json":
        try:
            os.link(source, target)
            return
        except OSError:  # a file system without hard links
            pass
    shutil.copyfile(source, target)
