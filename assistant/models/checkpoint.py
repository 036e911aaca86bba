"""Checks whether a folder holds a complete model that Docent can run, by file headers and sizes."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from ingest.base.errors import DocentError

# Qwen1.5, Qwen2 and Qwen2.5 are one architecture; Qwen3 normalises queries and keys and has no biases.
MODEL_TYPES = ("qwen2", "qwen3")
# A file with a larger safetensors header is damaged (the limit of the safetensors library itself).
LONGEST_HEADER = 100_000_000
# A folder with this file of sentence-transformers is an embedding model: Qwen3-Embedding has a supported `model_type`,
# but is no chat model.
_EMBEDDER_FILE = "modules.json"
_LAYER = (
    "input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
    "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
)  # fmt: skip


def check_checkpoint(folder: Path) -> None:
    """Raise DocentError when `folder` is not a complete Qwen checkpoint. Only headers and sizes are read."""
    config = read_json(folder / "config.json")
    model_type = config.get("model_type")
    if model_type not in MODEL_TYPES:
        raise DocentError(
            f"model folder {folder}: config.json says model_type {model_type!r}, and only 'qwen2' and 'qwen3' "
            "(Qwen1.5, Qwen2, Qwen2.5, Qwen3) can be run: set `model` to such a model."
        )
    if (folder / _EMBEDDER_FILE).is_file():
        raise DocentError(f"model folder {folder} holds an embedding model: set `embedder` to it, `model` to another.")
    if "quantization_config" in config:
        raise DocentError(
            f"model folder {folder} holds weights that are quantised already: set `model` to the original checkpoint "
            "or to a GGUF file."
        )
    if not (folder / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (folder / name).is_file():
                raise broken(folder, f"neither tokenizer.json nor {name} is there")
    present = {name for path in weight_files(folder) for name in _header(path)}
    missing = [name for name in _tensors_of(folder, config) if name not in present]
    if missing:
        raise broken(folder, f"{len(missing)} tensors such as {missing[0]} are in none of its *.safetensors files")


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds a chat model that Docent can run. Raises DocentError for a damaged config.json."""
    if not (folder / "config.json").is_file() or (folder / _EMBEDDER_FILE).is_file():
        return False
    return read_json(folder / "config.json").get("model_type") in MODEL_TYPES


def writes_text(folder: Path) -> bool:
    """Whether the folder's config.json names a model that generates text, of any architecture.

    Raises DocentError for a damaged config.json.
    """
    if not (folder / "config.json").is_file() or (folder / _EMBEDDER_FILE).is_file():
        return False
    names = read_json(folder / "config.json").get("architectures")
    return any(str(name).endswith(("ForCausalLM", "ForConditionalGeneration")) for name in names or ())


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of the weights: those that the index names, or all in the folder.

    Raises DocentError when there are none or one is missing.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise broken(folder, f"{index.name} lists no files")
        paths = [folder / str(name) for name in sorted(set(shards.values()))]
    else:
        paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise broken(folder, "no *.safetensors file is there (other weight formats are not loaded)")
    for path in paths:
        if not path.is_file():
            raise broken(folder, f"{path.name} is missing")
    return paths


def count_weights(folder: Path) -> int:
    """How many weights the checkpoint has. Raises DocentError for files that are not safetensors."""
    return sum(math.prod(tensor["shape"]) for path in weight_files(folder) for tensor in _header(path).values())


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a model folder. Raises DocentError when it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise broken(path.parent, f"{path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise broken(path.parent, f"{path.name} cannot be read") from error
    if not isinstance(content, dict):
        raise broken(path.parent, f"{path.name} is not a JSON object")
    return content


def broken(folder: Path, reason: str) -> DocentError:
    """The error for a folder that is incomplete or damaged."""
    return DocentError(
        f"model folder {folder}: {reason}: run `docent models pull` again, or set `model` to a complete checkpoint."
    )


def _tensors_of(folder: Path, config: dict[str, Any]) -> list[str]:
    """The names of the matrices and norms that a model with this config.json must have."""
    layers = config.get("num_hidden_layers")
    if not isinstance(layers, int):
        raise broken(folder, "config.json does not say num_hidden_layers")
    names = ["model.embed_tokens.weight", "model.norm.weight"]
    if not config.get("tie_word_embeddings"):
        names.append("lm_head.weight")
    return names + [f"model.layers.{number}.{part}.weight" for number in range(layers) for part in _LAYER]


def _header(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file: name to `dtype`, `shape` and `data_offsets`.

    The header says where the last tensor ends, so DocentError is raised for a file that was cut short. Format: 8 bytes
    little-endian header length, a JSON header with `data_offsets` relative to its end, the data
    (github.com/huggingface/safetensors).
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise broken(path.parent, f"{path.name} is cut short or is no safetensors file")
        try:
            header = json.loads(stream.read(length))
            tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
            ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise broken(path.parent, f"the header of {path.name} is damaged") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise broken(path.parent, f"{path.name} has {size} bytes where its header says {expected}")
    return tensors
