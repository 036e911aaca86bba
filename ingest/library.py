"""The library as everyone but its writer sees it: search, list documents, read their content.

`follow` keeps it up to date with what other processes ingest. Its embedder is the one the library was made with, never
the one that the settings name.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.types import DocumentRecord, Hit, ReadDocument
from ingest.passages.embedders.embedder import CARD_FILE, Embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER, embedder_for_search
from ingest.passages.embedders.unavailable import UnavailableEmbedder
from ingest.search.explain import SearchExplanation, explain
from ingest.search.fuse import FUSION, FusionWeights
from ingest.search.hybrid import ScoredHit, SearchResult, search
from ingest.search.indexes.search_index import INDEX_FOLDER, SearchIndex
from ingest.search.indexes.snapshot import LINEAGE, IndexSnapshot
from ingest.search.rerank import RERANKED, Reranker
from ingest.search.spelling import CorrectedQuestion, correct_spelling
from ingest.search.versions import superseded
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import ListedDocument
from ingest.store.write_lock import Work, current_work

# How often a server looks whether another process has changed the library.
FOLLOW_SECONDS = 0.5
# How long a search that is to be repeated waits for a refresh that is under way.
_CONSISTENT_SECONDS = 5.0
log = get_logger(__name__)


@dataclass(frozen=True)
class LibraryStatus:
    """State of the library.

    `problem` is one line for the administrator when it cannot be used, else ''; `note` is one when it can be used but
    not with everything that the settings ask for, else ''. `building` is True while a process holds the write lock,
    and `work` is then what that process does.
    """

    documents: int
    passages: int
    revision: int
    embedder: str
    building: bool
    problem: str = ""
    note: str = ""
    work: Work | None = None


class Library:
    """A read-only view of the catalog and its search index; safe to share between threads. Close it when done.

    A `reranker` (`rerank.reranker_of`) decides the order of the best hits; `weights` fuse cosines with BM25.
    """

    def __init__(self, home: Path, reranker: Reranker | None = None, weights: FusionWeights = FUSION) -> None:
        self.home = home
        self.reranker = reranker
        self.weights = weights
        self._connections = threading.local()
        self._refreshing = threading.RLock()
        # Exchanged together: an index can only be searched with vectors of its own embedder.
        self._opened: tuple[Embedder, SearchIndex] | None = None
        # When the embedder was prepared that was opened, or could not be.
        self._prepared_ns = 0
        # The revision of the catalog, and what `_superseded` returns at that revision.
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
        """The model the library was made with; an `UnavailableEmbedder` when that cannot be opened.

        Raises DocentError while the library is empty.
        """
        return self._open()[0]

    @property
    def embedder_problem(self) -> str:
        """One line when the embedder cannot be used, so that only words are searched; '' before the library is open."""
        embedder = self._opened[0] if self._opened is not None else None
        return embedder.problem if isinstance(embedder, UnavailableEmbedder) else ""

    @property
    def index(self) -> IndexSnapshot:
        """Vectors and BM25 as of the last refresh. Raises DocentError as `embedder` does."""
        return self._open()[1].snapshot

    def _open(self) -> tuple[Embedder, SearchIndex]:
        opened = self._opened
        if opened is None:
            self.refresh()
            opened = self._opened
        if opened is None:
            raise DocentError(f"The library in {self.home} is empty: run `docent ingest FOLDER` to fill it.")
        return opened

    def refresh(self) -> bool:
        """Bring embedder and index up to date with the catalog. True when anything changed.

        Raises DocentError while there is no library.
        """
        with self._refreshing:
            card = self.catalog.embedder()
            if card is None:
                return False
            fingerprint = card["fingerprint"]
            opened = self._opened
            prepared_ns = _modified_ns(self.home / EMBEDDERS_FOLDER / fingerprint / CARD_FILE)
            # An embedder that could not be opened is tried again when it was prepared again since.
            is_back = bool(self.embedder_problem) and prepared_ns != self._prepared_ns
            if opened is None or opened[0].card.fingerprint != fingerprint or is_back:
                embedder = embedder_for_search(card, self.home)
                self._prepared_ns = _modified_ns(self.home / EMBEDDERS_FOLDER / fingerprint / CARD_FILE)
                index = SearchIndex(self.home / INDEX_FOLDER, embedder.card.dimension, fingerprint)
                index.refresh(self.catalog, or_in_memory=True)
                self._opened = embedder, index
                if opened is not None:
                    opened[1].close()
                return True
            return opened[1].refresh(self.catalog, or_in_memory=True)

    def follow(self) -> None:
        """Refresh in the background from now on, so that answers use what another process has just ingested."""
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
        """Stop following, and close the index and this thread's connection."""
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

    def search(self, question: str, count: int = 10, among: Sequence[int] | None = None) -> list[Hit]:
        """The `count` best passages, best first; with `among` only passages with these ids are searched.

        Raises DocentError while there is no library.
        """
        return [scored.hit for scored in self.search_scored(question, count, among)]

    def search_scored(self, question: str, count: int = 10, among: Sequence[int] | None = None) -> list[ScoredHit]:
        """Like `search`, with the parts of each score."""
        return self._search(question, count, among).hits

    def correct_spelling(self, question: str) -> CorrectedQuestion:
        """The question with words that the library does not have corrected to those that were clearly meant.

        `search` itself searches for what it is given. Raises DocentError while there is no library.
        """
        embedder, index = self._open()
        return correct_spelling(question, embedder, index.snapshot, self.catalog)

    def explain(self, question: str, count: int = 5) -> SearchExplanation:
        """The `count` best hits of `search`, explained. Raises DocentError while there is no library."""
        result = self._search(question, count)
        return explain(question, result, self.reranker, self.weights)

    def _search(self, question: str, count: int, among: Sequence[int] | None = None) -> SearchResult:
        """The steps of a search."""
        depth = count if self.reranker is None else max(count, RERANKED)
        # 1. Search by vectors and by BM25, and fuse both rankings.
        result = self._search_once(question, depth, among)
        # 2. If a passage disappeared during the search, or nothing was found, search again on a consistent snapshot.
        if not result.hits or not result.complete:
            with self._consistent() as consistent:
                if consistent:
                    result = self._search_once(question, depth, among)
        # 3. A cross-encoder decides the order of the best hits.
        if self.reranker is not None:
            result = replace(result, hits=self.reranker.reorder(question, result.hits)[:count])
        return result

    def _search_once(self, question: str, depth: int, among: Sequence[int] | None) -> SearchResult:
        embedder, index = self._open()
        # After a backup was restored, the same ids belong to other passages.
        if (self.catalog.note(LINEAGE) or "") != index.snapshot.version.lineage:
            self.refresh()
            embedder, index = self._open()
        return search(question, embedder, index.snapshot, self.catalog, self._superseded(), depth, among, self.weights)

    @contextmanager
    def _consistent(self) -> Iterator[bool]:
        """Yields True while catalog and index stay at one revision, False when another refresh took too long."""
        if not self._refreshing.acquire(timeout=_CONSISTENT_SECONDS):
            log.warning("library.search_did_not_wait")
            yield False
            return
        try:
            with self.catalog.consistent_snapshot():
                self.refresh()
                yield True
        finally:
            self._refreshing.release()

    def _superseded(self) -> dict[int, str]:
        """Document id → name of its newest version; looked up again only when the library has changed."""
        revision = self.catalog.revision
        if self._older[0] != revision:
            names = ((document.id, document.name) for document in self.catalog.documents())
            self._older = (revision, superseded(names))
        return self._older[1]

    # Listing

    def documents(self) -> list[DocumentRecord]:
        """All documents, ordered by path. Raises DocentError while there is no library."""
        return self.catalog.documents()

    def document(self, document_id: int) -> ListedDocument:
        """The document with this id. Raises DocentError when the library has no such document."""
        return self.catalog.document(document_id)

    def content(self, document_id: int) -> ReadDocument:
        """The text of this document, as it was read. Raises DocentError when the library has no such document."""
        return self.catalog.content(document_id)

    def status(self) -> LibraryStatus:
        """The state of the library after a refresh. Never raises: `problem` says why a library cannot be used."""
        work = current_work(self.home)
        status = LibraryStatus(0, 0, 0, "", work is not None, work=work)
        if not (self.home / CATALOG_FILE).is_file():
            return status
        try:
            documents, passages = self.catalog.counts()
            card = self.catalog.embedder() or {}
            if card:
                self.refresh()
            notes = (self.embedder_problem, self.reranker.problem if self.reranker is not None else "")
            return replace(
                status, documents=documents, passages=passages, revision=self.catalog.revision,
                embedder=card.get("name", ""), note=" ".join(filter(None, notes)),
            )  # fmt: skip
        except DocentError as error:
            return replace(status, problem=str(error))
        except Exception as error:
            log.error("library.status_failed", exc_info=True)
            problem = f"The library in {self.home} cannot be used ({type(error).__name__}): run `docent check`."
            return replace(status, problem=problem)

    def is_ready(self) -> bool:
        """Whether the library, up to date with the catalog, has any passage. Never raises: `status` says why not."""
        try:
            self.refresh()
            return self.catalog.has_passages()
        except Exception:
            log.warning("library.not_ready", exc_info=True)
            return False


def _modified_ns(path: Path) -> int:
    """When a file was written, in ns since 1970; 0 when it cannot be read."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def best_hit_per_document(hits: Sequence[Hit]) -> list[Hit]:
    """The best hit of each document, in order: a ranking of documents."""
    best: dict[int, Hit] = {}
    for hit in hits:
        best.setdefault(hit.document_id, hit)
    return list(best.values())
