"""The library as everyone but its writer sees it: search it, list it, open what it holds.

Keeps itself level with what other processes ingest. Knows nothing of prompts or models; the embedder is the one
the library was made with, never the one the settings name.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.types import DocumentRecord, Hit, ReadDocument
from ingest.llama_index.retriever import LibraryRetriever
from ingest.passages.embedders.embedder import Embedder, load_embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.search.fuse import FusedScore
from ingest.search.hybrid import Preference, ScoredHit, propose
from ingest.search.indexes.search_index import INDEX_FOLDER, LINEAGE, SearchIndex
from ingest.search.rerank import RERANKED, Reranker
from ingest.search.versions import superseded
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import ListedDocument, name_of
from ingest.store.write_lock import Work, current_work

# How many passages each leg proposes; the other leg then scores them too, so the fused order is exact among them.
CANDIDATES = 100
# How often a server looks whether another process has changed the library.
FOLLOW_SECONDS = 0.5
# How long a search that met what is just being exchanged waits for the index to be level again.
_PATIENCE_SECONDS = 5.0
log = get_logger(__name__)


@dataclass(frozen=True)
class LibraryStatus:
    """How the library is. `problem` is one line for the administrator, '' when all is well.

    `note` is one, too, when it can be used but not as well as the settings ask, else ''. `work` is what the writer is
    doing while the library is being changed.
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
    """A read-only view that stays level; safe to share between threads. Close it when done.

    With a `reranker` (`rerank.reranker_of`) that has the last word on the order of what a search finds.
    """

    def __init__(self, home: Path, reranker: Reranker | None = None) -> None:
        self.home = home
        self.reranker = reranker
        self._connections = threading.local()
        self._refreshing = threading.RLock()
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
                index.level(self.catalog, or_in_memory=True)
                self._opened = embedder, index
                if opened is not None:
                    opened[1].close()
                return True
            return opened[1].level(self.catalog, or_in_memory=True)

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

    def search(self, question: str, count: int = 10, among: Sequence[int] | None = None) -> list[Hit]:
        """The `count` best passages, of all or of those with the ids `among`, best first.

        Raises DocentError while there is no library.
        """
        return [scored.hit for scored in self.search_scored(question, count, among)]

    def search_scored(self, question: str, count: int = 10, among: Sequence[int] | None = None) -> list[ScoredHit]:
        """Like `search`, with what each score is made of."""
        depth = count if self.reranker is None else max(count, RERANKED)
        scored, whole = self._scored(question, depth, among)
        if not whole:
            with self._at_rest() as level:
                if level:
                    scored, _ = self._scored(question, depth, among)
        return scored if self.reranker is None else self.reranker.reorder(question, scored)[:count]

    @contextmanager
    def _at_rest(self) -> Iterator[bool]:
        """Nobody changes index or catalog inside, and they are level; False when that takes too long to wait for."""
        if not self._refreshing.acquire(timeout=_PATIENCE_SECONDS):
            log.warning("library.search_did_not_wait")
            yield False
            return
        try:
            with self.catalog.consistent_snapshot():
                self.refresh()
                yield True
        finally:
            self._refreshing.release()

    def _scored(self, question: str, count: int, among: Sequence[int] | None) -> tuple[list[ScoredHit], bool]:
        """The best hits, and whether to rely on them: not when there are none or some have left the catalog."""
        embedder, index = self._open()
        catalog = self.catalog
        # After a backup was restored, the same numbers mean other passages.
        if (catalog.note(LINEAGE) or "") != index.standing.lineage:
            self.refresh()
            embedder, index = self._open()
        proposed = propose(question, embedder, index, catalog, max(CANDIDATES, count), among)
        best, gone = self._best(question, proposed.ranked, count)
        hits = [
            ScoredHit(
                replace(hit, rank=rank, score=round(parts.score, 6)),
                parts,
                proposed.statements.get(hit.passage_id, ()),
            )
            for rank, (parts, hit) in enumerate(best, 1)
        ]
        return hits, bool(hits) and not gone

    def _best(
        self, question: str, ranked: Sequence[tuple[int, FusedScore]], count: int
    ) -> tuple[list[tuple[FusedScore, Hit]], bool]:
        """The best `count` once `Preference` has moved them; asks the catalog for no more than can be among them.

        A passage may have left the catalog since the index was levelled; it is not answered from, and that it happened
        is the second value.
        """
        older = self._superseded()
        preference = Preference(question)
        gone = False
        best: list[tuple[FusedScore, Hit]] = []
        for start in range(0, len(ranked), 2 * count):
            # What is still to come cannot rise above this, so it cannot pass what is ahead of it now.
            if len(best) >= count and best[count - 1][0].score >= ranked[start][1].score * preference.most:
                break
            some = ranked[start : start + 2 * count]
            rows = self.catalog.passages([passage_id for passage_id, _ in some])
            for passage_id, parts in some:
                row = rows.get(passage_id)
                if row is None:
                    gone = True
                    continue
                name = name_of(row["path"], row["root"])
                newer = older.get(row["document_id"], "")
                parts = replace(parts, score=parts.score * preference.factor(row, name, newer))
                best.append((parts, _hit(row, name, newer)))
            best.sort(key=lambda item: -item[0].score)
        return best[:count], gone

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

    def document(self, document_id: int) -> ListedDocument:
        """Raises DocentError when the library does not have it (any more)."""
        return self.catalog.document(document_id)

    def content(self, document_id: int) -> ReadDocument:
        """The document as it was read. Raises DocentError when the library does not have it (any more)."""
        return self.catalog.content(document_id)

    def status(self) -> LibraryStatus:
        """Never raises: a library that cannot be used says why in `problem`."""
        work = current_work(self.home)
        status = LibraryStatus(0, 0, 0, "", work is not None, work=work)
        if not (self.home / CATALOG_FILE).is_file():
            return status
        try:
            documents, passages = self.catalog.counts()
            card = self.catalog.embedder() or {}
            if card:
                self.refresh()
            return replace(
                status, documents=documents, passages=passages, revision=self.catalog.revision,
                embedder=card.get("name", ""), note=self.reranker.problem if self.reranker is not None else "",
            )  # fmt: skip
        except DocentError as error:
            return replace(status, problem=str(error))
        except Exception as error:
            log.error("library.status_failed", exc_info=True)
            problem = f"The library in {self.home} cannot be used ({type(error).__name__}): run `docent check`."
            return replace(status, problem=problem)

    def is_ready(self) -> bool:
        """Whether there is anything to answer from, level with the catalog. Never raises: `status` says why not."""
        try:
            self.refresh()
            return self.catalog.has_passages()
        except Exception:
            log.warning("library.not_ready", exc_info=True)
            return False


def _hit(row: sqlite3.Row, name: str, newer: str) -> Hit:
    return Hit(
        rank=0, score=0.0, document_id=row["document_id"], path=name, title=row["title"], heading=row["heading"],
        page=row["page"], passage_id=row["id"], text=row["text"], newer=newer,
    )  # fmt: skip


def documents_of(hits: Sequence[Hit]) -> list[Hit]:
    """The best hit of each document, in order: a ranking of documents."""
    best: dict[int, Hit] = {}
    for hit in hits:
        best.setdefault(hit.document_id, hit)
    return list(best.values())
