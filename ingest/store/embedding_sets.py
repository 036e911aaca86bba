"""Embedding sets: every passage of the library, split and embedded with one embedder.

Searches use the current set. The previous set is kept so that a rebuild can be undone. A rebuild that was killed leaves
an unfinished set, which the next rebuild continues. The text of a document id never changes (a changed file gets new
ids), so a set is complete when it has passages of every document. The tables call a set `generation`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.base.types import Passage, Vectors
from ingest.store.catalog import Catalog
from ingest.store.records import ANSWERING

_PREVIOUS = "previous_generation"
# Passages deleted in one transaction: a second writer or a reader never waits long for it.
_DELETED_AT_ONCE = 5_000


@dataclass(frozen=True)
class EmbeddedDocument:
    """The passages of a document, with vectors of shape (passages, dimension) and one packed multi-vector each."""

    id: int
    passages: Sequence[Passage]
    vectors: Vectors
    multi_vectors: Sequence[bytes]


def previous(catalog: Catalog) -> int | None:
    """Number of the set that a rollback makes current; None when there is none, or when the library was empty then."""
    rows = catalog.rows(
        "SELECT id FROM generations JOIN state ON state.key = ? AND id = CAST(value AS INTEGER)"
        " WHERE embedder IS NOT NULL",
        (_PREVIOUS,),
    )
    return int(rows[0][0]) if rows else None


def card(catalog: Catalog, embedding_set: int) -> dict[str, Any]:
    """The card (`EmbedderCard` as a dict) of the embedder that made the set; the set must exist and have one."""
    (row,) = catalog.rows("SELECT embedder FROM generations WHERE id = ?", (embedding_set,))
    embedder: dict[str, Any] = json.loads(row[0])
    return embedder


def begin(catalog: Catalog, embedder: dict[str, Any]) -> int:
    """Number of a set to fill with this embedder: the one that an earlier run left unfinished, or a new one."""
    card = json.dumps(embedder, ensure_ascii=False)
    unfinished = catalog.rows(
        "SELECT id FROM generations WHERE embedder = ? AND id NOT IN (?, ?) ORDER BY id DESC",
        (card, catalog.embedding_set, previous(catalog) or 0),
    )
    if unfinished:
        return int(unfinished[0][0])
    (row,) = catalog.write("INSERT INTO generations (embedder) VALUES (?) RETURNING id", (card,))
    return int(row[0])


def lacking(catalog: Catalog, embedding_set: int) -> list[int]:
    """Ids of the documents that should have passages in this set and have none, in order."""
    rows = catalog.rows(
        "SELECT id FROM documents WHERE state = ? AND NOT EXISTS"
        " (SELECT 1 FROM passages WHERE document_id = documents.id AND generation = ?) ORDER BY id",
        (ANSWERING, embedding_set),
    )
    return [int(row[0]) for row in rows]


def add_passages(catalog: Catalog, embedding_set: int, documents: Iterable[EmbeddedDocument]) -> None:
    """Add passages to a set that is not in use, in one transaction. The revision stays: searches are not affected."""
    with catalog.transaction():
        for document in documents:
            catalog.insert_passages(
                document.id, document.passages, document.vectors, document.multi_vectors, embedding_set
            )


def switch(catalog: Catalog, embedding_set: int) -> None:
    """Make this set the current one, and the current one the previous one; one transaction."""
    with catalog.transaction():
        catalog.set_state(_PREVIOUS, str(catalog.embedding_set))
        catalog.set_state("generation", str(embedding_set))
        catalog.bump()


def drop_others(catalog: Catalog) -> None:
    """Delete every set but the current and the previous one, in transactions of at most 5,000 passages."""
    sets_to_keep = (catalog.embedding_set, previous(catalog) or 0)
    for (embedding_set,) in catalog.rows("SELECT id FROM generations WHERE id NOT IN (?, ?)", sets_to_keep):
        while catalog.write(
            "DELETE FROM passages WHERE id IN (SELECT id FROM passages WHERE generation = ? LIMIT ?) RETURNING id",
            (embedding_set, _DELETED_AT_ONCE),
        ):
            continue
        catalog.write("DELETE FROM generations WHERE id = ?", (embedding_set,))
