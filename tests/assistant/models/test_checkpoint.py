"""Checkpoints are checked by headers and sizes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from assistant.models.checkpoint import check_checkpoint, count_weights, is_checkpoint, weight_files, writes_text
from ingest.base.errors import DocentError
from tests.fakes.tiny_qwen import FAMILIES


@pytest.fixture
def copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    return folder


def change_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_generation_is_a_checkpoint_we_run(family: str, tiny_family: Callable[[str], Path]) -> None:
    """Tied or not, in one file or several, with grouped heads or norms of its own."""
    folder = tiny_family(family)
    check_checkpoint(folder)
    assert is_checkpoint(folder)
    assert writes_text(folder)
    assert (len(weight_files(folder)) > 1) == (family == "qwen2.5")


def test_the_weights_are_counted_from_their_shapes(tiny_checkpoint: Path) -> None:
    """The number of weights is the number of elements of all tensors."""
    tensors = load_file(tiny_checkpoint / "model.safetensors")
    assert count_weights(tiny_checkpoint) == sum(tensor.numel() for tensor in tensors.values())


@pytest.mark.parametrize("model_type", ["llama", "qwen2_moe", "qwen3_5", None])
def test_another_architecture_is_named(copy: Path, model_type: str | None) -> None:
    """What the model is, what can be run and what to do."""
    change_config(copy, model_type=model_type)
    assert not is_checkpoint(copy)
    with pytest.raises(DocentError) as raised:
        check_checkpoint(copy)
    assert str(raised.value) == (
        f"model folder {copy}: config.json says model_type {model_type!r}, and only 'qwen2' and 'qwen3' (Qwen1.5, "
        "Qwen2, Qwen2.5, Qwen3) can be run: set `model` to such a model."
    )


def test_an_embedder_of_our_architecture_does_not_chat(copy: Path) -> None:
    """Qwen3-Embedding is a qwen3 with a list of sentence-transformers' parts: it is not made into a chat model."""
    (copy / "modules.json").write_text("[]")
    assert not is_checkpoint(copy)
    assert not writes_text(copy)
    with pytest.raises(DocentError, match="holds an embedding model: set `embedder` to it"):
        check_checkpoint(copy)


def test_weights_that_are_rounded_already_are_refused(copy: Path) -> None:
    """GPTQ and AWQ checkpoints say so in config.json; the original or a GGUF file is what to take."""
    change_config(copy, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(DocentError, match="quantised already: set `model` to the original checkpoint or to a GGUF"):
        check_checkpoint(copy)


def test_a_shard_without_its_index_is_missed(tiny_family: Callable[[str], Path], tmp_path: Path) -> None:
    """Where no index says which files there should be, the tensors do."""
    folder = tmp_path / "shards"
    shutil.copytree(tiny_family("qwen2.5"), folder)
    (folder / "model.safetensors.index.json").unlink()
    check_checkpoint(folder)
    first = weight_files(folder)[0]
    lost = load_file(first)
    first.unlink()
    with pytest.raises(DocentError) as raised:
        check_checkpoint(folder)
    assert "tensors such as model." in str(raised.value)
    assert any(f"such as {name} are" in str(raised.value) for name in lost)


def test_an_output_matrix_that_is_not_tied_must_be_there(copy: Path) -> None:
    """A checkpoint that lacks a tensor is refused: transformers would fill it with random numbers."""
    tensors = load_file(copy / "model.safetensors")
    tensors.pop("lm_head.weight", None)
    save_file(tensors, copy / "model.safetensors")
    check_checkpoint(copy)
    change_config(copy, tie_word_embeddings=False)
    with pytest.raises(DocentError, match=r"1 tensors such as lm_head\.weight are in none of its"):
        check_checkpoint(copy)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", b"{", "config.json cannot be read"),
        ("config.json", b"[]", "config.json is not a JSON object"),
        ("config.json", b'{"model_type": "qwen2"}', "config.json does not say num_hidden_layers"),
        ("tokenizer.json", None, "neither tokenizer.json nor vocab.json is there"),
        ("model.safetensors", None, "no *.safetensors file is there"),
        ("model.safetensors", b"", "model.safetensors is cut short"),
        ("model.safetensors", b"\x10\0\0\0\0\0\0\0" + b"x" * 40, "the header of model.safetensors is damaged"),
        ("model.safetensors", b"\xff" * 100, "model.safetensors is cut short or is no safetensors file"),
        (
            "model.safetensors.index.json",
            json.dumps({"weight_map": {"a": "model-2.safetensors"}}).encode(),
            "model-2.safetensors is missing",
        ),
        ("model.safetensors.index.json", b"{}", "model.safetensors.index.json lists no files"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_in_one_line(
    copy: Path, file: str, content: bytes | None, reason: str
) -> None:
    """Each kind of damage is named with its file and what to do."""
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    with pytest.raises(DocentError) as caught:
        check_checkpoint(copy)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("run `docent models pull` again, or set `model` to a complete checkpoint.")
    assert "\n" not in str(caught.value)
