"""Hybrid search: the candidates of both legs for a question, their fused scores, and the best hits.

Both legs, dense (vectors) and lexical (BM25), propose passages, and each also scores those of the other, so the fused
order is exact among them. Two steps are then added: one when the library has a newer version of the document, one when
the passage begins with the yes or no that the question asks for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingest.base.language import terms
from ingest.base.types import Hit, Vectors
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.multi_vector import unpack_multi_vectors
from ingest.passages.sentences import is_question
from ingest.search.answer_types import asks_yes_or_no, says_yes_or_no
from ingest.search.fuse import FUSION, Cosines, FusedScore, FusionWeights, fuse, with_steps
from ingest.search.indexes.snapshot import IndexSnapshot
from ingest.search.versions import names_other_version, names_version
from ingest.store.catalog import Catalog
from ingest.store.records import name_of
from ingest.store.vectors import packed_multi_vectors

# How many passages each leg proposes at least.
CANDIDATES = 100


@dataclass(frozen=True)
class Candidates:
    """The passages that both legs propose for a question: (passage id, score without steps), best first.

    `sentence_cosines` has, for each passage that was compared sentence by sentence, the cosine of each of its
    sentences and rows in order. `dense_weight` (0 to 1) is the weight of the dense leg (`Embedder.weight`).
    """

    ranked: list[tuple[int, FusedScore]]
    sentence_cosines: Mapping[int, tuple[float, ...]]
    dense_weight: float


@dataclass(frozen=True)
class ScoredHit:
    """A hit with the parts of its score.

    `sentence_cosines` has the cosine of each of its sentences and rows, in order; it is empty where the embedder cannot
    read the question or the passage.
    """

    hit: Hit
    parts: FusedScore
    sentence_cosines: tuple[float, ...] = ()


@dataclass(frozen=True)
class SearchResult:
    """The best hits of a search, best first, with all its candidates, and the embedder and the index that were used.

    `complete` is False when a candidate has left the catalog since the
    index was refreshed.
    """

    hits: list[ScoredHit]
    candidates: Candidates
    embedder: Embedder
    index: IndexSnapshot
    complete: bool


def search(
    question: str,
    embedder: Embedder,
    index: IndexSnapshot,
    catalog: Catalog,
    older: Mapping[int, str],
    count: int,
    among: Sequence[int] | None = None,
    weights: FusionWeights = FUSION,
) -> SearchResult:
    """Search for the `count` best passages, of all or of those with the ids `among`.

    `older` names, for the id of each older version of a document, the newest one (`versions.superseded`).
    """
    candidates = propose(question, embedder, index, catalog, max(CANDIDATES, count), among, weights)
    best, complete = _best(question, candidates.ranked, catalog, older, count, weights)
    hits = [
        ScoredHit(
            replace(hit, rank=rank, score=round(parts.score, 6)),
            parts,
            candidates.sentence_cosines.get(hit.passage_id, ()),
        )
        for rank, (parts, hit) in enumerate(best, 1)
    ]
    return SearchResult(hits, candidates, embedder, index, complete)


def propose(
    question: str,
    embedder: Embedder,
    index: IndexSnapshot,
    catalog: Catalog,
    depth: int,
    among: Sequence[int] | None = None,
    weights: FusionWeights = FUSION,
    dense_weight: float | None = None,
) -> Candidates:
    """The passages among the `depth` best of either leg, fused; with `among` only passages with these ids.

    `dense_weight` (0 to 1) takes the place of the embedder's own weight for the question.
    """
    query_terms = terms(question)
    bm25 = index.lexical(query_terms, depth, among)
    if dense_weight is None:
        dense_weight = embedder.weight(question)
    cosines: dict[int, Cosines] = {}
    sentence_cosines: dict[int, tuple[float, ...]] = {}
    if dense_weight > 0:
        vector = embedder.embed_query(question)
        passages = index.dense(vector, depth, catalog, among)
        passages |= index.cosines(vector, [passage_id for passage_id in bm25 if passage_id not in passages], catalog)
        only_dense = [passage_id for passage_id in passages if passage_id not in bm25]
        bm25 |= index.lexical(query_terms, len(only_dense), among=only_dense)
        packed = packed_multi_vectors(catalog, list(passages))
        for passage_id, cosine in passages.items():
            part_cosines = unpack_multi_vectors(packed.get(passage_id, b""), len(vector)) @ vector
            cosines[passage_id] = _cosines(cosine, part_cosines)
            sentence_cosines[passage_id] = tuple(part_cosines.tolist())
    scale = embedder.profile.cosines
    ranked = fuse(cosines, bm25, index.lexical_bound(query_terms), dense_weight, scale, weights)
    return Candidates(ranked, sentence_cosines, dense_weight)


def _cosines(passage: float, part_cosines: Vectors) -> Cosines:
    """The cosines of a passage; without `part_cosines` that of the whole passage is used for both.

    `part_cosines` has the cosine of each sentence and row.
    """
    return Cosines(passage, float(np.max(part_cosines)) if len(part_cosines) else passage)


class Preference:
    """The steps for a question: for passages of older versions, and for passages that begin with yes or no."""

    def __init__(self, question: str, weights: FusionWeights = FUSION) -> None:
        self._question = question
        self._weights = weights
        self._asks_yes_or_no = asks_yes_or_no(question)

    @property
    def highest(self) -> float:
        """The largest step that any passage can get for this question."""
        return max(0.0, self._weights.yes_or_no) if self._asks_yes_or_no else 0.0

    def steps(self, row: sqlite3.Row, name: str, newer: str) -> dict[str, float]:
        """Name → step for a passage; `name` is its document's and `newer` that of a newer version, or ''.

        A passage under a heading that is itself a question answers that one, so its yes or no does not count.
        """
        return self._weights.steps(
            older_version=(bool(newer) and not names_version(self._question, name))
            or names_other_version(self._question, name),
            yes_or_no=self._asks_yes_or_no and says_yes_or_no(row["text"]) and not is_question(row["heading"]),
        )


def _best(
    question: str,
    ranked: Sequence[tuple[int, FusedScore]],
    catalog: Catalog,
    older: Mapping[int, str],
    count: int,
    weights: FusionWeights,
) -> tuple[list[tuple[FusedScore, Hit]], bool]:
    """The best `count` with the steps of `Preference`, and whether the catalog still had every passage asked for.

    Asks the catalog only for passages that can still be among the best.
    """
    preference = Preference(question, weights)
    complete = True
    best: list[tuple[FusedScore, Hit]] = []
    for start in range(0, len(ranked), 2 * count):
        # No later passage can rise above this, so none can overtake the hits that are ahead of it now.
        if len(best) >= count and best[count - 1][0].score >= ranked[start][1].score + preference.highest:
            break
        batch = ranked[start : start + 2 * count]
        rows = catalog.passages([passage_id for passage_id, _ in batch])
        for passage_id, parts in batch:
            row = rows.get(passage_id)
            if row is None:
                complete = False
                continue
            name = name_of(row["path"], row["root"])
            newer = older.get(row["document_id"], "")
            best.append((with_steps(parts, preference.steps(row, name, newer)), _hit(row, name, newer)))
        best.sort(key=lambda item: -item[0].score)
    return best[:count], complete


def _hit(row: sqlite3.Row, name: str, newer: str) -> Hit:
    return Hit(
        rank=0, score=0.0, document_id=row["document_id"], path=name, title=row["title"], heading=row["heading"],
        page=row["page"], passage_id=row["id"], text=row["text"], newer=newer,
    )  # fmt: skip
