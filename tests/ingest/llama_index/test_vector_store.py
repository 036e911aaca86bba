"""The library as a LlamaIndex vector store, and an index, a retriever and a query engine over it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from ingest.base.errors import DocentError
from ingest.base.language import terms
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.llama_index.vector_store import LibraryEmbedding, LibraryVectorStore, index_over
from ingest.runs.rebuild import rebuild
from ingest.store.vectors import vector_of
from ingest.store.write_lock import write_lock
from ingest.sync import ingest

QUESTION = "How many days of annual leave do full-time staff get?"
OLD, NEW, VPN, TRAVEL = "hr/leave-policy-2024.md", "hr/leave-policy-2026.md", "it/vpn.txt", "finance/差旅.md"


@pytest.fixture
def store(shared_library: Library) -> LibraryVectorStore:
    """Over the shared library: for tests that change nothing."""
    return LibraryVectorStore(shared_library)


def paths(result: VectorStoreQueryResult) -> list[str]:
    return [node.metadata["path"] for node in result.nodes or []]


def embedded(library: Library, text: str = QUESTION) -> list[float]:
    vector: list[float] = library.embedder.embed_query(text).tolist()
    return vector


def cosines(library: Library, vector: list[float]) -> dict[str, float]:
    """Node id → cosine, from the vectors in the catalog."""
    rows = library.catalog.passages([int(i) for i in library.catalog.passage_ids()])
    return {str(passage_id): float(vector_of(row) @ np.array(vector)) for passage_id, row in rows.items()}


def test_by_embedding(shared_library: Library, store: LibraryVectorStore) -> None:
    """The nearest by cosine, whatever the length of the vector, with the catalog's own vectors' cosines as scores."""
    vector = embedded(shared_library)
    expected = sorted(cosines(shared_library, vector).items(), key=lambda item: -item[1])
    for scale in (1.0, 7.5):
        result = store.query(VectorStoreQuery([scale * number for number in vector], similarity_top_k=3))
        assert result.ids == [node_id for node_id, _ in expected[:3]]
        assert result.similarities == pytest.approx([cosine for _, cosine in expected[:3]], abs=1e-5)
        assert [node.node_id for node in result.nodes or []] == result.ids
    assert shared_library.index.dense(shared_library.embedder.embed_query(QUESTION), 3) == pytest.approx(
        {int(node_id): cosine for node_id, cosine in expected[:3]}, abs=1e-5
    )
    with pytest.raises(ValueError, match="has 3 numbers and the library's 384: embed it with the library's own"):
        store.query(VectorStoreQuery([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("mode", [VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.HYBRID])
def test_by_text(shared_library: Library, store: LibraryVectorStore, mode: VectorStoreQueryMode) -> None:
    """What Docent itself finds, with its scores; also for Chinese, which the embedder cannot read."""
    for question in (QUESTION, "What does E-07 mean?", "出差住宿标准是多少？"):
        hits = shared_library.search(question, 2)
        result = store.query(VectorStoreQuery(query_str=question, similarity_top_k=2, mode=mode))
        assert result.ids == [str(hit.passage_id) for hit in hits]
        assert result.similarities == [hit.score for hit in hits]
    other = embedded(shared_library, "What does error E-07 mean?")
    both = VectorStoreQuery(other, 1, query_str=QUESTION, mode=mode, hybrid_top_k=2)
    assert paths(store.query(both)) == ([NEW, OLD] if mode == VectorStoreQueryMode.HYBRID else [VPN])


@pytest.mark.parametrize("mode", [VectorStoreQueryMode.SPARSE, VectorStoreQueryMode.TEXT_SEARCH])
def test_by_words(shared_library: Library, store: LibraryVectorStore, mode: VectorStoreQueryMode) -> None:
    """BM25 alone: passages without a word of the question are not found."""
    result = store.query(VectorStoreQuery(query_str="E-07 certificate", similarity_top_k=4, mode=mode))
    assert paths(result) == [VPN]
    (expected,) = shared_library.index.lexical(terms("E-07 certificate"), 4).values()
    assert result.similarities == [expected]


def test_what_is_not_offered(shared_library: Library, store: LibraryVectorStore) -> None:
    """An error of one sentence each, not a result that ignores a part of the query."""
    vector = embedded(shared_library)
    with pytest.raises(NotImplementedError, match=r"no query mode 'mmr': it has default, hybrid, sparse, text_search"):
        store.query(VectorStoreQuery(vector, mode=VectorStoreQueryMode.MMR))
    with pytest.raises(NotImplementedError, match="sets the weights of cosines and BM25 itself: leave out alpha"):
        store.query(VectorStoreQuery(vector, query_str="x", mode=VectorStoreQueryMode.HYBRID, alpha=0.5))
    with pytest.raises(ValueError, match="neither a text nor an embedding"):
        store.query(VectorStoreQuery())
    with pytest.raises(
        NotImplementedError, match="Nodes cannot be added to the library: add documents with `docent ingest`"
    ):
        store.add([TextNode(text="x")])
    with pytest.raises(NotImplementedError, match="delete a document by its `ref_doc_id`"):
        store.delete_nodes(["1"])


def condition(key: str, value: Any, operator: FilterOperator = FilterOperator.EQ) -> MetadataFilter:
    return MetadataFilter(key=key, value=value, operator=operator)


def where(
    *filters: MetadataFilter | MetadataFilters, combined: FilterCondition = FilterCondition.AND
) -> MetadataFilters:
    return MetadataFilters(filters=list(filters), condition=combined)


FILTERS = [
    (where(condition("format", "txt")), {VPN}),
    (where(condition("format", "txt", FilterOperator.NE)), {OLD, NEW, TRAVEL}),
    (where(condition("path", [VPN, OLD], FilterOperator.IN)), {VPN, OLD}),
    (where(condition("path", [VPN, OLD], FilterOperator.NIN)), {NEW, TRAVEL}),
    (where(condition("path", "hr/", FilterOperator.TEXT_MATCH)), {OLD, NEW}),
    (where(condition("title", "LEAVE policy", FilterOperator.TEXT_MATCH_INSENSITIVE)), {OLD, NEW}),
    (where(condition("heading", "差旅标准")), {TRAVEL}),
    (where(condition("page", None, FilterOperator.IS_EMPTY)), {OLD, NEW, VPN, TRAVEL}),
    (where(condition("format", "md"), condition("path", "2024", FilterOperator.TEXT_MATCH)), {OLD}),
    (where(condition("format", "txt"), condition("path", TRAVEL), combined=FilterCondition.OR), {VPN, TRAVEL}),
    (where(condition("format", "txt"), condition("path", TRAVEL), combined=FilterCondition.NOT), {OLD, NEW}),
    (
        where(
            condition("format", "md"),
            where(
                condition("path", OLD), condition("path", TRAVEL), condition("path", VPN), combined=FilterCondition.OR
            ),
        ),
        {OLD, TRAVEL},
    ),
    (where(condition("path", "none.md")), set()),
    (where(), {OLD, NEW, VPN, TRAVEL}),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_filters(
    shared_library: Library, store: LibraryVectorStore, filters: MetadataFilters, expected: set[str]
) -> None:
    """In every way of searching only what passes is found, with the score it has without filters."""
    vector = embedded(shared_library, "leave vpn 差旅")
    unfiltered = store.query(VectorStoreQuery(vector, similarity_top_k=4))
    scores = dict(zip(unfiltered.ids or [], unfiltered.similarities or [], strict=True))
    result = store.query(VectorStoreQuery(vector, similarity_top_k=4, filters=filters))
    assert set(paths(result)) == expected
    assert result.ids == [node_id for node_id in scores if node_id in (result.ids or [])]
    assert result.similarities == pytest.approx([scores[node_id] for node_id in result.ids or []], abs=1e-6)
    question = "leave days and vpn client 差旅标准"
    hits = {hit.path: hit.score for hit in shared_library.search(question, 4)}
    hybrid = store.query(VectorStoreQuery(query_str=question, similarity_top_k=4, filters=filters))
    assert paths(hybrid) == [path for path in hits if path in expected]
    # Cosines differ by the rounding of float32, which the embedder's scale makes ten times as large.
    assert hybrid.similarities == pytest.approx([hits[path] for path in paths(hybrid)], abs=1e-5)
    sparse = store.query(
        VectorStoreQuery(query_str=question, similarity_top_k=4, filters=filters, mode=VectorStoreQueryMode.SPARSE)
    )
    assert set(paths(sparse)) == expected
    assert {node.metadata["path"] for node in store.get_nodes(filters=filters)} == expected


def test_filters_and_ids_by_number(shared_library: Library, store: LibraryVectorStore) -> None:
    """Documents by number, in a range, and as LlamaIndex's own `doc_ids` and `node_ids`; all of them count together."""
    ids = {document.name: document.id for document in shared_library.documents()}
    vector = embedded(shared_library)

    def found_paths(**query: Any) -> set[str]:
        return set(paths(store.query(VectorStoreQuery(vector, similarity_top_k=4, **query))))

    assert found_paths(filters=where(condition("document_id", ids[VPN]))) == {VPN}
    above = {name for name, number in ids.items() if number > ids[OLD]}
    assert found_paths(filters=where(condition("document_id", ids[OLD], FilterOperator.GT))) == above
    assert found_paths(doc_ids=[str(ids[VPN]), str(ids[OLD]), "none"]) == {VPN, OLD}
    (node,) = store.get_nodes(filters=where(condition("path", NEW)))
    assert found_paths(node_ids=[node.node_id]) == {NEW}
    assert found_paths(node_ids=[node.node_id], doc_ids=[str(ids[VPN])]) == set()
    assert found_paths(node_ids=[], doc_ids=[]) == set(ids)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (condition("department", "hr"), NotImplementedError, "Passages have no 'department' to filter by: they have"),
        (condition("path", ["a"], FilterOperator.ANY), NotImplementedError, "Operator 'any' is for lists, and 'path'"),
        (condition("title", "a", FilterOperator.CONTAINS), NotImplementedError, "Operator 'contains' is for lists"),
        (condition("document_id", "5"), ValueError, "has '5': 'document_id' needs int"),
        (condition("path", "a.md", FilterOperator.IN), ValueError, "has 'a.md': 'path' needs a list of str"),
        (condition("path", ["a.md"]), ValueError, r"has \['a.md'\]: 'path' needs str"),
        (condition("document_id", 5, FilterOperator.TEXT_MATCH), ValueError, "'document_id text_match' has 5"),
    ],
)  # fmt: skip
def test_wrong_filters(store: LibraryVectorStore, wrong: MetadataFilter, error: type[Exception], message: str) -> None:
    """A filter that no passage could ever pass is an error, also inside others, and no empty result."""
    for filters in (where(wrong), where(where(wrong), combined=FilterCondition.NOT)):
        with pytest.raises(error, match=message):
            store.get_nodes(filters=filters)


