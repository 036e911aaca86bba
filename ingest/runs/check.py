"""Is the library whole? Compares catalog, FAISS and Tantivy with one another. Changes nothing.

The catalog is the record; whatever the indexes lack, have too much or have otherwise is a problem that
`docent rebuild` (or deleting the index folder) mends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ingest.base.errors import DocentError
from ingest.passages.embedders.embedder import load_embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.search.indexes.bm25_index import digest_of
from ingest.search.indexes.search_index import INDEX_FOLDER, SearchIndex
from ingest.search.indexes.vector_index import Ids, VectorIndex
from ingest.search.indexes.working_copy import indexed_terms
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import ANSWERING
from ingest.store.vectors import vector_of
from ingest.store.write_lock import is_locked

_CHUNK = 2_000
# float32 stored and read back is the same to the last bit; anything beyond rounding is damage.
_TOLERANCE = 1e-6
_MEND = "run `docent rebuild`."


def check(home: Path) -> list[str]:
    """One line a problem, each naming what to do; empty when all is well. Raises DocentError without a library.

    Looks at the published snapshot as it is on disk, not at a copy brought level, so that damage shows.
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
    """Documents nobody can find, and passages that are not where they say they are."""
    mute, displaced = [], []
    answering = {row["id"] for row in catalog.rows("SELECT id FROM documents WHERE state = ?", (ANSWERING,))}
    ranges = _ranges(catalog)
    for document_id in sorted(answering):
        text = catalog.content(document_id).text
        if document_id not in ranges:
            if text.strip():
                mute.append(document_id)
            continue
        displaced += [
            passage_id
            for passage_id, passage, start, end in ranges[document_id]
            # A table's later pieces repeat their header in front of the range they are from.
            if not (0 <= start < end <= len(text)) or not passage.endswith(text[start:end])
        ]
    orphans = sorted(set(ranges) - answering)
    problems = []
    if mute:
        problems.append(f"{len(mute)} documents have text but no passages ({_some(mute)}): {_MEND}")
    if displaced:
        problems.append(
            f"{len(displaced)} passages are not the part of their document they name ({_some(displaced)}): {_MEND}"
        )
    if orphans:
        problems.append(f"{len(orphans)} documents have passages but should not ({_some(orphans)}): {_MEND}")
    return problems


def _ranges(catalog: Catalog) -> dict[int, list[tuple[int, str, int, int]]]:
    """Document id → (passage id, text, start, end) of each passage of the current generation."""
    found: dict[int, list[tuple[int, str, int, int]]] = {}
    for ids in _chunks(catalog.passage_ids()):
        for passage_id, row in catalog.passages(ids).items():
            place = (passage_id, row["text"], row["start_offset"], row["end_offset"])
            found.setdefault(row["document_id"], []).append(place)
    return found


def _embedder_problems(home: Path, fingerprint: str) -> list[str]:
    try:
        load_embedder(home / EMBEDDERS_FOLDER / fingerprint)
    except DocentError as error:
        return [f"embedder: {error}"]
    return []


def _index_problems(home: Path, catalog: Catalog, index: SearchIndex) -> list[str]:
    wanted, snapshot = catalog.passage_ids(), index.snapshot
    if snapshot.revision < 0:
        if len(wanted) == 0:
            return []
        return [f"index: no usable snapshot in {home / INDEX_FOLDER}; it is remade at the next `docent ingest`."]
    problems = []
    changed = snapshot.changed_files()
    if changed:
        problems.append(f"index: files are not as they were written ({_some(changed)}): {_MEND}")
    if snapshot.revision != catalog.revision:
        if is_locked(home):
            return problems  # a writer is at work and publishes when it is done
        # An interrupted run, or one of few changes, leaves the snapshot behind; every reader levels its own copy.
        index.refresh(catalog)
        snapshot = index.snapshot
    digests = snapshot.bm25.digests()
    held_words = np.array(sorted(digests), np.int64)
    for name, held in (("FAISS", snapshot.ids), ("Tantivy", held_words)):
        for what, ids in (("lacks", np.setdiff1d(wanted, held)), ("still has", np.setdiff1d(held, wanted))):
            if len(ids):
                problems.append(f"{name} {what} {len(ids)} passages ({_some(ids.tolist())}): {_MEND}")
    if len(np.unique(snapshot.ids)) != len(snapshot.ids):
        problems.append(f"FAISS holds a passage more than once: {_MEND}")
    twice = sorted(passage_id for passage_id, digest in digests.items() if digest < 0)
    if twice:
        problems.append(f"Tantivy holds passages more than once ({_some(twice)}): {_MEND}")
    vectors, words = _different(catalog, snapshot.vectors, digests, wanted)
    if vectors:
        problems.append(
            f"FAISS has other vectors than the catalog for {len(vectors)} passages ({_some(vectors)}): {_MEND}"
        )
    if words:
        problems.append(f"Tantivy has other words than the catalog for {len(words)} passages ({_some(words)}): {_MEND}")
    return problems


def _different(
    catalog: Catalog, vectors: VectorIndex, digests: dict[int, int], wanted: Ids
) -> tuple[list[int], list[int]]:
    """Ids whose vector, and ids whose words, are not the catalog's; those an index lacks are told elsewhere."""
    held = set(vectors.ids.tolist())
    other_vectors, other_words = [], []
    for ids in _chunks(wanted):
        rows = catalog.passages(ids)
        whole = [i for i, row in rows.items() if i in held and len(row["vector"]) == 4 * vectors.dimension]
        expected = vectors.as_held(np.stack([vector_of(rows[i]) for i in whole])) if whole else ()
        right = {
            i
            for i, vector in zip(whole, expected, strict=True)
            if np.allclose(vector, vectors.vector(i), atol=_TOLERANCE)
        }
        for i, row in rows.items():
            if i in held and i not in right:
                other_vectors.append(i)
            terms = indexed_terms(row["title"], row["heading"], row["text"])
            if digests.get(i, -1) not in (-1, digest_of(terms)):
                other_words.append(i)
    return other_vectors, other_words


def _chunks(ids: Ids) -> Iterator[list[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK].tolist()


def _some(items: Sequence[object]) -> str:
    return ", ".join(map(str, items[:5])) + (", …" if len(items) > 5 else "")
