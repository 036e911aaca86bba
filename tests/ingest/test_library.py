"""The library as its readers see it: what a search finds first, and that it follows other processes' changes."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import astuple
from pathlib import Path

import pytest

from ingest import library as library_module
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.base.types import Hit
from ingest.library import Library, best_hit_per_document
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.passages.sentences import sentences_and_rows
from ingest.runs.rebuild import rebuild
from ingest.runs.select import remove
from ingest.search import hybrid
from ingest.search.fuse import FUSION
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import write_lock
from ingest.sync import ingest
from tests.project import PROJECT


def names(hits: list[Hit]) -> list[str]:
    return [hit.path for hit in hits]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("How many days of leave do I get in a year?", "hr/leave-policy-2026.md"),
        ("What does E-07 mean?", "it/vpn.txt"),
        ("how to sign in to the network from home", "it/vpn.txt"),
        ("出差住宿标准是多少？", "finance/差旅.md"),
        ("差旅费用什么时候报销", "finance/差旅.md"),
    ],
)
def test_search(shared_library: Library, question: str, first: str) -> None:
    """The passage that answers is first: by meaning, by code, and in Chinese, which the embedder cannot read."""
    hits = shared_library.search(question)
    assert hits[0].path == first
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_hit_says_where_it_is_from(shared_library: Library) -> None:
    """Document, title, heading and passage of a hit are those of the catalog."""
    hit = shared_library.search("出差住宿标准", 1)[0]
    document = shared_library.document(hit.document_id)
    assert (hit.path, hit.title, hit.heading) == (document.name, "差旅标准", "差旅标准")
    assert hit.text == "出差住宿标准为每晚不超过五百元。差旅费用在十四天内报销。"
    assert hit.text in shared_library.content(hit.document_id).text
    assert shared_library.catalog.passages([hit.passage_id])[hit.passage_id]["text"] == hit.text
    assert [record.name for record in shared_library.documents()] == [
        "finance/差旅.md", "hr/leave-policy-2024.md", "hr/leave-policy-2026.md", "it/vpn.txt",
    ]  # fmt: skip


def test_count(shared_library: Library) -> None:
    """As many hits as asked for, and the same first ones whatever the number."""
    assert shared_library.search("leave", 2) == shared_library.search("leave", 4)[:2]
    assert len(shared_library.search("leave", 1)) == 1


def test_older_versions_rank_behind(shared_library: Library) -> None:
    """Of two versions with nearly the same words the newer is first and the older names it, unless asked for."""
    hits = shared_library.search("How many days of annual leave do full-time staff get?")
    assert names(hits)[:2] == ["hr/leave-policy-2026.md", "hr/leave-policy-2024.md"]
    assert [hit.newer for hit in hits[:2]] == ["", "hr/leave-policy-2026.md"]
    asked = shared_library.search("How many days of annual leave did full-time staff get in 2024?")
    assert asked[0].path == "hr/leave-policy-2024.md"


def test_scores_have_parts(shared_library: Library) -> None:
    """A hit's score is made of three cosines and a share of the best possible BM25; the newest has nothing else."""
    for scored in shared_library.search_scored("leave days"):
        parts = scored.parts
        assert all(-1 <= cosine <= 1.01 for cosine in astuple(parts.cosines))
        assert 0 <= parts.lexical <= 1
        assert scored.hit.score == pytest.approx(parts.score, abs=1e-6)
        factor = FUSION.older_version if scored.hit.newer else 1
        assert parts.score == pytest.approx(factor * (parts.cosines.mean + 0.25 * parts.lexical))


def test_question_of_nothing(shared_library: Library) -> None:
    """Marks alone, or words nobody uses, are no error."""
    for question in ("???", "。", "zzzzqqq"):
        assert len(shared_library.search(question, 3)) <= 3


def test_removed_passages_are_not_answered(library: Library, settings: Settings) -> None:
    """What left the catalog since the last refresh is not shown; a search that would have found it refreshes."""
    library.search("leave")
    remove(["it/vpn.txt"], settings)
    assert library.index.lexical(["e-07"], 5)
    assert "it/vpn.txt" not in names(library.search("What does E-07 mean?"))
    assert not library.index.lexical(["e-07"], 5)
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


def test_threads(shared_library: Library) -> None:
    """Many threads may search at once, each with its own connection, and get what a single thread gets."""
    questions = ["leave days", "What does E-07 mean?", "出差住宿标准", "carry over", "sign in to the network"]
    alone = [names(shared_library.search(question)) for question in questions]
    results: list[list[list[str]]] = []
    threads = [
        threading.Thread(
            target=lambda: results.append([names(shared_library.search(question)) for question in questions])
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * 6


def test_best_hit_of_each_document() -> None:
    """A ranking of documents keeps each one's best passage, in order."""
    hits = [
        Hit(rank, 1.0 / rank, document, "", "", "", "", rank, "") for rank, document in enumerate([5, 3, 5, 9, 3], 1)
    ]
    assert [(hit.document_id, hit.rank) for hit in best_hit_per_document(hits)] == [(5, 1), (3, 2), (9, 4)]


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
    assert (status.documents, status.passages, status.embedder) == (4, 4, "all-MiniLM-L6-v2")
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


def test_embedder_gone(library: Library, settings: Settings) -> None:
    """Without the prepared embedder nothing can be searched; status and search say what to run."""
    library.close()
    (settings.home / EMBEDDERS_FOLDER).unlink()
    (settings.home / EMBEDDERS_FOLDER).mkdir()
    library = Library(settings.home)
    assert "run `docent rebuild`" in library.status().problem
    with pytest.raises(DocentError, match="run `docent rebuild`"):
        library.search("x")


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


def test_the_best_sentence_counts(shared_library: Library) -> None:
    """Each hit has the cosine of each of its sentences and rows, and the best of them is part of its score."""
    for scored in shared_library.search_scored("How much leave?"):
        cosines = scored.sentence_cosines
        assert len(cosines) == len(list(sentences_and_rows(scored.hit.text))) or not cosines
        if cosines:
            assert scored.parts.cosines.best_sentence == pytest.approx(max(cosines))
        else:
            assert scored.parts.cosines.best_sentence == scored.parts.cosines.passage
