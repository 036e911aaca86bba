"""Which files of a model are downloaded."""

from __future__ import annotations

import pytest

from ingest.base.errors import DocentError
from ingest.hub.cache import HubFile
from ingest.hub.select_files import pick_gguf, refuse_unusable_list, select_files


def listed(*paths: str) -> list[HubFile]:
    return [HubFile(path, 10, "0" * 64) for path in paths]


def selected(*paths: str) -> list[str]:
    return [file.path for file in select_files(listed(*paths))]


def test_of_gguf_files_one_is_chosen_where_there_are_no_other_weights() -> None:
    """The only one, or the only one in q8_0; none beside safetensors, none from a folder for another runtime."""
    several = ("a-fp16.gguf", "a-q4_k_m.gguf", "a-Q8_0.gguf", "configuration.json", "README.md")
    assert selected(*several) == ["a-Q8_0.gguf", "configuration.json"]
    assert selected("a-q4_k_m.gguf") == ["a-q4_k_m.gguf"]
    assert selected(*several, "model.safetensors") == ["configuration.json", "model.safetensors"]
    assert selected("model.bin.gguf", "pytorch_model.bin") == ["pytorch_model.bin"]
    assert selected("gguf/a-q8_0.gguf", "config.json") == ["config.json"]


def test_where_the_choice_is_not_clear_none_is_made() -> None:
    """Several files without q8_0, or q8_0 in several parts, leave the choice to the user."""
    assert pick_gguf(["a-q4_0.gguf", "a-q5_0.gguf"]) is None
    assert pick_gguf(["a-q8_0-00001-of-00002.gguf", "a-q8_0-00002-of-00002.gguf"]) is None
    assert pick_gguf([]) is None


def test_files_to_choose_from_are_named_with_what_to_do() -> None:
    """The message names the files, how to download one of them, and the setting."""
    files = listed("a-q4_0.gguf", "a-q5_0.gguf", "configuration.json")
    with pytest.raises(DocentError) as raised:
        refuse_unusable_list("Owner/Name-GGUF", files, select_files(files))
    assert str(raised.value) == (
        "model Owner/Name-GGUF comes as a-q4_0.gguf, a-q5_0.gguf, of which not exactly one is in q8_0: fetch the one "
        "you want with `modelscope download --model Owner/Name-GGUF FILE` and set `model` to that file."
    )
    refuse_unusable_list("Owner/Name", listed("a-q8_0.gguf"), listed("a-q8_0.gguf"))
