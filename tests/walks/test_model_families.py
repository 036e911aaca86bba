"""Every generation of Qwen that a name can ask for is pulled, converted, agrees with its original and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.answer.prompt import build_prompt
from assistant.engines.openvino_engine import OpenVINOEngine
from assistant.engines.transformers_engine import TransformersEngine
from assistant.models.convert import find_converted, read_manifest
from assistant.models.gguf_export import write_gguf
from assistant.models.locate import locate
from assistant.models.tokens import load_tokenizer
from ingest.base.settings import Settings
from tests.fakes.loopback_hub import LoopbackHub
from ui.cli.main import docent
from ui.cli.terminal.run import run

NAMES = {
    "qwen/Qwen1.5-0.5B-Chat": "qwen1.5",
    "Qwen/Qwen2-0.5B-Instruct": "qwen2",
    "Qwen/Qwen2.5-0.5B-Instruct": "qwen2.5",
    "Qwen/Qwen3-0.6B": "qwen3",
}
MESSAGES = [
    ChatMessage(role=MessageRole.SYSTEM, content="Answer from the passages."),
    ChatMessage(role=MessageRole.USER, content="How many days of <think> leave? 年假有多少天？"),
]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Settings]:
    """The settings of a machine that uses this model, from environment variables as `docent` reads them."""

    def settings_for(model: str) -> Settings:
        for name, value in {"MODEL": model, "MODELS_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}.items():
            monkeypatch.setenv(f"DOCENT_{name}", value)
        return Settings(temperature=0, repetition_penalty=1, max_new_tokens=8, dtype="float32")  # type: ignore[call-arg]

    return settings_for


def assert_both_engines_answer(settings: Settings) -> None:
    """The converted model passed parity, and both engines read the same prompt, up to the opening of the answer."""
    folder = locate(settings)
    assert folder is not None
    converted = find_converted(folder, settings.models_cache)
    assert converted is not None
    manifest = read_manifest(converted)
    assert manifest is not None
    assert manifest.parity.problem == ""
    prompt = chatml.encode(MESSAGES, load_tokenizer(folder))
    assert prompt == chatml.encode(MESSAGES, load_tokenizer(converted))
    reference = TransformersEngine(folder, settings)
    built = build_prompt("How many days?", [], [], reference, 4000)
    assert built.tokens == len(chatml.encode(built.messages, load_tokenizer(folder)))
    fast = OpenVINOEngine(converted, settings)
    try:
        for engine in (reference, fast):
            generated = engine.generate(MESSAGES)
            assert generated.prompt_tokens == len(prompt)
            assert 0 <= generated.new_tokens <= 8
            assert generated.finish_reason in {"stop", "length"}
    finally:
        fast.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_model_pulled_by_name_answers(
    name: str,
    hub: LoopbackHub,
    tiny_family: Callable[[str], Path],
    site: Callable[[str], Settings],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Grouped heads, several weight files, an embedding longer than the vocabulary, norms, thoughts: all work."""
    hub.add_folder(name, tiny_family(NAMES[name]))
    settings = site(name)
    assert run(docent, ["models", "pull", "--json", name], name="docent") == 0
    (ready,) = json.loads(capsys.readouterr().out)
    assert Path(ready).parent == settings.models_cache / "openvino"
    assert_both_engines_answer(settings)


def test_a_gguf_file_answers(
    tiny_family: Callable[[str], Path],
    site: Callable[[str], Settings],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`docent models pull FILE.gguf`, then the setting `model` names the file; nothing but the file is needed."""
    path = tmp_path / "qwen3-0.6b-q8_0.gguf"
    write_gguf(tiny_family("qwen3"), path, quantization="Q8_0")
    settings = site(str(path))
    assert run(docent, ["models", "pull", str(path)], name="docent") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"Ready: {settings.models_cache / 'openvino' / 'qwen3-0.6b-q8_0-'}")
    assert printed.err.splitlines()[0].startswith("Unpacking qwen3-0.6b-q8_0.gguf: ")
    assert_both_engines_answer(settings)
