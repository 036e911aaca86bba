"""The library as a LlamaIndex retriever, and its passages as LlamaIndex nodes.

A node has the id of its passage, and its source document the id of the library's document.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from ingest.base.types import Hit
from ingest.library import Library
from ingest.store.records import format_of, name_of

# Metadata that LlamaIndex leaves out of the text for embedding and chat models.
_NUMBERS = ["document_id", "passage_id", "format"]


class LibraryRetriever(BaseRetriever):
    """Retrieves the `count` best passages of `Library.search`; a node's score is the hit's."""

    def __init__(self, library: Library, count: int = 5, **kwargs: Any) -> None:
        self._library = library
        self._count = count
        super().__init__(**kwargs)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._library.search(query_bundle.query_str, self._count)
        return [NodeWithScore(node=node_of_hit(hit), score=hit.score) for hit in hits]


def metadata_of(passage_id: int, document_id: int, path: str, title: str, heading: str, page: str) -> dict[str, Any]:
    """The metadata of a passage's node; `path` is the name of its document as people see it."""
    return {
        "path": path, "title": title, "heading": heading, "page": page, "format": format_of(path),
        "document_id": document_id, "passage_id": passage_id,
    }  # fmt: skip


def node_of_hit(hit: Hit) -> TextNode:
    """The node of a hit of `Library.search`."""
    return _node(hit.text, metadata_of(hit.passage_id, hit.document_id, hit.path, hit.title, hit.heading, hit.page))


def node_of_row(row: sqlite3.Row) -> TextNode:
    """The node of a passage, from a row that `Catalog.passages` returns."""
    name = name_of(row["path"], row["root"])
    return _node(
        row["text"], metadata_of(row["id"], row["document_id"], name, row["title"], row["heading"], row["page"])
    )


def _node(text: str, metadata: dict[str, Any]) -> TextNode:
    return TextNode(
        id_=str(metadata["passage_id"]),
        text=text,
        metadata=metadata,
        excluded_llm_metadata_keys=_NUMBERS,
        excluded_embed_metadata_keys=_NUMBERS,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=str(metadata["document_id"]))},
    )
