"""The order of a reranked search, with a tiny cross-encoder that likes passages that name Dublin."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest import library as library_module
from ingest.base.settings import Settings
from ingest.llama_index.retriever import LibraryRetriever
from ingest.search import rerank
from ingest.search.hybrid import ScoredHit
from ingest.search.rerank import RerankedHit, Reranker, reranker_of
from tests.ingest.search.conftest import QUESTION, names, opened

POLICIES = ["hr/leave-policy-2026.md", "hr/leave-policy-2024.md"]


def reference(folder: Path, pairs: list[tuple[str, str]]) -> list[float]:
    """The scores as transformers alone computes them, in float32 and one pair at a time."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return [
            torch.sigmoid(model(**tokenizer(*pair, truncation=True, return_tensors="pt")).logits[0, 0]).item()
            for pair in pairs
        ]


def test_the_order_is_the_cross_encoders(site: Settings, plain: list[ScoredHit], cross_encoder: Path) -> None:
    """What it likes comes first, with its own score; the parts of the fused score are still there."""
    assert names(plain)[:2] == POLICIES
    assert "it/vpn.txt" in names(plain)
    library = opened(site, cross_encoder)
    reranked = library.search_scored(QUESTION)
    library.close()
    assert reranked[0].hit.path == "it/vpn.txt"
    assert sorted(names(reranked)) == sorted(names(plain))
    assert [scored.hit.rank for scored in reranked] == list(range(1, len(reranked) + 1))
    texts = [f"{scored.hit.heading or scored.hit.title}\n{scored.hit.text}" for scored in reranked]
    expected = reference(cross_encoder, [(QUESTION, text) for text in texts])
    fused = {scored.hit.passage_id: scored.parts for scored in plain}
    for scored, score in zip(reranked, expected, strict=True):
        assert isinstance(scored, RerankedHit)
        assert scored.reranked == pytest.approx(score, abs=0.02)  # bfloat16 where the CPU has it
        assert scored.parts == fused[scored.hit.passage_id]
    assert expected[0] > 0.9 > 0.1 > max(expected[1:])
    scores = [scored.hit.score for scored in reranked]
    assert scores == sorted(scores, reverse=True)
    assert reranker_of(site) is None


def test_an_older_version_steps_back(site: Settings, plain: list[ScoredHit], cross_encoder: Path) -> None:
    """Its odds are lowered by one factor; of equal passages it is last. When the question names a year, it is the
    version of another year that steps back."""
    reranker = Reranker(str(cross_encoder), site.models_cache)
    library = opened(site, cross_encoder)
    lowered = rerank._OLDER_VERSION_ODDS
    assert lowered < 1
    for question, factors in ((QUESTION, (lowered, 1.0)), (f"{QUESTION[:-1]} in 2024?", (1.0, lowered))):
        reranked = {scored.hit.path: scored for scored in library.search_scored(question)}
        for name, factor in zip(("hr/leave-policy-2024.md", "hr/leave-policy-2026.md"), factors, strict=True):
            scored = reranked[name]
            assert isinstance(scored, RerankedHit)
            assert scored.reranked is not None
            odds = scored.reranked / (1 - scored.reranked)
            assert scored.hit.score / (1 - scored.hit.score) == pytest.approx(odds * factor)
    library.close()
    same = [replace(scored, hit=replace(scored.hit, title="", heading="", text="dublin")) for scored in plain[:2]]
    assert names(same) == POLICIES
    assert names(reranker.reorder(QUESTION, same[::-1])) == POLICIES


def test_only_the_best_are_read(
    site: Settings, plain: list[ScoredHit], cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others stay behind them in the order of the fusion, which alone decides which hits are read."""
    for module in (rerank, library_module):
        monkeypatch.setattr(module, "RERANKED", 2)
    library = opened(site, cross_encoder)
    reranked = library.search_scored(QUESTION)
    assert set(names(reranked)[:2]) == set(POLICIES)
    assert names(reranked)[2:] == names(plain)[2:]
    behind = [scored for scored in reranked if isinstance(scored, RerankedHit) and scored.reranked is None]
    assert behind == reranked[2:]
    assert [scored.hit.score for scored in behind] == [scored.hit.score - plain[2].hit.score for scored in plain[2:]]
    assert reranked[1].hit.score > 0 == reranked[2].hit.score
    library.close()


def test_a_short_list_is_the_top_of_a_long_one(site: Settings, cross_encoder: Path) -> None:
    """A search for one hit gives the best of all that are read, not the first of the fusion."""
    library = opened(site, cross_encoder)
    assert library.search(QUESTION, 1) == library.search(QUESTION)[:1]
    assert library.search(QUESTION, 1)[0].path == "it/vpn.txt"
    assert LibraryRetriever(library, 1).retrieve(QUESTION)[0].node.metadata["path"] == "it/vpn.txt"
    library.close()


def test_opened_once_and_offline(site: Settings, cross_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first search opens the model, from its folder alone, and later ones and other threads use it again."""
    reached: list[Any] = []
    loaded: list[Path] = []
    load = rerank._load

    def no_network(*arguments: Any, **_options: Any) -> None:
        reached.append(arguments)
        raise OSError("no network in this test")

    def counted(folder: Path) -> Any:
        loaded.append(folder)
        return load(folder)

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(rerank, "_load", counted)
    library = opened(site, cross_encoder)
    assert loaded == []
    results: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(names(library.search_scored(QUESTION)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [names(library.search_scored(QUESTION))] * 4
    assert results[0][0] == "it/vpn.txt"
    assert loaded == [cross_encoder]
    assert reached == []
    library.close()
