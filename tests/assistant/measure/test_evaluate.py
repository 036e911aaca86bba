"""Evaluation sets are searched in a real library."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from assistant.measure import evaluate as module
from assistant.measure.beir import EvaluationQuery
from assistant.measure.evaluate import Evaluation, Outcome, evaluate, scores
from assistant.measure.metrics import METRICS, measure
from ingest.base.errors import SettingsError
from ingest.base.settings import Settings
from tests.fakes.sample_corpus import PROJECT

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
    ranked: str = "", relevant: dict[str, int] | None = None, evidence: tuple[str, ...] = (),
    answers: tuple[str, ...] | None = None, answerable: bool | None = None,
) -> Outcome:  # fmt: skip
    query = EvaluationQuery("q", "?", relevant or {}, answers, answerable)
    return Outcome(query, tuple(ranked), evidence, confidence=0.4, abstained=True, search_seconds=0.0123)


def evaluated(folder: Path, settings: Settings, limit: int | None = None) -> tuple[Evaluation, dict[str, float]]:
    """One folder's evaluation and the values of its metrics."""
    (one,) = evaluate([folder], settings, limit)
    return one, {name: measured.value for name, measured in measure(one.questions).items()}


def test_a_question_scores_what_its_set_allows() -> None:
    """Ranking with judgements, evidence with answers, refusing where it is known whether it can be answered."""
    always = {"_id": "q", "ms": 12.3, "confidence": 0.4, "refused": True}
    assert scores(asked("abc")) == always
    assert scores(asked("abcdez", {"z": 1})) == {
        "ndcg@10": 0.356207, "hit@5": 0, "mrr@10": 0.166667, "recall@10": 1.0, **always,
    }  # fmt: skip
    shown = ("one", "two", "three 3", "four")
    assert scores(asked(evidence=shown, answers=("Three3",))) == {"evidence@1": 0, "evidence@3": 1, **always}
    assert scores(asked(evidence=shown, answers=("four", "one"))) == {"evidence@1": 1, "evidence@3": 1, **always}
    assert scores(asked(evidence=shown, answers=("four",), answerable=True)) == {
        "evidence@1": 0, "evidence@3": 0, "answerable": True, **always,
    }  # fmt: skip


def test_answers_of_an_unanswerable_question_do_not_count() -> None:
    """An unanswerable question, or one with an empty list of answers, has no score of evidence."""
    assert "evidence@1" not in scores(asked(evidence=("x",), answers=("x",), answerable=False))
    assert "evidence@1" not in scores(asked(evidence=("x",), answers=()))


@pytest.mark.usefixtures("prepared")
def test_a_folder_is_measured_through_the_real_library(folder: Path, settings: Settings, home: Path) -> None:
    """Ids that are URLs or begin with a slash are matched, a line separator is part of its text, progress counts the
    questions, and the site's own library is not touched."""
    before = sorted(home.rglob("*"))
    progress: list[tuple[str, int, int]] = []
    (one,) = evaluate([folder], settings, None, lambda *step: progress.append(step))
    assert (one.set, one.documents, one.passages, len(one.questions)) == ("set", 5, 5, 4)
    found = {name: measured.value for name, measured in measure(one.questions).items()}
    assert tuple(found) == METRICS
    assert [found[name] for name in ("ndcg@10", "hit@5", "mrr@10", "recall@10")] == [1.0] * 4
    assert (found["evidence@1"], found["evidence@3"]) == (round(2 / 3, 4), round(2 / 3, 4))
    assert [found[f"refusal_{name}"] for name in ("auroc", "precision", "recall")] == [1.0, 1.0, 1.0]
    assert progress == [("set", done, 4) for done in range(5)]
    assert sorted(home.rglob("*")) == before


