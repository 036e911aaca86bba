"""Both indexes against independent implementations, and a cache that can be lost at any moment."""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.search.indexes import search_index as index_module
from ingest.search.indexes import vector_index
from ingest.search.indexes.bm25_index import BM25Index, BM25Writer
from ingest.search.indexes.search_index import SearchIndex
from ingest.search.indexes.snapshot import LINEAGE
from ingest.search.indexes.snapshot_files import CURRENT
from ingest.store.catalog import Catalog
from tests.conftest import PutDocument, toy_vectors

DIMENSION = 16
K1, B = 1.2, 0.75


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library" / "catalog.db", create=True)
    yield catalog
    catalog.close()


@pytest.fixture
def folder(catalog: Catalog) -> Path:
    return catalog.path.parent / "index"


def opened(folder: Path, fingerprint: str = "toy") -> SearchIndex:
    return SearchIndex(folder, DIMENSION, fingerprint)


def refreshed(folder: Path, catalog: Catalog) -> SearchIndex:
    index = opened(folder)
    index.refresh(catalog)
    return index


def random_texts(count: int, longest: int, seed: int = 1) -> list[str]:
    """Texts of numbers, which the analysis leaves as they are; low ones are common, high ones rare."""
    chosen = np.random.default_rng(seed)
    return [
        " ".join(str(100 + min(int(value), 60)) for value in chosen.geometric(0.08, chosen.integers(3, longest)))
        for _ in range(count)
    ]


def bm25(texts: dict[int, str], query: Sequence[str]) -> dict[int, float]:
    """Okapi BM25 as Robertson and Zaragoza give it, with the idf that is never negative."""
    words = {key: text.split() for key, text in texts.items()}
    average = sum(map(len, words.values())) / len(words)
    scores = {}
    for key, text_terms in words.items():
        counts, score = Counter(text_terms), 0.0
        for term in set(query):
            n = sum(term in others for others in words.values())
            idf = math.log(1 + (len(words) - n + 0.5) / (n + 0.5))
            tf = counts[term]
            score += idf * (K1 + 1) * tf / (tf + K1 * (1 - B + B * len(text_terms) / average))
        if score > 0:
            scores[key] = score
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def numbered(catalog: Catalog, texts: Sequence[str]) -> dict[int, str]:
    return dict(zip(catalog.passage_ids().tolist(), texts, strict=True))


