"""Writes a Qwen checkpoint (safetensors) as one GGUF file, which OpenVINO GenAI reads without a conversion stack.

Names and keys are those of the GGUF specification (ggml's docs/gguf.md) for the architectures `qwen2` and `qwen3`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from assistant.models.checkpoint import weight_files
from ingest.base.errors import DocentError

_TOP_TENSORS = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_LAYER_TENSORS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_FROM_TOP = {gguf: checkpoint for checkpoint, gguf in _TOP_TENSORS.items()}
_FROM_LAYER = {gguf: checkpoint for checkpoint, gguf in _LAYER_TENSORS.items()}
# The token types of GGUF.
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5


def write_gguf(
    checkpoint: Path,
    target: Path,
    progress: Callable[[int, int], None] | None = None,
    quantization: str = "F16",
) -> None:
    """Write the checkpoint in the folder `checkpoint` to the file `target`; vectors are written in float32.

    `quantization` is the GGUF format of the matrices, such as F16, Q8_0 or Q4_0; `progress` gets (tensors written,
    total). Raises DocentError for a tensor that no Qwen model has.
    """
    import gguf

    config = json.loads((checkpoint / "config.json").read_text("utf-8"))
    writer = gguf.GGUFWriter(target, config["model_type"])
    _add_shape(writer, config)
    writer.add_file_type(gguf.LlamaFileType["ALL_F32" if quantization == "F32" else f"MOSTLY_{quantization}"])
    _add_tokenizer(writer, checkpoint, int(config["vocab_size"]))
    tied = bool(config.get("tie_word_embeddings"))
    names = [name for name in _tensor_names(checkpoint) if not (tied and name == "lm_head.weight")]
    for number, (name, values) in enumerate(_tensors(checkpoint, names), 1):
        if values.ndim == 2 and quantization == "F16":
            writer.add_tensor(gguf_name(name), values.astype(np.float16))
        elif values.ndim == 2:
            kind = gguf.GGMLQuantizationType[quantization]
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(gguf_name(name), values)
        if progress is not None:
            progress(number, len(names))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str:
    """The GGUF name of a tensor of a Qwen checkpoint. Raises DocentError for one that no Qwen model has."""
    if name in _TOP_TENSORS:
        return _TOP_TENSORS[name]
    parts = name.split(".")
    part, kind = ".".join(parts[3:-1]), parts[-1]
    if parts[:2] != ["model", "layers"] or part not in _LAYER_TENSORS or kind not in {"weight", "bias"}:
        raise DocentError(
            f"the checkpoint has a tensor '{name}', which no Qwen2 or Qwen3 model has: choose another model."
        )
    return f"blk.{parts[2]}.{_LAYER_TENSORS[part]}.{kind}"


def checkpoint_name(name: str) -> str:
    """The checkpoint's name of a tensor in a GGUF file: the inverse of `gguf_name`, with the same error."""
    if name in _FROM_TOP:
        return _FROM_TOP[name]
    block, number, part, kind = (name.split(".") + [""] * 4)[:4]
    if block != "blk" or part not in _FROM_LAYER or name.count(".") != 3 or kind not in {"weight", "bias"}:
        raise DocentError(
            f"the GGUF file has a tensor '{name}', which no Qwen2 or Qwen3 model has: choose another model."
        )
    return f"model.layers.{number}.{_FROM_LAYER[part]}.{kind}"


def _add_shape(writer: Any, config: dict[str, Any]) -> None:
    heads = int(config["num_attention_heads"])
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
    if config.get("head_dim"):
        writer.add_key_length(int(config["head_dim"]))
        writer.add_value_length(int(config["head_dim"]))
    # Since transformers 5 the base of the rotary positions is in the group `rope_parameters`.
    base = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta") or 10_000.0
    writer.add_rope_freq_base(float(base))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))


def _add_tokenizer(writer: Any, checkpoint: Path, size: int) -> None:
    """Add the tokenizer's tables. Docent does not use them, but other readers of GGUF require complete tables."""
    from assistant.models.tokens import load_tokenizer

    model = json.loads(load_tokenizer(checkpoint).to_str())
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [UNUSED] * size
    for token, number in model["model"]["vocab"].items():
        tokens[number], kinds[number] = token, NORMAL
    for added in model["added_tokens"]:
        if added["id"] < size:
            tokens[added["id"]] = added["content"]
            kinds[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in model["model"]["merges"]])
    ends = {added["content"]: int(added["id"]) for added in model["added_tokens"]}
    # Docent stops at the ids that `chatml` names, but other readers of the file require a stop token in it.
    writer.add_eos_token_id(ends.get("<|im_end|>", 0))
    writer.add_pad_token_id(ends.get("<|endoftext|>", 0))
    writer.add_add_bos_token(False)


def _tensor_names(checkpoint: Path) -> list[str]:
    from safetensors import safe_open

    names: list[str] = []
    for path in weight_files(checkpoint):
        with safe_open(path, "pt") as file:
            names += list(file.keys())
    return sorted(names)


def _tensors(checkpoint: Path, names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield (name, float32 array): one at a time, because the whole model in float32 may not fit into memory."""
    from safetensors import safe_open

    wanted = set(names)
    for path in weight_files(checkpoint):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - a safetensors file is no dictionary
                if name in wanted:
                    yield name, file.get_tensor(name).float().numpy()
