"""Is the library whole? Compares catalog, FAISS and Tantivy with one another. Changes nothing.

The catalog is the record; whatever the indexes lack, have too much or have otherwise is a problem that
`docent rebuild` (or deleting the index folder) mends.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ingest.catalog import Catalog, vector_of
from ingest.embed import load_embedder
from ingest.errors import DocentError
from ingest.index import SearchIndex
from ingest.library import CATALOG_FILE, EMBEDDERS_FOLDER, INDEX_FOLDER
from ingest.writer import is_being_written

_CHUNK = 2_000
# float32 stored and read back is the same to the last bit; anything beyond rounding is damage.
_TOLERANCE = 1e-6


def check(home: Path) -> list[str]:
    """One line a problem, each naming what to do; empty when all is well. Raises DocentError without a library.

    Looks at the published snapshot as it is on disk, not at a copy brought level, so that damage shows.
    """
    catalog = Catalog(home / CATALOG_FILE)
    try:
        problems = catalog.integrity_problems()
        if problems:  # nothing can be compared with a damaged record
            return [f"{problem}: set {catalog.path} aside and run `docent ingest` again." for problem in problems]
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


def _embedder_problems(home: Path, fingerprint: str) -> list[str]:
    try:
        load_embedder(home / EMBEDDERS_FOLDER / fingerprint)
    except DocentError as error:
        return [f"embedder: {error}"]
    return []


def _index_problems(home: Path, catalog: Catalog, index: SearchIndex) -> list[str]:
    wanted = catalog.passage_ids()
    if index.revision < 0:
        if len(wanted) == 0:
            return []
        return [f"index: no usable snapshot in {home / INDEX_FOLDER}; it is remade at the next `docent ingest`."]
    if index.revision != catalog.revision:
        if is_being_written(home):
            return []  # a writer is at work and publishes when it is done
        # An interrupted run leaves the snapshot behind the catalog; every reader levels its own copy.
        index.level(catalog)
    problems = []
    for name, held in (("FAISS", index.ids), ("Tantivy", index.word_ids())):
        for what, ids in (("lacks", np.setdiff1d(wanted, held)), ("still has", np.setdiff1d(held, wanted))):
            if len(ids):
                problems.append(f"{name} {what} {len(ids)} passages ({_some(ids.tolist())}): run `docent rebuild`.")
        if len(np.unique(held)) != len(held):
            problems.append(f"{name} holds a passage more than once: run `docent rebuild`.")
    wrong = _wrong_vectors(catalog, index, np.intersect1d(wanted, index.ids).tolist())
    if wrong:
        problems.append(
            f"FAISS has other vectors than the catalog for {len(wrong)} passages ({_some(wrong)}): "
            "run `docent rebuild`."
        )
    return problems


def _wrong_vectors(catalog: Catalog, index: SearchIndex, ids: list[int]) -> list[int]:
    wrong = []
    for start in range(0, len(ids), _CHUNK):
        for passage_id, row in catalog.passages(ids[start : start + _CHUNK]).items():
            recorded, held = vector_of(row), index.vector(passage_id)
            if recorded.shape != held.shape or not np.allclose(recorded, held, atol=_TOLERANCE):
                wrong.append(passage_id)
    return wrong


def _some(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:5])) + (", …" if len(ids) > 5 else "")
