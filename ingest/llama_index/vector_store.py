"""The library as a LlamaIndex vector store, for `VectorStoreIndex` and everything that is built on it.

The store can be searched, listed and deleted from. Nodes cannot be added: only `docent ingest` adds documents, because
it splits, assesses and embeds all of them in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import BaseNode, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn
from pydantic import PrivateAttr

from ingest.base.errors import DocentError
from ingest.base.language import terms
from ingest.base.settings import load_settings
from ingest.base.types import Vectors
from ingest.library import Library
from ingest.llama_index.retriever import metadata_of, node_of_hit, node_of_row
from ingest.runs.select import UNKNOWN, remove

_TYPES = {
    "document_id": int, "passage_id": int,
    "path": str, "title": str, "heading": str, "page": str, "format": str,
}  # fmt: skip
# Operators on lists: no metadata of a passage is one.
_ON_LISTS = {FilterOperator.ANY, FilterOperator.ALL, FilterOperator.CONTAINS}
# Operators whose value is a list.
_LIST_VALUED = {FilterOperator.IN, FilterOperator.NIN}
_LEXICAL = {VectorStoreQueryMode.SPARSE, VectorStoreQueryMode.TEXT_SEARCH}


class LibraryVectorStore(BasePydanticVectorStore):
    """A library's passages. A node has the id of its passage, its `ref_doc_id` is the id of its document."""

    stores_text: bool = True
    _library: Library = PrivateAttr()

    def __init__(self, library: Library) -> None:
        super().__init__(stores_text=True)
        self._library = library

    @classmethod
    def class_name(cls) -> str:
        return "LibraryVectorStore"

    @property
    def client(self) -> Library:
        return self._library

    # Searching

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:  # noqa: ARG002 - LlamaIndex's
        """The best passages, best first.

        In default mode by the exact cosine to `query_embedding`; without an embedding, and in hybrid mode, the hits and
        scores of `Library.search` for `query_str`; in sparse and text-search mode by BM25. Raises NotImplementedError
        for what is not offered, ValueError for a query without the text or embedding that its mode needs, DocentError
        while there is no library.
        """
        self._refuse(query)
        self._library.refresh()
        among = self._among(query)
        if query.mode in _LEXICAL:
            scores = self._library.index.lexical(terms(_text_of(query)), query.similarity_top_k, among)
            return self._result(scores)
        if query.mode == VectorStoreQueryMode.HYBRID or query.query_embedding is None:
            count = query.similarity_top_k if query.hybrid_top_k is None else query.hybrid_top_k
            hits = self._library.search(_text_of(query), count, among)
            nodes = [node_of_hit(hit) for hit in hits]
            return _as_result(nodes, [hit.score for hit in hits])
        index = self._library.index
        vector = _unit_vector(query.query_embedding, index.dimension)
        return self._result(index.dense(vector, query.similarity_top_k, self._library.catalog, among))

    def _refuse(self, query: VectorStoreQuery) -> None:
        allowed = {VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.HYBRID, *_LEXICAL}
        if query.mode not in allowed:
            names = ", ".join(sorted(mode.value for mode in allowed))
            raise NotImplementedError(f"The library has no query mode '{query.mode.value}': it has {names}.")
        if query.alpha is not None or query.sparse_top_k is not None:
            raise NotImplementedError(
                "The library sets the weights of cosines and BM25 itself: leave out alpha and sparse_top_k."
            )

    def _result(self, scores: dict[int, float]) -> VectorStoreQueryResult:
        """The result for passage id → score, without passages that were removed since the index was refreshed."""
        rows = self._library.catalog.passages(list(scores))
        scored = [(node_of_row(rows[passage_id]), score) for passage_id, score in scores.items() if passage_id in rows]
        return _as_result([node for node, _ in scored], [score for _, score in scored])

    # Looking up

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """The nodes with these ids that pass the filters, in the order of the ids; without ids all that pass."""
        among = self._among(VectorStoreQuery(node_ids=node_ids, filters=filters))
        catalog = self._library.catalog
        passage_ids = [int(i) for i in catalog.passage_ids()] if among is None else among
        if node_ids:
            allowed = set(passage_ids)
            passage_ids = [passage_id for passage_id in _numbers(node_ids) if passage_id in allowed]
        rows = catalog.passages(passage_ids)
        return [node_of_row(rows[passage_id]) for passage_id in passage_ids if passage_id in rows]

    def _among(self, query: VectorStoreQuery) -> list[int] | None:
        """Ids of the passages to search; None for all. LlamaIndex passes empty lists when it means all."""
        if not query.node_ids and not query.doc_ids and not (query.filters and query.filters.filters):
            return None
        if query.filters:
            _refuse_filters(query.filters)
        catalog = self._library.catalog
        documents = {document.id: document for document in catalog.documents()}
        ids = set(_numbers(query.node_ids)) if query.node_ids else None
        sources = set(_numbers(query.doc_ids)) if query.doc_ids else None
        passage_ids = []
        for row in catalog.rows(
            "SELECT id, document_id, heading, page FROM passages WHERE generation = ? ORDER BY id",
            (catalog.embedding_set,),
        ):
            document = documents.get(row["document_id"])
            if document is None or (ids is not None and row["id"] not in ids):
                continue
            if sources is not None and document.id not in sources:
                continue
            metadata = metadata_of(row["id"], document.id, document.name, document.title, row["heading"], row["page"])
            if query.filters is None or _passes(metadata, query.filters):
                passage_ids.append(int(row["id"]))
        return passage_ids

    # Changing

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:  # noqa: ARG002 - LlamaIndex's
        """[] for an empty list, with which `VectorStoreIndex` begins. Raises NotImplementedError for any node."""
        if nodes:
            raise NotImplementedError("Nodes cannot be added to the library: add documents with `docent ingest`.")
        return []

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:  # noqa: ARG002 - LlamaIndex's
        """Remove a document from the library. Its file stays, and ingesting its folder adds it again.

        Raises DocentError when the library has no such document, AnotherWriter while another process writes.
        """
        if not ref_doc_id.isdecimal():
            raise DocentError(f"{ref_doc_id}: {UNKNOWN}.")
        _, failed = remove([ref_doc_id], load_settings(home=self._library.home))
        if failed:
            raise DocentError(f"{ref_doc_id}: {failed[0].reason}.")
        self._library.refresh()

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Always raises NotImplementedError: a library has whole documents."""
        raise NotImplementedError("Passages cannot be deleted one by one: delete a document by its `ref_doc_id`.")


class LibraryEmbedding(BaseEmbedding):
    """The library's embedder with its prefixes as a LlamaIndex embedding; after a rebuild, the new embedder."""

    _library: Library = PrivateAttr()

    def __init__(self, library: Library) -> None:
        super().__init__(model_name=library.embedder.card.name)
        self._library = library

    def _get_query_embedding(self, query: str) -> list[float]:
        embedded: list[float] = self._library.embedder.embed_query(query).tolist()
        return embedded

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        embedded: list[float] = self._library.embedder.embed_passages([text])[0].tolist()
        return embedded


