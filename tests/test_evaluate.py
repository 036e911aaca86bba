from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest

from assistant import evaluate as module
from assistant.evaluate import Asked, EvaluationQuery, evaluate, metrics
from ingest.errors import SettingsError
from ingest.settings import Settings
from tests.sample_corpus import PROJECT

CORPUS = [
    {"_id": "leave.md", "title": "Leave", "text": "Every employee has 25 days of annual leave a year."},
    {"_id": "https://intranet//travel", "title": "Travel", "text": "A hotel may cost up to 150 euros a night."},
    {"_id": "/it/passwords", "text": "Passwords are reset in the portal.\u2028They expire after 90 days."},
    {"_id": "年假", "title": "休假制度", "text": "员工每年享有25天年休假。未休年休假须在次年3月31日前使用。"},
    {"_id": "canteen", "title": "Canteen", "text": "The canteen serves lunch from noon until two."},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "1", "text": "What may a hotel cost?", "answers": ["150 euros"], "answerable": True},
    {"_id": "2", "text": "年休假有多少天？", "answers": ["25天"], "answerable": True},
    {"_id": "3", "text": "How are passwords reset?", "answers": ["by telephone"], "answerable": True},
    {"_id": "4", "text": "Who won the football world cup in 1998?", "answers": [], "answerable": False},
]
JUDGEMENTS = [
    ("1", "https://intranet//travel", 1),
    ("2", "年假", 1),
    ("3", "/it/passwords", 2),
    ("3", "leave.md", 0),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five documents and four questions in BEIR layout."""
    folder = tmp_path / "set"
    folder.mkdir()
    for name, lines in (("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES)):
        (folder / name).write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n", "utf-8")
    rows = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in JUDGEMENTS), ""]
    (folder / "qrels.tsv").write_text("\n".join(rows), "utf-8")
    return folder


@pytest.fixture
def prepared(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary library has the embedder already, so that a test need not compile it again."""

    class Prepared(tempfile.TemporaryDirectory[str]):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            (Path(self.name) / "embedders").symlink_to(home / "embedders")

    monkeypatch.setattr(module.tempfile, "TemporaryDirectory", Prepared)


def asked(
    ranked: str = "",
    relevant: dict[str, int] | None = None,
    evidence: tuple[str, ...] = (),
    answers: tuple[str, ...] | None = None,
    answerable: bool | None = None,
    sure: float = 0.0,
    abstained: bool = False,
    seconds: float = 0.01,
) -> Asked:
    query = EvaluationQuery("q", "?", relevant or {}, answers, answerable)
    return Asked(query, tuple(ranked), evidence, sure, abstained, seconds)


def test_ranking_metrics_are_as_computed_by_hand() -> None:
    """Gains count, a document below rank five is no hit, and questions without judgements are left out."""
    found = metrics(
        [
            asked("abc", {"a": 1}),
            asked("bac", {"a": 2, "d": 1}),
            asked("uvwxyza", {"z": 1}),
            asked("abc"),
        ]
    )
    second = (2 / math.log2(3)) / (2 / math.log2(2) + 1 / math.log2(3))
    third = 1 / math.log2(7)
    assert found["ndcg@10"] == round((1 + second + third) / 3, 4) == 0.6119
    assert found["hit@5"] == round(2 / 3, 4)
    assert found["mrr@10"] == round((1 + 1 / 2 + 1 / 6) / 3, 4)
    assert found["recall@10"] == round((1 + 1 / 2 + 1) / 3, 4)


def test_an_ideal_ranking_has_no_more_than_ten_places() -> None:
    """With twelve relevant documents ten of them at the top are perfect for nDCG, and 10 of 12 for recall."""
    found = metrics([asked("abcdefghij", dict.fromkeys("abcdefghijkl", 1))])
    assert (found["ndcg@10"], found["recall@10"]) == (1.0, round(10 / 12, 4))


def test_times_are_percentiles_in_milliseconds() -> None:
    """Between two measurements the percentile is interpolated."""
    found = metrics([asked(seconds=seconds) for seconds in (0.04, 0.01, 0.03, 0.02)])
    assert found == {"p50_ms": 25.0, "p95_ms": 38.5}


def test_evidence_is_right_when_it_contains_a_gold_answer() -> None:
    """Spaces and case aside, in the first sentence or the first three; only questions with answers count."""
    found = metrics(
        [
            asked(evidence=("You have 25\nDays.", "b", "c"), answers=("25 days",)),
            asked(evidence=("a", "b", "until 31 March", "d"), answers=("never", "31 March")),
            asked(evidence=("a", "b", "c", "4th"), answers=("4th",), answerable=True),
            asked(evidence=("x",), answers=("x",), answerable=False),
            asked(evidence=("x",), answers=()),
        ]
    )
    assert (found["evidence@1"], found["evidence@3"]) == (round(1 / 3, 4), round(2 / 3, 4))


def test_refusing_is_scored_against_what_can_be_answered() -> None:
    """Three of four pairs are in the right order; of two refusals one was right, of two to be refused one was."""
    found = metrics(
        [
            asked(answerable=True, sure=0.9),
            asked(answerable=True, sure=0.4, abstained=True),
            asked(answerable=False, sure=0.5),
            asked(answerable=False, sure=0.1, abstained=True),
            asked(sure=0.0, abstained=True),
        ]
    )
    assert [found[f"refusal_{name}"] for name in ("auroc", "precision", "recall")] == [0.75, 0.5, 0.5]


def test_metrics_the_questions_do_not_allow_are_left_out() -> None:
    """No judgements, no answers, only one kind of question: only times are left; without questions nothing."""
    assert list(metrics([asked(answerable=True)])) == ["p50_ms", "p95_ms"]
    assert metrics([]) == {}


@pytest.mark.usefixtures("prepared")
def test_a_folder_is_measured_through_the_real_library(folder: Path, settings: Settings, home: Path) -> None:
    """Ids that are URLs or begin with a slash are matched, a line separator is part of its text, progress counts the
    questions, and the site's own library is not touched."""
    before = sorted(home.rglob("*"))
    progress: list[tuple[int, int]] = []
    found = evaluate(folder, settings, None, lambda done, total: progress.append((done, total)))
    assert list(found) == [
        "set", "documents", "passages", "queries", "ingest_seconds", "ndcg@10", "hit@5", "mrr@10", "recall@10",
        "p50_ms", "p95_ms", "evidence@1", "evidence@3", "refusal_auroc", "refusal_precision", "refusal_recall",
    ]  # fmt: skip
    assert (found["set"], found["documents"], found["passages"], found["queries"]) == ("set", 5, 5, 4)
    assert [found[name] for name in ("ndcg@10", "hit@5", "mrr@10", "recall@10")] == [1.0] * 4
    assert (found["evidence@1"], found["evidence@3"]) == (round(2 / 3, 4), round(2 / 3, 4))
    assert [found[f"refusal_{name}"] for name in ("auroc", "precision", "recall")] == [1.0, 1.0, 1.0]
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sorted(home.rglob("*")) == before


@pytest.mark.usefixtures("prepared")
def test_a_limit_takes_the_first_questions(folder: Path, settings: Settings) -> None:
    """All documents are there, but only so many questions are asked."""
    (folder / "qrels.tsv").unlink()
    found = evaluate(folder, settings, 1)
    assert (found["documents"], found["queries"], found["evidence@1"]) == (5, 1, 1.0)
    assert "ndcg@10" not in found
    assert "refusal_auroc" not in found


@pytest.mark.usefixtures("prepared")
def test_the_set_in_the_repository_works(settings: Settings) -> None:
    """`data/eval` gives every kind of metric from its first five questions on."""
    found = evaluate(PROJECT / "data" / "eval", settings, 5)
    assert found["queries"] == 5
    assert found["hit@5"] == 1.0
    assert found["evidence@3"] >= 0.8


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("corpus.jsonl", None, "it has no corpus.jsonl"),
        ("queries.jsonl", None, "it has no queries.jsonl"),
        ("corpus.jsonl", '{"_id": "a", "text": "b"}\n\n{"_id": ', "corpus.jsonl, line 3, is not JSON"),
        ("corpus.jsonl", '["a"]', "line 1, is not an object with `_id` and `text`"),
        ("queries.jsonl", '{"_id": "a"}', "line 1, is not an object with `_id` and `text`"),
        ("queries.jsonl", '{"_id": "a", "text": "b", "answers": "c"}', "the `answers` of a must be a list"),
        ("queries.jsonl", '{"_id": "a", "text": "b", "answerable": "yes"}', "true or false"),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\n1\tleave.md\n", "qrels.tsv, line 2, is not query, document"),
        ("qrels.tsv", "1\tleave.md\t1\n1\tleave.md\thigh\n", "qrels.tsv, line 2, is not query, document"),
        ("corpus.jsonl", b'{"_id": "a", "text": "\xff"}', "corpus.jsonl is not UTF-8"),
    ],
)
def test_a_folder_that_is_no_set_is_named_in_one_line(
    folder: Path, settings: Settings, name: str, content: str | bytes | None, said: str
) -> None:
    """A missing file, a broken line, a missing key or a wrong value is named with its place, before any work."""
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as wrong:
        evaluate(folder, settings)
    assert said in str(wrong.value)
    assert str(folder) in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_file_is_no_folder(folder: Path, settings: Settings) -> None:
    """Naming one file of a set, or nothing at all, is told apart from a crash."""
    for place in (folder / "corpus.jsonl", folder / "nowhere"):
        with pytest.raises(SettingsError, match="not in BEIR layout"):
            evaluate(place, settings)


@pytest.mark.usefixtures("prepared")
def test_judgements_without_column_names_all_count(folder: Path, settings: Settings) -> None:
    """A first row that is a judgement is not taken for a heading."""
    (folder / "qrels.tsv").write_text("1\thttps://intranet//travel\t1\n", "utf-8")
    assert evaluate(folder, settings, 1)["mrr@10"] == 1.0
