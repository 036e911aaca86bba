"""Searching a snapshot, against independent implementations: cosines by brute force, BM25 by its formula."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.search.indexes import vector_index
from ingest.search.indexes.search_index import SearchIndex
from ingest.store.catalog import Catalog
from tests.conftest import PutDocument, toy_vectors
from tests.ingest.search.indexes.conftest import DIMENSION, opened, random_texts, refreshed

K1, B = 1.2, 0.75
TEXTS = ["annual leave", "sick leave", "the vpn client", "travel expenses", "annual report"]


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


def test_dense(tmp_path: Path, put: PutDocument) -> None:
    """Cosines and order are those of the stored vectors; with ids given, only these passages are searched."""
    catalog = Catalog(tmp_path / "catalog.db", create=True)
    put(catalog, "a.md", TEXTS)
    follower = SearchIndex(tmp_path / "index", 16, "toy")
    follower.refresh(catalog)
    index = follower.snapshot
    ids = [int(i) for i in catalog.passage_ids()]
    vector = toy_vectors(["annual leave of staff"])[0]
    cosines = dict(zip(ids, (toy_vectors(TEXTS) @ vector).tolist(), strict=True))
    ranked = sorted(ids, key=lambda passage_id: -cosines[passage_id])
    of_all = index.dense(vector, 3, catalog)
    assert list(of_all) == ranked[:3]
    chosen = [ids[4], ids[1], ids[2], 999]
    of_some = index.dense(vector, 2, catalog, chosen)
    assert list(of_some) == [passage_id for passage_id in ranked if passage_id in chosen][:2]
    for values in (of_all, of_some):
        assert list(values.values()) == pytest.approx([cosines[passage_id] for passage_id in values], abs=1e-6)
    assert index.dense(vector, 2, catalog, []) == {}
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    follower.close()
    catalog.close()
