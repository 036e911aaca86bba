"""Tokens and text: the checkpoint's tokenizer (byte-level BPE), complete characters from token ids, and an estimate."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.base.language import FULL_WIDTH_MARKS, IDEOGRAPHS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CHINESE = re.compile(f"[{IDEOGRAPHS}{FULL_WIDTH_MARKS}]")
# Measured with Qwen's tokenizer: a token has 1.2 to 2.2 characters of Chinese, 4.2 to 4.6 of English. These are the
# lower ends, so that estimates are rarely too low.
CHINESE_CHARACTERS_A_TOKEN = 1.2
OTHER_CHARACTERS_A_TOKEN = 4.2


def load_tokenizer(folder: Path) -> Tokenizer:
    """The checkpoint's tokenizer: tokenizer.json, or built from vocab.json and merges.txt where that is missing."""
    from tokenizers import Tokenizer

    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    from transformers import AutoTokenizer

    backend: Tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
    return backend


def token_bytes_of(tokenizer: Tokenizer) -> dict[int, bytes]:
    """Token id → its bytes; b'' for control tokens, so that they are never shown.

    Byte-level BPE writes every byte as one printable character, by the table that GPT-2 introduced.
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
    """Turns token ids into text, one at a time: only complete characters are returned, invalid bytes are dropped."""

    def __init__(self, token_bytes: dict[int, bytes]) -> None:
        self._bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")

    def add(self, token: int) -> str:
        """The characters that this token completes, '' for none."""
        return self._decoder.decode(self._bytes.get(token, b""))


def estimate_tokens(text: str) -> int:
    """About how many tokens Qwen's tokenizer makes of the text, rarely fewer; for use without a tokenizer."""
    chinese = len(_CHINESE.findall(text))
    return round(chinese / CHINESE_CHARACTERS_A_TOKEN + (len(text) - chinese) / OTHER_CHARACTERS_A_TOKEN + 0.5)


class EstimatedTokens:
    """The `TokenCounter` of a machine without a model."""

    opening_tokens = 1 + estimate_tokens("assistant\n")

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(text)
