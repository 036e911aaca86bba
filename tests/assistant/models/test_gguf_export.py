"""A checkpoint as GGUF: every tensor under its name, with its values, and the tokenizer whole."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.torch import load_file

from assistant.models.gguf_export import gguf_name, write_gguf
from assistant.models.tokens import load_tokenizer
from ingest.base.errors import DocentError


@pytest.fixture(scope="module")
def written(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> gguf.GGUFReader:
    target = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(tiny_checkpoint, target, quantization="Q8_0")
    return gguf.GGUFReader(target)


def test_every_weight_is_there_with_its_values(written: gguf.GGUFReader, tiny_checkpoint: Path) -> None:
    """Matrices come back within the rounding of 8 bits, everything else exactly."""
    original = load_file(tiny_checkpoint / "model.safetensors")
    tied = json.loads((tiny_checkpoint / "config.json").read_text())["tie_word_embeddings"]
    expected = {gguf_name(name): name for name in original if not (tied and name == "lm_head.weight")}
    tensors = {tensor.name: tensor for tensor in written.tensors}
    assert set(tensors) == set(expected)
    for name, tensor in tensors.items():
        values = original[expected[name]].float().numpy()
        read = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if values.ndim == 2:
            # Q8_0: a block of 32 is divided by its largest value over 127, and that scale is a float16.
            largest = np.abs(values.reshape(-1, 32)).max(axis=1, keepdims=True)
            error = np.abs(read.reshape(-1, 32) - values.reshape(-1, 32))
            assert (error <= largest * (0.5 / 127 + 2**-11) + 1e-6).all(), name
        else:
            assert np.array_equal(read.reshape(values.shape), values), name


def test_the_shape_is_the_checkpoints(written: gguf.GGUFReader, tiny_checkpoint: Path) -> None:
    """What a reader needs to rebuild the architecture is what config.json says."""
    config = json.loads((tiny_checkpoint / "config.json").read_text())
    expected = {
        "general.architecture": config["model_type"],
        "qwen2.block_count": config["num_hidden_layers"],
        "qwen2.embedding_length": config["hidden_size"],
        "qwen2.feed_forward_length": config["intermediate_size"],
        "qwen2.attention.head_count": config["num_attention_heads"],
        "qwen2.attention.head_count_kv": config["num_key_value_heads"],
    }
    assert {name: written.fields[name].contents() for name in expected} == expected


def test_the_tokenizer_is_whole(written: gguf.GGUFReader, tiny_checkpoint: Path) -> None:
    """Each id has its token, control tokens are marked as such, and the list is as long as the embedding."""
    tokenizer = load_tokenizer(tiny_checkpoint)
    tokens = written.fields["tokenizer.ggml.tokens"].contents()
    kinds = written.fields["tokenizer.ggml.token_type"].contents()
    assert len(tokens) == json.loads((tiny_checkpoint / "config.json").read_text())["vocab_size"]
    for token, number in tokenizer.get_vocab(with_added_tokens=True).items():
        assert tokens[number] == token
    assert kinds[tokenizer.token_to_id("<|im_start|>")] == 3
    assert written.fields["tokenizer.ggml.eos_token_id"].contents() == tokenizer.token_to_id("<|im_end|>")


def test_a_tensor_of_another_architecture_is_named() -> None:
    """A checkpoint with experts or adapters is refused by the name of the tensor."""
    with pytest.raises(DocentError, match=r"'model\.layers\.0\.mlp\.experts\.0\.up_proj\.weight'"):
        gguf_name("model.layers.0.mlp.experts.0.up_proj.weight")
    assert gguf_name("model.layers.11.self_attn.q_proj.bias") == "blk.11.attn_q.bias"
