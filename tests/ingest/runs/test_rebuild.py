"""Embedding every document again beside the passages in use, switching in one step, and going back."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.base.errors import DocentError, SettingsError
from ingest.base.settings import Settings
from ingest.base.types import Progress
from ingest.library import Library
from ingest.runs.check import check
from ingest.runs.rebuild import rebuild, rollback
from ingest.runs.select import remove
from ingest.store import embedding_sets
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.embedding_sets import EmbeddedDocument
from ingest.sync import ingest
from tests.conftest import OFFICE, passage_ids
from tests.project import PROJECT


@pytest.fixture
def prefixed(settings: Settings) -> Settings:
    """The same library with another embedder asked for: the bundled one with prefixes."""
    return settings.model_copy(update={"embedder_query_prefix": "question: ", "embedder_passage_prefix": "text: "})


def first(library: Library, question: str) -> str:
    return library.search(question, 1)[0].path


def test_another_embedder_is_refused(office: Path, settings: Settings, prefixed: Settings, library: Library) -> None:
    """Vectors of two embedders are never mixed: nothing is done, and the setting and the way out are named."""
    before = passage_ids(settings)
    (office / "it" / "vpn.txt").unlink()
    message = r"setting 'embedder' is .*a rebuild is needed \(4 passages.*`docent rebuild` with that setting"
    with pytest.raises(SettingsError, match=message):
        ingest([office], prefixed)
    assert passage_ids(settings) == before
    assert first(library, "What does E-07 mean?") == "it/vpn.txt"


def test_rebuild_with_another_embedder(office: Path, settings: Settings, prefixed: Settings, library: Library) -> None:
    """No files are needed; the text stays, passages are new, and the new embedder is used from then on."""
    before = library.search("days of annual leave", 4)
    texts = [library.content(document.id).text for document in library.documents()]
    for name in OFFICE:
        (office / name).unlink()
    report = rebuild(prefixed)
    assert (report.updated, report.passages) == (4, 4)
    assert not set(passage_ids(settings)) & {hit.passage_id for hit in before}
    assert check(settings.home) == []
    library.refresh()
    assert library.embedder.card.passage_prefix == "text: "
    assert [library.content(document.id).text for document in library.documents()] == texts
    (new_id,) = passage_ids(settings)[:1]
    row = library.catalog.passages([new_id])[new_id]
    embedded = library.embedder.embed_passages([f"{row['title']}\n{row['text']}"])[0]
    assert np.frombuffer(row["vector"], "<f4") @ embedded == pytest.approx(1.0, abs=1e-3)
    assert [hit.path for hit in library.search("days of annual leave", 2)] == [hit.path for hit in before[:2]]
    (office / "new.md").write_text("# Canteen\n\nLunch is at noon.\n")
    assert ingest([office], settings).added == 1
    library.refresh()
    assert first(library, "When is lunch in the canteen?") == "new.md"


def test_search_never_stops(prefixed: Settings, library: Library) -> None:
    """Before, during and right after the switch, a reader that has not followed yet finds what it always found."""
    answers = []

    def look(_progress: Progress) -> None:
        answers.append(first(library, "What does E-07 mean?"))

    rebuild(prefixed, look)
    answers.append(first(library, "What does E-07 mean?"))
    assert library.embedder.card.passage_prefix == "passage: "
    library.refresh()
    assert library.embedder.card.passage_prefix == "text: "
    answers.append(first(library, "What does E-07 mean?"))
    assert len(answers) > 4
    assert set(answers) == {"it/vpn.txt"}


def test_rollback(office: Path, settings: Settings, prefixed: Settings, library: Library) -> None:
    """Back to the previous passages, with documents added since and without those removed since; and forth again."""
    before = passage_ids(settings)
    rebuild(prefixed)
    after = passage_ids(settings)
    (office / "new.md").write_text("# Canteen\n\nLunch is at noon.\n")
    ingest([office], settings)
    remove(["it/vpn.txt"], settings)
    rollback(settings)
    library.refresh()
    assert library.embedder.card.passage_prefix == "passage: "
    kept = [number for number in passage_ids(settings) if number in before]
    assert kept == before[:-1]
    assert len(passage_ids(settings)) == 4
    assert first(library, "When is lunch in the canteen?") == "new.md"
    assert check(settings.home) == []
    rollback(settings)
    assert [number for number in passage_ids(settings) if number in after] == after[:-1]
    assert check(settings.home) == []


def test_two_embedding_sets_are_kept(settings: Settings, prefixed: Settings, library: Library) -> None:
    """The current one and the one before; what is older is dropped with its passages."""
    oldest = passage_ids(settings)
    for wanted in (prefixed, settings, settings):
        rebuild(wanted)
    rows = library.catalog.rows("SELECT generation, count(*) FROM passages GROUP BY generation ORDER BY generation")
    assert [tuple(row) for row in rows] == [(3, 4), (4, 4)]
    assert library.catalog.passages(oldest) == {}
    assert library.catalog.counts() == (4, 4)


@pytest.mark.usefixtures("library")
def test_nothing_to_go_back_to(settings: Settings) -> None:
    """Before the first rebuild one line says so."""
    with pytest.raises(DocentError, match="There is nothing to go back to"):
        rollback(settings)


def test_repair(settings: Settings, library: Library) -> None:
    """Without another embedder, passages that were damaged or lost are made again from the text the library kept."""
    catalog = Catalog(settings.home / CATALOG_FILE)
    catalog.write("DELETE FROM passages WHERE id = 1")
    catalog.write("UPDATE passages SET vector = zeroblob(1536) WHERE id = 2")
    catalog.close()
    assert check(settings.home) != []
    rebuild(settings)
    assert check(settings.home) == []
    library.refresh()
    assert first(library, "出差住宿标准") == "finance/差旅.md"


def test_rebuild_of_nothing(settings: Settings) -> None:
    """Where there is no library there is nothing to rebuild."""
    with pytest.raises(DocentError, match="There is no library"):
        rebuild(settings)


@pytest.mark.usefixtures("library")
def test_full_disk(settings: Settings, prefixed: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild that cannot be written leaves the library as it was."""
    before = passage_ids(settings)

    def full(*_arguments: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Catalog, "insert_passages", full)
        with pytest.raises(DocentError, match=r"cannot be written \(database or disk is full\)"):
            rebuild(prefixed)
    assert passage_ids(settings) == before
    assert check(settings.home) == []


