"""Unpacks a GGUF file, once, into an ordinary checkpoint folder: weights, config.json and tokenizer.

The folder is then used like any other checkpoint. Keys and their meaning are those of the GGUF specification (ggml's
docs/gguf.md). Matrices become float16, which loses nothing of 8-bit weights: rounded again in the same blocks they give
the same integers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assistant.models.checkpoint import MODEL_TYPES, check_checkpoint
from assistant.models.gguf_export import CONTROL, UNUSED, USER_DEFINED, checkpoint_name
from assistant.models.machine import require_disk
from ingest.base.errors import DocentError
from ingest.base.files import alone_in, whole_folder
from ingest.base.logs import get_logger

FOLDER = "unpacked"
SUFFIX = ".gguf"
# Increased whenever the written files change, so that GGUF files are unpacked again.
FORMAT = 1
_MAGIC = b"GGUF"
# Names of Qwen's pre-tokenizer; files made before 2024 have none.
_PRE_TOKENIZERS = ("qwen2", "default", None)
_CLASSES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
# The size of each file of weights, which is the amount that is in memory at once.
_SHARD_BYTES = 500_000_000
# Two bytes for float16, and some reserve for the tokenizer.
_BYTES_A_WEIGHT = 2.1
log = get_logger(__name__)


def unpacked_folder(path: Path, models_cache: Path) -> Path:
    """The folder of a GGUF file's checkpoint, which need not exist yet; a changed file has another folder."""
    status = path.stat()
    identity = f"{FORMAT}\0{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    return models_cache / FOLDER / f"{path.stem}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def find_unpacked(path: Path, models_cache: Path) -> Path | None:
    """The folder of the checkpoint unpacked from this file; None when it has not been unpacked."""
    folder = unpacked_folder(path, models_cache)
    return folder if folder.is_dir() else None


def unpack(
    path: Path,
    models_cache: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    waiting: Callable[[], None] = lambda: None,
) -> Path:
    """Unpack a GGUF file into a checkpoint, unless it is unpacked already. Returns the checkpoint's folder.

    This takes seconds. `progress` gets (bytes unpacked, total); `waiting` is called if another process is unpacking. An
    interrupted call leaves no folder that an engine would load. Raises DocentError for a file that is not GGUF, is cut
    short, has another architecture or a format that cannot be read, and for too little disk.
    """
    unpacked = find_unpacked(path, models_cache)
    if unpacked is not None:
        return unpacked
    from safetensors import SafetensorError

    target = unpacked_folder(path, models_cache)
    try:
        with alone_in(target.parent, waiting):
            if not target.is_dir():  # another process may have unpacked it while this one waited
                reader = _open(path)
                _require_supported(path, reader)
                weights = sum(int(tensor.n_elements) for tensor in reader.tensors)
                require_disk(target.parent, int(_BYTES_A_WEIGHT * weights), f"the unpacked {path.name}")
                with whole_folder(target) as unfinished:
                    _write_tokenizer(reader, unfinished)
                    _write_weights(reader, unfinished, progress)
                    (unfinished / "config.json").write_text(json.dumps(_config(reader), indent=1), "utf-8")
                    check_checkpoint(unfinished)
    except (OSError, ValueError, LookupError, RuntimeError, SafetensorError) as error:
        log.error("gguf.not_unpacked", path=str(path), exc_info=True)
        raise DocentError(
            f"{path} cannot be unpacked ({type(error).__name__}; the log has the details): use the model's q8_0 file, "
            "or free some space."
        ) from error
    log.info("gguf.unpacked", path=str(path), folder=str(target))
    return target


def _open(path: Path) -> Any:
    import gguf

    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise DocentError(f"{path} is no GGUF file: set `model` to one, to a folder or to a ModelScope name.")
    try:
        return gguf.GGUFReader(path)
    except (ValueError, LookupError, OverflowError) as error:
        log.info("gguf.unreadable", path=str(path), error=repr(error))
        raise DocentError(f"{path} is cut short or damaged: download it again.") from error


def _require_supported(path: Path, reader: Any) -> None:
    """Raise DocentError for a model that would not load, or would load and answer wrongly."""
    architecture = _value(reader, "general.architecture", "")
    if architecture not in MODEL_TYPES:
        raise DocentError(
            f"{path} holds a model of architecture '{architecture}', and only 'qwen2' and 'qwen3' (Qwen1.5, Qwen2, "
            "Qwen2.5, Qwen3) can be run: choose such a model."
        )
    if _value(reader, "split.count", 1) > 1:
        raise DocentError(f"{path} is one part of several: choose a file that holds the whole model.")
    model = _value(reader, "tokenizer.ggml.model", None)
    pre_tokenizer = _value(reader, "tokenizer.ggml.pre", None)
    if model != "gpt2" or pre_tokenizer not in _PRE_TOKENIZERS:
        raise DocentError(
            f"{path} has a tokenizer ({model}, {pre_tokenizer}) that is not Qwen's: choose another model."
        )
    if _value(reader, f"{architecture}.rope.scaling.type", "none") != "none":
        raise DocentError(f"{path} uses rotary position scaling, which is not supported: choose another model.")


