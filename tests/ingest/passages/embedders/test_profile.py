"""The profile of a model: every number against one computed by hand, and what it does to a search."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding

from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.base.types import Vectors
from ingest.library import Library
from ingest.passages.embedders.embedder import CARD_FILE, Embedder, load_embedder
from ingest.passages.embedders.prepared_files import write_checksums
from ingest.passages.embedders.profile import (
    PROFILE_FILE,
    EmbedderProfile,
    Scale,
    measure_profile,
    read_profile,
    scale_of,
    write_profile,
)
from ingest.search.fuse import FUSION
from ingest.search.hybrid import propose
from ingest.sync import ingest

PROFILE = EmbedderProfile(Scale(0.7, 0.85), 1.0, 0.8, (0.6, 0.8), Scale(0.5, 0.75))


def rows(*vectors: Sequence[float]) -> Vectors:
    """These vectors at length 1."""
    array = np.array(vectors, np.float32)
    unit: Vectors = array / np.linalg.norm(array, axis=1, keepdims=True)
    return unit


def random_rows(random: np.random.Generator, count: int, dimension: int = 64) -> Vectors:
    return rows(*random.normal(size=(count, dimension)))


def test_a_scale() -> None:
    """Unrelated texts are at 0 and answers at 1, and the scale goes on beyond both."""
    scale = Scale(unrelated=0.7, related=0.8)
    assert [scale.standardised(cosine) for cosine in (0.7, 0.8, 0.85, 0.65)] == pytest.approx([0.0, 1.0, 1.5, -0.5])


def test_the_scale_of_a_table_of_similarities() -> None:
    """The mean of the diagonal is what answers have, that of all others what unrelated texts have."""
    scale = scale_of(np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.2], [0.1, 0.3, 0.7]], np.float32))
    assert (scale.unrelated, scale.related) == pytest.approx((0.2, 0.8))


def test_a_model_that_does_not_separate_is_scaled_by_its_spread() -> None:
    """Where answers are no nearer than others, 1 is a spread above the mean, so no number becomes huge."""
    scale = scale_of(np.array([[0.2, 0.1], [0.3, 0.2]], np.float32))
    assert (scale.unrelated, scale.related) == pytest.approx((0.2, 0.3))
    same = scale_of(np.full((2, 2), 0.5, np.float32))
    assert same.related > same.unrelated


def test_the_weight_follows_the_separation_in_the_language_of_the_question() -> None:
    """Nothing at chance, everything for a model that separates well, in between for one in between."""
    perfect, chance = EmbedderProfile(Scale(0, 1), 1.0, 0.5), EmbedderProfile(Scale(0, 1), 0.5, 1.0)
    assert (perfect.weight("How much leave?"), perfect.weight("年假有几天？")) == (1.0, 0.0)
    assert (chance.weight("How much leave?"), chance.weight("年假有几天？")) == (0.0, 1.0)
    weights = [EmbedderProfile(Scale(0, 1), share / 100, 1.0).weight("How much leave?") for share in range(50, 101)]
    assert weights == sorted(weights)
    assert any(0 < weight < 1 for weight in weights)


def test_measured_by_hand() -> None:
    """Two items, on axes 0 and 1; the language on axis 2 is found as the direction and disturbs no number."""
    english = rows([1, 0, 0], [0, 1, 0])
    chinese = rows([1, 0, 1], [0, 1, 1])
    profile = measure_profile(english, chinese, english, chinese)
    # The difference of the means of (1, 0, 1)/√2, (0, 1, 1)/√2 and (1, 0, 0), (0, 1, 0).
    difference = np.array([0.5 / 2**0.5 - 0.5, 0.5 / 2**0.5 - 0.5, 1 / 2**0.5])
    assert profile.language_direction == pytest.approx(difference / np.linalg.norm(difference))
    assert (profile.english, profile.chinese) == (1.0, 1.0)
    assert profile.cosines.unrelated < profile.cosines.related <= 1.0


def test_separation_is_a_probability() -> None:
    """Of four questions, one whose own passage is behind one of the three others loses a twelfth."""
    passages = np.eye(4, dtype=np.float32)
    questions = rows([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 2, 1])
    profile = measure_profile(questions, questions, passages, passages)
    assert (profile.english, profile.chinese) == pytest.approx((11 / 12, 11 / 12), abs=1e-4)
    assert profile.language_direction == ()


def test_without_its_language_a_question_is_as_near_to_the_passages_of_both() -> None:
    """Texts are meaning plus language: after the direction is taken out, both languages of a passage have one rank."""
    random = np.random.default_rng(3)
    language = np.zeros(64)
    language[0] = 2.0
    meanings = [np.concatenate([[0.0], random_rows(random, 1, 63)[0]]) for _ in range(20)]
    english, chinese = rows(*meanings), rows(*(meaning + language for meaning in meanings))
    profile = measure_profile(english, chinese, english, chinese)
    wrong, right = chinese[1], english[0]
    assert chinese[0] @ wrong > chinese[0] @ right  # the language hides the answer
    question = profile.without_language(chinese[0])
    assert question @ right > question @ wrong
    assert question @ chinese[0] > question @ wrong
    assert float(np.linalg.norm(question)) == pytest.approx(1.0)
    assert float(question @ np.array(profile.language_direction)) == pytest.approx(0.0, abs=1e-6)


def test_a_vector_stays_where_the_languages_do_not_differ() -> None:
    """Without a direction nothing is taken out; a vector that is nothing but language becomes no NaN."""
    vector = rows([3, 4])[0]
    assert np.array_equal(EmbedderProfile(Scale(0, 1), 1.0, 1.0).without_language(vector), vector)
    assert np.isfinite(PROFILE.without_language(np.array([0.6, 0.8], np.float32))).all()
    assert PROFILE.without_language(np.array([0.8, -0.6], np.float32)) == pytest.approx([0.8, -0.6])


def test_the_bundled_models(embedder: Embedder, english_embedder: Embedder) -> None:
    """The multilingual one has its full weight in both languages, the English one in English alone."""
    for question in ("How many days of leave?", "年假有几天？"):
        assert embedder.weight(question) == 1.0
    assert english_embedder.weight("How many days of leave?") == 1.0
    assert english_embedder.weight("年假有几天？") == 0.0


class RandomVectors(BaseEmbedding):
    """A model that knows nothing: a text's vector is drawn by its characters."""

    def _get_text_embedding(self, text: str) -> list[float]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        drawn: list[float] = np.random.default_rng(seed).normal(size=384).tolist()
        return drawn

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def test_a_model_of_random_vectors_changes_nothing(embedder: Embedder, settings: Settings, tmp_path: Path) -> None:
    """It has the weight 0 in both languages, so the ranking is that of the words alone."""
    useless = Embedder(embedder.card, RandomVectors(), embedder._tokenizer)
    folder = tmp_path / "notes"
    folder.mkdir()
    for number, text in enumerate(("The pump is red.", "The pump of the hall is new.", "年假有二十五天。", "Soup.")):
        (folder / f"{number}.md").write_text(text, "utf-8")
    ingest([folder], settings)
    library = Library(settings.home)
    try:
        for question in ("Which pump is in the hall?", "年假有几天？"):
            assert useless.weight(question) == 0.0
            proposed = propose(question, useless, library.index, library.catalog, 10)
            by_words = propose(question, library.embedder, library.index, library.catalog, 10, dense_weight=0.0)
            assert proposed == by_words
            assert [FUSION.lexical_part(parts.lexical) for _, parts in proposed.ranked] == [
                parts.score for _, parts in proposed.ranked
            ]
            assert proposed.ranked
    finally:
        library.close()