def test_nodes_by_id(shared_library: Library, store: LibraryVectorStore) -> None:
    """In the order asked for, ids that are gone or none left out; all of them without ids."""
    by_path = {node.metadata["path"]: node for node in store.get_nodes()}
    assert set(by_path) == {OLD, NEW, VPN, TRAVEL}
    wanted = [by_path[VPN].node_id, "99999", "x", by_path[OLD].node_id]
    assert store.get_nodes(wanted) == [by_path[VPN], by_path[OLD]]
    assert store.get_nodes(wanted, where(condition("format", "md"))) == [by_path[OLD]]
    hit = shared_library.search("What does E-07 mean?", 1)[0]
    assert by_path[VPN].get_content() == hit.text
    assert by_path[VPN].node_id == str(hit.passage_id)


def test_delete(library: Library, settings: Settings, office: Path) -> None:
    """The document leaves the library and the search at once; its file stays. Only a document's id will do."""
    store = LibraryVectorStore(library)
    (node,) = store.get_nodes(filters=where(condition("path", VPN)))
    assert node.ref_doc_id is not None
    for unknown in ("99999", VPN, "hr", str(office)):
        with pytest.raises(DocentError, match="no such document in the library"):
            store.delete(unknown)
    with write_lock(settings.home, "docent ingest"), pytest.raises(DocentError, match="docent ingest"):
        store.delete(node.ref_doc_id)
    store.delete(node.ref_doc_id)
    assert VPN not in paths(store.query(VectorStoreQuery(embedded(library), similarity_top_k=10)))
    assert store.get_nodes([node.node_id]) == []
    assert {document.name for document in library.documents()} == {OLD, NEW, TRAVEL}
    assert (office / VPN).is_file()
    with pytest.raises(DocentError, match="no such document"):
        store.delete(node.ref_doc_id)


