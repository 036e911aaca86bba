"""The library as everyone but its writer sees it: search it, list it, open what it holds.

Keeps itself level with what other processes ingest. Knows nothing of prompts or models; the embedder is the one
the library was made with, never the one the settings name.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from ingest.catalog import Catalog, name_of
from ingest.embed import Embedder, load_embedder
from ingest.errors import DocentError
from ingest.fuse import FusedScore, dense_trust, fuse
from ingest.index import SearchIndex
from ingest.language import terms
from ingest.logs import get_logger
from ingest.types import DocumentRecord, Hit, ReadDocument
from ingest.versions import names_version, superseded
from ingest.writer import is_being_written

CATALOG_FILE = "catalog.db"
INDEX_FOLDER = "index"
EMBEDDERS_FOLDER = "embedders"
# How many passages each leg proposes; the other leg then scores them too, so the fused order is exact among them.
CANDIDATES = 100
# How often a server looks whether another process has changed the library.
FOLLOW_SECONDS = 0.5
# What an older version's score is multiplied by when the question does not ask for that version: enough to order
# two passages of nearly the same words, too little to hide the only passage that answers.
OLDER_VERSION = 0.85
log = get_logger(__name__)


@dataclass(frozen=True)
class LibraryStatus:
    """How the library is. `problem` is one line for the administrator, '' when all is well."""

    documents: int
    passages: int
    revision: int
    embedder: str
    building: bool
    problem: str = ""


@dataclass(frozen=True)
class ScoredHit:
    """A hit with what its score is made of, for those who want to know why it was found."""

    hit: Hit
    parts: FusedScore


class Library:
    """A read-only view that stays level; safe to share between threads. Close it when done."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._connections = threading.local()
        self._refreshing = threading.Lock()
        # Exchanged together: an index can only be searched with vectors of its own embedder.
        self._opened: tuple[Embedder, SearchIndex] | None = None
        self._older: tuple[int, dict[int, str]] = (-1, {})
        self._stop = threading.Event()
        self._follower: threading.Thread | None = None

    @property
    def catalog(self) -> Catalog:
        """This thread's connection. Raises DocentError while there is no library yet."""
        catalog: Catalog | None = getattr(self._connections, "catalog", None)
        if catalog is None:
            catalog = self._connections.catalog = Catalog(self.home / CATALOG_FILE)
        return catalog

    @property
    def embedder(self) -> Embedder:
        """The model the library was made with. Raises DocentError while there is nothing in it."""
        return self._open()[0]

    @property
    def index(self) -> SearchIndex:
        """Both indexes, level with the catalog as of the last refresh. Raises DocentError as `embedder` does."""
        return self._open()[1]

    def _open(self) -> tuple[Embedder, SearchIndex]:
        opened = self._opened
        if opened is None:
            self.refresh()
            opened = self._opened
        if opened is None:
            raise DocentError(f"The library in {self.home} is empty: run `docent ingest FOLDER` to fill it.")
        return opened

    def refresh(self) -> bool:
        """Bring embedder and indexes level with the catalog now. True when anything changed."""
        with self._refreshing:
            card = self.catalog.embedder()
            if card is None:
                return False
            fingerprint = card["fingerprint"]
            opened = self._opened
            if opened is None or opened[0].card.fingerprint != fingerprint:
                embedder = load_embedder(self.home / EMBEDDERS_FOLDER / fingerprint)
                index = SearchIndex(self.home / INDEX_FOLDER, embedder.card.dimension, fingerprint)
                index.level(self.catalog)
                self._opened = embedder, index
                if opened is not None:
                    opened[1].close()
                return True
            return opened[1].level(self.catalog)

    def follow(self) -> None:
        """From now on refresh in the background, so that answers use what another process has just ingested."""
        if self._follower is None:
            self._follower = threading.Thread(target=self._follow, name="library-follower", daemon=True)
            self._follower.start()

    def _follow(self) -> None:
        failing = ""
        while not self._stop.wait(FOLLOW_SECONDS):
            try:
                if (self.home / CATALOG_FILE).is_file() and self.refresh():
                    log.info("library.refreshed", revision=self.catalog.revision)
                failing = ""
            except Exception as error:
                if str(error) != failing:
                    log.error("library.refresh_failed", exc_info=True)
                failing = str(error)

    def close(self) -> None:
        self._stop.set()
        if self._follower is not None:
            self._follower.join()
            self._follower = None
        with self._refreshing:
            if self._opened is not None:
                self._opened[1].close()
            self._opened = None
        catalog = getattr(self._connections, "catalog", None)
        if catalog is not None:
            catalog.close()
            del self._connections.catalog

    # Searching

    def search(self, question: str, count: int = 10) -> list[Hit]:
        """The `count` best passages, best first. Raises DocentError while there is no library."""
        return [scored.hit for scored in self.search_scored(question, count)]

    def search_scored(self, question: str, count: int = 10) -> list[ScoredHit]:
        """Like `search`, with what each score is made of."""
        scored = self._scored(question, count)
        if not scored:  # a rebuild may just have replaced all that the index knew
            self.refresh()
            scored = self._scored(question, count)
        return scored

    def _scored(self, question: str, count: int) -> list[ScoredHit]:
        embedder, index = self._open()
        depth = max(CANDIDATES, count)
        query_terms = terms(question)
        bm25 = index.lexical(query_terms, depth)
        trust = dense_trust(embedder.unknown_share(question))
        cosines: dict[int, float] = {}
        if trust > 0:
            vector = embedder.embed_query(question)
            cosines = index.dense(vector, depth)
            cosines |= index.cosines(vector, [passage_id for passage_id in bm25 if passage_id not in cosines])
            only_dense = [passage_id for passage_id in cosines if passage_id not in bm25]
            bm25 |= index.lexical(query_terms, len(only_dense), among=only_dense)
        ranked = fuse(cosines, bm25, index.lexical_bound(query_terms), trust)
        # A passage may have left the catalog since the index was levelled; it is not answered from.
        rows = self.catalog.passages([passage_id for passage_id, _ in ranked])
        older = self._superseded()
        scored = []
        for passage_id, parts in ranked:
            row = rows.get(passage_id)
            if row is None:
                continue
            name = name_of(row["path"], row["root"])
            newer = older.get(row["document_id"], "")
            if newer and not names_version(question, name):
                parts = replace(parts, score=parts.score * OLDER_VERSION)
            scored.append((parts, _hit(row, name, newer)))
        scored.sort(key=lambda item: -item[0].score)
        return [
            ScoredHit(replace(hit, rank=rank, score=round(parts.score, 6)), parts)
            for rank, (parts, hit) in enumerate(scored[:count], 1)
        ]

    def _superseded(self) -> dict[int, str]:
        """Document id → name of its newer version; looked up again only when the library has changed."""
        revision = self.catalog.revision
        if self._older[0] != revision:
            names = ((document.id, document.name) for document in self.catalog.documents())
            self._older = (revision, superseded(names))
        return self._older[1]

    def as_retriever(self, count: int = 5) -> LibraryRetriever:
        """The library as a LlamaIndex retriever."""
        return LibraryRetriever(self, count)

    # Listing

    def documents(self) -> list[DocumentRecord]:
        return self.catalog.documents()

    def document(self, document_id: int) -> DocumentRecord:
        """Raises DocentError when the library does not have it (any more)."""
        return self.catalog.document(document_id)

    def content(self, document_id: int) -> ReadDocument:
        """The document as it was read. Raises DocentError when the library does not have it (any more)."""
        return self.catalog.content(document_id)

    def status(self) -> LibraryStatus:
        """Never raises: a library that cannot be used says why in `problem`."""
        building = is_being_written(self.home)
        if not (self.home / CATALOG_FILE).is_file():
            return LibraryStatus(0, 0, 0, "", building)
        try:
            documents, passages = self.catalog.counts()
            card = self.catalog.embedder() or {}
            if card:
                self.refresh()
            return LibraryStatus(documents, passages, self.catalog.revision, card.get("name", ""), building)
        except DocentError as error:
            return LibraryStatus(0, 0, 0, "", building, str(error))
        except Exception as error:
            log.error("library.status_failed", exc_info=True)
            problem = f"The library in {self.home} cannot be used ({type(error).__name__}): run `docent check`."
            return LibraryStatus(0, 0, 0, "", building, problem)


