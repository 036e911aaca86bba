"""`docent bench search`: measures the latency and memory of searching a synthetic library of any size.

Texts are random sentences of the Python manual, which is part of Python (`pydoc_data.topics`). Each vector is a mean of
two embeddings of its real passages, with some noise, so that vectors are distributed like real ones. The search runs in
a process of its own, so that its memory and its start can be measured.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ingest.base.language import sentence_spans, terms
from ingest.base.memory import peak_memory
from ingest.base.settings import Settings
from ingest.base.types import Page, Passage, ReadDocument, Vectors
from ingest.library import Library
from ingest.passages.embedders.embedder import Embedder, load_embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.passages.embedders.prepare import prepare_embedder
from ingest.runs.library_writer import open_for_writing
from ingest.runs.select import remove
from ingest.search.hybrid import CANDIDATES
from ingest.search.indexes.search_index import INDEX_FOLDER
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import NewDocument, NewFile

PASSAGES_A_DOCUMENT = 100
QUESTIONS = 200
_SENTENCES_A_PASSAGE = 4
_BASE_PASSAGES = 600
_DOCUMENTS_A_TRANSACTION = 20
_SIZE_FILE = "made.json"
# The noise is about two fifths as long as the mixed vector.
_NOISE = 0.4


def make_library(settings: Settings, passages: int, progress: Callable[[int], None] = lambda _done: None) -> None:
    """Fill `settings.home` with a library of `passages` passages, the same every time, unless it is there already.

    `progress` gets the number of passages made.
    """
    marker = settings.home / _SIZE_FILE
    if marker.is_file() and json.loads(marker.read_text("utf-8")) == passages:
        return
    embedder = load_embedder(prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER))
    sentences = manual_sentences()
    base = _base_vectors(embedder, sentences)
    chosen, noise = random.Random(1), np.random.default_rng(1)
    with open_for_writing(settings, "docent bench search", create=True) as library:
        library.catalog.set_embedder(asdict(embedder.card))
        numbers = range(-(-passages // PASSAGES_A_DOCUMENT))
        for start in range(0, len(numbers), _DOCUMENTS_A_TRANSACTION):
            library.catalog.put(
                synthetic_file(
                    settings.home, number, min(PASSAGES_A_DOCUMENT, passages - number * PASSAGES_A_DOCUMENT),
                    sentences, base, chosen, noise,
                )
                for number in numbers[start : start + _DOCUMENTS_A_TRANSACTION]
            )  # fmt: skip
            progress(min(passages, (start + _DOCUMENTS_A_TRANSACTION) * PASSAGES_A_DOCUMENT))
        library.publisher.publish(library.catalog)
    marker.write_text(json.dumps(passages), "utf-8")


def manual_sentences() -> list[str]:
    """The sentences of Python's manual that have 40 to 400 characters, in order."""
    from pydoc_data.topics import topics

    sentences = []
    for text in topics.values():
        for start, end in sentence_spans(text):
            sentence = " ".join(text[start:end].split())
            if 40 <= len(sentence) <= 400:
                sentences.append(sentence)
    return sentences


def synthetic_file(
    home: Path, number: int, count: int, sentences: Sequence[str], base: Vectors, chosen: random.Random,
    noise: np.random.Generator,
) -> NewFile:  # fmt: skip
    """Document `number` with `count` passages that no other document has."""
    first = number * PASSAGES_A_DOCUMENT
    texts = [f"{_mark(first + i)} {' '.join(chosen.choices(sentences, k=_SENTENCES_A_PASSAGE))}" for i in range(count)]
    passages, offset = [], 0
    for ordinal, text in enumerate(texts):
        passages.append(Passage(ordinal, text, "", "", offset, offset + len(text)))
        offset += len(text) + 2
    root = home / "documents"
    document = ReadDocument(f"Manual {number}", (Page("", "\n\n".join(texts)),))
    new = NewDocument(document, passages, mixed_vectors(base, count, noise))
    return NewFile(root / f"manual-{number}.txt", root, 0, 0, 0, f"manual {number}", (new,))


def _mark(number: int) -> str:
    """A word that only this passage has."""
    return f"ref{number:07d}"


