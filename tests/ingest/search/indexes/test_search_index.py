"""The index of a process follows the catalog and other processes, and can be lost at any moment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.search.indexes import search_index as index_module
from ingest.search.indexes.snapshot import LINEAGE
from ingest.search.indexes.snapshot_files import CURRENT
from ingest.store.catalog import Catalog
from tests.conftest import PutDocument, toy_vectors
from tests.ingest.search.indexes.conftest import DIMENSION, opened, random_texts, refreshed


def test_refresh_adds_and_removes(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """After every refresh both indexes have exactly the catalog's passages, and the new text is found."""
    index = opened(folder)
    assert index.snapshot.ids.tolist() == []
    first = put(catalog, "a.md", ["100 apples", "101 pears"])
    assert index.refresh(catalog) is True
    assert index.refresh(catalog) is False
    put(catalog, "b.md", ["102 plums"])
    catalog.remove_documents([first])
    put(catalog, "c.md", ["103 figs"])
    assert index.refresh(catalog) is True
    assert index.snapshot.ids.tolist() == index.snapshot.bm25.ids.tolist() == catalog.passage_ids().tolist() == [3, 4]
    assert index.snapshot.lexical(["100"], 10) == {}
    assert list(index.snapshot.lexical(["103"], 10)) == [4]
    assert list(index.snapshot.dense(toy_vectors(["102 plums"])[0], 1)) == [3]
    put(catalog, "b.md", ["104 grapes"])
    index.refresh(catalog)
    assert index.snapshot.ids.tolist() == index.snapshot.bm25.ids.tolist() == [4, 5]
    with pytest.raises(RuntimeError):
        index.snapshot.vectors.vector(3)
    assert index.snapshot.vectors.vector(5) == pytest.approx(toy_vectors(["104 grapes"])[0])


