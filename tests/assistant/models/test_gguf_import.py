"""A GGUF file is unpacked into a checkpoint with the same tokens and weights, completely or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.torch import load_file

from assistant.answer import chatml
from assistant.models import machine
from assistant.models.checkpoint import check_checkpoint, weight_files
from assistant.models.gguf_export import checkpoint_name, gguf_name, write_gguf
from assistant.models.gguf_import import FOLDER, find_unpacked, unpack
from assistant.models.tokens import load_tokenizer
from ingest.base.errors import DocentError
from tests.project import PROJECT

TEXTS = (
    "Every employee has 25 days of annual leave; don't forget  the receipts.\r\n\n\tÜnïcödé e\u0301 🦉",
    "每位员工每年有 25 天年假。未休的年假可以结转到次年三月三十一日。",
    "def days(year: int) -> int:\n    return 25 if year > 2024 else 22  # <tool_call> <|im_start|> </think>",
)
MakeGguf = Callable[..., Path]


@pytest.fixture
def make_gguf(tiny_family: Callable[[str], Path], tmp_path: Path) -> MakeGguf:
    """The GGUF file of a tiny checkpoint."""

    def make(family: str = "qwen2.5", quantization: str = "Q8_0") -> Path:
        path = tmp_path / f"{family}-{quantization.lower()}.gguf"
        write_gguf(tiny_family(family), path, quantization=quantization)
        return path

    return make


def rewritten(path: Path, drop: str = "", **changes: object) -> Path:
    """The same file with other strings or numbers under some keys (dots as double underscores), or without one."""
    reader = gguf.GGUFReader(path)
    target = path.with_name(f"changed-{path.name}")
    changed = {name.replace("__", "."): value for name, value in changes.items()}
    writer = gguf.GGUFWriter(target, str(changed.pop("general.architecture", "qwen2")))
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in {"general.architecture", drop} or name in changed:
            continue
        kind, *inner = field.types
        writer.add_key_value(name, field.contents(), kind, inner[-1] if inner else None)
    for name, value in changed.items():
        kind = gguf.GGUFValueType.STRING if isinstance(value, str) else gguf.GGUFValueType.UINT32
        writer.add_key_value(name, value, kind)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def all_tensors(folder: Path) -> dict[str, np.ndarray]:
    return {name: values.float().numpy() for path in weight_files(folder) for name, values in load_file(path).items()}


@pytest.mark.parametrize("family", ["qwen2", "qwen2.5", "qwen2.5-untied", "qwen3"])
def test_the_tokens_are_the_originals(
    family: str,
    make_gguf: MakeGguf,
    tiny_family: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """English, Chinese, code and marker-like text have the same ids; every control token has its own, and its kind."""
    unpacked, original = load_tokenizer(unpack(make_gguf(family), tmp_path)), load_tokenizer(tiny_family(family))
    for text in TEXTS:
        assert unpacked.encode(text).ids == original.encode(text).ids
        assert chatml.plain_ids(text, unpacked) == chatml.plain_ids(text, original)
    assert unpacked.get_vocab(with_added_tokens=True) == original.get_vocab(with_added_tokens=True)
    kinds = {number: (token.content, token.special) for number, token in original.get_added_tokens_decoder().items()}
    assert kinds == {
        number: (token.content, token.special) for number, token in unpacked.get_added_tokens_decoder().items()
    }
    assert chatml.stop_ids(unpacked) == chatml.stop_ids(original)


@pytest.mark.parametrize("family", ["qwen2.5", "qwen2.5-untied", "qwen3"])
def test_the_shape_is_the_originals(
    family: str,
    make_gguf: MakeGguf,
    tiny_family: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """config.json says what the original's says, the context's length and the base of its positions included."""
    from transformers import AutoConfig

    unpacked = AutoConfig.from_pretrained(unpack(make_gguf(family), tmp_path))
    original = AutoConfig.from_pretrained(tiny_family(family))
    for name in (
        "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "max_position_embeddings", "tie_word_embeddings", "rope_parameters", "architectures",
    ):  # fmt: skip
        assert getattr(unpacked, name) == getattr(original, name), name
    assert unpacked.rms_norm_eps == pytest.approx(original.rms_norm_eps)
    assert getattr(unpacked, "head_dim", None) == getattr(original, "head_dim", None)


def test_rounding_again_gives_the_same_integers(make_gguf: MakeGguf, tmp_path: Path) -> None:
    """Q8_0 → float16 → Q8_0: no block of 32 changes its integers, so unpacking costs no quality."""
    path = make_gguf("qwen3")
    again = tmp_path / "again.gguf"
    write_gguf(unpack(path, tmp_path), again, quantization="Q8_0")
    first = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    second = {tensor.name: tensor for tensor in gguf.GGUFReader(again).tensors}
    assert set(first) == set(second)
    for name, tensor in first.items():
        if tensor.tensor_type == gguf.GGMLQuantizationType.Q8_0:
            # A block is a float16 scale and 32 integers.
            assert np.array_equal(tensor.data.reshape(-1, 34)[:, 2:], second[name].data.reshape(-1, 34)[:, 2:]), name
        else:
            assert np.array_equal(tensor.data, second[name].data), name


@pytest.mark.parametrize(("quantization", "error"), [("F32", 5e-4), ("F16", 5e-4), ("Q8_0", 5e-3), ("Q4_0", 0.13)])
def test_weights_are_what_the_file_holds(
    quantization: str,
    error: float,
    make_gguf: MakeGguf,
    tiny_family: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Against the original, relative to the largest weight: as near as the file's own format allows; norms exactly."""
    unpacked = all_tensors(unpack(make_gguf("qwen2.5", quantization), tmp_path))
    original = all_tensors(tiny_family("qwen2.5"))
    assert set(unpacked) == set(original)
    for name, values in original.items():
        assert values.shape == unpacked[name].shape
        assert np.abs(values - unpacked[name]).max() <= error * np.abs(values).max(), name
        if values.ndim == 1:
            assert np.array_equal(values, unpacked[name]), name