HOLD = """
import sys, time
from ingest.runs import rebuild
from ingest.store.catalog import Catalog
from ingest.base.logs import configure_logs
from ingest.base.settings import load_settings

configure_logs("error", console=False)
insert, done = Catalog.insert_passages, []

def slowly(self, *arguments):
    insert(self, *arguments)
    done.append(1)
    if len(done) == 3:
        print("in the third document", flush=True)
        time.sleep(600)

Catalog.insert_passages = slowly
rebuild.BATCH_PASSAGES = 1
prefixes = {"embedder_query_prefix": "question: ", "embedder_passage_prefix": "text: "}
rebuild.rebuild(load_settings(home=sys.argv[1], **prefixes))
"""


def test_killed_in_the_middle(
    settings: Settings, prefixed: Settings, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was searched is still searched; an ingest in between loses nothing; the next rebuild does only the rest."""
    before = passage_ids(settings)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.home)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the third document\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert passage_ids(settings) == before
    assert check(settings.home) == []
    assert first(library, "What does E-07 mean?") == "it/vpn.txt"
    remove(["finance/差旅.md"], settings)

    filled: list[int] = []
    add_passages = embedding_sets.add_passages

    def noted(catalog: Catalog, embedding_set: int, documents: Sequence[EmbeddedDocument]) -> None:
        filled.extend(document.id for document in documents)
        add_passages(catalog, embedding_set, documents)

    monkeypatch.setattr(embedding_sets, "add_passages", noted)
    rebuild(prefixed)
    assert filled == [3, 4]
    assert len(passage_ids(settings)) == 3
    assert check(settings.home) == []
