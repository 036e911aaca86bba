"""`docent bench ingest`: measures the throughput of ingesting a folder, compared with SentenceTransformer.encode.

The pipeline is timed as a whole, then each of its steps alone on the same files and passages. In the pipeline the steps
overlap (files are read in processes of their own), so the sum of their times is longer.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.measure.e5_reference import sentence_transformer
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.base.types import Passage, ProgressCallback, ReadDocument, no_progress
from ingest.documents.workers.pool import Readers
from ingest.passages.embedders.bundled import MULTILINGUAL, multilingual_weights
from ingest.passages.embedders.e5_file import read_e5
from ingest.passages.embedders.embedder import Embedder, load_embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.passages.embedders.prepare import embedder_source, prepare_embedder
from ingest.passages.split import embedded_context, split
from ingest.runs.report import IngestReport
from ingest.search.indexes.search_index import SearchIndex
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.records import NewDocument, NewFile
from ingest.sync import ingest

# `encode` is slow: it is timed on at most this many passages, evenly spaced.
ENCODED = 512
_ROUNDS = 2


def bench_ingest(folder: Path, settings: Settings, progress: ProgressCallback = no_progress) -> dict[str, Any]:
    """Figures of ingesting `folder` into the empty library `settings.home`; rates are per second.

    Raises DocentError when no file in the folder can be read.
    """
    embedder = load_embedder(prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER))
    original = _sentence_transformer(settings, embedder)
    rates, encode, embed = [], [], []
    # Both are measured in each round, so that other load on the machine slows both alike.
    for number in range(_ROUNDS):
        run = _ingest(folder, settings, settings.home / f"round-{number}", progress)
        rates.append(run.report.passages / run.seconds)
        texts = _embedded_texts(run.home, embedder)
        sample = [texts[i] for i in range(0, len(texts), -(-len(texts) // ENCODED))]
        encode.append(len(sample) / _timed(lambda sample=sample: original.encode(sample)))
        embed.append(len(sample) / _timed(lambda sample=sample: embedder.embed_passages(sample)))
    catalog = Catalog(run.home / CATALOG_FILE)
    try:
        documents = [catalog.content(document.id) for document in catalog.documents()]
        paths = list(catalog.files())
        split_documents: list[list[Passage]] = []
        steps = {
            "read": _timed(lambda: _read_all(paths)),
            "split": _timed(lambda: split_documents.extend(_split_all(documents, embedder))),
            "catalog": _timed(
                lambda: _write_all(documents, split_documents, embedder, settings.home / "bench-catalog")
            ),
            "embed": _timed(lambda: embedder.embed_passages(texts)),
            "index": _timed(lambda: _index_all(catalog, embedder, settings.home / "bench-index")),
        }
    finally:
        catalog.close()
    steps["before embedding"] = steps["read"] + steps["split"] + steps["catalog"]
    pages = sum(len(document.pages) for document in documents)
    ratios = [rate / encode_rate for rate, encode_rate in zip(rates, encode, strict=True)]
    return {
        "files": len(paths),
        "documents": len(documents),
        "pages": pages,
        "passages": run.report.passages,
        "failed": len(run.report.failed),
        "seconds": round(run.report.passages / statistics.median(rates), 2),
        "passages_a_second": round(statistics.median(rates), 1),
        "encode_a_second": round(statistics.median(encode), 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "embed_a_second": round(statistics.median(embed), 1),
        "steps_alone_s": {name: round(value, 2) for name, value in steps.items()},
        "pages_a_second": {name: round(pages / max(value, 1e-6), 1) for name, value in steps.items()},
    }


@dataclass(frozen=True)
class _Run:
    home: Path
    report: IngestReport
    seconds: float


def _ingest(folder: Path, settings: Settings, home: Path, progress: ProgressCallback) -> _Run:
    home.mkdir()
    (home / EMBEDDERS_FOLDER).symlink_to((settings.home / EMBEDDERS_FOLDER).absolute())
    started = time.perf_counter()
    report = ingest([folder], settings.model_copy(update={"home": home}), progress)
    seconds = time.perf_counter() - started
    if not report.passages:
        raise DocentError(f"Nothing in {folder} can be ingested: name a folder of documents.")
    return _Run(home, report, seconds)


def _sentence_transformer(settings: Settings, embedder: Embedder) -> Any:
    """The embedder's own model in float32, as sentence-transformers runs it."""
    from sentence_transformers import SentenceTransformer

    if embedder.card.name == MULTILINGUAL:
        return sentence_transformer(read_e5(multilingual_weights()))
    source = embedder_source(settings.model_copy(update={"embedder": embedder.card.name}))
    return SentenceTransformer(str(source), device="cpu", local_files_only=True)


def _embedded_texts(home: Path, embedder: Embedder) -> list[str]:
    """The texts that the pipeline embeds, in the order of the passages."""
    measure = embedder.count_tokens, embedder.passage_tokens
    catalog = Catalog(home / CATALOG_FILE)
    try:
        rows = catalog.passages(catalog.passage_ids().tolist())
    finally:
        catalog.close()
    return [f"{embedded_context(row['title'], row['heading'], *measure)}\n{row['text']}" for row in rows.values()]


def _read_all(paths: Sequence[Path]) -> None:
    with Readers() as readers:
        for _ in readers.read_all(paths):
            pass


def _split_all(documents: Sequence[ReadDocument], embedder: Embedder) -> list[list[Passage]]:
    return [split(document, embedder.count_tokens, embedder.passage_tokens) for document in documents]


def _write_all(
    documents: Sequence[ReadDocument], passages: Sequence[Sequence[Passage]], embedder: Embedder, folder: Path
) -> None:
    """Write the documents to a new catalog, each in one transaction, with empty vectors."""
    folder.mkdir()
    catalog = Catalog(folder / CATALOG_FILE, create=True)
    try:
        for number, (document, its_passages) in enumerate(zip(documents, passages, strict=True)):
            new = NewDocument(
                document, its_passages, np.zeros((len(its_passages), embedder.card.dimension), np.float32)
            )
            catalog.put([NewFile(folder / str(number), folder, 0, 0, 0, str(number), (new,))])
    finally:
        catalog.close()


def _index_all(catalog: Catalog, embedder: Embedder, folder: Path) -> None:
    index = SearchIndex(folder, embedder.card.dimension, embedder.card.fingerprint)
    try:
        index.refresh(catalog)
        index.publish()
    finally:
        index.close()


def _timed(step: Any) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started
