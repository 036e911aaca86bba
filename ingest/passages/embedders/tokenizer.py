"""Text to the token ids of an embedding model, by the `tokenizers` package or by SentencePiece.

The `tokenizers` package takes 280 MB for the 250,000 pieces of multilingual-e5-small, SentencePiece 55 MB, so the
bundled model is prepared for SentencePiece. Every other model has the `tokenizer.json` that it comes with.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer as HuggingFace

from ingest.passages.embedders.e5_file import E5Vocabulary

_JSON_FILE = "tokenizer.json"
_PIECES_FILE = "tokenizer.model"
_CHARACTERS_FILE = "characters.json"


class Tokenizer(Protocol):
    """Text to token ids. `special` is how many special tokens surround a text; `unknown` is the id of the unknown."""

    special: int
    unknown: int | None

    def token_ids(self, text: str) -> list[int]:
        """The ids of a text's tokens, without special tokens and without truncation."""

    def inputs(self, text: str, limit: int) -> list[int]:
        """The ids that the model reads: special tokens around at most `limit` - `special` tokens of the text."""


def open_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a prepared embedder. Raises Exception, as the packages do, when its files are damaged."""
    if (folder / _PIECES_FILE).is_file():
        return _PieceTokenizer(folder)
    return _JsonTokenizer(folder)


class _JsonTokenizer:
    def __init__(self, folder: Path) -> None:
        self._tokenizer = HuggingFace.from_file(str(folder / _JSON_FILE))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.special = self._tokenizer.num_special_tokens_to_add(False)
        self.unknown: int | None = _unknown_token(self._tokenizer)

    def token_ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def inputs(self, text: str, limit: int) -> list[int]:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(max(0, limit - self.special))
        ids: list[int] = self._tokenizer.post_process(encoding).ids
        return ids


class _PieceTokenizer:
    special = 2

    def __init__(self, folder: Path) -> None:
        self._pieces = SentencePieceProcessor(model_file=str(folder / _PIECES_FILE))
        replaced: dict[str, str] = json.loads((folder / _CHARACTERS_FILE).read_text("utf-8"))
        self._replaced = str.maketrans(replaced)
        self._begin, self._end = self._pieces.bos_id(), self._pieces.eos_id()
        self.unknown: int | None = self._pieces.unk_id()

    def token_ids(self, text: str) -> list[int]:
        normal = unicodedata.normalize("NFKC", text).translate(self._replaced)
        # A lone surrogate, half of a character, is not text.
        ids: list[int] = self._pieces.encode(normal.encode("utf-8", "replace").decode("utf-8"))
        return ids

    def inputs(self, text: str, limit: int) -> list[int]:
        return [self._begin, *self.token_ids(text)[: max(0, limit - self.special)], self._end]


def write_pieces(vocabulary: E5Vocabulary, folder: Path) -> None:
    """Write a Unigram vocabulary (Kudo, "Subword Regularization", ACL 2018) as files that `open_tokenizer` opens.

    SentencePiece normalises nothing here: Python normalises by NFKC, which with the vocabulary's own map for the
    characters that NFKC leaves as they are is SentencePiece's `nmt_nfkc`.
    """
    # Imported here: only preparing needs it, and it takes a protobuf runtime along.
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2  # its classes are made when it is imported
    model = messages.ModelProto()
    kinds = messages.ModelProto.SentencePiece
    control = {vocabulary.begin, vocabulary.end, vocabulary.padding}
    for token_id, (piece, score) in enumerate(vocabulary.pieces):
        entry = model.pieces.add()
        entry.piece, entry.score = piece, score
        if token_id == vocabulary.unknown:
            entry.type = kinds.UNKNOWN
        elif token_id in control:
            entry.type = kinds.CONTROL
    training = model.trainer_spec
    training.model_type = messages.TrainerSpec.UNIGRAM
    training.vocab_size = len(vocabulary.pieces)
    training.bos_id, training.eos_id = vocabulary.begin, vocabulary.end
    training.pad_id, training.unk_id = vocabulary.padding, vocabulary.unknown
    normaliser = model.normalizer_spec
    normaliser.name = "identity"
    normaliser.add_dummy_prefix = normaliser.remove_extra_whitespaces = normaliser.escape_whitespaces = True
    (folder / _PIECES_FILE).write_bytes(model.SerializeToString())
    (folder / _CHARACTERS_FILE).write_text(json.dumps(vocabulary.replaced), "utf-8")


def _unknown_token(tokenizer: HuggingFace) -> int | None:
    """Id of the token for everything outside the vocabulary; None when the tokenizer has none."""
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model.get("unk_token")
    if unknown is None:  # a Unigram vocabulary names it by number
        number: int | None = model.get("unk_id")
        return number
    token_id: int | None = tokenizer.token_to_id(unknown)
    return token_id


def unknown_share(tokenizer: Tokenizer, text: str) -> float:
    """Share, 0 to 1, of the text's tokens that are not in the vocabulary."""
    token_ids: Sequence[int] = tokenizer.token_ids(text)
    return sum(token_id == tokenizer.unknown for token_id in token_ids) / max(1, len(token_ids))


def has_word(tokenizer: Tokenizer, word: str) -> bool:
    """Whether the word is one token of the vocabulary, as only frequent words are."""
    token_ids = tokenizer.token_ids(word)
    return len(token_ids) == 1 and token_ids[0] != tokenizer.unknown
