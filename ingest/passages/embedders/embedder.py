"""Text to unit vectors: an embedding model that `prepare` has compiled, opened from its folder.

Underneath is a LlamaIndex `BaseEmbedding`: OpenVINO's for a compiled model, LlamaIndex's own `HuggingFaceEmbedding` for
one that OpenVINO cannot compile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from tokenizers import Tokenizer

from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.types import Vectors
from ingest.passages.embedders.openvino_embedding import TEXTS_PER_CALL, OpenVINOEmbedding

CARD_FILE = "embedder.json"
# Texts per inference of sentence-transformers, for a model that OpenVINO cannot compile.
_BATCH = 8
# From this share of unknown tokens on, the embedding of a text is not used. all-MiniLM-L6-v2 does not know .64 to .68
# of the tokens of Chinese questions and none of those of English questions (XQuAD, CMRC).
UNREADABLE_SHARE = 0.25

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


class Embedder:
    """An embedding model with its card. Vectors are float32 rows of length 1."""

    def __init__(self, card: EmbedderCard, model: BaseEmbedding, tokenizer: Tokenizer) -> None:
        self.card = card
        self.model = model
        self._tokenizer = tokenizer
        self._unknown = _unknown_token(tokenizer)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts with the passage prefix, shape (len(texts), dimension)."""
        # Texts of similar length are in one batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        vectors = np.zeros((len(texts), self.card.dimension), np.float32)
        for start in range(0, len(order), TEXTS_PER_CALL):
            rows = order[start : start + TEXTS_PER_CALL]
            prefixed = [self.card.passage_prefix + texts[number] for number in rows]
            vectors[rows] = self.model.get_text_embedding_batch(prefixed)
        return _unit_length(vectors)

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question with the query prefix, shape (dimension,)."""
        row = np.array([self.model.get_query_embedding(self.card.query_prefix + text)], np.float32)
        vector: Vectors = _unit_length(row)[0]
        return vector

    def count_tokens(self, text: str) -> int:
        """Number of tokens of the text, without prefix and special tokens, and without truncation."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    @property
    def passage_tokens(self) -> int:
        """How many tokens of a passage the model reads: searches would not find the rest of a longer passage."""
        special = self._tokenizer.num_special_tokens_to_add(False)
        return self.card.max_tokens - special - self.count_tokens(self.card.passage_prefix)

    def unknown_share(self, text: str) -> float:
        """Share, 0 to 1, of the text's tokens that are not in the model's vocabulary."""
        token_ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return sum(token_id == self._unknown for token_id in token_ids) / max(1, len(token_ids))


def load_embedder(folder: Path) -> Embedder:
    """Open a folder made by `prepare_embedder`. Raises DocentError when it is damaged or is no such folder."""
    try:
        card = EmbedderCard(**json.loads((folder / CARD_FILE).read_text("utf-8")))
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the tokenizers package raises bare Exception for a damaged file
        raise _not_opened(folder, error) from error
    tokenizer.no_padding()
    counter = Tokenizer.from_str(tokenizer.to_str())
    counter.no_truncation()
    tokenizer.enable_truncation(card.max_tokens)
    try:
        model = _open_model(folder, card, tokenizer)
    except (OSError, ValueError, RuntimeError) as error:  # OpenVINO raises RuntimeError for a damaged model file
        raise _not_opened(folder, error) from error
    return Embedder(card, model, counter)


def _open_model(folder: Path, card: EmbedderCard, tokenizer: Tokenizer) -> BaseEmbedding:
    if card.runtime == "openvino":
        return OpenVINOEmbedding(folder, tokenizer, model_name=card.name)
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


def _unknown_token(tokenizer: Tokenizer) -> int | None:
    """Id of the token for everything outside the vocabulary; None when the tokenizer has none."""
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model.get("unk_token")
    if unknown is None:  # a Unigram vocabulary names it by number
        number: int | None = model.get("unk_id")
        return number
    token_id: int | None = tokenizer.token_to_id(unknown)
    return token_id


def _unit_length(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, 1e-12)
    return unit