def _value(reader: Any, key: str, *default: Any) -> Any:
    """The value of a key. Raises KeyError when the file does not have it and no default is given."""
    field = reader.get_field(key)
    if field is not None:
        return field.contents()
    if not default:
        raise KeyError(key)
    return default[0]


def _config(reader: Any) -> dict[str, Any]:
    """The content of config.json, as in the original checkpoint."""
    kind = _value(reader, "general.architecture")

    def number(key: str, *default: Any) -> Any:
        return _value(reader, f"{kind}.{key}", *default)

    heads = number("attention.head_count")
    vocabulary = next(tensor.shape for tensor in reader.tensors if tensor.name == "token_embd.weight")
    # Absent where each head has an equal share of the hidden size.
    head_size = number("attention.key_length", None)
    return {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "vocab_size": int(vocabulary[1]),  # GGUF names the columns first
        "hidden_size": number("embedding_length"),
        "intermediate_size": number("feed_forward_length"),
        "num_hidden_layers": number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": number("attention.head_count_kv", heads),
        "max_position_embeddings": number("context_length"),
        "rope_theta": number("rope.freq_base", 10_000.0),
        "rms_norm_eps": number("attention.layer_norm_rms_epsilon"),
        "tie_word_embeddings": _is_tied(reader),
        "hidden_act": "silu",
        "eos_token_id": _value(reader, "tokenizer.ggml.eos_token_id", None),
        "dtype": "float16",
        **({} if head_size is None else {"head_dim": head_size}),
    }


def _is_tied(reader: Any) -> bool:
    """Whether the output matrix is the embedding matrix; some files contain it twice."""
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    embedding, output = tensors["token_embd.weight"], tensors.get("output.weight")
    if output is None:
        return True
    same_kind = output.tensor_type == embedding.tensor_type
    return same_kind and output.data.shape == embedding.data.shape and bool((output.data == embedding.data).all())


def _write_weights(reader: Any, folder: Path, progress: Callable[[int, int], None]) -> None:
    """Write files of about _SHARD_BYTES, and the index that names them."""
    from safetensors.torch import save_file

    total = sum(int(tensor.n_bytes) for tensor in reader.tensors)
    shard: dict[str, Any] = {}
    index: dict[str, str] = {}
    size = written = 0

    def flush() -> None:
        nonlocal shard, size
        name = f"model-{len(set(index.values())) + 1:05}.safetensors"
        save_file(shard, folder / name, {"format": "pt"})
        index.update(dict.fromkeys(shard, name))
        shard, size = {}, 0

    for name, values, source_bytes in _tensors(reader):
        shard[name] = values
        size += values.numel() * values.element_size()
        if size >= _SHARD_BYTES:
            flush()
        written += source_bytes
        progress(written, total)
    if shard:
        flush()
    content = {"metadata": {}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content, indent=1), "utf-8")


def _tensors(reader: Any) -> Iterator[tuple[str, Any, int]]:
    """Yield (name, tensor, bytes in the file); the output matrix only where it is not the embedding matrix."""
    import gguf
    import torch

    tied = _is_tied(reader)
    for tensor in reader.tensors:
        if tied and tensor.name == "output.weight":
            continue
        values = torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy())
        if values.ndim == 2:
            exact = tensor.tensor_type == gguf.GGMLQuantizationType.BF16
            values = values.to(torch.bfloat16 if exact else torch.float16)
        yield checkpoint_name(tensor.name), values, int(tensor.n_bytes)


def _write_tokenizer(reader: Any, folder: Path) -> None:
    """Write tokenizer.json with every token at its id. Raises ValueError when the tables are not consistent."""
    from tokenizers import AddedToken
    from transformers import Qwen2Tokenizer

    tokens: list[str] = _value(reader, "tokenizer.ggml.tokens")
    kinds: list[int] = _value(reader, "tokenizer.ggml.token_type")
    # Entries that only fill up the embedding matrix are no tokens; older files mark them as normal tokens.
    used = [kind != UNUSED and token != f"[PAD{n}]" for n, (token, kind) in enumerate(zip(tokens, kinds, strict=True))]
    size = len(used) - used[::-1].index(True)
    # Added tokens are in the vocabulary too, so that they keep their ids. No merge results in an added token.
    vocabulary = {token: number for number, token in enumerate(tokens[:size])}
    merges = [tuple(pair.split(" ")) for pair in _value(reader, "tokenizer.ggml.merges")]
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges).backend_tokenizer
    for token, kind in zip(tokens[:size], kinds[:size], strict=True):
        if kind in (CONTROL, USER_DEFINED):
            added = AddedToken(token, special=kind == CONTROL, normalized=False)
            (tokenizer.add_special_tokens if kind == CONTROL else tokenizer.add_tokens)([added])
    if tokenizer.get_vocab(with_added_tokens=True) != vocabulary:
        raise ValueError("two tokens of the GGUF file are the same, or its <|endoftext|> is missing")
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    }
    template = _value(reader, "tokenizer.chat_template", None)
    if template is not None:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, ensure_ascii=False), "utf-8")