def test_index(library: Library) -> None:
    """An index over the library retrieves by its own embedder, by both legs and within filters; sync and async."""
    store = LibraryVectorStore(library)
    index = index_over(library)
    expected = store.query(VectorStoreQuery(embedded(library), similarity_top_k=2))
    retriever = index.as_retriever(similarity_top_k=2)
    for nodes in (retriever.retrieve(QUESTION), asyncio.run(retriever.aretrieve(QUESTION))):
        assert [node.node.node_id for node in nodes] == expected.ids
        assert [node.score for node in nodes] == pytest.approx(expected.similarities, abs=1e-6)
    hybrid = index.as_retriever(similarity_top_k=1, vector_store_query_mode="hybrid")
    assert hybrid.retrieve("出差住宿标准是多少？")[0].node.metadata["path"] == TRAVEL
    narrowed = index.as_retriever(filters=where(condition("format", "txt")))
    assert [node.node.metadata["path"] for node in narrowed.retrieve(QUESTION)] == [VPN]
    with pytest.raises(NotImplementedError, match="Nodes cannot be added to the library"):
        index.insert(Document(text="x"))
    (node,) = store.get_nodes(filters=where(condition("path", VPN)))
    index.delete_ref_doc(str(node.ref_doc_id))
    assert narrowed.retrieve(QUESTION) == []


