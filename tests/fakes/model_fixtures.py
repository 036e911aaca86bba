"""Fixtures for models, loaded by `tests/conftest.py`: a tiny checkpoint, both engines with it, a hub on loopback.

Engines are loaded once a session; a test that changes one loads its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from assistant.engines.engine import Engine
from assistant.models.tokens import load_tokenizer
from ingest.base.settings import Settings
from tests.conftest import made_once
from tests.fakes.loopback_hub import LoopbackHub, loopback_hub
from tests.fakes.tiny_qwen import build_tiny_qwen, teach

TEXTS = (
    "Every employee has 25 days of annual leave. Unused days may be carried over until 31 March of the next year.",
    "Travel expenses are paid back within 14 days; keep the receipts. A hotel may cost up to 150 euros a night.",
    "每位员工每年有 25 天年假。未休的年假可以结转到次年三月三十一日。出差费用在十四天内报销，请保留发票。",
    "Answer only from the numbered passages. If they do not say, say so. system user assistant Question 问题 资料",
)


QUOTED = dict(zip(("How many days of leave?", "Who pays for travel?", "年假有多少天？"), TEXTS, strict=False))


def quoting_prompt(question: str) -> list[ChatMessage]:
    """The messages that `quoting_model` answers with the passage of `QUOTED`."""
    return [
        ChatMessage(role=MessageRole.SYSTEM, content="Answer from the passages."),
        ChatMessage(role=MessageRole.USER, content=f"[1] {QUOTED[question]}\n\n{question}"),
    ]


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny real Qwen2 checkpoint. Tests that change it copy it first."""
    return made_once(tmp_path_factory, "tiny-qwen", lambda folder: build_tiny_qwen(folder, TEXTS))


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny checkpoint of a generation of Qwen, by its name in `tiny_qwen.FAMILIES`."""

    def folder_of(family: str) -> Path:
        return made_once(
            tmp_path_factory, f"tiny-{family}", lambda folder: build_tiny_qwen(folder, TEXTS, family=family)
        )

    return folder_of


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A hub on loopback that the SDK will use; its state and its pauses between attempts are kept out of the way."""
    from modelscope_hub import _download

    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "modelscope-home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    monkeypatch.setattr(_download, "DOWNLOAD_INTEGRITY_RETRY_BACKOFF", 0.01)
    with loopback_hub() as running:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", running.endpoint)
        yield running


def greedy_settings(**changes: object) -> Settings:
    """Settings with which an engine gives the same answer to the same messages."""
    values = {
        "temperature": 0, "repetition_penalty": 1, "max_new_tokens": 24, "cache_gigabytes": 0.1, "threads": 1,
        "dtype": "float32",
    }  # fmt: skip
    return Settings(**values | changes)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def openvino_engine(tiny_openvino: Path) -> Iterator[Engine]:
    """The tiny model in OpenVINO, greedy."""
    from assistant.engines.openvino_engine import OpenVINOEngine

    engine = OpenVINOEngine(tiny_openvino, greedy_settings())
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def transformers_engine(tiny_checkpoint: Path) -> Engine:
    """The tiny checkpoint in transformers, greedy, float32."""
    from assistant.engines.transformers_engine import TransformersEngine

    return TransformersEngine(tiny_checkpoint, greedy_settings())


@pytest.fixture(scope="session")
def quoting_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has learned to answer each question of `QUOTED` with its passage, converted for OpenVINO.

    It is sure of every token, where random weights waver between equals and rounding decides.
    """

    def make(folder: Path) -> None:
        from assistant.models.convert import convert

        checkpoint = build_tiny_qwen(folder / "quoting", TEXTS)
        tokenizer = load_tokenizer(checkpoint)
        end = tokenizer.token_to_id("<|im_end|>")
        teach(
            checkpoint,
            [chatml.encode(quoting_prompt(question), tokenizer) for question in QUOTED],
            [[*chatml.plain_ids(text, tokenizer), end] for text in QUOTED.values()],
        )
        convert(checkpoint, folder)

    (model,) = (made_once(tmp_path_factory, "quoting-model", make) / "openvino").glob("quoting-*")
    return model


@pytest.fixture(scope="session")
def tiny_models(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `models_cache` that has the tiny checkpoint converted for OpenVINO; only to be read."""

    def make(folder: Path) -> None:
        # Imported here: most tests that use this file's other fixtures need neither OpenVINO nor torch.
        from assistant.models.convert import convert

        convert(tiny_checkpoint, folder)

    return made_once(tmp_path_factory, "tiny-models", make)


@pytest.fixture(scope="session")
def tiny_openvino(tiny_models: Path) -> Path:
    """The tiny checkpoint as an int8 OpenVINO model."""
    (model,) = (tiny_models / "openvino").glob("tiny-qwen-*")
    return model
