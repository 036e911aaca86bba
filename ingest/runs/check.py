"""`docent check`: compares the catalog, the vector index (FAISS) and the BM25 index (Tantivy). Changes nothing.

The catalog is the record: a passage that an index lacks, should not have or has differently is a problem, which
`docent rebuild` (or deleting the index folder) repairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ingest.base.errors import DocentError
from ingest.passages.embedders.embedder import load_embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.passages.embedders.prepared_files import changed_files
from ingest.search.indexes.bm25_index import digest_of
from ingest.search.indexes.search_index import INDEX_FOLDER, SearchIndex
from ingest.search.indexes.snapshot import has_other_format
from ingest.search.indexes.vector_index import Ids, VectorIndex
from ingest.search.indexes.working_copy import indexed_terms
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import ANSWERING
from ingest.store.vectors import vector_of
from ingest.store.write_lock import is_locked

_PASSAGES_AT_ONCE = 2_000
# float32 numbers are stored exactly, so any larger difference is damage.
_TOLERANCE = 1e-6
_REPAIR = "run `docent rebuild`."


def check(home: Path) -> list[str]:
    """One line for each problem, with what to do; empty when there are none. Raises DocentError without a library.

    Reads the published snapshot from the disk, where damage can be found, before it brings a copy up to date.
    """
    catalog = Catalog(home / CATALOG_FILE)
    try:
        problems = catalog.integrity_problems()
        if problems:  # nothing can be compared with a damaged record
            return [
                f"{problem}: run `docent restore --replace` with a backup, or set {catalog.path} aside and run "
                "`docent ingest` again."
                for problem in problems
            ]
        problems = _document_problems(catalog)
        card = catalog.embedder()
        if card is None:
            return problems
        problems += _embedder_problems(home, card["fingerprint"])
        index = SearchIndex(home / INDEX_FOLDER, card["dimension"], card["fingerprint"])
        try:
            problems += _index_problems(home, catalog, index)
        finally:
            index.close()
        return problems
    finally:
        catalog.close()


def _document_problems(catalog: Catalog) -> list[str]:
    """Documents without passages, passages that should not exist, and passages whose offsets miss their text."""
    without_passages, displaced = [], []
    answering = {row["id"] for row in catalog.rows("SELECT id FROM documents WHERE state = ?", (ANSWERING,))}
    ranges = _ranges(catalog)
    for document_id in sorted(answering):
        text = catalog.content(document_id).text
        if document_id not in ranges:
            if text.strip():
                without_passages.append(document_id)
            continue
        displaced += [
            passage_id
            for passage_id, passage, start, end in ranges[document_id]
            # A table's later pieces repeat their header in front of the range they are from.
            if not (0 <= start < end <= len(text)) or not passage.endswith(text[start:end])
        ]
    orphans = sorted(set(ranges) - answering)
    problems = []
    if without_passages:
        problems.append(
            f"{len(without_passages)} documents have text but no passages ({_some(without_passages)}): {_REPAIR}"
        )
    if displaced:
        problems.append(
            f"{len(displaced)} passages differ from the part of the document they name ({_some(displaced)}): {_REPAIR}"
        )
    if orphans:
        problems.append(f"{len(orphans)} documents have passages but should not ({_some(orphans)}): {_REPAIR}")
    return problems


def _ranges(catalog: Catalog) -> dict[int, list[tuple[int, str, int, int]]]:
    """Document id → (passage id, text, start, end) of each passage of the current embedding set."""
    ranges: dict[int, list[tuple[int, str, int, int]]] = {}
    for ids in _chunks(catalog.passage_ids()):
        for passage_id, row in catalog.passages(ids).items():
            passage = (passage_id, row["text"], row["start_offset"], row["end_offset"])
            ranges.setdefault(row["document_id"], []).append(passage)
    return ranges


def _embedder_problems(home: Path, fingerprint: str) -> list[str]:
    folder = home / EMBEDDERS_FOLDER / fingerprint
    changed = changed_files(folder, every_byte=True)
    if changed:
        return [f"embedder: files in {folder} were changed after they were written ({_some(changed)}): {_REPAIR}"]
    try:
        load_embedder(folder)
    except DocentError as error:
        return [f"embedder: {error}"]
    return []


def _index_problems(home: Path, catalog: Catalog, index: SearchIndex) -> list[str]:
    in_catalog, snapshot = catalog.passage_ids(), index.snapshot
    if snapshot.revision < 0 and len(in_catalog) == 0:
        return []
    if snapshot.revision < 0 and not has_other_format(home / INDEX_FOLDER):
        return [f"index: no usable snapshot in {home / INDEX_FOLDER}; the next `docent ingest` builds it."]
    problems = []
    changed = snapshot.changed_files()
    if changed:
        problems.append(f"index: files were changed after they were written ({_some(changed)}): {_REPAIR}")
    if snapshot.revision != catalog.revision:
        if is_locked(home):
            return problems  # its writer publishes when it is done
        # A run that was interrupted, or changed little, publishes nothing: every reader then updates a private copy. It
        # builds one from the catalog where another version of Docent published the snapshot.
        index.refresh(catalog)
        snapshot = index.snapshot
    digests = snapshot.bm25.digests()
    bm25_ids = np.array(sorted(digests), np.int64)
    for name, indexed in (("FAISS", snapshot.ids), ("Tantivy", bm25_ids)):
        missing, surplus = np.setdiff1d(in_catalog, indexed), np.setdiff1d(indexed, in_catalog)
        for verb, ids in (("lacks", missing), ("still has", surplus)):
            if len(ids):
                problems.append(f"{name} {verb} {len(ids)} passages ({_some(ids.tolist())}): {_REPAIR}")
    if len(np.unique(snapshot.ids)) != len(snapshot.ids):
        problems.append(f"FAISS holds a passage more than once: {_REPAIR}")
    twice = sorted(passage_id for passage_id, digest in digests.items() if digest < 0)
    if twice:
        problems.append(f"Tantivy holds passages more than once ({_some(twice)}): {_REPAIR}")
    vectors, words = _different(catalog, snapshot.vectors, digests, in_catalog)
    if vectors:
        problems.append(
            f"FAISS and the catalog have different vectors for {len(vectors)} passages ({_some(vectors)}): {_REPAIR}"
        )
    if words:
        problems.append(
            f"Tantivy and the catalog have different words for {len(words)} passages ({_some(words)}): {_REPAIR}"
        )
    return problems


def _different(
    catalog: Catalog, vectors: VectorIndex, digests: dict[int, int], passage_ids: Ids
) -> tuple[list[int], list[int]]:
    """Of these passages, the ids whose vector and the ids whose words differ from the catalog's.

    Passages that an index lacks are left out. `digests` are those of `BM25Index.digests`.
    """
    indexed = set(vectors.ids.tolist())
    other_vectors, other_words = [], []
    for ids in _chunks(passage_ids):
        rows = catalog.passages(ids)
        comparable = [i for i, row in rows.items() if i in indexed and len(row["vector"]) == 4 * vectors.dimension]
        expected = vectors.as_held(np.stack([vector_of(rows[i]) for i in comparable])) if comparable else ()
        equal = {
            i
            for i, vector in zip(comparable, expected, strict=True)
            if np.allclose(vector, vectors.vector(i), atol=_TOLERANCE)
        }
        for i, row in rows.items():
            if i in indexed and i not in equal:
                other_vectors.append(i)
            terms = indexed_terms(row["title"], row["heading"], row["text"])
            if digests.get(i, -1) not in (-1, digest_of(terms)):
                other_words.append(i)
    return other_vectors, other_words


def _chunks(ids: Ids) -> Iterator[list[int]]:
    for start in range(0, len(ids), _PASSAGES_AT_ONCE):
        yield ids[start : start + _PASSAGES_AT_ONCE].tolist()


def _some(items: Sequence[object]) -> str:
    return ", ".join(map(str, items[:5])) + (", …" if len(items) > 5 else "")
