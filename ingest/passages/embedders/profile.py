"""The profile of an embedding model: what its cosines mean, measured once on reference texts.

Models differ: unrelated texts have a cosine of .04 ± .08 with all-MiniLM-L6-v2, of .75 ± .02 with
multilingual-e5-small. So a search does not use a cosine as it is, but how many spreads it is above the mean of
unrelated texts (`standardised`). It gives no weight to a model that does not tell related texts from unrelated ones.

Models also put the language of a text into its vector: with multilingual-e5-small a Chinese question is nearer to every
Chinese passage than to the English one that answers it. Therefore the direction from English to Chinese is taken out of
the vector of a question (after Yang et al., "A Simple and Effective Method to Eliminate the Self Language Bias in
Multilingual Representations", EMNLP 2021), which makes the cosines of both languages comparable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.base.files import write_whole
from ingest.base.language import is_chinese
from ingest.base.types import Vectors

PROFILE_FILE = "profile.json"
# Separation from which a model has its full weight, and up to which it has none. On the reference texts
# multilingual-e5-small reaches .98 to 1 in every pairing of languages, all-MiniLM-L6-v2 1 in English and at most .65 in
# the others; chance is .5.
_FULL_WEIGHT, _NO_WEIGHT = 0.9, 0.75


@dataclass(frozen=True)
class Background:
    """Mean and standard deviation of the similarities between questions and passages that do not answer them."""

    mean: float
    spread: float

    def standardised(self, similarity: float) -> float:
        """How many spreads a similarity is above that of unrelated texts; below 0 it is lower."""
        return (similarity - self.mean) / self.spread


@dataclass(frozen=True)
class EmbedderProfile:
    """What is measured of an embedding model.

    `cosines` is the background of its cosines. `english` and `chinese` say how well it separates for questions in that
    language: the probability that the passage that answers has a higher cosine than another one. `language_direction`
    has length 1 and the model's dimension; it is () when English and Chinese texts do not differ.
    """

    cosines: Background
    english: float
    chinese: float
    language_direction: tuple[float, ...] = ()

    def weight(self, question: str) -> float:
        """The weight, 0 to 1, of the model for this question, by its language."""
        separation = self.chinese if is_chinese(question) else self.english
        return min(1.0, max(0.0, (separation - _NO_WEIGHT) / (_FULL_WEIGHT - _NO_WEIGHT)))

    def without_language(self, vector: Vectors) -> Vectors:
        """A vector without the direction of the languages, at length 1 again; same shape."""
        if not self.language_direction:
            return vector
        direction = np.asarray(self.language_direction, np.float32)
        rest = vector - (vector @ direction) * direction
        unit: Vectors = rest / max(float(np.linalg.norm(rest)), 1e-12)
        return unit


def measure_profile(
    english_questions: Vectors, chinese_questions: Vectors, english_passages: Vectors, chinese_passages: Vectors
) -> EmbedderProfile:
    """The profile of a model with these vectors of the reference texts, each of shape (items, dimension)."""
    difference = chinese_passages.mean(axis=0) - english_passages.mean(axis=0)
    length = float(np.linalg.norm(difference))
    direction = tuple((difference / length).tolist()) if length > 1e-6 else ()
    undirected = EmbedderProfile(Background(0.0, 1.0), 1.0, 1.0, direction)
    separations: dict[str, float] = {}
    backgrounds: list[tuple[float, Background]] = []
    for language, questions in (("english", english_questions), ("chinese", chinese_questions)):
        asked = np.stack([undirected.without_language(question) for question in questions])
        of_pairings = []
        for passages in (english_passages, chinese_passages):
            cosines = asked @ passages.T
            separation = _separation(cosines)
            unrelated = cosines[~np.eye(len(cosines), dtype=bool)]
            backgrounds.append((separation, Background(float(unrelated.mean()), float(max(unrelated.std(), 1e-6)))))
            of_pairings.append(separation)
        # A model for one language separates within it only.
        separations[language] = round(max(of_pairings), 4)
    # Pairings in which the model does not separate do not show what its cosines mean.
    read = [background for separation, background in backgrounds if separation >= _FULL_WEIGHT]
    used = read or [background for _, background in backgrounds]
    cosines = Background(
        float(np.mean([background.mean for background in used])),
        float(np.mean([background.spread for background in used])),
    )
    return EmbedderProfile(cosines, separations["english"], separations["chinese"], direction)


def read_profile(folder: Path) -> EmbedderProfile | None:
    """The profile stored in a prepared embedder's folder; None when there is none. Raises ValueError when damaged."""
    path = folder / PROFILE_FILE
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text("utf-8"))
        return EmbedderProfile(
            **{
                **stored,
                "cosines": Background(**stored["cosines"]),
                "language_direction": tuple(stored["language_direction"]),
            }
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"{PROFILE_FILE} is damaged") from error


def write_profile(profile: EmbedderProfile, folder: Path) -> None:
    """Store a profile in a prepared embedder's folder. Raises OSError when it cannot be written."""
    write_whole(folder / PROFILE_FILE, json.dumps(asdict(profile)))


def _separation(cosines: Sequence[Sequence[float]] | npt.NDArray[np.float32]) -> float:
    """The probability that a question's own passage, on the diagonal, has a higher cosine than another passage."""
    matrix = np.asarray(cosines)
    own = np.diag(matrix)[:, None]
    others = ~np.eye(len(matrix), dtype=bool)
    return float(((own > matrix) + 0.5 * (own == matrix))[others].mean())
