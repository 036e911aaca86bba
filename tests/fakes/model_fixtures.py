"""The model fixtures that several test modules share: a tiny checkpoint and a hub on loopback. Import them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.loopback_hub import LoopbackHub, loopback_hub
from tests.fakes.tiny_qwen import build_tiny_qwen

TEXTS = (
    "Every employee has 25 days of annual leave. Unused days may be carried over until 31 March of the next year.",
    "Travel expenses are paid back within 14 days; keep the receipts. A hotel may cost up to 150 euros a night.",
    "每位员工每年有 25 天年假。未休的年假可以结转到次年三月三十一日。出差费用在十四天内报销，请保留发票。",
    "Answer only from the numbered passages. If they do not say, say so. system user assistant Question 问题 资料",
)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny real Qwen2 checkpoint. Tests that change it copy it first."""
    # pytest sees one fixture in every module that imports it; they all share one folder.
    folder = tmp_path_factory.getbasetemp() / "tiny-qwen"
    return folder if folder.is_dir() else build_tiny_qwen(folder, TEXTS)


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny checkpoint of a generation of Qwen, by its name in `tiny_qwen.FAMILIES`."""

    def folder_of(family: str) -> Path:
        folder = tmp_path_factory.getbasetemp() / f"tiny-{family}"
        return folder if folder.is_dir() else build_tiny_qwen(folder, TEXTS, family=family)

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


@pytest.fixture(scope="session")
def tiny_openvino(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint as an int8 OpenVINO model."""
    # Imported here: most tests that use this file's other fixtures need neither OpenVINO nor torch.
    from assistant.models.convert import convert

    return convert(tiny_checkpoint, tmp_path_factory.getbasetemp() / "tiny-models")