def index_over(library: Library) -> VectorStoreIndex:
    """A LlamaIndex index over the library. Raises DocentError while the library is empty."""
    return VectorStoreIndex.from_vector_store(LibraryVectorStore(library), embed_model=LibraryEmbedding(library))


def _as_result(nodes: list[TextNode], scores: list[float]) -> VectorStoreQueryResult:
    return VectorStoreQueryResult(nodes=nodes, similarities=scores, ids=[node.node_id for node in nodes])


def _text_of(query: VectorStoreQuery) -> str:
    if not query.query_str:
        raise ValueError("The query has neither a text nor an embedding that its mode could search with.")
    return query.query_str


def _unit_vector(embedding: Sequence[float], dimension: int) -> Vectors:
    if len(embedding) != dimension:
        raise ValueError(
            f"The query's embedding has {len(embedding)} numbers and the library's {dimension}: embed it with the "
            "library's own embedder, `LibraryEmbedding`."
        )
    vector = np.array(embedding, np.float32)
    unit: Vectors = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit


def _numbers(ids: Sequence[str]) -> list[int]:
    """The ids as numbers. Ids that are not numbers are left out, because nothing in the library has such an id."""
    return [int(text) for text in ids if text.isdecimal()]


def _passes(metadata: dict[str, Any], filters: MetadataFilters) -> bool:
    """Whether a passage passes. Each filter is applied by LlamaIndex's own code, which does not do nested filters."""
    passed = (
        _passes(metadata, condition)
        if isinstance(condition, MetadataFilters)
        else build_metadata_filter_fn(lambda _: metadata, MetadataFilters(filters=[condition]))("")
        for condition in filters.filters
    )
    if filters.condition == FilterCondition.OR:
        return any(passed)
    if filters.condition == FilterCondition.NOT:
        return not any(passed)
    return all(passed)


def _refuse_filters(filters: MetadataFilters) -> None:
    """Raise NotImplementedError for a key or operator that passages do not have, ValueError for a wrong value."""
    for condition in filters.filters:
        if isinstance(condition, MetadataFilters):
            _refuse_filters(condition)
        else:
            _refuse_filter(condition)


def _refuse_filter(condition: MetadataFilter) -> None:
    value_type = _TYPES.get(condition.key)
    if value_type is None:
        raise NotImplementedError(f"Passages have no '{condition.key}' to filter by: they have {', '.join(_TYPES)}.")
    if condition.operator in _ON_LISTS:
        raise NotImplementedError(
            f"Operator '{condition.operator.value}' is for lists, and '{condition.key}' of a passage is no list."
        )
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    text_only = condition.operator in {FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE}
    if condition.operator == FilterOperator.IS_EMPTY:
        return
    if (
        isinstance(condition.value, list) != (condition.operator in _LIST_VALUED)
        or not all(isinstance(value, value_type) for value in values)
        or (text_only and value_type is not str)
    ):
        needed = f"a list of {value_type.__name__}" if condition.operator in _LIST_VALUED else value_type.__name__
        raise ValueError(
            f"Filter '{condition.key} {condition.operator.value}' has {condition.value!r}: "
            f"'{condition.key}' needs {needed}."
        )