def test_publish_and_open_again(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """What was published is opened as it was, without the catalog, and the manifest says what it is."""
    put(catalog, "a.md", ["100 apples", "101 pears"])
    index = refreshed(folder, catalog)
    index.publish()
    again = opened(folder)
    assert again.snapshot.revision == index.snapshot.revision == catalog.revision
    assert again.snapshot.ids.tolist() == again.snapshot.bm25.ids.tolist() == [1, 2]
    assert again.snapshot.lexical(["101"], 5) == index.snapshot.lexical(["101"], 5)
    assert again.snapshot.vectors.vector(2).tobytes() == toy_vectors(["101 pears"])[0].tobytes()
    snapshot = folder / (folder / CURRENT).read_text()
    manifest = json.loads((snapshot / "manifest.json").read_text())
    assert (manifest["fingerprint"], manifest["dimension"]) == ("toy", DIMENSION)
    assert (manifest["passages"], manifest["revision"]) == (2, catalog.revision)
    again.publish()
    assert (folder / CURRENT).read_text() == snapshot.name


def test_snapshot_of_another_embedder(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """Vectors of one embedder are never searched with another's."""
    put(catalog, "a.md", ["100"])
    refreshed(folder, catalog).publish()
    other = opened(folder, fingerprint="other")
    assert (other.snapshot.revision, other.snapshot.ids.tolist()) == (-1, [])


def spoil_vectors(snapshot: Path) -> None:
    path = snapshot / "vectors.faiss"
    beginning = path.read_bytes()[:40]
    path.unlink()  # whoever still has the old file mapped keeps it whole
    path.write_bytes(beginning)


def spoil_words(snapshot: Path) -> None:
    for path in (snapshot / "words").iterdir():
        path.unlink()
        path.write_bytes(b"")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "folder gone": shutil.rmtree,
    "vectors cut short": spoil_vectors,
    "vectors gone": lambda snapshot: (snapshot / "vectors.faiss").unlink(),
    "words emptied": spoil_words,
    "words gone": lambda snapshot: shutil.rmtree(snapshot / "words"),
    "manifest gone": lambda snapshot: (snapshot / "manifest.json").unlink(),
    "manifest is null": lambda snapshot: (snapshot / "manifest.json").write_text("null"),
    "manifest is half": lambda snapshot: (snapshot / "manifest.json").write_text('{"format": 3'),
    "pointer is garbage": lambda snapshot: (snapshot.parent / CURRENT).write_bytes(b"\xff\xfe\x00"),
    "pointer is empty": lambda snapshot: (snapshot.parent / CURRENT).write_bytes(b""),
    "all gone": lambda snapshot: shutil.rmtree(snapshot.parent),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_snapshot_is_rebuilt(catalog: Catalog, folder: Path, put: PutDocument, damage: str) -> None:
    """Whatever happens to the cache, it is built from the catalog again, and is complete for whoever opens it next."""
    put(catalog, "a.md", ["100 apples", "101 pears"])
    refreshed(folder, catalog).publish()
    DAMAGE[damage](folder / (folder / CURRENT).read_text())
    index = opened(folder)
    assert index.snapshot.revision == -1
    assert index.refresh(catalog) is True
    assert index.snapshot.ids.tolist() == index.snapshot.bm25.ids.tolist() == [1, 2]
    assert list(index.snapshot.lexical(["101"], 5)) == [2]
    index.publish()
    assert opened(folder).snapshot.ids.tolist() == [1, 2]


def test_folder_deleted_under_a_reader(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """Deleting the folder is safe also while somebody has it open and the library changes."""
    put(catalog, "a.md", ["100 apples"])
    refreshed(folder, catalog).publish()
    reader = opened(folder)
    shutil.rmtree(folder)
    put(catalog, "b.md", ["101 pears"])
    assert reader.refresh(catalog) is True
    assert reader.snapshot.ids.tolist() == reader.snapshot.bm25.ids.tolist() == [1, 2]
    assert list(reader.snapshot.lexical(["101"], 5)) == [2]
    put(catalog, "c.md", ["102 plums"])
    reader.refresh(catalog)
    assert reader.snapshot.ids.tolist() == [1, 2, 3]
    reader.close()


def test_two_readers(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """Each refreshes a copy of its own, before the writer publishes or after, and neither changes what is published."""
    put(catalog, "a.md", ["100 apples"])
    refreshed(folder, catalog).publish()
    first, second = opened(folder), opened(folder)
    put(catalog, "b.md", ["101 pears"])
    assert first.refresh(catalog) is True
    assert second.snapshot.ids.tolist() == [1]
    published = (folder / CURRENT).read_text()
    assert opened(folder).snapshot.ids.tolist() == [1]
    refreshed(folder, catalog).publish()
    assert (folder / CURRENT).read_text() != published
    assert second.refresh(catalog) is True
    assert first.refresh(catalog) is False
    assert first.snapshot.ids.tolist() == second.snapshot.ids.tolist() == second.snapshot.bm25.ids.tolist() == [1, 2]
    put(catalog, "a.md", ["102 plums"])
    for reader in (first, second):
        reader.refresh(catalog)
        assert reader.snapshot.ids.tolist() == reader.snapshot.bm25.ids.tolist() == [2, 3]
        assert list(reader.snapshot.lexical(["102"], 5)) == [3]
        reader.close()
    assert not list(folder.glob(".work-*"))


def test_tidying_up(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """The snapshot, the one before it and copies of running processes are kept; older ones and other copies are not."""
    finished = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    folder.mkdir()
    dead, alive = folder / f".work-{finished.stdout.strip()}-abc", folder / f".work-{os.getppid()}-abc"
    dead.mkdir()
    alive.mkdir()
    names = []
    for number in range(4):
        put(catalog, f"{number}.md", [f"10{number}"])
        refreshed(folder, catalog).publish()
        names.append((folder / CURRENT).read_text())
    assert {path.name for path in folder.iterdir()} == {CURRENT, names[-1], names[-2], alive.name}


def test_empty_library(catalog: Catalog, folder: Path) -> None:
    """A library of nothing can be published, opened and searched."""
    index = refreshed(folder, catalog)
    index.publish()
    again = opened(folder)
    assert again.snapshot.revision == 0
    assert again.snapshot.dense(toy_vectors(["x"])[0], 5) == {}
    assert again.snapshot.lexical(["x"], 5) == {}
    assert again.snapshot.bm25.ids.tolist() == []


def test_few_changes_of_a_large_index_are_left_to_readers(
    catalog: Catalog, folder: Path, put: PutDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large snapshot is not published for one document: readers apply few changes themselves. Many are published."""
    monkeypatch.setattr(index_module, "LARGE", 20)
    monkeypatch.setattr(index_module, "LEFT_TO_READERS", 4)
    put(catalog, "a.md", random_texts(30, 20))
    refreshed(folder, catalog).publish()
    published = (folder / CURRENT).read_text()
    gone = put(catalog, "b.md", ["777 888", "779 999"])
    refreshed(folder, catalog).publish()
    assert (folder / CURRENT).read_text() == published
    assert list(refreshed(folder, catalog).snapshot.lexical(["779"], 5)) == [32]
    catalog.remove_documents([gone])
    writer = refreshed(folder, catalog)
    writer.publish()
    assert (folder / CURRENT).read_text() == published
    assert refreshed(folder, catalog).snapshot.lexical(["779"], 5) == {}
    for number in range(3):
        put(catalog, f"c{number}.md", [f"90{number} 950", f"91{number} 950"])
        writer.refresh(catalog)
    writer.publish()
    assert (folder / CURRENT).read_text() != published
    assert len(opened(folder).snapshot.lexical(["950"], 10)) == 6


def test_a_restored_catalog_is_another_lineage(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """Then the same ids and the same revision mean other passages: nothing of the old index stays."""
    put(catalog, "a.md", ["100 apples", "101 pears"])
    index = refreshed(folder, catalog)
    index.publish()
    catalog.set_note(LINEAGE, "restored")
    catalog.write(
        "UPDATE passages SET text = '102 plums', vector = ? WHERE id = 1", (toy_vectors(["102 plums"])[0].tobytes(),)
    )
    assert index.refresh(catalog) is True
    assert index.snapshot.lexical(["100"], 5) == {}
    assert list(index.snapshot.lexical(["102"], 5)) == [1]
    assert list(index.snapshot.dense(toy_vectors(["102 plums"])[0], 1)) == [1]
    assert index.refresh(catalog) is False
    fresh = refreshed(folder, catalog)
    assert list(fresh.snapshot.lexical(["102"], 5)) == [1]
    index.publish()
    assert opened(folder).snapshot.version == index.snapshot.version
    assert opened(folder).refresh(catalog) is False
