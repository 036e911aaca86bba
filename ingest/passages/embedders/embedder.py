"""Text to unit vectors: an embedding model that `prepare` has compiled, opened from its folder.

Underneath is a LlamaIndex `BaseEmbedding`: OpenVINO's for a compiled model, LlamaIndex's own `HuggingFaceEmbedding` for
one that OpenVINO cannot compile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding

from ingest.base.chinese_script import simplified
from ingest.base.errors import DocentError
from ingest.base.language import KANA
from ingest.base.logs import get_logger
from ingest.base.types import Vectors
from ingest.passages.embedders.openvino_embedding import TEXTS_PER_CALL, OpenVINOEmbedding
from ingest.passages.embedders.prepared_files import changed_files
from ingest.passages.embedders.profile import (
    EmbedderProfile,
    Scale,
    measure_profile,
    read_profile,
    scale_of,
    write_profile,
)
from ingest.passages.embedders.reference_texts import REFERENCE_ITEMS
from ingest.passages.embedders.tokenizer import Tokenizer, has_word, open_tokenizer, unknown_share

CARD_FILE = "embedder.json"
# Texts per inference of sentence-transformers, for a model that OpenVINO cannot compile.
_BATCH = 8
# Items of the reference texts whose tokens are compared when a profile is measured.
_TOKEN_ITEMS = 8
# From this share of unknown tokens on, the embedding of a text is not used. all-MiniLM-L6-v2 does not know .64 to .68
# of the tokens of Chinese questions and none of those of English questions (XQuAD, CMRC).
UNREADABLE_SHARE = 0.25

_KANA = re.compile(f"[{KANA}]")
log = get_logger(__name__)


@dataclass(frozen=True)
class EmbedderCard:
    """What the catalog stores about an embedder.

    `fingerprint` changes with weights, vocabulary, modules and prefixes. `dimension` is the length of a vector,
    `max_tokens` the longest input. `runtime` is 'openvino' or 'sentence-transformers', `source` the model's folder.
    """

    name: str
    fingerprint: str
    dimension: int
    max_tokens: int
    query_prefix: str
    passage_prefix: str
    runtime: str
    source: str


def read_card(values: Mapping[str, Any]) -> EmbedderCard:
    """The card with these values, as a folder or a catalog has them; those that a later version added are left out.

    Raises TypeError when a value is missing.
    """
    known = {field.name for field in fields(EmbedderCard)}
    return EmbedderCard(**{key: value for key, value in values.items() if key in known})


class Embedder:
    """An embedding model with its card and its profile. Vectors are float32 rows of length 1."""

    def __init__(
        self, card: EmbedderCard, model: BaseEmbedding, tokenizer: Tokenizer, profile: EmbedderProfile | None = None
    ) -> None:
        """Without a `profile` it is measured, which takes about a second."""
        self.card = card
        self.model = model
        self._tokenizer = tokenizer
        self.profile = profile or self._measured()

    def _measured(self) -> EmbedderProfile:
        items = REFERENCE_ITEMS
        questions = (
            np.stack([self._embed_query(question) for question in in_one_language])
            for in_one_language in zip(*((item.english_question, item.chinese_question) for item in items), strict=True)
        )
        passages = (
            self.embed_passages(in_one_language)
            for in_one_language in zip(*((item.english_passage, item.chinese_passage) for item in items), strict=True)
        )
        profile = measure_profile(*questions, *passages)
        return replace(profile, token_matches=self._token_scale())

    def _token_scale(self) -> Scale | None:
        """The scale of `token_similarities` between the languages, from a part of the reference texts."""
        items = REFERENCE_ITEMS[:_TOKEN_ITEMS]
        passages = [item.chinese_passage for item in items], [item.english_passage for item in items]
        pairings = [
            [self.token_similarities(question, passages[0]) for question in (item.english_question for item in items)],
            [self.token_similarities(question, passages[1]) for question in (item.chinese_question for item in items)],
        ]
        if not pairings[0][0]:
            return None
        scales = [scale_of(np.array(similarities, np.float32)) for similarities in pairings]
        return Scale(
            float(np.mean([scale.unrelated for scale in scales])), float(np.mean([scale.related for scale in scales]))
        )

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts with the passage prefix, shape (len(texts), dimension)."""
        # Texts of similar length are in one batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        vectors = np.zeros((len(texts), self.card.dimension), np.float32)
        for start in range(0, len(order), TEXTS_PER_CALL):
            rows = order[start : start + TEXTS_PER_CALL]
            prefixed = [self.card.passage_prefix + _in_one_script(texts[number]) for number in rows]
            vectors[rows] = self.model.get_text_embedding_batch(prefixed)
        return _unit_length(vectors)

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question with the query prefix and without its language, shape (dimension,)."""
        return self.profile.without_language(self._embed_query(text))

    def _embed_query(self, text: str) -> Vectors:
        row = np.array([self.model.get_query_embedding(self.card.query_prefix + _in_one_script(text))], np.float32)
        vector: Vectors = _unit_length(row)[0]
        return vector

    def token_similarities(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well the tokens of each text match those of the question: the mean, over the tokens of the question, of
        the highest cosine with a token of the text. [] for a model without token vectors.

        This is the late interaction of ColBERT (Khattab and Zaharia, SIGIR 2020), as a mean instead of a sum.
        """
        if not isinstance(self.model, OpenVINOEmbedding) or not self.model.has_token_vectors:
            return []
        asked, *answers = self.model.token_vectors(
            [
                self.card.query_prefix + _in_one_script(question),
                *(self.card.passage_prefix + _in_one_script(text) for text in texts),
            ]
        )
        asked = self._without_frame(asked, self.card.query_prefix)
        return [
            float((asked @ self._without_frame(vectors, self.card.passage_prefix).T).max(axis=1).mean())
            for vectors in answers
        ]

    def _without_frame(self, vectors: Vectors, prefix: str) -> Vectors:
        """The vectors of a text's own tokens, without those of the prefix and of the special tokens around it.

        All of them when nothing would be left.
        """
        first = 1 + self.count_tokens(prefix) if prefix else 1
        own: Vectors = vectors[first:-1]
        return own if len(own) else vectors

    def count_tokens(self, text: str) -> int:
        """Number of tokens of the text, without prefix and special tokens, and without truncation."""
        return len(self._tokenizer.token_ids(text))

    @property
    def passage_tokens(self) -> int:
        """How many tokens of a passage the model reads: searches would not find the rest of a longer passage."""
        return self.card.max_tokens - self._tokenizer.special - self.count_tokens(self.card.passage_prefix)

    def unknown_share(self, text: str) -> float:
        """Share, 0 to 1, of the text's tokens that are not in the model's vocabulary."""
        return unknown_share(self._tokenizer, text)

    def weight(self, question: str) -> float:
        """The weight, 0 to 1, of the model's cosines for a question: how far it reads its language and its tokens."""
        known = max(0.0, 1.0 - self.unknown_share(question) / UNREADABLE_SHARE)
        return known * self.profile.weight(question)

    def has_word(self, word: str) -> bool:
        """Whether the word is one token of the model's vocabulary, as only frequent words are."""
        return has_word(self._tokenizer, word)


