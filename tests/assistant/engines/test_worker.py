"""The size of the worker's cache for keys and values."""

from __future__ import annotations

from assistant.engines.worker import cache_blocks

QWEN = {"num_attention_heads": 16, "num_key_value_heads": 16, "hidden_size": 1024, "num_hidden_layers": 24}


def test_the_cache_has_the_size_of_the_setting() -> None:
    """A block holds 32 tokens: keys and values of 24 layers, 16 heads of 64 bytes and 12 for scale and offset."""
    block = 32 * 2 * 24 * 16 * (64 + 12)
    assert cache_blocks(QWEN, 1.0) == int(1e9 / block)
    assert cache_blocks(QWEN, 2.0) == int(2e9 / block)


def test_with_shared_heads_the_cache_has_more_blocks() -> None:
    """Two key and value heads (Qwen2.5) need an eighth of the memory of sixteen."""
    assert abs(cache_blocks({**QWEN, "num_key_value_heads": 2}, 1.0) - 8 * cache_blocks(QWEN, 1.0)) <= 8


def test_the_cache_is_never_too_small_for_one_prompt() -> None:
    """Even the smallest setting has room for a prompt of 2,048 tokens."""
    assert cache_blocks({**QWEN, "hidden_size": 100_000}, 0.1) * 32 >= 2048


def test_the_models_own_head_size_counts() -> None:
    """In some models a head is not the hidden size divided by the number of heads."""
    assert cache_blocks({**QWEN, "head_dim": 128}, 1.0) < cache_blocks(QWEN, 1.0)
