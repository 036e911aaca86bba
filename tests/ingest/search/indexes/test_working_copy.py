"""Changing a working copy: the snapshot stays as it was, and a disk that is full or fails costs nothing."""

from __future__ import annotations

import errno
import itertools
import tempfile
from pathlib import Path

import pytest

from ingest.search.indexes.bm25_index import BM25Index, BM25Writer
from ingest.search.indexes.snapshot_files import CURRENT
from ingest.search.indexes.working_copy import WorkingCopy
from ingest.store.catalog import Catalog
from tests.conftest import PutDocument, toy_vectors
from tests.ingest.search.indexes.conftest import opened, random_texts, refreshed


def test_a_snapshot_never_changes(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """A search in a snapshot finds the same passages in both indexes, whatever is refreshed and published meanwhile."""
    first = put(catalog, "a.md", ["100 apples", "101 pears"])
    index = refreshed(folder, catalog)
    earlier = index.snapshot
    for publish in (False, True):
        catalog.remove_documents([first])
        first = put(catalog, "b.md", ["100 plums"])
        index.refresh(catalog)
        if publish:
            index.publish()
        assert index.snapshot.ids.tolist() == index.snapshot.bm25.ids.tolist() == catalog.passage_ids().tolist()
        assert earlier.ids.tolist() == earlier.bm25.ids.tolist() == [1, 2]
        assert list(earlier.lexical(["100"], 5)) == [1]
        assert list(earlier.dense(toy_vectors(["101 pears"])[0], 1)) == [2]
    index.close()


def test_only_a_published_or_empty_snapshot_is_copied(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """BM25 of other snapshots is in no folder to copy: a copy without it would be published as if it were complete."""
    put(catalog, "a.md", ["100 apples"])
    index = refreshed(folder, catalog)
    with pytest.raises(ValueError, match="only a published or an empty snapshot"):
        WorkingCopy(index.snapshot, folder)
    index.publish()
    copy = WorkingCopy(index.snapshot, folder)
    assert copy.commit(index.snapshot.version).bm25.ids.tolist() == [1]
    copy.close()
    index.close()
    assert not list(folder.glob(".work-*"))


def test_a_copy_costs_no_disk(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """A reader's working copy shares the segments with the snapshot, and changing it leaves the snapshot as it is."""
    put(catalog, "a.md", random_texts(50, 20))
    refreshed(folder, catalog).publish()
    snapshot = folder / (folder / CURRENT).read_text()
    reader = opened(folder)
    put(catalog, "b.md", ["777"])
    reader.refresh(catalog)
    (work,) = folder.glob(".work-*")
    shared = {file.stat().st_ino for file in (work / "words").iterdir()} & {
        file.stat().st_ino for file in (snapshot / "words").iterdir()
    }
    assert shared
    assert opened(folder).snapshot.changed_files() == []
    assert len(opened(folder).snapshot.bm25) == 50
    reader.close()


@pytest.mark.parametrize("step", ["mkdtemp", "commit"])
def test_a_reader_on_a_full_disk(
    catalog: Catalog, folder: Path, put: PutDocument, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Without room for a working copy it finds what is new all the same, and opens the next published snapshot."""
    put(catalog, "a.md", ["100 apples"])
    writer = refreshed(folder, catalog)
    writer.publish()
    reader = opened(folder)
    commit, commits = BM25Writer.commit, itertools.count()

    def no_room(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    def third_time_lucky(writer: BM25Writer) -> BM25Index:
        if next(commits) < 2:  # of the copy, and of the rebuilt index
            raise ValueError("no space left on device")
        return commit(writer)

    with monkeypatch.context() as full:
        full.setattr(*(tempfile, "mkdtemp", no_room) if step == "mkdtemp" else (BM25Writer, "commit", third_time_lucky))
        for name, text in (("b.md", "101 pears"), ("a.md", "102 plums")):
            put(catalog, name, [text])
            assert reader.refresh(catalog, or_in_memory=True) is True
            assert list(reader.snapshot.lexical([text.split()[0]], 5)) == [reader.snapshot.ids[-1]]
        assert reader.snapshot.ids.tolist() == reader.snapshot.bm25.ids.tolist() == [2, 3]
        assert reader.snapshot.lexical(["100"], 5) == {}
        assert not list(folder.glob(".work-*"))
    writer.refresh(catalog)
    writer.publish()
    put(catalog, "c.md", ["103 figs"])
    assert reader.refresh(catalog, or_in_memory=True) is True
    assert reader.snapshot.ids.tolist() == reader.snapshot.bm25.ids.tolist() == [2, 3, 4]
    assert list(folder.glob(".work-*"))
    reader.close()


def test_a_disk_that_fails_half_way(
    catalog: Catalog, folder: Path, put: PutDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When BM25 cannot be written after the vectors were added, the next refresh has both right."""
    put(catalog, "a.md", ["100 apples"])
    index = refreshed(folder, catalog)
    put(catalog, "b.md", ["101 pears"])

    def fail(_writer: BM25Writer) -> None:
        raise ValueError("no space left on device")

    with monkeypatch.context() as failing:
        failing.setattr(BM25Writer, "commit", fail)
        with pytest.raises(ValueError, match="no space"):
            index.refresh(catalog)
    assert index.snapshot.revision != catalog.revision
    assert index.refresh(catalog) is True
    assert index.snapshot.ids.tolist() == index.snapshot.bm25.ids.tolist() == [1, 2]
    assert list(index.snapshot.lexical(["101"], 5)) == [2]
