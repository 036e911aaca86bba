"""`docent search --explain`: what it prints. The numbers are tested where they are computed."""

from __future__ import annotations

import json
import re

import pytest
from rich.cells import cell_len

from ingest.base.settings import Settings
from ingest.search.fuse import FUSION
from ingest.search.rerank import Reranker
from ui.cli.main import docent
from ui.cli.terminal.run import run

QUESTION = "How many days of annual leave do full-time staff get?"


@pytest.fixture(autouse=True)
def narrow_terminal(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCENT_HOME", str(filled.home))
    monkeypatch.setenv("COLUMNS", "80")


def explained(capsys: pytest.CaptureFixture[str], question: str, *options: str) -> str:
    assert run(docent, ["search", question, "--explain", *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_score_of_each_hit_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """The weights of the question's words, both parts of each score, the step of an old version, and the decision."""
    text = " ".join(explained(capsys, QUESTION, "-k", "2").split())
    assert "embedding weight 1: multilingual-e5-small knows every token of the question" in text
    assert "1. hr/leave-policy-2026.md · Leave policy 2026 score" in text
    assert "best sentence: “Full-time staff get 25 days of annual leave a year.”" in text
    assert f"{FUSION.older_version:+g}: an older version of hr/leave-policy-2026.md" in text
    assert f"× similarity + {FUSION.lexical:g} × BM25^{FUSION.lexical_power:g} + steps" in text
    assert "reason mostly the embedding, above all of the" in text
    assert "decision The assistant would answer. The strongest reason: " in text
    assert "question words in the best sentence (0." in text


@pytest.mark.parametrize(
    "question", [QUESTION, "差旅费用在几天内报销？出差住宿标准是每晚多少元，超过标准的部分由谁承担？"]
)
def test_no_line_is_wider_than_the_terminal(capsys: pytest.CaptureFixture[str], question: str) -> None:
    """A Chinese character takes two columns."""
    assert max(cell_len(line) for line in explained(capsys, question).splitlines()) <= 80


def test_a_question_that_the_embedder_cannot_read_is_decided_by_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The explanation says that the embedder does not know its tokens, and shows no cosines."""
    text = " ".join(explained(capsys, "差旅费用 𒉺 𒋼 𒋛 𒀭 𒂍").split())
    assert "embedding weight 0: multilingual-e5-small does not know" in text
    assert "1. finance/差旅.md" in text
    assert re.search("mostly the words, above all “(旅|差|差旅|旅费|费用|用)”", text), text
    assert "whole passage" not in text
    assert "cosine of the best" not in text


def test_a_question_that_would_be_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Why the assistant would abstain, and the documents that it would name."""
    text = " ".join(explained(capsys, "Who won the football world cup in 1998?").split())
    assert "The assistant would say that the documents do not say, without asking a model" in text
    assert "in no passage: won .2" in text
    assert "name the nearest documents: " in text


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    """The decision is shown also when there is no hit."""
    text = " ".join(explained(capsys, "𒉺𒋼𒋛 𒀭𒈹").split())
    assert "No passage found: none shares a word" in text
    assert "nearest documents: none." in text


def test_a_cross_encoder_has_the_last_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scores stand beside those of the fusion; if it cannot be used, the reason is shown and the fusion decides."""
    text = " ".join(explained(capsys, QUESTION, "--reranker", "owner/none").split())
    assert "reranker" in text.split("1. ")[0]
    assert "owner/none is not on this machine" in text
    assert "by the cross-encoder" not in text
    monkeypatch.setattr(Reranker, "problem", "")
    monkeypatch.setattr(Reranker, "scores", lambda _self, _question, texts: [0.9 * ("E-07" in text) for text in texts])
    question = f"{QUESTION} And what does E-07 mean?"
    text = " ".join(explained(capsys, question, "--reranker", "owner/none").split())
    assert "owner/none reads the best passages and decides their order" in text
    assert text.index("1. it/vpn.txt") < text.index("0.900 by the cross-encoder") < text.index("2. ")


def test_programs_get_every_number(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json: question, hits with their parts, and the decision, under names that do not change."""
    explanation = json.loads(explained(capsys, QUESTION, "--json", "-k", "1"))
    assert list(explanation) == [
        "question", "embedder", "unknown_share", "unreadable_share", "language_weight", "dense_weight",
        "lexical_weight", "lexical_power", "candidates", "words", "reranker", "reranker_problem", "hits", "verdict",
    ]  # fmt: skip
    (hit,) = explanation["hits"]
    assert list(hit) == [
        "hit", "similarity", "passage_cosine", "best_sentence_cosine", "nearest_sentence", "lexical", "lexical_rank",
        "words", "dense_lead", "lexical_lead", "steps", "fused", "reranked",
    ]  # fmt: skip
    assert (hit["hit"]["path"], hit["lexical_rank"], hit["reranked"]) == ("hr/leave-policy-2026.md", 1, None)
    assert hit["nearest_sentence"] == "Full-time staff get 25 days of annual leave a year."
    verdict = explanation["verdict"]
    assert list(verdict) == [
        "confidence", "threshold", "caution", "decision", "dense_weight", "parts", "evidence", "nearest",
    ]  # fmt: skip
    assert (verdict["decision"], verdict["confidence"] > verdict["threshold"]) == ("answer", True)
