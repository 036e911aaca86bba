from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from ingest.base.types import Passage, Vectors
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.multi_vector import pack_multi_vectors, unpack_multi_vectors
from tests.conftest import toy_vectors


class Toy:
    """An embedder that reads everything but Chinese."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def unknown_share(self, text: str) -> float:
        return 0.0 if text.isascii() else 1.0

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return toy_vectors(texts)


def passages(*texts: tuple[str, str]) -> list[Passage]:
    return [Passage(number, text, heading, "", 0, len(text)) for number, (heading, text) in enumerate(texts)]


def test_a_vector_for_each_sentence() -> None:
    """Each sentence is embedded as it is read, in order, and one that occurs twice only once."""
    toy = Toy()
    document = passages(("A", "Apples are red. **Pears** are not."), ("B", "Plums are blue. Apples are red."))
    packed = pack_multi_vectors([document, passages(("A", "Figs."))], cast(Embedder, toy))
    assert toy.embedded == ["Apples are red.", "Pears are not.", "Plums are blue.", "Figs."]
    for of_passage, sentences in (
        (packed[0][0], ["Apples are red.", "Pears are not."]),
        (packed[0][1], ["Plums are blue.", "Apples are red."]),
        (packed[1][0], ["Figs."]),
    ):
        expected = toy_vectors(sentences)
        np.testing.assert_allclose(unpack_multi_vectors(of_passage, expected.shape[1]), expected, atol=0.005)


def test_vectors_of_version_0_1_are_read() -> None:
    """Its first row, the vector of the section, is left out; its sentences are as they were."""
    rows = np.array([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]], np.float32)
    packed = np.array(1 / 127, "<f4").tobytes() + np.round(rows * 127).astype(np.int8).tobytes()
    np.testing.assert_allclose(unpack_multi_vectors(packed, 2), rows[1:], atol=0.005)


def test_what_cannot_be_read_has_no_vectors() -> None:
    """No time is spent on a passage in a language the embedder does not know, nor on one without sentences."""
    toy = Toy()
    document = passages(("", "年假有25天。"), ("", "---"), ("", "Leave is 25 days."))
    packed = pack_multi_vectors([document], cast(Embedder, toy))[0]
    assert toy.embedded == ["Leave is 25 days."]
    assert packed[:2] == [b"", b""]
    assert unpack_multi_vectors(packed[0], 16).shape == (0, 16)
    assert pack_multi_vectors([[]], cast(Embedder, toy)) == [[]]


def test_cosines_survive_packing(embedder: Embedder) -> None:
    """With real vectors a cosine read back differs by less than 0.005."""
    text = "Annual leave is 25 days. It must be taken by March. Parking is free for everyone."
    document = passages(("", text))
    vectors = unpack_multi_vectors(pack_multi_vectors([document], embedder)[0][0], embedder.card.dimension)
    query = embedder.embed_query("How long is annual leave?")
    exact = embedder.embed_passages(["Annual leave is 25 days.", "It must be taken by March."]) @ query
    np.testing.assert_allclose(vectors[:2] @ query, exact, atol=0.005)
