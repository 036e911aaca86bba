"""A library with an embedder of its own that reads two languages, made on the spot: by one setting, from the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.base.errors import SettingsError
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.embedders.reference_texts import REFERENCE_ITEMS
from ingest.runs.rebuild import rebuild
from ingest.sync import ingest
from tests.fakes.tiny_encoders import build_bilingual_embedder

# What the tiny embedder has learnt to mean the same.
PAIRS = [
    ("staff get annual leave days a year", "员工每年有多少天年假"),
    ("travel costs are paid back", "出差费用报销"),
    ("open the vpn client and sign in", "打开客户端登录网络"),
    ("the printer needs a badge", "打印机需要工牌"),
    ("the canteen opens at noon", "食堂中午开门"),
]
DOCUMENTS = {
    "leave.md": "# Leave\n\nStaff get annual leave days a year.\n",
    "vpn.md": "# VPN\n\nOpen the VPN client and sign in.\n",
    "打印.md": "# 打印机\n\n打印机需要工牌。\n",
}


@pytest.fixture(scope="module")
def bilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny sentence-transformers model whose vocabulary has Chinese characters.

    It has also learned the reference texts: a model that does not read them gets no weight.
    """
    asked_in_english = [(item.english_question, item.chinese_passage) for item in REFERENCE_ITEMS]
    asked_in_chinese = [(item.english_passage, item.chinese_question) for item in REFERENCE_ITEMS]
    folder = tmp_path_factory.mktemp("models") / "bilingual"
    return build_bilingual_embedder(folder, [*PAIRS, *asked_in_english, *asked_in_chinese])


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "bilingual"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def best(library: Library, question: str) -> tuple[str, float]:
    """Document of the best hit, and the cosine that the dense leg gave it; ('', 0) when nothing was found."""
    hits = library.search_scored(question, 1)
    return (hits[0].hit.path, hits[0].parts.cosines.passage) if hits else ("", 0.0)


def test_by_one_setting(documents: Path, settings: Settings, bilingual: Path, english_embedder: Embedder) -> None:
    """It reads Chinese questions, so they have a dense leg, and find English passages that share no word with them;
    the English embedder gives them none.
    """
    wanted = settings.model_copy(update={"embedder": str(bilingual)})
    report = ingest([documents], wanted)
    assert (report.added, report.failed) == (3, [])
    library = Library(settings.home)
    assert library.status().embedder == str(bilingual)
    assert library.embedder.card.dimension == 32
    for english, chinese in PAIRS:
        assert library.embedder.weight(chinese) == library.embedder.weight(english) == 1.0
        assert english_embedder.weight(english) == 1.0
        assert english_embedder.weight(chinese) == 0.0
    path, cosine = best(library, "员工每年有多少天年假")
    assert path == "leave.md"
    assert cosine > 0.5
    assert best(library, "打开客户端登录网络")[0] == "vpn.md"
    assert best(library, "the printer needs a badge")[0] == "打印.md"
    library.close()


def test_going_over_and_back(documents: Path, settings: Settings, bilingual: Path) -> None:
    """A rebuild with the setting goes over to it under a reader, later runs need no setting, another goes back."""
    ingest([documents], settings.model_copy(update={"embedder": "all-MiniLM-L6-v2"}))
    library = Library(settings.home)
    path, cosine = best(library, "员工每年有多少天年假")
    assert path != "leave.md"
    assert cosine == 0.0
    wanted = settings.model_copy(update={"embedder": str(bilingual)})
    with pytest.raises(SettingsError, match="a rebuild is needed"):
        ingest([documents], wanted)
    rebuild(wanted)
    library.refresh()
    assert best(library, "员工每年有多少天年假")[0] == "leave.md"
    (documents / "canteen.md").write_text("# Canteen\n\nThe canteen opens at noon.\n")
    unset = Settings(home=settings.home, engine="extractive")
    assert ingest([documents], unset).added == 1
    library.refresh()
    assert best(library, "食堂中午开门")[0] == "canteen.md"
    rebuild(settings.model_copy(update={"embedder": "all-MiniLM-L6-v2"}))
    library.refresh()
    path, cosine = best(library, "食堂中午开门")
    assert path != "canteen.md"
    assert cosine == 0.0
    library.close()
