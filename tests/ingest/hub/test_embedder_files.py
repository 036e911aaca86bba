from __future__ import annotations

import pytest

from ingest.base.errors import DocentError
from ingest.hub.cache import HubFile
from ingest.hub.embedder_files import pick_gguf, refuse_unusable_list, select_files


def listed(*paths: str) -> list[HubFile]:
    return [HubFile(path, 10, "0" * 64) for path in paths]


def chosen(*paths: str) -> list[str]:
    return [file.path for file in select_files(listed(*paths))]


def test_of_gguf_files_one_is_chosen_where_there_are_no_other_weights() -> None:
    """The one in 8 bits, or the only one; none beside safetensors, none of a folder for another runtime."""
    several = ("a-fp16.gguf", "a-q4_k_m.gguf", "a-Q8_0.gguf", "configuration.json", "README.md")
    assert chosen(*several) == ["a-Q8_0.gguf", "configuration.json"]
    assert chosen("a-q4_k_m.gguf") == ["a-q4_k_m.gguf"]
    assert chosen(*several, "model.safetensors") == ["configuration.json", "model.safetensors"]
    assert chosen("model.bin.gguf", "pytorch_model.bin") == ["pytorch_model.bin"]
    assert chosen("gguf/a-q8_0.gguf", "config.json") == ["config.json"]


def test_where_the_choice_is_not_clear_none_is_made() -> None:
    """No file in 8 bits among several, or one that comes in parts."""
    assert pick_gguf(["a-q4_0.gguf", "a-q5_0.gguf"]) is None
    assert pick_gguf(["a-q8_0-00001-of-00002.gguf", "a-q8_0-00002-of-00002.gguf"]) is None
    assert pick_gguf([]) is None


def test_files_to_choose_from_are_named_with_what_to_do() -> None:
    """One line: which there are, how to fetch one, what to set."""
    files = listed("a-q4_0.gguf", "a-q5_0.gguf", "configuration.json")
    with pytest.raises(DocentError) as raised:
        refuse_unusable_list("Owner/Name-GGUF", files, select_files(files))
    assert str(raised.value) == (
        "model Owner/Name-GGUF comes as a-q4_0.gguf, a-q5_0.gguf, of which not exactly one is in q8_0: fetch the one "
        "you want with `modelscope download --model Owner/Name-GGUF FILE` and set `model` to that file."
    )
    refuse_unusable_list("Owner/Name", listed("a-q8_0.gguf"), listed("a-q8_0.gguf"))