def test_dense_against_brute_force(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """The nearest passages in order with their cosines, as NumPy finds them by comparing all."""
    chosen = np.random.default_rng(2)
    vectors = chosen.normal(size=(300, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    put(catalog, "a.md", [f"t{number}" for number in range(300)], vectors)
    index, ids = refreshed(folder, catalog), catalog.passage_ids()
    for _ in range(20):
        query = chosen.normal(size=DIMENSION).astype(np.float32)
        query /= np.linalg.norm(query)
        cosines = vectors @ query
        best = np.argsort(-cosines)[:25]
        nearest = index.snapshot.dense(query, 25)
        assert list(nearest) == ids[best].tolist()
        assert list(nearest.values()) == pytest.approx(cosines[best].tolist(), abs=1e-6)
        chosen_ids = ids[[5, 250, 7]].tolist()
        assert index.snapshot.cosines(query, [*chosen_ids, 9_999]) == pytest.approx(
            dict(zip(chosen_ids, cosines[[5, 250, 7]], strict=True)), abs=1e-6
        )
    assert set(index.snapshot.dense(query, 1000)) == set(ids.tolist())


def test_lexical_against_bm25(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """Same passages, same scores, same order as an independent BM25; texts this short are not rounded by Tantivy."""
    texts = random_texts(200, longest=40)
    put(catalog, "a.md", texts)
    index, by_id = refreshed(folder, catalog), numbered(catalog, texts)
    for query in (["101"], ["100", "120"], ["105", "105", "140", "155"], ["100", "101", "102", "999"]):
        expected = bm25(by_id, query)
        scores = index.snapshot.lexical(query, 1000)
        assert scores == pytest.approx(expected, rel=1e-5)
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        first = list(expected)[:10]
        assert [key for key in index.snapshot.lexical(query, 10) if expected[key] > expected[first[-1]] + 1e-4] == [
            key for key in first if expected[key] > expected[first[-1]] + 1e-4
        ]


def test_lexical_with_long_texts(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """Tantivy keeps the length of a long text to about an eighth; scores are off by less than that."""
    texts = random_texts(100, longest=400, seed=4)
    put(catalog, "a.md", texts)
    index = refreshed(folder, catalog)
    for query in (["130"], ["140", "150"]):
        assert index.snapshot.lexical(query, 1000) == pytest.approx(bm25(numbered(catalog, texts), query), rel=0.125)


def test_lexical_among(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """Asked about certain passages only, each has the score it has among all; those without a term have 0."""
    texts = random_texts(100, longest=40)
    put(catalog, "a.md", texts)
    index = refreshed(folder, catalog)
    everywhere = index.snapshot.lexical(["101", "120"], 1000)
    chosen_ids = [3, 50, 99, 12_345]
    assert index.snapshot.lexical(["101", "120"], 3, among=chosen_ids) == pytest.approx(
        {key: everywhere.get(key, 0.0) for key in chosen_ids[:3]}
    )
    assert index.snapshot.lexical(["101"], 10, among=[]) == {}
    assert index.snapshot.lexical([], 10) == {}


def test_chinese_is_found_by_its_characters(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """A word inside a Chinese sentence is found, and the sentence that has it as a pair is first."""
    put(catalog, "a.md", ["员工的年假为二十五天", "今年没有假期安排", "差旅费用报销"])
    index = refreshed(folder, catalog)
    from ingest.base.language import terms

    assert list(index.snapshot.lexical(terms("年假"), 10)) == [1, 2]


def test_bound_is_never_exceeded(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """No score is above the bound, also after most passages were dropped, which Tantivy goes on counting."""
    documents = [put(catalog, f"{number}.md", random_texts(20, 40, seed=number)) for number in range(20)]
    put(catalog, "only.md", ["777 " * 30, "777 888"])
    index = refreshed(folder, catalog)
    index.publish()
    queries = [["777"], ["777", "888"], ["100", "777"], ["130", "140"], ["100", "101", "102"]]

    def assert_bounded() -> None:
        for query in queries:
            scores = index.snapshot.lexical(query, 1000)
            assert max(scores.values(), default=0.0) <= index.snapshot.lexical_bound(query) * (1 + 1e-6)

    assert_bounded()
    catalog.remove_documents(documents[:19])
    index.refresh(catalog)
    assert_bounded()
    index.publish()
    for number in range(30, 35):
        put(catalog, f"{number}.md", random_texts(20, 40, seed=number))
        index.refresh(catalog)
        assert_bounded()
    assert index.snapshot.lexical_bound([]) == 0.0


def test_rare_terms_weigh_more(catalog: Catalog, folder: Path, put: PutDocument) -> None:
    """The weight of a term is ln(1 + (N - n + 0.5) / (n + 0.5)); a term that no passage has weighs most."""
    put(catalog, "a.md", ["100 101", "100 102", "100 103"])
    weights = refreshed(folder, catalog).snapshot.inverse_frequencies(["100", "101", "999"])
    by_hand = {"100": math.log(1 + 0.5 / 3.5), "101": math.log(1 + 2.5 / 1.5), "999": math.log(1 + 3.5 / 0.5)}
    assert weights == pytest.approx(by_hand)


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


def test_a_large_index_finds_what_is_nearest(
    catalog: Catalog, folder: Path, put: PutDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compressed, the index proposes, and the catalog's vectors put the proposals in exact order with exact cosines."""
    monkeypatch.setattr(vector_index, "EXACT_UNTIL", 1_000)
    monkeypatch.setattr(vector_index, "PROPOSED", 100)
    chosen = np.random.default_rng(3)
    vectors = chosen.normal(size=(3_000, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for number in range(3):
        part = slice(number * 1_000, (number + 1) * 1_000)
        put(catalog, f"{number}.md", [f"t{i}" for i in range(1_000)], vectors[part])
    index, ids = refreshed(folder, catalog), catalog.passage_ids()
    assert not index.snapshot.vectors.exact
    index.publish()
    for held in (index, opened(folder)):
        proposed = 0
        for query in vectors[::150]:
            cosines = vectors @ query
            best = np.argsort(-cosines)[:10]
            nearest = held.snapshot.dense(query, 10, catalog)
            assert list(nearest.values()) == pytest.approx([float(cosines[i - 1]) for i in nearest], abs=1e-6)
            assert list(nearest.values()) == sorted(nearest.values(), reverse=True)
            proposed += len(set(nearest) & set(ids[best].tolist()))
            chosen_ids = [5, 2_500, 17]
            assert held.snapshot.cosines(query, [*chosen_ids, 9_999], catalog) == pytest.approx(
                {i: float(cosines[i - 1]) for i in chosen_ids}, abs=1e-6
            )
        assert proposed >= 0.98 * 10 * len(vectors[::150])


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