def _hit(row: sqlite3.Row, name: str, newer: str) -> Hit:
    return Hit(
        rank=0, score=0.0, document_id=row["document_id"], path=name, title=row["title"], heading=row["heading"],
        page=row["page"], passage_id=row["id"], text=row["text"], newer=newer,
    )  # fmt: skip


class LibraryRetriever(BaseRetriever):
    """A LlamaIndex retriever over a library: nodes carry document, heading and page in their metadata."""

    def __init__(self, library: Library, count: int, **kwargs: Any) -> None:
        self._library = library
        self._count = count
        super().__init__(**kwargs)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in self._library.search(query_bundle.query_str, self._count)]


def _node(hit: Hit) -> NodeWithScore:
    metadata = {
        "path": hit.path, "title": hit.title, "heading": hit.heading, "page": hit.page,
        "document_id": hit.document_id, "passage_id": hit.passage_id,
    }  # fmt: skip
    return NodeWithScore(node=TextNode(id_=str(hit.passage_id), text=hit.text, metadata=metadata), score=hit.score)


def documents_of(hits: Sequence[Hit]) -> list[Hit]:
    """The best hit of each document, in order: a ranking of documents."""
    best: dict[int, Hit] = {}
    for hit in hits:
        best.setdefault(hit.document_id, hit)
    return list(best.values())
