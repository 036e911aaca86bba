"""The profile of an embedding model: what its cosines mean, measured once on reference texts.

Models differ: a question and a passage that does not answer it have a cosine of .04 ± .08 with all-MiniLM-L6-v2, of
.76 ± .02 with multilingual-e5-small. So a search uses a cosine on the model's own scale, on which such passages are at
0 and those that answer a reference question at 1. It gives no weight to a model that does not tell the two apart.

Models also put the language of a text into its vector: with multilingual-e5-small a Chinese question is nearer to every
Chinese passage than to the English one that answers it. Therefore the direction from English to Chinese is taken out of
the vector of a question (after Yang et al., "A Simple and Effective Method to Eliminate the Self Language Bias in
Multilingual Representations", EMNLP 2021), which makes the cosines of both languages comparable.
"""

from __future__ import annotations

import json
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
class Scale:
    """A model's mean similarity of questions and passages that do not answer them, and of those that do."""

    unrelated: float
    related: float

    def standardised(self, similarity: float) -> float:
        """A similarity on this scale: 0 for `unrelated`, 1 for `related`."""
        return (similarity - self.unrelated) / (self.related - self.unrelated)


@dataclass(frozen=True)
class EmbedderProfile:
    """What is measured of an embedding model.

    `cosines` is the scale of its cosines; `token_matches` that of `Embedder.token_similarities` between the languages,
    None for a model without token vectors. `english` and `chinese` say how well it separates for questions in that
    language: the probability that the passage that answers has a higher cosine than another one. `language_direction`
    has length 1 and the model's dimension; it is () when English and Chinese texts do not differ.
    """

    cosines: Scale
    english: float
    chinese: float
    language_direction: tuple[float, ...] = ()
    token_matches: Scale | None = None

    def weight(self, question: str) -> float:
        """The weight, 0 to 1, of the model for this question, by its language."""
        separation = self.chinese if is_chinese(question) else self.english
        return min(1.0, max(0.0, (separation - _NO_WEIGHT) / (_FULL_WEIGHT - _NO_WEIGHT)))

    def without_language(self, vector: Vectors) -> Vectors:
        """A vector without the direction of the languages, at length 1 again; same shape."""
        if not self.language_direction:
            return vector
        direction = np.asarray(self.language_direction, np.float32)
        rest: Vectors = vector - np.float32(vector @ direction) * direction
        return rest / np.float32(max(float(np.linalg.norm(rest)), 1e-12))


def measure_profile(
    english_questions: Vectors, chinese_questions: Vectors, english_passages: Vectors, chinese_passages: Vectors
) -> EmbedderProfile:
    """The profile of a model with these vectors of the reference texts, each of shape (items, dimension)."""
    difference = chinese_passages.mean(axis=0) - english_passages.mean(axis=0)
    length = float(np.linalg.norm(difference))
    direction = tuple((difference / length).tolist()) if length > 1e-6 else ()
    undirected = EmbedderProfile(Scale(0.0, 1.0), 1.0, 1.0, direction)
    separations: dict[str, float] = {}
    scales: list[tuple[float, Scale]] = []
    for language, questions in (("english", english_questions), ("chinese", chinese_questions)):
        asked = np.stack([undirected.without_language(question) for question in questions])
        pairings = [asked @ passages.T for passages in (english_passages, chinese_passages)]
        scales += [(_separation(cosines), scale_of(cosines)) for cosines in pairings]
        # A model for one language separates within it only.
        separations[language] = round(max(map(_separation, pairings)), 4)
    # Pairings in which the model does not separate do not show what its cosines mean.
    separating = [scale for separation, scale in scales if separation >= _FULL_WEIGHT]
    used = separating or [scale for _, scale in scales]
    cosines = Scale(float(np.mean([s.unrelated for s in used])), float(np.mean([s.related for s in used])))
    return EmbedderProfile(cosines, separations["english"], separations["chinese"], direction)


def scale_of(similarities: npt.NDArray[np.float32]) -> Scale:
    """The scale of similarities of shape (questions, passages), in which question i is answered by passage i alone."""
    unrelated = similarities[np.eye(*similarities.shape) == 0]
    mean, spread = float(unrelated.mean()), float(unrelated.std())
    # For a model that does not separate, the scale is the spread: its similarities must not become huge numbers.
    return Scale(mean, max(float(np.diag(similarities).mean()), mean + max(spread, 1e-6)))


def read_profile(folder: Path) -> EmbedderProfile | None:
    """The profile stored in a prepared embedder's folder; None when there is none. Raises ValueError when damaged."""
    path = folder / PROFILE_FILE
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text("utf-8"))
        matches = stored["token_matches"]
        return EmbedderProfile(
            cosines=Scale(**stored["cosines"]), english=stored["english"], chinese=stored["chinese"],
            language_direction=tuple(stored["language_direction"]),
            token_matches=None if matches is None else Scale(**matches),
        )  # fmt: skip
    except (TypeError, KeyError) as error:
        raise ValueError(f"{PROFILE_FILE} is damaged") from error


def write_profile(profile: EmbedderProfile, folder: Path) -> None:
    """Store a profile in a prepared embedder's folder. Raises OSError when it cannot be written."""
    write_whole(folder / PROFILE_FILE, json.dumps(asdict(profile)))


def _separation(cosines: npt.NDArray[np.float32]) -> float:
    """The probability that a question's own passage, on the diagonal, has a higher cosine than another passage."""
    own = np.diag(cosines)[:, None]
    higher = (own > cosines) + 0.5 * (own == cosines)
    return float(higher[np.eye(len(cosines)) == 0].mean())
