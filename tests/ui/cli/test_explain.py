"""`docent search --explain` on the command line; what it tells is tested where it is found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from ingest.base.settings import Settings
from ingest.search.rerank import Reranker
from ingest.sync import ingest
from ui.cli.main import docent
from ui.cli.terminal.run import run

QUESTION = "How many days of annual leave do full-time staff get?"


@pytest.fixture(autouse=True)
def filled(settings: Settings, office: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ingest([office], settings).failed == []
    monkeypatch.setenv("DOCENT_HOME", str(settings.home))
    monkeypatch.setenv("COLUMNS", "80")


def explained(capsys: pytest.CaptureFixture[str], question: str, *options: str) -> str:
    assert run(docent, ["search", question, "--explain", *options]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_people_are_told_what_brought_a_passage_up(capsys: pytest.CaptureFixture[str]) -> None:
    """The question's words and weights, each hit's legs with ranks, the factor of an old version, and the verdict."""
    out = explained(capsys, QUESTION, "-k", "2")
    told = " ".join(out.split())
    assert "all-MiniLM-L6-v2 knows every token of the question: meaning has its full vote" in told
    assert "1. hr/leave-policy-2026.md · Leave policy 2026 score" in told
    assert "best sentence: “Full-time staff get 25 days of annual leave a year.”" in told
    assert "× 0.85: an older version of hr/leave-policy-2026.md" in told
    assert "why here most by its meaning" in told
    assert "so it would answer." in told
    assert "without it 0." in told


@pytest.mark.parametrize(
    "question", [QUESTION, "差旅费用在几天内报销？出差住宿标准是每晚多少元，超过标准的部分由谁承担？"]
)
def test_no_line_is_wider_than_the_terminal(capsys: pytest.CaptureFixture[str], question: str) -> None:
    """A Chinese character takes two columns."""
    assert max(cell_len(line) for line in explained(capsys, question).splitlines()) <= 80


def test_a_question_in_chinese_is_decided_by_words(capsys: pytest.CaptureFixture[str]) -> None:
    """That the embedder cannot read it is said, and no cosines are shown."""
    told = " ".join(explained(capsys, "差旅费用几天内报销？").split())
    assert "meaning has no vote" in told
    assert "1. finance/差旅.md" in told
    assert re.search("most by its words, “(旅|差|差旅|旅费|费用|用)” first of all", told), told
    assert "whole passage" not in told
    assert "meaning of the best" not in told


def test_a_refusal_says_why_and_what_is_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """What the assistant would say instead of an answer, and the documents it would name."""
    told = " ".join(explained(capsys, "Who won the football world cup in 1998?").split())
    assert "it would say that the documents do not say, and not ask the model" in told
    assert "in no passage: won .2" in told
    assert "name the nearest documents: " in told


def test_nothing_found_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """No hit, no crash, and the verdict all the same."""
    told = " ".join(explained(capsys, "饕餮").split())
    assert "No passage found: none shares a word" in told
    assert "nearest documents: none." in told


def test_a_cross_encoder_has_the_last_word(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scores stand beside those of the fusion; when it cannot be used, that is said and the fusion stands."""
    told = " ".join(explained(capsys, QUESTION, "--reranker", "owner/none").split())
    assert "reranker" in told.split("1. ")[0]
    assert "owner/none is not on this machine" in told
    assert "by the cross-encoder" not in told
    monkeypatch.setattr(Reranker, "problem", "")
    monkeypatch.setattr(Reranker, "scores", lambda _self, _question, texts: [0.9 * ("E-07" in text) for text in texts])
    told = " ".join(explained(capsys, QUESTION, "--reranker", "owner/none").split())
    assert "owner/none reads the best once more" in told
    assert told.index("1. it/vpn.txt") < told.index("0.900 by the cross-encoder") < told.index("2. ")


def test_programs_get_every_number(capsys: pytest.CaptureFixture[str]) -> None:
    """Question, hits with their parts, and the verdict, under names that do not change."""
    told = json.loads(explained(capsys, QUESTION, "--json", "-k", "1"))
    assert list(told) == [
        "question", "embedder", "unknown_share", "unreadable_share", "dense_weight", "lexical_weight", "candidates",
        "words", "reranker", "reranker_problem", "hits", "verdict",
    ]  # fmt: skip
    (hit,) = told["hits"]
    assert list(hit) == [
        "hit", "mean_cosine", "passage_cosine", "best_sentence_cosine", "surroundings_cosine", "nearest_sentence",
        "lexical", "lexical_rank", "words", "dense_lead", "lexical_lead", "factors", "fused", "reranked",
    ]  # fmt: skip
    assert (hit["hit"]["path"], hit["lexical_rank"], hit["reranked"]) == ("hr/leave-policy-2026.md", 1, None)
    assert hit["nearest_sentence"] == "Full-time staff get 25 days of annual leave a year."
    verdict = told["verdict"]
    assert list(verdict) == [
        "confidence", "threshold", "caution", "decision", "dense_weight", "parts", "evidence", "nearest",
    ]  # fmt: skip
    assert (verdict["decision"], verdict["confidence"] > verdict["threshold"]) == ("answer", True)
