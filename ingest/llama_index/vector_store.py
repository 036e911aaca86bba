"""The library as a LlamaIndex vector store, so that `VectorStoreIndex` and all that stands on it work over it.

Documents come in by `docent ingest` alone, which splits, judges and embeds them; a store of passages that others
split and embedded would be another library. So it can be searched, listed and deleted from, and not added to.
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
from ingest.runs.select import UNKNOWN
from ingest.search.nearest import nearest
from ingest.sync import remove

_TYPES = {
    "document_id": int, "passage_id": int,
    "path": str, "title": str, "heading": str, "page": str, "format": str,
}  # fmt: skip
# Those for lists; nothing that a passage says of itself is one.
_FOR_LISTS = {FilterOperator.ANY, FilterOperator.ALL, FilterOperator.CONTAINS}
_WITH_LISTS = {FilterOperator.IN, FilterOperator.NIN}
_BY_WORDS = {VectorStoreQueryMode.SPARSE, VectorStoreQueryMode.TEXT_SEARCH}


class LibraryVectorStore(BasePydanticVectorStore):
    """A library's passages. A node's id is its passage's, its `ref_doc_id` its document's, both numbers in text."""

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
        """The nearest passages, best first.

        By default those whose cosine to `query_embedding` is highest, exactly; without an embedding, and in hybrid
        mode, what Docent itself finds for `query_str`, with its score; in sparse and text-search mode BM25. Raises
        NotImplementedError with one sentence for what is not offered, ValueError for a query that lacks its part,
        DocentError while there is no library.
        """
        self._refuse(query)
        self._library.refresh()
        among = self._among(query)
        if query.mode in _BY_WORDS:
            found = self._library.index.lexical(terms(_text_of(query)), query.similarity_top_k, among)
            return self._result(found)
        if query.mode == VectorStoreQueryMode.HYBRID or query.query_embedding is None:
            count = query.similarity_top_k if query.hybrid_top_k is None else query.hybrid_top_k
            hits = self._library.search(_text_of(query), count, among)
            nodes = [node_of_hit(hit) for hit in hits]
            return _as_result(nodes, [hit.score for hit in hits])
        index = self._library.index
        vector = _unit_vector(query.query_embedding, index.dimension)
        return self._result(nearest(index, self._library.catalog, vector, query.similarity_top_k, among))

    def _refuse(self, query: VectorStoreQuery) -> None:
        allowed = {VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.HYBRID, *_BY_WORDS}
        if query.mode not in allowed:
            names = ", ".join(sorted(mode.value for mode in allowed))
            raise NotImplementedError(f"The library has no query mode '{query.mode.value}': it has {names}.")
        if query.alpha is not None or query.sparse_top_k is not None:
            raise NotImplementedError("The library weighs meaning and words itself: leave out alpha and sparse_top_k.")

    def _result(self, found: dict[int, float]) -> VectorStoreQueryResult:
        """A passage may have left the catalog since the index was levelled; it is left out."""
        rows = self._library.catalog.passages(list(found))
        scored = [(node_of_row(rows[passage_id]), score) for passage_id, score in found.items() if passage_id in rows]
        return _as_result([node for node, _ in scored], [score for _, score in scored])

    # Looking up

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Those of these ids that pass the filters, in the order of the ids; without ids all that pass."""
        among = self._among(VectorStoreQuery(node_ids=node_ids, filters=filters))
        catalog = self._library.catalog
        wanted = [int(i) for i in catalog.passage_ids()] if among is None else among
        if node_ids:
            kept = set(wanted)
            wanted = [number for number in _numbers(node_ids) if number in kept]
        rows = catalog.passages(wanted)
        return [node_of_row(rows[passage_id]) for passage_id in wanted if passage_id in rows]

    def _among(self, query: VectorStoreQuery) -> list[int] | None:
        """Passage ids that the query is confined to; None for all. LlamaIndex gives empty lists where it means all."""
        if not query.node_ids and not query.doc_ids and not (query.filters and query.filters.filters):
            return None
        if query.filters:
            _refuse_filters(query.filters)
        catalog = self._library.catalog
        documents = {document.id: document for document in catalog.documents()}
        ids = set(_numbers(query.node_ids)) if query.node_ids else None
        sources = set(_numbers(query.doc_ids)) if query.doc_ids else None
        found = []
        for row in catalog.rows(
            "SELECT id, document_id, heading, page FROM passages WHERE generation = ? ORDER BY id",
            (catalog.generation,),
        ):
            document = documents.get(row["document_id"])
            if document is None or (ids is not None and row["id"] not in ids):
                continue
            if sources is not None and document.id not in sources:
                continue
            metadata = metadata_of(row["id"], document.id, document.name, document.title, row["heading"], row["page"])
            if query.filters is None or _passes(metadata, query.filters):
                found.append(int(row["id"]))
        return found

    # Changing

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:  # noqa: ARG002 - LlamaIndex's
        """Nothing to add is fine, as when an index is made over what there is; anything else raises."""
        if nodes:
            raise NotImplementedError("Documents come into the library by `docent ingest`, not as nodes.")
        return []

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:  # noqa: ARG002 - LlamaIndex's
        """Take a document out of the library; its file stays, and an ingest of its folder brings it back.

        Raises DocentError for a document that is not there, AnotherWriter while somebody else changes the library.
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
        raise NotImplementedError("The library holds whole documents: delete one by its `ref_doc_id`.")


class LibraryEmbedding(BaseEmbedding):
    """The library's own embedder with its prefixes, for LlamaIndex to embed questions with; also after a rebuild."""

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
    """A LlamaIndex index over the library. Raises DocentError while there is nothing in it."""
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
    """Ids of the library are numbers; any other names nothing in it."""
    return [int(one) for one in ids if one.isdecimal()]


def _passes(metadata: dict[str, Any], filters: MetadataFilters) -> bool:
    """LlamaIndex's own reading of each filter; only nesting is ours, which it refuses."""
    passed = (
        _passes(metadata, one)
        if isinstance(one, MetadataFilters)
        else build_metadata_filter_fn(lambda _: metadata, MetadataFilters(filters=[one]))("")
        for one in filters.filters
    )
    if filters.condition == FilterCondition.OR:
        return any(passed)
    if filters.condition == FilterCondition.NOT:
        return not any(passed)
    return all(passed)


def _refuse_filters(filters: MetadataFilters) -> None:
    """Raise NotImplementedError for what no passage could pass by its sense, ValueError for a value of a wrong type."""
    for one in filters.filters:
        if isinstance(one, MetadataFilters):
            _refuse_filters(one)
        else:
            _refuse_filter(one)


def _refuse_filter(one: MetadataFilter) -> None:
    wanted = _TYPES.get(one.key)
    if wanted is None:
        raise NotImplementedError(f"Passages have no '{one.key}' to filter by: they have {', '.join(_TYPES)}.")
    if one.operator in _FOR_LISTS:
        raise NotImplementedError(
            f"Operator '{one.operator.value}' is for lists, and '{one.key}' of a passage is none."
        )
    values = one.value if isinstance(one.value, list) else [one.value]
    text_only = one.operator in {FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE}
    if one.operator == FilterOperator.IS_EMPTY:
        return
    if (
        isinstance(one.value, list) != (one.operator in _WITH_LISTS)
        or not all(isinstance(value, wanted) for value in values)
        or (text_only and wanted is not str)
    ):
        kind = "a list of " if one.operator in _WITH_LISTS else ""
        raise ValueError(
            f"Filter '{one.key} {one.operator.value}' has {one.value!r}: '{one.key}' wants {kind}{wanted.__name__}."
        )
