"""Makes checkpoints with a model's exact architecture and random weights, to measure speed without a download.

Their answers mean nothing. The tokenizer has one token for each byte, and the rest of the vocabulary is unused: a text
of N letters has N tokens.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.base.errors import SettingsError
from ingest.base.files import alone_in, whole_folder

# From the models' own config.json on ModelScope.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "qwen1.5-0.5b": {
        "model_type": "qwen2",
        "vocab_size": 151936,
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": True,
    },
    "qwen2.5-0.5b": {
        "model_type": "qwen2",
        "vocab_size": 151936,
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": True,
    },
    "qwen3-0.6b": {
        "model_type": "qwen3",
        "vocab_size": 151936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 40960,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": True,
    },
}
CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Qwen3 marks its thoughts with two tokens that its tokenizer does not call special.
THOUGHT_TOKENS = {"qwen2": (), "qwen3": ("<think>", "</think>")}


def make_random_checkpoint(name: str, folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint of about a gigabyte into `folder`, unless it is there already. Returns its folder.

    This takes seconds. Raises SettingsError for a name that is not in ARCHITECTURES.
    """
    if name not in ARCHITECTURES:
        raise SettingsError(
            f"'{name}' is not an architecture that can be measured: allowed are {', '.join(ARCHITECTURES)}."
        )
    target = folder / f"random-{name}"
    if target.is_dir():
        return target
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    torch.manual_seed(seed)
    shape = dict(ARCHITECTURES[name])
    with alone_in(folder):
        if not target.is_dir():
            with whole_folder(target) as unfinished:
                _write_tokenizer(unfinished, int(shape["vocab_size"]), THOUGHT_TOKENS[shape["model_type"]])
                config = AutoConfig.for_model(**shape)
                AutoModelForCausalLM.from_config(config).to(torch.bfloat16).save_pretrained(unfinished)
    return target


def _write_tokenizer(target: Path, size: int, thought_tokens: Sequence[str]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    # One merge, of two bytes that are adjacent in no text: readers of GGUF require at least one.
    pair = (letters[-1], letters[-2])
    unused = size - len(letters) - len(CONTROL_TOKENS) - len(thought_tokens) - 1
    tokens = [*letters, "".join(pair), *(f"unused{number}" for number in range(unused))]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[pair]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CONTROL_TOKENS])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in thought_tokens])
    tokenizer.save(str(target / "tokenizer.json"))
    settings = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (target / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


def main() -> None:
    """`python -m assistant.models.random_weights NAME FOLDER`: print the checkpoint's folder or an error."""
    try:
        print(make_random_checkpoint(sys.argv[1], Path(sys.argv[2])))
    except SettingsError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
