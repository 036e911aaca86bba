"""The compiled model: each text gets its own vector, however many there are and whoever else asks."""

from __future__ import annotations

import shutil
import threading
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from ingest.passages.embedders.embedder import Embedder, load_embedder
from ingest.passages.embedders.openvino_embedding import BATCH_TOKENS, OpenVINOEmbedding, _batches

WORDS = "leave hotel receipt badge printer network phone taxi lunch manager office holiday".split()
MANY = [" ".join(WORDS[(number + step) % len(WORDS)] for step in range(1 + number * 7 % 90)) for number in range(120)]


@pytest.fixture
def model(embedder: Embedder) -> OpenVINOEmbedding:
    assert isinstance(embedder.model, OpenVINOEmbedding)
    return embedder.model


def test_many_are_what_each_is(model: OpenVINOEmbedding) -> None:
    """Shared out among the cores, every text gets the vector it gets alone, in the order given."""
    together = np.array(model.get_text_embedding_batch(MANY))
    alone = np.array([model.get_text_embedding(text) for text in MANY])
    lengths = np.linalg.norm(together, axis=1) * np.linalg.norm(alone, axis=1)
    assert (np.sum(together * alone, axis=1) / lengths).min() >= 0.999


def test_passages_and_questions_at_once(model: OpenVINOEmbedding) -> None:
    """Who asks while others take documents in gets the vector of the question, and they get theirs."""
    expected = np.array(model.get_text_embedding_batch(MANY))
    question = np.array(model.get_query_embedding(MANY[0]))
    wrong: list[str] = []

    def take_in() -> None:
        if not np.allclose(model.get_text_embedding_batch(MANY), expected, atol=1e-2):
            wrong.append("passages")

    def ask() -> None:
        for _ in range(20):
            if not np.allclose(model.get_query_embedding(MANY[0]), question, atol=1e-2):
                wrong.append("question")

    threads = [threading.Thread(target=work) for work in (take_in, ask, take_in, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_model_that_was_away(embedders_folder: Path, embedder: Embedder, tmp_path: Path) -> None:
    """Compiled again for many texts, its file may be missing just then; once it is back, vectors are as before."""
    folder = shutil.copytree(embedders_folder / embedder.card.fingerprint, tmp_path / "copy")
    copy = load_embedder(folder)
    (folder / "model.xml").rename(tmp_path / "away.xml")
    with pytest.raises(RuntimeError):
        copy.embed_passages(MANY)
    (tmp_path / "away.xml").rename(folder / "model.xml")
    assert copy.embed_query(MANY[0]) @ embedder.embed_query(MANY[0]) >= 0.999


def test_batches() -> None:
    """Every text once, the longest first, and no batch larger than it may be unless it is a single text."""
    chosen = np.random.default_rng(1)
    token_ids = [[7] * int(length) for length in [*chosen.integers(1, 512, 300), BATCH_TOKENS + 1, 3, 3]]
    batches = list(_batches(token_ids))
    assert sorted(chain.from_iterable(batches)) == list(range(len(token_ids)))
    widths = [max(len(token_ids[row]) for row in batch) for batch in batches]
    assert all(first >= second for first, second in pairwise(widths))
    sizes = [width * len(batch) for width, batch in zip(widths, batches, strict=True)]
    assert all(size <= BATCH_TOKENS or len(batch) == 1 for size, batch in zip(sizes, batches, strict=True))
    assert len(batches[0]) == 1
