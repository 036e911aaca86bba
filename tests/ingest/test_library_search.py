"""Searching the library: what is found first, the parts of a score, many threads."""

from __future__ import annotations

import threading
from dataclasses import astuple

import pytest

from ingest.base.types import Hit
from ingest.library import Library, best_hit_per_document
from ingest.passages.sentences import sentences_and_rows
from ingest.search.fuse import FUSION


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
    """The passage that answers is first: by meaning, by code, and in Chinese."""
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
    """A hit's score is made of its similarity and a share of the best possible BM25; the newest has nothing else."""
    scale = shared_library.embedder.profile.cosines
    for scored in shared_library.search_scored("leave days"):
        parts = scored.parts
        assert all(-1 <= cosine <= 1.01 for cosine in astuple(parts.cosines))
        assert 0 <= parts.lexical <= 1
        assert scored.hit.score == pytest.approx(parts.score, abs=1e-6)
        assert parts.similarity == pytest.approx(scale.standardised(parts.cosines.mean))
        step = FUSION.older_version if scored.hit.newer else 0
        assert parts.score == pytest.approx(parts.similarity + FUSION.lexical_part(parts.lexical) + step)


def test_the_best_sentence_counts(shared_library: Library) -> None:
    """Each hit has the cosine of each of its sentences and rows, and the best of them is part of its score."""
    for scored in shared_library.search_scored("How much leave?"):
        cosines = scored.sentence_cosines
        assert len(cosines) == len(list(sentences_and_rows(scored.hit.text))) or not cosines
        if cosines:
            assert scored.parts.cosines.best_sentence == pytest.approx(max(cosines))
        else:
            assert scored.parts.cosines.best_sentence == scored.parts.cosines.passage


def test_question_of_nothing(shared_library: Library) -> None:
    """Marks alone, or words nobody uses, are no error."""
    for question in ("???", "。", "zzzzqqq"):
        assert len(shared_library.search(question, 3)) <= 3


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
