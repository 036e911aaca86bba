"""From token ids to text: the checkpoint's tokenizer, and characters that are only shown when they are complete.

Knows byte-level BPE; knows neither models nor chats.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_tokenizer(folder: Path) -> Tokenizer:
    """The checkpoint's tokenizer: tokenizer.json, or built from vocab.json and merges.txt where that is missing."""
    from tokenizers import Tokenizer

    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    from transformers import AutoTokenizer

    backend: Tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
    return backend


def token_bytes_of(tokenizer: Tokenizer) -> dict[int, bytes]:
    """The bytes each id stands for; control tokens stand for none, so they never show.

    Byte-level BPE writes every byte as one printable character; the table is the one GPT-2 introduced.
    """
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    byte_of = {character: byte for byte, character in bytes_to_unicode().items()}
    added = tokenizer.get_added_tokens_decoder()
    table = {}
    for token, token_id in tokenizer.get_vocab(with_added_tokens=True).items():
        if token_id in added:
            table[token_id] = b"" if added[token_id].special else added[token_id].content.encode()
        else:
            table[token_id] = bytes(byte_of[character] for character in token)
    return table


class CompleteCharacters:
    """Turns token ids into text as their bytes arrive: a character whole or not at all, bytes that are none dropped."""

    def __init__(self, token_bytes: dict[int, bytes]) -> None:
        self._bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")

    def add(self, token: int) -> str:
        """The characters that this token completes, '' for none."""
        return self._decoder.decode(self._bytes.get(token, b""))
