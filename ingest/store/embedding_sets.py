"""All passages of a library made anew beside the living ones, and taken into use in one step. Knows no embedder.

A generation is every passage embedded with one model. One is current; the one before it is kept to go back to; a
third may be in the making, which a killed run leaves and the next one continues. A document of given number never
changes its text, so what a generation still lacks is simply the documents it has no passages of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ingest.base.types import Passage, Vectors
from ingest.store.catalog import Catalog
from ingest.store.records import ANSWERING

_PREVIOUS = "previous_generation"
# Passages dropped in one transaction: a second writer or a reader never waits long for it.
_CHUNK = 5_000


def previous(catalog: Catalog) -> int | None:
    """The generation one can go back to; that of a library in which there was nothing yet is none."""
    rows = catalog.rows(
        "SELECT id FROM generations JOIN state ON state.key = ? AND id = CAST(value AS INTEGER)"
        " WHERE embedder IS NOT NULL",
        (_PREVIOUS,),
    )
    return int(rows[0][0]) if rows else None


def card(catalog: Catalog, generation: int) -> dict[str, Any]:
    """What the generation was made with."""
    (row,) = catalog.rows("SELECT embedder FROM generations WHERE id = ?", (generation,))
    made: dict[str, Any] = json.loads(row[0])
    return made


def begin(catalog: Catalog, embedder: dict[str, Any]) -> int:
    """A generation to fill with this embedder: the one that an earlier run left unfinished, or a new one."""
    made = json.dumps(embedder, ensure_ascii=False)
    unfinished = catalog.rows(
        "SELECT id FROM generations WHERE embedder = ? AND id NOT IN (?, ?) ORDER BY id DESC",
        (made, catalog.generation, previous(catalog) or 0),
    )
    if unfinished:
        return int(unfinished[0][0])
    (row,) = catalog.write("INSERT INTO generations (embedder) VALUES (?) RETURNING id", (made,))
    return int(row[0])


def lacking(catalog: Catalog, generation: int) -> list[int]:
    """Ids of the documents that should have passages in this generation and have none, in order."""
    rows = catalog.rows(
        "SELECT id FROM documents WHERE state = ? AND NOT EXISTS"
        " (SELECT 1 FROM passages WHERE document_id = documents.id AND generation = ?) ORDER BY id",
        (ANSWERING, generation),
    )
    return [int(row[0]) for row in rows]


def fill(
    catalog: Catalog, generation: int, documents: Iterable[tuple[int, Sequence[Passage], Vectors, Sequence[bytes]]]
) -> None:
    """Add (document id, passages, vectors, views) to a generation that is not in use; one transaction, unseen."""
    with catalog.transaction():
        for document_id, passages, vectors, multi_vectors in documents:
            catalog.insert_passages(document_id, passages, vectors, multi_vectors, generation)


def switch(catalog: Catalog, generation: int) -> None:
    """From now on this generation is the current one, and the one until now the one to go back to; one transaction."""
    with catalog.transaction():
        catalog.set_state(_PREVIOUS, str(catalog.generation))
        catalog.set_state("generation", str(generation))
        catalog.bump()


def drop_others(catalog: Catalog) -> None:
    """Forget every generation but the current and the previous one, a little at a time."""
    kept = (catalog.generation, previous(catalog) or 0)
    for (generation,) in catalog.rows("SELECT id FROM generations WHERE id NOT IN (?, ?)", kept):
        while catalog.write(
            "DELETE FROM passages WHERE id IN (SELECT id FROM passages WHERE generation = ? LIMIT ?) RETURNING id",
            (generation, _CHUNK),
        ):
            continue
        catalog.write("DELETE FROM generations WHERE id = ?", (generation,))
