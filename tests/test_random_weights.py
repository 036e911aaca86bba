"""A checkpoint to measure with: the right shape, and texts of exactly as many tokens as letters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant import random_weights
from assistant.engines.tokens import load_tokenizer
from assistant.models import check_checkpoint
from assistant.random_weights import ARCHITECTURES, make_random_checkpoint
from ingest.errors import SettingsError

SMALL = {
    **ARCHITECTURES["qwen1.5-0.5b"],
    "vocab_size": 512, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2,
}  # fmt: skip


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(random_weights.ARCHITECTURES, "small", SMALL)
    return make_random_checkpoint("small", tmp_path)


def test_it_is_a_whole_checkpoint_of_the_shape_asked_for(checkpoint: Path) -> None:
    """Every engine that runs a Qwen runs this."""
    check_checkpoint(checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    shape = {name: value for name, value in SMALL.items() if name != "rope_theta"}
    assert {name: config[name] for name in shape} == shape
    assert config.get("rope_theta", (config.get("rope_parameters") or {}).get("rope_theta")) == SMALL["rope_theta"]


def test_a_text_has_as_many_tokens_as_letters(checkpoint: Path) -> None:
    """So that a benchmark's prompt is as long as it says; the vocabulary is filled to its size."""
    tokenizer = load_tokenizer(checkpoint)
    assert len(tokenizer.encode("abcXYZ, 123").ids) == 11
    assert tokenizer.get_vocab_size() == SMALL["vocab_size"]
    assert tokenizer.decode(tokenizer.encode("How many days?").ids) == "How many days?"


def test_what_is_there_is_not_made_again(checkpoint: Path) -> None:
    """The same folder, untouched."""
    before = (checkpoint / "model.safetensors").stat().st_mtime_ns
    assert make_random_checkpoint("small", checkpoint.parent) == checkpoint
    assert (checkpoint / "model.safetensors").stat().st_mtime_ns == before


def test_an_unknown_architecture_names_those_there_are(tmp_path: Path) -> None:
    """Nothing is written for a misspelt name."""
    with pytest.raises(SettingsError, match=r"allowed are qwen1\.5-0\.5b, qwen2\.5-0\.5b"):
        make_random_checkpoint("qwen9", tmp_path)
    assert list(tmp_path.glob("random-*")) == []


def test_the_architecture_is_qwens_to_the_parameter() -> None:
    """Qwen1.5-0.5B has 464 million parameters, its card says 0.5B; counted from the shape, ties counted once."""
    shape = ARCHITECTURES["qwen1.5-0.5b"]
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    layer = 4 * hidden * hidden + 3 * hidden + 3 * hidden * inner + 2 * hidden
    total = shape["vocab_size"] * hidden + shape["num_hidden_layers"] * layer + hidden
    assert total == 463_987_712
