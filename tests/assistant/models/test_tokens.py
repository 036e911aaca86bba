"""Tokens and text: characters from bytes, older tokenizer files, threads, and the estimate."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from assistant.answer import chatml
from assistant.models.tokens import CompleteCharacters, estimate_tokens, load_tokenizer, token_bytes_of

TEXT = "Leave: 25 days › 每位员工 25 天。\n\tÜnïcödé 🦉  end"


@pytest.fixture
def tokenizer(tiny_checkpoint: Path) -> Tokenizer:
    return load_tokenizer(tiny_checkpoint)


def test_invalid_bytes_are_dropped(tokenizer: Tokenizer) -> None:
    """A broken sequence leaves no replacement character and delays nothing after it; control tokens have no text."""
    table = token_bytes_of(tokenizer)
    byte_of = {value: token for token, value in table.items() if len(value) == 1}
    characters = CompleteCharacters(table)
    sequence = [
        byte_of[b"\xe5"],
        byte_of[b"\x81"],
        byte_of[b"o"],
        tokenizer.token_to_id("<|im_start|>"),
        byte_of[b"k"],
    ]
    assert "".join(characters.add(token) for token in sequence) == "ok"


def test_every_text_comes_back_unchanged(tokenizer: Tokenizer) -> None:
    """A text in any script that is encoded and streamed token by token is the same text."""
    characters = CompleteCharacters(token_bytes_of(tokenizer))
    assert "".join(characters.add(token) for token in chatml.plain_ids(TEXT, tokenizer)) == TEXT


def test_a_checkpoint_with_vocab_and_merges_only_counts_the_same(
    tiny_checkpoint: Path,
    tmp_path: Path,
    tokenizer: Tokenizer,
) -> None:
    """The older tokenizer files give the same ids as tokenizer.json."""
    folder = tmp_path / "older"
    shutil.copytree(tiny_checkpoint, folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(content["model"]["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in content["model"]["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    older = load_tokenizer(folder)
    assert chatml.plain_ids(TEXT, older) == chatml.plain_ids(TEXT, tokenizer)
    assert chatml.stop_ids(older) == chatml.stop_ids(tokenizer)


def test_threads_may_count_at_the_same_time(tokenizer: Tokenizer) -> None:
    """Prompts are built for several people at once with one tokenizer, without an error or a wrong count."""
    texts = [TEXT * (n % 7 + 1) for n in range(200)]
    alone = [chatml.count_plain(text, tokenizer) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: chatml.count_plain(text, tokenizer), texts))
    assert together == alone


def test_the_estimate_is_near_what_qwen_needs() -> None:
    """Without a tokenizer, 240 Chinese characters count as 200 tokens and 420 English ones as 100."""
    assert estimate_tokens("年" * 240) == 200
    assert estimate_tokens("a" * 420) == 100
    assert estimate_tokens("") in (0, 1)