@pytest.mark.usefixtures("prepared")
def test_several_folders_are_measured_one_after_another(folder: Path, settings: Settings) -> None:
    """Each in a library of its own, with one embedder; sets of the same name are named by their paths."""
    other = folder.parent / "others" / "set"
    other.mkdir(parents=True)
    (other / "corpus.jsonl").write_text(json.dumps(CORPUS[0]), "utf-8")
    (other / "queries.jsonl").write_text('{"_id": "1", "text": "How much annual leave?", "answers": ["25 days"]}')
    first, second = evaluate([folder, other], settings, 2)
    assert [(one.set, one.documents, len(one.questions)) for one in (first, second)] == [
        (folder.as_posix(), 5, 2),
        (other.as_posix(), 1, 1),
    ]
    assert list(measure(second.questions)) == ["p50_ms", "p95_ms", "evidence@1", "evidence@3"]
    assert second.questions[0]["evidence@1"] == 1


@pytest.mark.usefixtures("prepared")
def test_follow_up_questions_are_measured_where_a_set_has_them(folder: Path, settings: Settings) -> None:
    """Their figures stand beside the others; a set without such a file has none."""
    line = {"turns": ["What may a hotel cost?"], "text": "How are passwords reset?", "follows": False}
    line |= {"standalone": "How are passwords reset?", "relevant": ["it/passwords"]}
    (folder / "followups.jsonl").write_text(json.dumps(line), "utf-8")
    one, _ = evaluated(folder, settings, 1)
    assert (one.followups["followups"], one.followups["new_topics_unchanged"]) == (1, 1.0)
    (folder / "followups.jsonl").unlink()
    assert evaluated(folder, settings, 1)[0].followups == {}


def test_a_wrong_folder_among_several_is_named_before_any_work(folder: Path, settings: Settings) -> None:
    """A wrong folder is an error before any other folder is searched."""
    progress: list[tuple[str, int, int]] = []
    with pytest.raises(SettingsError, match="not in BEIR layout"):
        list(evaluate([folder, folder.parent], settings, None, lambda *step: progress.append(step)))
    assert progress == []


@pytest.mark.usefixtures("prepared")
def test_a_limit_takes_the_first_questions(folder: Path, settings: Settings) -> None:
    """With a limit, all documents are ingested, but only so many questions are asked."""
    (folder / "qrels.tsv").unlink()
    one, found = evaluated(folder, settings, 1)
    assert (one.documents, len(one.questions), found["evidence@1"]) == (5, 1, 1.0)
    assert "ndcg@10" not in found
    assert "refusal_auroc" not in found


@pytest.mark.usefixtures("prepared")
def test_the_set_in_the_repository_works(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`data/eval` gives every kind of metric from its first five questions on."""
    # Fitting searches four hundred times, and moves no ranking and no evidence.
    monkeypatch.setattr(module, "fit_thresholds_when_due", lambda _settings: None)
    one, found = evaluated(PROJECT / "data" / "eval", settings, 5)
    assert len(one.questions) == 5
    assert found["hit@5"] == 1.0
    assert found["evidence@3"] >= 0.8


@pytest.mark.parametrize(
    ("name", "content", "message"),
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
    folder: Path, settings: Settings, name: str, content: str | bytes | None, message: str
) -> None:
    """A missing file, a broken line, a missing key or a wrong value is named with its place, before any work."""
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as wrong:
        list(evaluate([folder], settings))
    assert message in str(wrong.value)
    assert str(folder) in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_file_is_no_folder(folder: Path, settings: Settings) -> None:
    """One file of a set, or a folder that does not exist, is an error of one line."""
    for place in (folder / "corpus.jsonl", folder / "nowhere"):
        with pytest.raises(SettingsError, match="not in BEIR layout"):
            list(evaluate([place], settings))


@pytest.mark.usefixtures("prepared")
def test_judgements_without_column_names_all_count(folder: Path, settings: Settings) -> None:
    """A first row that is a judgement is not taken for a heading."""
    (folder / "qrels.tsv").write_text("1\thttps://intranet//travel\t1\n", "utf-8")
    assert evaluated(folder, settings, 1)[1]["mrr@10"] == 1.0