def test_query_engine(shared_library: Library) -> None:
    """A query engine gets the passages into its prompt and gives them back as sources."""
    index = VectorStoreIndex.from_vector_store(
        LibraryVectorStore(shared_library), embed_model=LibraryEmbedding(shared_library)
    )
    answer = index.as_query_engine(llm=MockLLM(), similarity_top_k=1).query("What does error E-07 mean?")
    assert [node.node.metadata["path"] for node in answer.source_nodes] == [VPN]
    assert "Error E-07 means that the certificate has expired." in str(answer)  # MockLLM repeats its prompt


def test_the_index_follows_the_library(library: Library, office: Path, settings: Settings) -> None:
    """What is ingested later is found, and after a rebuild questions are embedded with the new embedder's prefix."""
    retriever = index_over(library).as_retriever(similarity_top_k=1)
    (office / "it" / "printer.md").write_text("# Printer\n\nThe printer on floor 2 needs a badge.\n")
    ingest([office], settings)
    assert retriever.retrieve("printer badge")[0].node.metadata["path"] == "it/printer.md"
    embedding = LibraryEmbedding(library)
    before = embedding.get_query_embedding("printer badge")
    prefixes = {"embedder_query_prefix": "question: ", "embedder_passage_prefix": "passage: "}
    rebuild(settings.model_copy(update=prefixes))
    assert retriever.retrieve("printer badge")[0].node.metadata["path"] == "it/printer.md"
    after = embedding.get_query_embedding("printer badge")
    assert after == library.embedder.embed_query("printer badge").tolist() != before
    assert embedding.get_text_embedding("x") == library.embedder.embed_passages(["x"])[0].tolist()
    assert asyncio.run(embedding.aget_query_embedding("printer badge")) == after


def test_no_library(settings: Settings) -> None:
    """Before anything was ingested, a query says how to begin."""
    library = Library(settings.home)
    for ask in (
        lambda: index_over(library),
        lambda: LibraryVectorStore(library).query(VectorStoreQuery(query_str="x")),
    ):
        with pytest.raises(DocentError, match="run `docent ingest FOLDER`"):
            ask()
