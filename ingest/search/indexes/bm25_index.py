"""Passages by their words: BM25 in a Tantivy folder. Knows neither documents nor what a word is.

A folder is never changed where it was published: `changeable_copy` makes one of hard links, which costs nothing,
because Tantivy writes every file of a segment once and replaces `meta.json` by renaming.
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
_WRITER_BYTES = 50_000_000
_CHUNK = 2_000


class BM25Index:
    """Terms by passage id. Safe to search from many threads while one adds, removes and commits."""

    def __init__(self, folder: Path | None = None) -> None:
        """Empty; in memory without a folder: an empty library needs none."""
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("id", stored=False, indexed=True, fast=True)
        # The same in every passage, so that its frequency is their number as Tantivy counts it.
        builder.add_unsigned_field("any", stored=False, indexed=True)
        # What the terms were, in short, so that `check` can tell whether they are still those of the passage.
        builder.add_unsigned_field("digest", stored=False, indexed=False, fast=True)
        builder.add_text_field("terms", stored=False, tokenizer_name="whitespace", index_option="freq")
        if folder is not None:
            folder.mkdir()
        schema = builder.build()
        self._take(tantivy.Index(schema, path=str(folder)) if folder is not None else tantivy.Index(schema))

    @classmethod
    def open(cls, folder: Path) -> BM25Index:
        """Raises ValueError when Tantivy cannot open its folder."""
        index = cls.__new__(cls)
        index._take(tantivy.Index.open(str(folder)))
        return index

    def changeable_copy(self, published: Path, folder: Path) -> BM25Index:
        """This index, which is open from `published`, in a folder of its own."""
        folder.mkdir()
        for file in published.iterdir():
            if not file.name.endswith(".lock"):
                _link(file, folder / file.name)
        return BM25Index.open(folder)

    def _take(self, index: Any) -> None:
        self._index = index
        self._schema = index.schema
        self._searcher = index.searcher()
        self._writer: Any = None

    # Searching

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def search(self, query_terms: Sequence[str], count: int, among: Sequence[int] | None = None) -> dict[int, float]:
        """Passage id → BM25 of the `count` best, of all passages or `among` the ids given; each term counts once."""
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
            only = tantivy.Query.term_set_query(self._schema, "id", [int(i) for i in among])
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, tantivy.Query.const_score_query(only, 0.0)), (tantivy.Occur.Should, query)]
            )
        searcher = self._searcher
        hits = searcher.search(query, count, count=False).hits
        ids = searcher.fast_field_values("id", [address for _, address in hits])
        return {int(i): float(score) for i, (score, _) in zip(ids, hits, strict=True)}

    def inverse_frequencies(self, query_terms: Sequence[str]) -> dict[str, float]:
        """Term → its BM25 weight, ln(1 + (N - n + 0.5) / (n + 0.5)): rare terms tell passages apart."""
        searcher = self._searcher
        # Tantivy counts passages that were dropped until their segment is merged, here as in its own scores.
        total = searcher.doc_freq("any", 1)
        found = {term: min(searcher.doc_freq("terms", term), total) for term in set(query_terms)}
        return {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in found.items()}

    def bound(self, query_terms: Sequence[str]) -> float:
        """The BM25 score that no passage can exceed for these terms; 0 when there are none."""
        return (_K1 + 1) * sum(self.inverse_frequencies(query_terms).values())

    def digests(self) -> dict[int, int]:
        """Passage id → `digest_of` the terms it was added with; -1 for a passage that is in it more than once."""
        searcher = self._searcher
        hits = searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs)).hits
        addresses = [address for _, address in hits]
        found: dict[int, int] = {}
        ids, digests = (searcher.fast_field_values(field, addresses) for field in ("id", "digest"))
        for passage_id, digest in zip(ids, digests, strict=True):
            found[int(passage_id)] = -1 if int(passage_id) in found else int(digest or 0)
        return found

    @property
    def ids(self) -> Ids:
        """Every passage id it holds, ascending."""
        return np.array(sorted(self.digests()), np.int64)

    # Changing

    def add(self, passage_id: int, passage_terms: Sequence[str]) -> None:
        """Seen by searches after `commit`."""
        entry = tantivy.Document()
        entry.add_unsigned("id", passage_id)
        entry.add_unsigned("any", 1)
        entry.add_unsigned("digest", digest_of(passage_terms))
        entry.add_text("terms", " ".join(passage_terms))
        self._open_writer().add_document(entry)

    def remove(self, ids: Ids) -> None:
        """Seen by searches after `commit`."""
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK].tolist()
            self._open_writer().delete_documents_by_query(tantivy.Query.term_set_query(self._schema, "id", chunk))

    def commit(self) -> None:
        """Raises ValueError when the disk does not take it."""
        if self._writer is not None:
            self._writer.commit()
            self._index.reload()
            self._searcher = self._index.searcher()

    def finish(self) -> None:
        """Let running merges end; nothing is written afterwards until the next `add` or `remove`."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.wait_merging_threads()

    def _open_writer(self) -> Any:
        if self._writer is None:
            self._writer = self._index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        return self._writer


def digest_of(passage_terms: Sequence[str]) -> int:
    """63 bits that tell the terms of one passage from those of another."""
    return int.from_bytes(hashlib.blake2b(" ".join(passage_terms).encode(), digest_size=8).digest()) >> 1


def _link(source: Path, target: Path) -> None:
    # Tantivy renames a new meta.json over the old one, but its other small files are its own business.
    if source.suffix != ".json":
        try:
            os.link(source, target)
            return
        except OSError:  # a file system without hard links
            pass
    shutil.copyfile(source, target)
