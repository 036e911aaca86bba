"""What a search proposes for one question and how it scores that. Knows nothing of how indexes are kept level.

Both legs propose passages and each scores the other's too, so the fused order is exact among them. Two things that
neither leg can see then move a passage: that a newer version of its document is there, and that it opens with the yes
or no that was asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.base.language import terms
from ingest.base.types import Hit, Vectors
from ingest.passages.embedders.embedder import Embedder, dense_weight
from ingest.passages.multi_vector import unpack_multi_vectors
from ingest.passages.sentences import is_question
from ingest.search.answer_types import asks_yes_or_no, says_yes_or_no
from ingest.search.fuse import Cosines, FusedScore, fuse
from ingest.search.indexes.search_index import SearchIndex
from ingest.search.nearest import nearest
from ingest.search.versions import names_version
from ingest.store.catalog import Catalog
from ingest.store.vectors import packed_multi_vectors

# What an older version's score is multiplied by when the question does not ask for that version: enough to order
# two passages of nearly the same words, too little to hide the only passage that answers.
OLDER_VERSION = 0.85
# What the score of a passage that opens with 'Yes' or 'No' is multiplied by when that is what was asked: it is the
# answer to some such question (18F's handbook: .623 → .651 nDCG@10). One under a question of its own answers that.
YES_OR_NO = 1.3


@dataclass(frozen=True)
class ScoredHit:
    """A hit with what its score is made of, for those who want to know why it was found."""

    hit: Hit
    parts: FusedScore
    # Cosine of each of its statements, in order; none where the embedder could not read the question or the passage.
    statements: tuple[float, ...] = ()


@dataclass(frozen=True)
class Proposed:
    """(passage id, score), best first, and the cosines of the statements of each passage that has any."""

    ranked: list[tuple[int, FusedScore]]
    statements: Mapping[int, tuple[float, ...]]


def propose(
    question: str,
    embedder: Embedder,
    index: SearchIndex,
    catalog: Catalog,
    depth: int,
    among: Sequence[int] | None = None,
) -> Proposed:
    """The passages that are among the `depth` best of either leg; with `among` of these passages only."""
    query_terms = terms(question)
    bm25 = index.lexical(query_terms, depth, among)
    trust = dense_weight(embedder.unknown_share(question))
    cosines: dict[int, Cosines] = {}
    statements: dict[int, tuple[float, ...]] = {}
    if trust > 0:
        vector = embedder.embed_query(question)
        whole = nearest(index, catalog, vector, depth, among)
        whole |= index.cosines(vector, [passage_id for passage_id in bm25 if passage_id not in whole], catalog)
        only_dense = [passage_id for passage_id in whole if passage_id not in bm25]
        bm25 |= index.lexical(query_terms, len(only_dense), among=only_dense)
        views = packed_multi_vectors(catalog, list(whole))
        for passage_id, cosine in whole.items():
            seen = unpack_multi_vectors(views.get(passage_id, b""), len(vector)) @ vector
            cosines[passage_id] = _cosines(cosine, seen)
            statements[passage_id] = tuple(seen[1:].tolist())
    return Proposed(fuse(cosines, bm25, index.lexical_bound(query_terms), trust), statements)


class Preference:
    """What a question prefers among passages that its words and meaning cannot tell apart."""

    def __init__(self, question: str) -> None:
        self._question = question
        self._polar = asks_yes_or_no(question)

    @property
    def most(self) -> float:
        """No score is multiplied by more."""
        return YES_OR_NO if self._polar else 1.0

    def factor(self, row: sqlite3.Row, name: str, newer: str) -> float:
        """What a passage's score is multiplied by; `name` is its document's and `newer` that of a newer version."""
        factor = OLDER_VERSION if newer and not names_version(self._question, name) else 1.0
        if self._polar and says_yes_or_no(row["text"]) and not is_question(row["heading"]):
            factor *= YES_OR_NO
        return factor


def _cosines(whole: float, views: Vectors) -> Cosines:
    """`views` has the surroundings first, then the statements; without them the whole stands for all."""
    if len(views) < 2:
        return Cosines(whole, whole, whole)
    return Cosines(whole, float(np.max(views[1:])), float(views[0]))
