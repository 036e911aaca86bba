"""FAISS and Tantivy over the catalog's passages: a cache that can always be remade. Knows nothing of documents.

A snapshot is a folder `index/<revision>-<random>` with both indexes and a manifest, made under a temporary name
and swapped in by renaming the one-line file `index/CURRENT`. Whoever opens it brings its own copy level with the
catalog (adds what is new, drops what is gone); only the one writer publishes. Vectors are never computed here:
the catalog has them.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import tantivy

from ingest.catalog import Catalog, vector_of
from ingest.embed import Vectors
from ingest.language import terms
from ingest.logs import get_logger
from ingest.split import context_line

CURRENT = "CURRENT"
MANIFEST = "manifest.json"
_VECTORS = "vectors.faiss"
_WORDS = "words"
_FORMAT = 2
# Tantivy's BM25 constant k1 (its source, query/bm25.rs); a term's score never exceeds idf * (k1 + 1).
_K1 = 1.2
_WRITER_BYTES = 50_000_000
_LEVEL_CHUNK = 2_000

Ids = np.ndarray[Any, np.dtype[np.int64]]
log = get_logger(__name__)


class SearchIndex:
    """Both indexes at one revision of the catalog. Safe to search from many threads while `level` runs in one."""

    def __init__(self, folder: Path, dimension: int, fingerprint: str) -> None:
        """Open the published snapshot in `folder`, or start empty when there is none that fits this embedder."""
        self.folder = folder
        self.dimension = dimension
        self.fingerprint = fingerprint
        self.revision = -1
        self._lock = threading.Lock()
        self._work: Path | None = None
        self._writer: Any = None
        self._snapshot: Path | None = None
        self._vectors: Any = None  # faiss.IndexIDMap2; its type stubs leave out the NumPy wrappers
        self._words: Any = None
        self._searcher: Any = None
        self._schema: Any = None
        if not self._open_published():
            self._start_empty()

    # Searching

    def dense(self, vector: Vectors, count: int) -> dict[int, float]:
        """Passage id → cosine, -1 to 1, of the `count` nearest."""
        with self._lock:
            scores, ids = self._vectors.search(vector.reshape(1, -1), count)
        return {int(i): float(s) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0}

    def cosines(self, vector: Vectors, ids: Sequence[int]) -> dict[int, float]:
        """Passage id → cosine, for the ids given (those the index holds)."""
        found: dict[int, float] = {}
        with self._lock:
            for passage_id in ids:
                try:
                    found[passage_id] = float(self._vectors.reconstruct(passage_id) @ vector)
                except RuntimeError:  # dropped since the other leg found it
                    continue
        return found

    def lexical(self, query_terms: Sequence[str], count: int, among: Sequence[int] | None = None) -> dict[int, float]:
        """Passage id → BM25 of the `count` best, of all passages or `among` the ids given; each term counts once."""
        unique = sorted(set(query_terms))
        if not unique or count < 1 or (among is not None and not among):
            return {}
        query = tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "terms", term, index_option="freq"))
                for term in unique
            ]
        )
        if among is not None:
            only = tantivy.Query.term_set_query(self._schema, "id", [int(i) for i in among])
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, tantivy.Query.const_score_query(only, 0.0)), (tantivy.Occur.Should, query)]
            )
        searcher = self._searcher
        hits = searcher.search(query, count).hits
        ids = searcher.fast_field_values("id", [address for _, address in hits])
        return {int(i): float(score) for i, (score, _) in zip(ids, hits, strict=True)}

    def inverse_frequencies(self, query_terms: Sequence[str]) -> dict[str, float]:
        """Term → its BM25 weight, ln(1 + (N - n + 0.5) / (n + 0.5)): rare terms tell passages apart."""
        searcher = self._searcher
        # Tantivy counts passages that were dropped until their segment is merged, here as in its own scores.
        total = searcher.doc_freq("any", 1)
        found = {term: min(searcher.doc_freq("terms", term), total) for term in set(query_terms)}
        return {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in found.items()}

    def lexical_bound(self, query_terms: Sequence[str]) -> float:
        """The BM25 score that no passage can exceed for these terms; 0 when there are none."""
        return (_K1 + 1) * sum(self.inverse_frequencies(query_terms).values())

    @property
    def ids(self) -> Ids:
        """Every passage id the index holds, ascending."""
        with self._lock:
            return np.sort(faiss.vector_to_array(self._vectors.id_map).astype(np.int64))

    # Keeping level with the catalog

    def level(self, catalog: Catalog) -> bool:
        """Add what the catalog has gained and drop what it has lost. True when anything changed."""
        revision = catalog.revision
        if revision == self.revision:
            return False
        if self._published_revision() > self.revision and self._open_published() and revision == self.revision:
            return True
        if self._work is None and self._snapshot is not None and not (self._snapshot / _WORDS).is_dir():
            self._start_over(catalog)
            return True
        wanted, held = catalog.passage_ids(), self.ids
        new, gone = np.setdiff1d(wanted, held), np.setdiff1d(held, wanted)
        if len(new) or len(gone):
            self._begin_changes()
            for start in range(0, len(new), _LEVEL_CHUNK):
                self._add(catalog, new[start : start + _LEVEL_CHUNK])
            if len(gone):
                self._drop(gone)
            self._writer.commit()
            self._words.reload()
            self._searcher = self._words.searcher()
        self.revision = revision
        return True

    def _start_over(self, catalog: Catalog) -> None:
        """The snapshot was deleted under us: make all of it anew, and go on answering from the old one until then."""
        fresh = SearchIndex(self.folder, self.dimension, self.fingerprint)
        fresh.level(catalog)
        with self._lock:
            self._vectors, self._words, self._searcher = fresh._vectors, fresh._words, fresh._searcher
            self._schema, self._snapshot = fresh._schema, fresh._snapshot
            self._work, self._writer, self.revision = fresh._work, fresh._writer, fresh.revision

    def publish(self) -> None:
        """Write the index as the snapshot everyone opens from now on. For the one writer only."""
        if self._published_revision() == self.revision and self._work is None:
            return
        self._begin_changes()
        assert self._work is not None
        self._writer.wait_merging_threads()
        self._writer = None
        faiss.write_index(self._vectors, str(self._work / _VECTORS))
        manifest = {
            "format": _FORMAT, "revision": self.revision, "fingerprint": self.fingerprint,
            "dimension": self.dimension, "passages": int(self._vectors.ntotal),
        }  # fmt: skip
        (self._work / MANIFEST).write_text(json.dumps(manifest), "utf-8")
        name = f"{self.revision}-{os.urandom(4).hex()}"
        self._work.rename(self.folder / name)
        self._work = None
        pointer = self.folder / f".{CURRENT}.{os.getpid()}"
        pointer.write_text(name, "utf-8")
        previous = self._published_name()
        pointer.replace(self.folder / CURRENT)
        self._clean(keep={name, previous})
        self._open_published()

    def close(self) -> None:
        """Drop this process's working copy."""
        self._writer = None
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def word_ids(self) -> Ids:
        """Every passage id Tantivy holds, ascending: to be compared with `ids` and the catalog."""
        searcher = self._searcher
        hits = searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs)).hits
        return np.sort(np.array(searcher.fast_field_values("id", [address for _, address in hits]), np.int64))

    def vector(self, passage_id: int) -> Vectors:
        """The vector FAISS holds, shape (dimension,). Raises RuntimeError for an id it does not hold."""
        with self._lock:
            vector: Vectors = self._vectors.reconstruct(int(passage_id))
        return vector

    def _add(self, catalog: Catalog, ids: Ids) -> None:
        rows = catalog.passages(ids.tolist())
        if not rows:
            return
        for passage_id, row in rows.items():
            entry = tantivy.Document()
            entry.add_unsigned("id", passage_id)
            entry.add_unsigned("any", 1)
            context = context_line(row["title"], row["heading"])
            entry.add_text("terms", " ".join(terms(f"{context}\n{row['text']}")))
            self._writer.add_document(entry)
        vectors = np.stack([vector_of(row) for row in rows.values()])
        with self._lock:
            self._vectors.add_with_ids(vectors, np.array(list(rows), np.int64))

    def _drop(self, ids: Ids) -> None:
        for start in range(0, len(ids), _LEVEL_CHUNK):
            chunk = ids[start : start + _LEVEL_CHUNK].tolist()
            self._writer.delete_documents_by_query(tantivy.Query.term_set_query(self._schema, "id", chunk))
        with self._lock:
            self._vectors.remove_ids(ids)

    # Snapshots and working copies

    def _begin_changes(self) -> None:
        """Tantivy changes its folder in place, so changes go to a copy of the snapshot that only we see."""
        if self._work is None:
            source = self._snapshot
            work = self._make_work()
            if source is not None:
                (work / _WORDS).mkdir()
                for file in (source / _WORDS).iterdir():
                    if not file.name.endswith(".lock"):
                        shutil.copyfile(file, work / _WORDS / file.name)
                self._words = _open_words(work / _WORDS)
                self._searcher = self._words.searcher()
            else:
                self._create_words(work)
        if self._writer is None:
            self._writer = self._words.writer(heap_size=_WRITER_BYTES, num_threads=1)

    def _make_work(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f".work-{os.getpid()}-", dir=self.folder))
        return self._work

    def _start_empty(self) -> None:
        self._snapshot = None
        self._vectors = faiss.IndexIDMap2(faiss.IndexFlatIP(self.dimension))
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field("id", stored=False, indexed=True, fast=True)
        # The same in every passage, so that its frequency is their number as Tantivy counts it.
        builder.add_unsigned_field("any", stored=False, indexed=True)
        builder.add_text_field("terms", stored=False, tokenizer_name="whitespace", index_option="freq")
        self._schema = builder.build()
        # In memory until there is something to keep: an empty library needs no folder.
        self._words = tantivy.Index(self._schema)
        self._searcher = self._words.searcher()
        self.revision = -1

    def _create_words(self, work: Path) -> None:
        (work / _WORDS).mkdir()
        self._words = tantivy.Index(self._schema, path=str(work / _WORDS))

    def _open_published(self) -> bool:
        """Take over the published snapshot. False, with nothing changed, when there is none that fits."""
        name = self._published_name()
        if not name:
            return False
        snapshot = self.folder / name
        try:
            manifest = json.loads((snapshot / MANIFEST).read_text("utf-8"))
            if (manifest["format"], manifest["fingerprint"]) != (_FORMAT, self.fingerprint):
                return False
            vectors = faiss.read_index(str(snapshot / _VECTORS))
            words = _open_words(snapshot / _WORDS)
            searcher = words.searcher()
            if not vectors.ntotal == manifest["passages"] == searcher.num_docs:
                raise ValueError("the two indexes and the manifest disagree")
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            # Deleting or damaging the cache is safe: it is remade from the catalog, and the log says why.
            log.warning("index.snapshot_unusable", snapshot=name, reason=str(error))
            return False
        self.close()
        with self._lock:
            self._vectors, self._words, self._searcher = vectors, words, searcher
            self._schema, self._snapshot = words.schema, snapshot
            self.revision = int(manifest["revision"])
        return True

    def _published_name(self) -> str:
        path = self.folder / CURRENT
        return path.read_text("utf-8", errors="replace").strip() if path.is_file() else ""

    def _published_revision(self) -> int:
        prefix = self._published_name().partition("-")[0]
        return int(prefix) if prefix.isdigit() else -1

    def _clean(self, keep: set[str]) -> None:
        """Remove older snapshots, and working copies of processes that are gone."""
        for entry in self.folder.iterdir():
            if entry.name.startswith(".work-"):
                if not _is_running(int(entry.name.split("-")[1])):
                    shutil.rmtree(entry, ignore_errors=True)
            elif entry.is_dir() and entry.name not in keep:
                shutil.rmtree(entry, ignore_errors=True)


def _open_words(folder: Path) -> Any:
    """Raises ValueError when Tantivy cannot open its folder."""
    return tantivy.Index.open(str(folder))


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as somebody else
        return True
    return True
