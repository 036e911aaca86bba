"""A checkpoint to measure with: the right shape, and texts of exactly as many tokens as letters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.answer import chatml
from assistant.models import random_weights
from assistant.models.checkpoint import check_checkpoint
from assistant.models.random_weights import ARCHITECTURES, make_random_checkpoint
from assistant.models.tokens import load_tokenizer
from ingest.base.errors import SettingsError

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
    """A second call returns the same folder, unchanged."""
    before = (checkpoint / "model.safetensors").stat().st_mtime_ns
    assert make_random_checkpoint("small", checkpoint.parent) == checkpoint
    assert (checkpoint / "model.safetensors").stat().st_mtime_ns == before


def test_an_unknown_architecture_names_those_there_are(tmp_path: Path) -> None:
    """Nothing is written for a misspelt name."""
    with pytest.raises(SettingsError, match=r"allowed are qwen1\.5-0\.5b, qwen2\.5-0\.5b"):
        make_random_checkpoint("qwen9", tmp_path)
    assert list(tmp_path.glob("random-*")) == []


def test_a_qwen3_has_its_shape_and_its_thoughts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads wider than their share, and a prompt that ends with an empty thought; the vocabulary keeps its size."""
    small = {
        **ARCHITECTURES["qwen3-0.6b"], "vocab_size": 512, "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 64,
    }  # fmt: skip
    monkeypatch.setitem(random_weights.ARCHITECTURES, "small3", small)
    folder = make_random_checkpoint("small3", tmp_path)
    check_checkpoint(folder)
    config = json.loads((folder / "config.json").read_text())
    assert {name: config[name] for name in ("model_type", "head_dim", "num_key_value_heads")} == {
        "model_type": "qwen3", "head_dim": 64, "num_key_value_heads": 1,
    }  # fmt: skip
    tokenizer = load_tokenizer(folder)
    assert tokenizer.get_vocab_size() == 512
    asked = tokenizer.decode(chatml.encode([], tokenizer), skip_special_tokens=False)
    assert asked == "<|im_start|>assistant\n<think>\n\n</think>\n\n"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("qwen1.5-0.5b", 463_987_712), ("qwen2.5-0.5b", 494_032_768), ("qwen3-0.6b", 596_049_920)],
)
def test_the_architecture_is_qwens_to_the_parameter(name: str, parameters: int) -> None:
    """As many as the model's own checkpoint has; counted from an empty model of the shape, ties counted once."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**ARCHITECTURES[name]))
    assert sum(values.numel() for values in model.parameters()) == parameters