def mixed_vectors(base: Vectors, count: int, noise: np.random.Generator) -> Vectors:
    """Vectors of length 1, shape (count, dimension): each a weighted mean of two rows of `base`, with noise."""
    weight = noise.uniform(0.5, 1.0, (count, 1)).astype(np.float32)
    first, second = (base[noise.integers(0, len(base), count)] for _ in range(2))
    shape = (count, base.shape[1])
    mixed = first * weight + second * (1 - weight) + noise.standard_normal(shape, np.float32) * _NOISE / shape[1] ** 0.5
    unit: Vectors = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _base_vectors(embedder: Embedder, sentences: Sequence[str]) -> Vectors:
    step = max(1, len(sentences) // _BASE_PASSAGES)
    return embedder.embed_passages(
        [" ".join(sentences[i : i + _SENTENCES_A_PASSAGE]) for i in range(0, len(sentences), step)]
    )


def questions() -> list[str]:
    """The questions: the first words of sentences of the manual."""
    sentences = random.Random(2).sample(manual_sentences(), QUESTIONS)
    return [" ".join(sentence.split()[:12]) for sentence in sentences]


def bench_search(settings: Settings) -> dict[str, Any]:
    """Figures of the library that `make_library` has made in `settings.home`; milliseconds, seconds and megabytes."""
    figures = _measure_in_process(settings.home)
    figures["recall@10"] = _recall(settings.home, figures.pop("nearest"))
    figures |= _changed(settings)
    figures["snapshot_mb"] = snapshot_megabytes(settings.home)
    return figures


def _measure_in_process(home: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "assistant.measure.bench_search", str(home), repr(time.time())]
    figures: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return figures


def measure(home: Path, started: float) -> dict[str, Any]:
    """Figures of a process that only searches; `started` is the time (seconds since the epoch) when it was started."""
    library = Library(home)
    asked = questions()
    library.search(asked[0])
    start_seconds = time.time() - started
    for question in asked[:20]:
        library.search(question)
    search_times = _timed(library.search, asked)
    embedder, index, catalog = library.embedder, library.index, library.catalog
    vectors = [embedder.embed_query(question) for question in asked]
    query_terms = [terms(question) for question in asked]
    nearest = [index.dense(vector, 10, catalog) for vector in vectors]
    figures: dict[str, Any] = {
        "passages": len(index.vectors),
        "exact": index.vectors.exact,
        "start_s": round(start_seconds, 3),
        "search_ms": search_times,
        "embed_ms": _timed(embedder.embed_query, asked),
        "dense_ms": _timed(lambda vector: index.dense(vector, CANDIDATES, catalog), vectors),
        "faiss_ms": _timed(lambda vector: index.dense(vector, CANDIDATES), vectors),
        "bm25_ms": _timed(lambda words: index.lexical(words, CANDIDATES), query_terms),
        "rows_ms": _timed(lambda ids: catalog.passages(list(ids)), nearest),
        **_memory(),
    }
    library.close()
    figures["nearest"] = [list(ids) for ids in nearest]
    return figures


def _timed(step: Callable[[Any], object], inputs: Sequence[Any]) -> dict[str, float]:
    """Median and 95th percentile of the step's time, in milliseconds."""
    milliseconds = []
    for value in inputs:
        started = time.perf_counter()
        step(value)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return {"p50": round(statistics.median(milliseconds), 2), "p95": round(float(np.percentile(milliseconds, 95)), 2)}


def _memory() -> dict[str, float]:
    """Megabytes of memory of this process: now, at most until now, and (on Linux) now without mapped files."""
    used = psutil.Process().memory_info()
    amounts = {"memory_mb": used.rss, "memory_peak_mb": peak_memory()}
    if sys.platform == "linux":
        amounts["memory_own_mb"] = used.rss - used.shared
    return {name: round(size / 2**20, 1) for name, size in amounts.items()}


def _recall(home: Path, nearest: list[list[int]]) -> float:
    """Share of the exact ten nearest passages that are among the ten in `nearest`; mean over all questions."""
    catalog = Catalog(home / CATALOG_FILE)
    try:
        card = catalog.embedder() or {}
        embedder = load_embedder(home / EMBEDDERS_FOLDER / card["fingerprint"])
        asked = np.stack([embedder.embed_query(question) for question in questions()])
        ids = catalog.passage_ids()
        scores = np.zeros((len(asked), 0), np.float32)
        best = np.zeros((len(asked), 0), np.int64)
        for batch_ids, vectors in _all_vectors(catalog, ids):
            scores = np.hstack([scores, asked @ vectors.T])
            best = np.hstack([best, np.tile(batch_ids, (len(asked), 1))])
            kept = np.argsort(-scores, axis=1, kind="stable")[:, :10]
            scores, best = np.take_along_axis(scores, kept, 1), np.take_along_axis(best, kept, 1)
    finally:
        catalog.close()
    shares = [len(set(row.tolist()) & set(hits)) / 10 for row, hits in zip(best, nearest, strict=True)]
    return round(float(np.mean(shares)), 4)


def _all_vectors(catalog: Catalog, ids: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[tuple[Any, Vectors]]:
    for start in range(0, len(ids), 10_000):
        low, high = int(ids[start]), int(ids[min(start + 10_000, len(ids)) - 1])
        rows = catalog.rows("SELECT id, vector FROM passages WHERE id BETWEEN ? AND ? ORDER BY id", (low, high))
        yield (
            np.array([row["id"] for row in rows], np.int64),
            np.stack([np.frombuffer(row["vector"], "<f4") for row in rows]),
        )


def _changed(settings: Settings) -> dict[str, float]:
    """Seconds until a removed document is deleted and no longer found, and until an added document is found."""
    library = Library(settings.home)
    try:
        first = library.documents()[0]
        content = library.content(first.id).text
        mark = content.split(None, 1)[0]
        assert _is_found(library, mark)
        started = time.perf_counter()
        remove([str(first.id)], settings)
        assert not _is_found(library, mark)
        removed = time.perf_counter() - started
        new = synthetic_file(
            settings.home, int(mark.removeprefix("ref")) // PASSAGES_A_DOCUMENT, first.passages, manual_sentences(),
            library.embedder.embed_passages(manual_sentences()[:20]), random.Random(3), np.random.default_rng(3),
        )  # fmt: skip
        started = time.perf_counter()
        with open_for_writing(settings, "docent bench search") as writing:
            writing.catalog.put([new])
            writing.publisher.publish(writing.catalog)
        library.refresh()
        assert _is_found(library, mark)
        added = time.perf_counter() - started
    finally:
        library.close()
    return {"remove_one_s": round(removed, 3), "add_one_s": round(added, 3)}


def _is_found(library: Library, mark: str) -> bool:
    """Whether a search finds the passage with this word: the BM25 index proposes it and the catalog has it."""
    library.search(mark)
    return bool(library.catalog.passages(list(library.index.lexical([mark], 1))))


def snapshot_megabytes(home: Path) -> float:
    """The size of the published index on disk."""
    files = (path for path in (home / INDEX_FOLDER).rglob("*") if path.is_file())
    return round(sum(path.stat().st_size for path in files) / 1e6, 1)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), float(sys.argv[2]))))
