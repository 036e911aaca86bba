"""`docent bench search`: the synthetic library and the figures measured on it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from assistant.measure import bench_search
from assistant.measure.bench_search import (
    make_library,
    manual_sentences,
    measure,
    mixed_vectors,
    questions,
    synthetic_file,
)
from ingest.base.settings import Settings, load_settings
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.runs.check import check
from ingest.store.catalog import CATALOG_FILE, Catalog


@pytest.fixture(scope="module")
def synthetic_library(tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path) -> Path:
    """A library of 250 passages: two documents of a hundred and one of fifty; made once and copied."""
    home = tmp_path_factory.mktemp("synthetic") / "library"
    home.mkdir()
    (home / EMBEDDERS_FOLDER).symlink_to(embedders_folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_search, "_BASE_PASSAGES", 20)
        make_library(load_settings(home=home), 250)
    (home / EMBEDDERS_FOLDER).unlink()
    return home


@pytest.fixture
def made(synthetic_library: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a copy of the library, of which 25 questions are asked."""
    monkeypatch.setattr(bench_search, "QUESTIONS", 25)
    shutil.copytree(synthetic_library, settings.home, dirs_exist_ok=True)
    return settings


def test_made_once(made: Settings) -> None:
    """The library has the requested size, is complete, and is not made a second time."""
    catalog = Catalog(made.home / CATALOG_FILE)
    assert catalog.counts() == (3, 250)
    revision = catalog.revision
    make_library(made, 250)
    assert catalog.revision == revision
    catalog.close()
    assert check(made.home) == []


def test_figures(made: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure is measured: exact search finds what is nearest, and one document less and one more are seen."""
    monkeypatch.setattr(bench_search, "_measure_in_process", lambda home: measure(home, 0.0))
    figures = bench_search.bench_search(made)
    assert (figures["passages"], figures["exact"], figures["recall@10"]) == (250, True, 1.0)
    for step in ("search_ms", "embed_ms", "dense_ms", "faiss_ms", "bm25_ms", "rows_ms"):
        assert 0 < figures[step]["p50"] <= figures[step]["p95"]
    for figure in ("start_s", "remove_one_s", "add_one_s", "snapshot_mb"):
        assert figures[figure] > 0
    catalog = Catalog(made.home / CATALOG_FILE)
    assert catalog.counts() == (3, 250)
    catalog.close()


def test_recall_is_of_the_truly_nearest(made: Settings) -> None:
    """Recall is 0 when none of the nearest passages is found."""
    assert bench_search._recall(made.home, [[-1] * 10] * 25) == 0.0


def test_made_vectors_are_like_their_origin() -> None:
    """The vectors have length 1 and are similar to the two that each was made from."""
    base = np.eye(64, dtype=np.float32)
    mixed = mixed_vectors(base, 200, np.random.default_rng(0))
    assert np.linalg.norm(mixed, axis=1) == pytest.approx(np.ones(200), abs=1e-5)
    assert np.median(mixed.max(axis=1)) > 0.5


def test_made_documents() -> None:
    """Each passage stands at its place in the document and begins with a word of its own."""
    sentences = manual_sentences()
    file = synthetic_file(
        Path("/x"), 3, 4, sentences, np.eye(8, dtype=np.float32), random.Random(1), np.random.default_rng(1)
    )
    (new,) = file.documents
    for number, passage in enumerate(new.passages):
        assert new.document.text[passage.start : passage.end] == passage.text
        assert passage.text.startswith(f"ref{300 + number:07d} ")
    assert len(sentences) > 500
    assert len(questions()) == bench_search.QUESTIONS