def test_the_unpacked_model_says_what_the_original_says(
    make_gguf: MakeGguf,
    tiny_family: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """The logits of transformers agree within what rounding to 8 bits costs: the transposition and names are right."""
    import torch
    from transformers import AutoModelForCausalLM

    def logits(folder: Path) -> torch.Tensor:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        with torch.inference_mode():
            result: torch.Tensor = model(torch.tensor([list(range(40, 80))])).logits[0]
        return result

    first, second = logits(tiny_family("qwen3")), logits(unpack(make_gguf("qwen3", "F16"), tmp_path))
    assert (first - second).abs().max() < 0.01 * first.abs().max()


def test_an_output_matrix_written_twice_is_tied(make_gguf: MakeGguf, tmp_path: Path) -> None:
    """Official files hold the embedding a second time as the output; it is kept once."""
    path = make_gguf("qwen2.5")
    reader = gguf.GGUFReader(path)
    embedding = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    twice = tmp_path / "twice.gguf"
    writer = gguf.GGUFWriter(twice, "qwen2")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind, *inner = field.types
            writer.add_key_value(name, field.contents(), kind, inner[-1] if inner else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.add_tensor("output.weight", embedding.data, raw_dtype=embedding.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    folder = unpack(twice, tmp_path)
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is True
    assert "lm_head.weight" not in all_tensors(folder)


def test_names_go_both_ways() -> None:
    """Every tensor comes back under the name it had; one that no Qwen has is refused by its name."""
    for name in ("model.embed_tokens.weight", "lm_head.weight", "model.layers.11.self_attn.q_proj.bias"):
        assert checkpoint_name(gguf_name(name)) == name
    for name in ("rope_freqs.weight", "blk.0.ffn_gate_exps.weight", "blk.0.attn_q.weight.more"):
        with pytest.raises(DocentError, match=f"a tensor '{name}', which no Qwen2 or Qwen3 model has"):
            checkpoint_name(name)


def test_what_is_here_is_not_made_again_until_the_file_changes(make_gguf: MakeGguf, tmp_path: Path) -> None:
    """The second call returns the first one's folder; another file of that name is unpacked again."""
    path = make_gguf()
    assert find_unpacked(path, tmp_path) is None
    seen: list[tuple[int, int]] = []
    folder = unpack(path, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert find_unpacked(path, tmp_path) == folder
    assert unpack(path, tmp_path, lambda *_: pytest.fail("made again")) == folder
    path.write_bytes(path.read_bytes())
    assert find_unpacked(path, tmp_path) is None
    assert unpack(path, tmp_path) != folder


def test_a_file_cut_anywhere_is_said_to_be(make_gguf: MakeGguf, tmp_path: Path) -> None:
    """In the magic, the keys, the tokens, the list of tensors or the last tensor: one line, and nothing is left."""
    path = make_gguf()
    content = path.read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in [5, 12, 23, 24, 40, *range(100, len(content), len(content) // 40), len(content) - 33]:
        cut.write_bytes(content[:size])
        with pytest.raises(DocentError) as raised:
            unpack(cut, tmp_path)
        assert str(raised.value) == f"{cut} is cut short or damaged: download it again.", size
    cut.write_bytes(b"not a model at all")
    with pytest.raises(DocentError, match=r"is no GGUF file: set `model` to one"):
        unpack(cut, tmp_path)
    assert [path.name for path in (tmp_path / FOLDER).iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"general__architecture": "llama"}, "holds a model of architecture 'llama', and only 'qwen2' and 'qwen3'"),
        ({"tokenizer__ggml__pre": "llama-bpe"}, r"has a tokenizer \(gpt2, llama-bpe\) that is not Qwen's"),
        ({"qwen2__rope__scaling__type": "yarn"}, "uses rotary position scaling, which is not supported"),
        ({"split__count": 3}, "is one part of several"),
        ({"drop": "qwen2.embedding_length"}, r"cannot be unpacked \(KeyError; the log has the details\)"),
    ],
)
def test_what_would_answer_wrongly_is_refused(
    changes: dict[str, object], reason: str, make_gguf: MakeGguf, tmp_path: Path
) -> None:
    """Another architecture, tokenizer or layout is one line that names it; nothing is left."""
    with pytest.raises(DocentError, match=reason) as raised:
        unpack(rewritten(make_gguf(), **changes), tmp_path)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert [path.name for path in (tmp_path / FOLDER).iterdir() if path.is_dir()] == []


def test_too_little_disk_is_said_before_anything_is_written(
    make_gguf: MakeGguf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the file and what it takes."""
    path = make_gguf()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(DocentError, match=rf"0\.0 GB free and the unpacked {path.name} takes"):
        unpack(path, tmp_path)
    assert [path.name for path in (tmp_path / FOLDER).iterdir() if path.is_dir()] == []


def test_killed_in_the_middle_it_starts_again_cleanly(make_gguf: MakeGguf, tmp_path: Path) -> None:
    """kill -9 between weights and config.json leaves nothing that loads; the next run clears up and finishes."""
    path = make_gguf()
    program = (
        "import sys; from pathlib import Path; from assistant.models import gguf_import\n"
        "def hang(_reader): print('here', flush=True); sys.stdin.read()\n"
        "gguf_import._config = hang\n"
        "gguf_import.unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(tmp_path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "here\n"
    running.kill()
    running.wait()
    assert find_unpacked(path, tmp_path) is None
    assert len(list((tmp_path / FOLDER).glob(".making-*"))) == 1
    folder = unpack(path, tmp_path)
    check_checkpoint(folder)
    assert [found for found in (tmp_path / FOLDER).iterdir() if found.is_dir()] == [folder]
