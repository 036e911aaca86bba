"""The library through LlamaIndex's retriever."""

from __future__ import annotations

import asyncio

from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from ingest.library import Library
from ingest.llama_index.retriever import LibraryRetriever, node_of_hit, node_of_row

QUESTION = "What does E-07 mean?"


def test_finds_what_a_search_finds(shared_library: Library) -> None:
    """The same passages in the same order with the same scores, from text, from a query bundle, and awaited."""
    hits = shared_library.search(QUESTION, 3)
    retriever = LibraryRetriever(shared_library, 3)

    def summary(nodes: list[NodeWithScore]) -> list[tuple[str, float | None, str]]:
        return [(node.node.node_id, node.score, node.node.get_content()) for node in nodes]

    expected = [(str(hit.passage_id), hit.score, hit.text) for hit in hits]
    assert summary(retriever.retrieve(QUESTION)) == expected
    assert summary(retriever.retrieve(QueryBundle(QUESTION))) == expected
    assert summary(asyncio.run(retriever.aretrieve(QUESTION))) == expected
    assert len(LibraryRetriever(shared_library).retrieve("leave")) == 4


def test_a_node_says_where_it_is_from(shared_library: Library) -> None:
    """Its document is the library's; a model is shown title and heading, but no numbers of ours."""
    hit = shared_library.search("出差住宿标准", 1)[0]
    node = node_of_hit(hit)
    assert node.ref_doc_id == str(hit.document_id)
    assert node.metadata == {
        "path": "finance/差旅.md", "title": "差旅标准", "heading": "差旅标准", "page": "", "format": "md",
        "document_id": hit.document_id, "passage_id": hit.passage_id,
    }  # fmt: skip
    shown = node.get_content(MetadataMode.LLM)
    assert "path: finance/差旅.md" in shown
    assert hit.text in shown
    assert "_id" not in shown
    assert node_of_row(shared_library.catalog.passages([hit.passage_id])[hit.passage_id]) == node