def load_embedder(folder: Path) -> Embedder:
    """Open a folder made by `prepare_embedder`. Raises DocentError when it is damaged or is no such folder."""
    try:
        changed = changed_files(folder)
        if changed:
            raise ValueError(f"damaged or cut short: {', '.join(changed)}")
        return open_prepared(folder, read_card(json.loads((folder / CARD_FILE).read_text("utf-8"))))
    except Exception as error:  # the tokenizers package raises bare Exception for a damaged file, OpenVINO RuntimeError
        raise _not_opened(folder, error) from error


def open_prepared(folder: Path, card: EmbedderCard) -> Embedder:
    """The embedder of a prepared folder. Raises what the packages raise.

    Without a profile, as folders of version 0.1 are, it is measured and stored, so that it is measured once only.
    """
    tokenizer = open_tokenizer(folder)
    stored = read_profile(folder)
    embedder = Embedder(card, _open_model(folder, card, tokenizer), tokenizer, stored)
    if stored is None:
        try:
            write_profile(embedder.profile, folder)
        except OSError:  # a full disk, or a library that this process may only read
            log.warning("embedder.profile_not_stored", folder=str(folder), exc_info=True)
    return embedder


def _open_model(folder: Path, card: EmbedderCard, tokenizer: Tokenizer) -> BaseEmbedding:
    if card.runtime == "openvino":
        return OpenVINOEmbedding(folder, tokenizer, card.max_tokens, model_name=card.name)
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    model: BaseEmbedding = HuggingFaceEmbedding(
        model_name=card.source, max_length=card.max_tokens, embed_batch_size=_BATCH, device="cpu",
        query_instruction="", text_instruction="",
    )  # fmt: skip
    return model


def _not_opened(folder: Path, error: Exception) -> DocentError:
    log.warning("embedder.unopened", folder=str(folder), exc_info=error)
    reason = " ".join(str(error).split())[:200]
    return DocentError(f"The embedding model in {folder} cannot be opened ({reason}): run `docent rebuild`.")


def _in_one_script(text: str) -> str:
    """The text in simplified characters, so that both scripts have the same vectors; Japanese stays as it is."""
    return text if _KANA.search(text) else simplified(text)


def _unit_length(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, 1e-12)
    return unit