def test_written_and_read(tmp_path: Path) -> None:
    """A profile is read as it was written, also one without a direction and without token vectors."""
    assert read_profile(tmp_path) is None
    for profile in (PROFILE, EmbedderProfile(Scale(0.1, 0.2), 1.0, 0.5)):
        write_profile(profile, tmp_path)
        assert read_profile(tmp_path) == profile


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", json.dumps({"cosines": 1}), json.dumps({"cosines": {"mean": 1}})]
)
def test_a_damaged_profile(tmp_path: Path, content: str) -> None:
    """It is reported as ValueError, which opening an embedder turns into one line."""
    (tmp_path / PROFILE_FILE).write_text(content)
    with pytest.raises(ValueError):
        read_profile(tmp_path)


@pytest.fixture
def prepared(tmp_path: Path, embedders_folder: Path, embedder: Embedder) -> Path:
    """A copy of the bundled embedder's folder."""
    folder = tmp_path / embedder.card.fingerprint
    shutil.copytree(embedders_folder / embedder.card.fingerprint, folder)
    return folder


def numbers(profile: EmbedderProfile) -> list[float]:
    matches: Any = profile.token_matches
    return [*vars(profile.cosines).values(), *vars(matches).values(), profile.english, profile.chinese]


def test_a_folder_of_an_earlier_version_is_measured_when_opened(prepared: Path, embedder: Embedder) -> None:
    """One without a profile opens all the same, and searches alike."""
    assert read_profile(prepared) == embedder.profile
    (prepared / PROFILE_FILE).unlink()
    write_checksums(prepared)
    opened = load_embedder(prepared)
    assert numbers(opened.profile) == pytest.approx(numbers(embedder.profile), abs=0.01)
    assert opened.embed_query("leave") @ embedder.embed_query("leave") > 0.999


def test_a_folder_with_a_damaged_profile_is_one_line(prepared: Path) -> None:
    """Like any other damaged file: the folder, the reason, and what to do."""
    (prepared / PROFILE_FILE).write_text("{}")
    write_checksums(prepared)
    assert (prepared / CARD_FILE).is_file()
    with pytest.raises(DocentError, match=r"cannot be opened \(profile\.json is damaged\): run `docent rebuild`"):
        load_embedder(prepared)
