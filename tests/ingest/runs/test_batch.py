"""Outcomes on their way into the catalog: when a batch ends, and that each document keeps what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.base.types import Failure, Page, ReadDocument
from ingest.library import Library
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.split_and_embed import NO_VECTORS, PassageEmbedder
from ingest.runs import batch as batch_module
from ingest.runs.batch import Batch, batches, ingest_documents, split
from ingest.runs.library_writer import LibraryWriter, open_for_writing
from ingest.runs.outcomes import Outcome, Removal
from ingest.runs.plan import Change
from ingest.runs.report import Counts
from ingest.store.records import NewDocument, NewFile, NewPath
from ingest.store.vectors import vector_of

TEXTS = ["The VPN certificate has expired.", "Lunch is at noon.", "Full-time staff get 25 days of leave."]


@pytest.fixture
def library(settings: Settings) -> Iterator[LibraryWriter]:
    """An empty library, open for writing."""
    with open_for_writing(settings, "test", create=True) as library:
        yield library


@pytest.fixture
def passage_embedder(embedder: Embedder) -> PassageEmbedder:
    return PassageEmbedder(lambda: embedder)


def added(number: int, reason: str = "") -> Outcome:
    """A new file of one document, which is quarantined with a reason."""
    new = NewDocument(ReadDocument("", (Page("", TEXTS[number]),)), (), NO_VECTORS, reason=reason)
    entry = NewFile(Path(f"/share/{number}.txt"), Path("/share"), 10, 1, 1, f"hash {number}", (new,))
    return Outcome(entry.path, Change.ADDED, 1, 10, entry)


def copied(number: int) -> Outcome:
    entry = NewPath(Path("/share/copy.txt"), Path("/share"), 10, 1, 1, f"hash {number}")
    return Outcome(entry.path, Change.DUPLICATE, 1, 10, entry)


def test_each_keeps_its_own(library: LibraryWriter, passage_embedder: PassageEmbedder) -> None:
    """Text, vector and path belong together after files were embedded and written together."""
    batch = Batch([split(added(number), passage_embedder) for number in range(3)]).embed(passage_embedder)
    assert library.catalog.counts() == (0, 0)
    assert batch.commit(library) == Counts(added=3)
    assert library.documents_kept == 3
    rows = library.catalog.passages(library.catalog.passage_ids().tolist())
    for number, row in enumerate(rows.values()):
        assert (row["path"], row["text"]) == (f"/share/{number}.txt", TEXTS[number])
        expected = passage_embedder.embedder.embed_passages([f"\n{TEXTS[number]}"])[0]
        assert float(vector_of(row) @ expected) == pytest.approx(1, abs=2e-3)
    assert [(outcome.pages, outcome.passages) for outcome in batch.outcomes] == [(1, 1)] * 3


def test_what_is_quarantined_has_no_passages(library: LibraryWriter, passage_embedder: PassageEmbedder) -> None:
    """It is kept with its reason between others that keep theirs."""
    outcomes = [split(added(number, reason), passage_embedder) for number, reason in enumerate(["", "garbage", ""])]
    assert next(batches(outcomes)).embed(passage_embedder).commit(library) == Counts(added=3)
    assert [(document.reason, document.passages) for document in library.catalog.listed()] == [
        ("", 1), ("garbage", 0), ("", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("limit", "value"), [("BATCH_PASSAGES", 2), ("BATCH_FILES", 2), ("BATCH_SECONDS", 0.0)])
def test_a_batch_ends_when_it_is_full_or_old(
    passage_embedder: PassageEmbedder, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    """Neither memory nor what a kill would cost grows with the run, and nothing waits long for others."""
    monkeypatch.setattr(batch_module, limit, value)
    asked: list[int] = []

    def arriving() -> Iterator[Outcome | Removal]:
        for number in range(3):
            asked.append(number)
            yield split(added(number), passage_embedder)

    first = next(batches(arriving()))
    expected = 1 if limit == "BATCH_SECONDS" else 2
    assert (len(first.outcomes), len(asked)) == (expected, expected)


def test_a_removal_ends_its_batch(library: LibraryWriter, passage_embedder: PassageEmbedder) -> None:
    """What is gone leaves the catalog before the next file is read, and after what came before it."""
    Batch([added(0)]).commit(library)
    gone = list(library.catalog.files().values())
    made = list(batches([split(added(1), passage_embedder), Removal(gone), split(added(2), passage_embedder)]))
    assert [len(batch.outcomes) for batch in made] == [1, 1]
    assert made[0].embed(passage_embedder).commit(library) == Counts(added=1, removed=1)
    assert [document.path for document in library.catalog.documents()] == ["/share/1.txt"]


def test_a_refused_removal_and_a_failure_change_nothing(library: LibraryWriter) -> None:
    """They are reported in their order, and the revision stays, so that no index is made for them."""
    reasons = [Failure("/share/0.txt", "damaged"), Failure("/share", "too much is gone")]
    failed = Outcome(Path("/share/0.txt"), Change.FAILED, failures=[reasons[0]])
    (batch,) = batches([failed, Removal([], [reasons[1]])])
    revision = library.catalog.revision
    assert (batch.commit(library), batch.failures, library.catalog.revision) == (Counts(), reasons, revision)


def test_paths_and_files_in_their_order(library: LibraryWriter) -> None:
    """A copy of what came in just before, in the same commit, is a second path to it."""
    assert Batch([added(0), copied(0)]).commit(library) == Counts(added=1, duplicates=1)
    (document,) = library.catalog.listed()
    assert document.paths == ("/share/0.txt", "/share/copy.txt")


def test_documents_already_read(settings: Settings) -> None:
    """Documents that come from elsewhere than files are found like any other, under the name they were given."""
    documents = [
        ("d1", ReadDocument("Leave", (Page("", "Staff get 25 days."),)), "h1"),
        ("d2", ReadDocument("VPN", (Page("", "Error E-07 means that the certificate has expired."),)), "h2"),
    ]
    ingest_documents(documents, settings)
    with closing(Library(settings.home)) as library:
        texts = {document.name: library.content(document.id).text for document in library.documents()}
        assert texts == {name: document.text for name, document, _ in documents}
        assert library.search("What does E-07 mean?", 1)[0].path == "d2"
