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


def test_surroundings_then_sentences() -> None:
    """Row 0 is the mean direction of the passages near it under its heading, then each sentence as it is read."""
    toy = Toy()
    document = passages(
        ("A", "Apples are red. **Pears** are not."), ("A", "Plums are blue."), ("B", "Cars are fast."), ("A", "Figs.")
    )
    own = toy_vectors([passage.text for passage in document])
    packed = pack_multi_vectors([document], [own], cast(Embedder, toy))[0]
    assert toy.embedded == ["Apples are red.", "Pears are not.", "Plums are blue.", "Cars are fast.", "Figs."]
    first = unpack_multi_vectors(packed[0], own.shape[1])
    together = own[[0, 1, 3]].sum(axis=0)
    np.testing.assert_allclose(first[0], together / np.linalg.norm(together), atol=0.005)
    np.testing.assert_allclose(first[1:], toy_vectors(["Apples are red.", "Pears are not."]), atol=0.005)
    np.testing.assert_allclose(unpack_multi_vectors(packed[2], own.shape[1])[0], own[2], atol=0.005)


def test_only_near_passages_surround() -> None:
    """In a long section the fourth passage on is no neighbour any more."""
    document = passages(*(("A", f"word{number}") for number in range(8)))
    own = np.eye(8, 16, dtype=np.float32)
    packed = pack_multi_vectors([document], [own], cast(Embedder, Toy()))[0]
    surroundings = unpack_multi_vectors(packed[0], 16)[0]
    assert (np.flatnonzero(surroundings > 0.01)).tolist() == [0, 1, 2, 3]
    middle = unpack_multi_vectors(packed[4], 16)[0]
    assert (np.flatnonzero(middle > 0.01)).tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_what_cannot_be_read_has_no_vectors() -> None:
    """No time is spent on a passage in a language the embedder does not know, nor on one without sentences."""
    toy = Toy()
    document = passages(("", "年假有25天。"), ("", "---"), ("", "Leave is 25 days."))
    own = toy_vectors([passage.text for passage in document])
    packed = pack_multi_vectors([document], [own], cast(Embedder, toy))[0]
    assert toy.embedded == ["Leave is 25 days."]
    assert packed[:2] == [b"", b""]
    assert unpack_multi_vectors(packed[0], 16).shape == (0, 16)
    assert pack_multi_vectors([[]], [np.zeros((0, 16), np.float32)], cast(Embedder, toy)) == [[]]


def test_cosines_survive_packing(embedder: Embedder) -> None:
    """With real vectors a cosine read back differs by less than 0.005."""
    text = "Annual leave is 25 days. It must be taken by March. Parking is free for everyone."
    document = passages(("", text))
    own = embedder.embed_passages([text])
    vectors = unpack_multi_vectors(pack_multi_vectors([document], [own], embedder)[0][0], embedder.card.dimension)
    query = embedder.embed_query("How long is annual leave?")
    exact = embedder.embed_passages(["Annual leave is 25 days.", "It must be taken by March."]) @ query
    np.testing.assert_allclose(vectors[1:3] @ query, exact, atol=0.005)
