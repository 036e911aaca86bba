"""Files on their way into the catalog: when they are committed, and that each keeps what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.base.types import Page, ReadDocument
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.split_and_embed import NO_VECTORS, PassageEmbedder
from ingest.runs import batch as batches
from ingest.runs.batch import Batch
from ingest.runs.plan import Fate
from ingest.runs.progress import Meter
from ingest.runs.report import IngestReport, Progress
from ingest.search.indexes.publisher import Publisher
from ingest.store.catalog import Catalog
from ingest.store.records import NewDocument, NewFile, NewPath
from ingest.store.vectors import vector_of

TEXTS = ["The VPN certificate has expired.", "Lunch is at noon.", "Full-time staff get 25 days of leave."]


class Filling:
    """A batch with all that is around it, and what was told of its progress."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.catalog = Catalog(folder / "catalog.db", create=True)
        self.maker = PassageEmbedder(lambda: embedder)
        self.report = IngestReport()
        self.seen: list[Progress] = []
        meter = Meter(self.seen.append, lambda _progress: None, 3, 30)
        self.batch = Batch(self.catalog, self.maker, Publisher(folder / "index"), self.report, meter)

    def file(self, number: int) -> NewFile:
        document = ReadDocument("", (Page("", TEXTS[number]),))
        new = NewDocument(document, self.maker.split(document), NO_VECTORS)
        return NewFile(Path(f"/share/{number}.txt"), Path("/share"), 10, 1, 1, f"hash {number}", (new,))


@pytest.fixture
def filling(tmp_path: Path, embedder: Embedder) -> Filling:
    return Filling(tmp_path, embedder)


def test_each_keeps_its_own(filling: Filling, embedder: Embedder) -> None:
    """Text, vector and path belong together after files were embedded and written together."""
    for number in range(3):
        filling.batch.add(filling.file(number), Fate.ADDED, 1)
    assert (filling.catalog.counts(), filling.report.added, filling.seen) == ((0, 0), 0, [])
    filling.batch.commit()
    rows = filling.catalog.passages(filling.catalog.passage_ids().tolist())
    for number, row in enumerate(rows.values()):
        assert (row["path"], row["text"]) == (f"/share/{number}.txt", TEXTS[number])
        assert float(vector_of(row) @ embedder.embed_passages([f"\n{TEXTS[number]}"])[0]) == pytest.approx(1, abs=2e-3)
    assert filling.report.added == 3
    assert [(one.done, one.pages, one.passages) for one in filling.seen] == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    filling.batch.commit()
    assert filling.catalog.counts() == (3, 3)


@pytest.mark.parametrize(("limit", "value"), [("BATCH_PASSAGES", 2), ("BATCH_FILES", 2), ("BATCH_SECONDS", 0.0)])
def test_committed_when_full_or_old(
    filling: Filling, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    """Neither memory nor what a kill would cost grows with the run, and nothing waits long for company."""
    monkeypatch.setattr(batches, limit, value)
    first = 1 if limit == "BATCH_SECONDS" else 2
    for number in range(first):
        assert filling.catalog.counts() == (0, 0)
        filling.batch.add(filling.file(number), Fate.ADDED, 1)
    assert filling.catalog.counts() == (first, first)


def test_paths_and_files_in_their_order(filling: Filling) -> None:
    """A copy of what came in just before, in the same commit, is a second path to it."""
    filling.batch.add(filling.file(0), Fate.ADDED, 1)
    copy = NewPath(Path("/share/copy.txt"), Path("/share"), 10, 1, 1, "hash 0")
    filling.batch.add(copy, Fate.DUPLICATE, 1)
    filling.batch.commit()
    (document,) = filling.catalog.listed()
    assert document.paths == ("/share/0.txt", "/share/copy.txt")
    assert (filling.report.added, filling.report.duplicates) == (1, 1)
