"""Fitting: known weights are found again, and figures and names are those of the product."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.measure.beir import CorpusDocument, EvaluationQuery, EvaluationSet
from assistant.measure.evaluate import evaluate
from assistant.measure.fit import answerability, evidence, fit, fusion
from assistant.measure.fit.__main__ import main
from assistant.measure.fit.collect import UNKNOWN, SearchedSet
from assistant.measure.fit.fit import FITTED_ON, GROUPS, fit_folders, sets_of
from assistant.measure.fit.report import as_json, as_text
from assistant.measure.metrics import measure
from assistant.refuse.answerability import WEIGHTS as ANSWERABILITY_WEIGHTS
from assistant.refuse.answerability import AnswerabilityFeatures
from assistant.retrieve.coverage import Coverage
from assistant.retrieve.evidence import WEIGHTS as EVIDENCE_WEIGHTS
from assistant.retrieve.evidence import Features
from ingest.base.settings import Settings
from ingest.base.types import Page, ReadDocument
from ingest.search.fuse import FUSION, FusionWeights
from tests.assistant.measure.test_evaluate import folder, prepared  # noqa: F401

QUESTIONS, CANDIDATES = 400, 12


def searched(**arrays: Any) -> SearchedSet:
    """A set of so many questions as `coverage` has rows (default: QUESTIONS) with nothing but these arrays."""
    count = len(arrays.get("coverage", range(QUESTIONS)))
    empty: dict[str, Any] = {field.name: np.zeros(0) for field in fields(SearchedSet)}
    empty |= {"sentence_start": np.zeros(count + 1, int), "passage_start": np.zeros(count + 1, int)}
    empty |= {"answerable": np.full(count, UNKNOWN), "has_evidence": np.zeros(count, bool)}
    empty |= {"ideal": np.zeros(count), "dense_weight": np.zeros(count)}
    empty |= {"coverage": np.zeros((count, len(fields(Coverage))))}
    return SearchedSet(**{**empty, **arrays})


def sentences(weights: Sequence[float], seed: int) -> SearchedSet:
    """Questions whose right sentence is drawn as a conditional logit with these weights says."""
    random = np.random.default_rng(seed)
    inputs = random.random((QUESTIONS * CANDIDATES, len(weights)))
    # The largest of sums with Gumbel noise is drawn with the probabilities of the softmax.
    worth = (inputs @ np.array(weights) + random.gumbel(size=len(inputs))).reshape(QUESTIONS, CANDIDATES)
    right = np.zeros((QUESTIONS, CANDIDATES), bool)
    right[np.arange(QUESTIONS), worth.argmax(axis=1)] = True
    return searched(
        has_evidence=np.ones(QUESTIONS, bool), sentence_start=np.arange(QUESTIONS + 1) * CANDIDATES,
        sentence_features=inputs, sentence_right=right.ravel(), sentence_words=np.arange(len(inputs)),
    )  # fmt: skip


def labelled(seed: int) -> SearchedSet:
    """Questions that can be answered with the probability that the shipped weights of answerability give."""
    random = np.random.default_rng(seed)
    coverage = random.random((60 * QUESTIONS, len(fields(Coverage))))
    names = [field.name for field in fields(Coverage)]
    for name in ("across", "lacks_name"):
        coverage[:, names.index(name)] = coverage[:, names.index(name)] > 0.5
    score = answerability.inputs(searched(coverage=coverage)) @ np.array([*asdict(ANSWERABILITY_WEIGHTS).values()])
    probability = 1 / (1 + np.exp(-(score + answerability.SHIPPED.intercept)))
    return searched(coverage=coverage, answerable=(random.random(len(coverage)) < probability).astype(int))


def ranked(weights: FusionWeights, seed: int) -> SearchedSet:
    """Questions whose only relevant document is the one that fusion with these weights puts first."""
    random = np.random.default_rng(seed)
    rows = QUESTIONS * CANDIDATES
    # The embedder reads half of the questions in part.
    made = searched(
        ideal=np.ones(QUESTIONS), dense_weight=random.choice([1.0, 0.5], QUESTIONS),
        passage_start=np.arange(QUESTIONS + 1) * CANDIDATES, passage_similarity=random.normal(0.5, 0.5, rows),
        passage_lexical=random.random(rows), passage_id=np.arange(rows), passage_document=np.arange(rows),
        passage_older=random.random(rows) < 0.5, passage_polar=random.random(rows) < 0.5,
        passage_by_words=np.ones(rows, bool), passage_gain=np.zeros(rows, int),
    )  # fmt: skip
    score = np.repeat(made.dense_weight, CANDIDATES) * made.passage_similarity
    score += weights.lexical * made.passage_lexical**weights.lexical_power
    score += weights.older_version * made.passage_older + weights.yes_or_no * made.passage_polar
    first = score.reshape(QUESTIONS, CANDIDATES).argmax(axis=1) + made.passage_start[:-1]
    gain = np.zeros(rows, int)
    gain[first] = 1
    return replace(made, passage_gain=gain)


def test_weights_of_evidence_are_found_again() -> None:
    """From sentences chosen by known weights; the one that is held stays where it is."""
    fitted = evidence.fit([sentences([*asdict(EVIDENCE_WEIGHTS).values()], seed) for seed in (1, 2, 3, 4)])
    assert fitted.context == EVIDENCE_WEIGHTS.context
    for name, value in asdict(EVIDENCE_WEIGHTS).items():
        assert asdict(fitted)[name] == pytest.approx(value, abs=0.5), name


def test_weights_of_answerability_are_found_again_and_never_count_words_against_an_answer() -> None:
    """From questions labelled by known weights; a weight of a cover or cosine that would be negative is 0."""
    fitted = answerability.fit_examples(
        [(answerability.inputs(made), made.answerable == 1) for made in (labelled(1), labelled(2))]
    )
    assert fitted.intercept == pytest.approx(answerability.SHIPPED.intercept, abs=0.7)
    for name, value in asdict(ANSWERABILITY_WEIGHTS).items():
        assert asdict(fitted.weights)[name] == pytest.approx(value, abs=0.9), name
    turned = labelled(1)
    fitted = answerability.fit([replace(turned, answerable=1 - turned.answerable)])
    assert {asdict(fitted.weights)[name] for name in answerability.NOT_NEGATIVE} == {0.0}
    assert fitted.weights.lacks_name > 0


def test_a_question_in_the_language_of_the_documents_is_fitted_twice() -> None:
    """As it is and as for an embedder that cannot read it, with its label both times; one across languages only once,
    and one without a label not at all."""
    names = [field.name for field in fields(Coverage)]
    coverage = np.full((4, len(names)), 0.5)
    coverage[:, names.index("across")] = (0, 1, 0, 0)
    features, labels = answerability.examples(searched(coverage=coverage, answerable=np.array([1, 1, 0, UNKNOWN])))
    assert labels.tolist() == [True, True, False, True, False]
    rows = [AnswerabilityFeatures(*row) for row in features.tolist()]
    assert [row.across for row in rows] == [0, 1, 0, 0, 0]
    assert [row.dense_weight for row in rows] == [0.5, 0, 0.5, 0, 0]
    assert [row.sentence_similarity for row in rows] == [0.25, 0, 0.25, 0, 0]
    assert [row.document_cover for row in rows] == [0.5, 0, 0.5, 0.5, 0.5]
    assert [row.document_cover_unread for row in rows] == [0.25, 0, 0.25, 0.5, 0.5]


def _another(grid: list[dict[str, float]]) -> dict[str, float]:
    """Values in the middle of a grid that differ from all of those that are shipped."""
    others = [values for values in grid if not values.items() & asdict(FUSION).items()]
    return others[len(others) // 2]


def test_the_shipped_weights_of_fusion_are_among_those_tried() -> None:
    """Otherwise a fit could not confirm them."""
    for grid in (fusion.LEXICAL, fusion.OLDER_VERSION, fusion.YES_OR_NO):
        assert any(values.items() <= asdict(FUSION).items() for values in grid)


def test_weights_of_fusion_are_found_again() -> None:
    """From rankings that known weights made; what makes no difference keeps its shipped value."""
    wanted = FusionWeights(**_another(fusion.LEXICAL), **_another(fusion.OLDER_VERSION), **_another(fusion.YES_OR_NO))
    assert fusion.fit([ranked(wanted, 1)]) == wanted
    assert fusion.measure(ranked(wanted, 2), wanted) == {"nDCG@10": 1.0}
    indifferent = ranked(FUSION, 3)
    nothing = np.zeros_like(indifferent.passage_older)
    fitted = fusion.fit([replace(indifferent, passage_older=nothing, passage_polar=nothing)])
    assert (fitted.older_version, fitted.yes_or_no) == (FUSION.older_version, FUSION.yes_or_no)


@pytest.mark.usefixtures("prepared")
def test_a_folder_is_fitted_from_the_real_library(
    folder: Path,  # noqa: F811
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Figures of the shipped numbers are those of `docent eval`; names are those of the dataclasses; nothing is
    searched a second time."""
    cache = tmp_path / "cache"
    fits = fit_folders([folder], settings, cache)
    (evaluation,) = evaluate([folder], settings)
    figures = {name: measured.value for name, measured in measure(evaluation.questions).items()}
    shipped = {metric: by_set["set"].shipped for one in fits for metric, by_set in one.figures.items()}
    assert shipped == {
        "evidence@1": figures["evidence@1"], "evidence@3": figures["evidence@3"],
        "AUROC": figures["refusal_auroc"], "nDCG@10": figures["ndcg@10"],
    }  # fmt: skip
    named = {
        "evidence": [field.name for field in fields(Features)],
        "answerability": [*(field.name for field in fields(AnswerabilityFeatures)), "intercept"],
        "fusion": [field.name for field in fields(FusionWeights)],
    }
    text, printed = as_text(fits), as_json(fits)
    assert {name: list(printed[name]["shipped"]) for name in printed} == named
    assert all(f"| {name} |" in text for names in named.values() for name in names)
    monkeypatch.setattr(fit, "search_set", None)
    assert fit_folders([folder], settings, cache) == fits


def test_a_set_is_used_where_its_kind_was_fitted() -> None:
    """A set that shares its questions with another is not used beside it; a set of another name is used everywhere."""
    sets = {name: searched() for name in ("xquad-en", "near-miss-en", "ours")}
    assert list(sets_of("evidence", sets)) == ["xquad-en", "ours"]
    assert list(sets_of("answerability", sets)) == ["near-miss-en", "ours"]
    assert list(FITTED_ON) == [group.name for group in GROUPS]


def evaluation_set(name: str, queries: dict[str, tuple[str, bool]], documents: Sequence[str] = "ab") -> EvaluationSet:
    """A set with these questions, id → (text, whether it can be answered), and with documents of these ids."""
    corpus = [CorpusDocument(one, ReadDocument("", (Page("", f"{name} {one}"),)), one) for one in documents]
    asked = [
        EvaluationQuery(number, text, {"a": 1}, (f"{name} {number}",), known)
        for number, (text, known) in queries.items()
    ]
    return EvaluationSet(name, tuple(corpus), tuple(asked), ())


def test_questions_in_one_language_are_asked_of_the_documents_in_the_other() -> None:
    """Two sets with the same ids cross both ways; question and label are those of one, answers of the other."""
    english = evaluation_set("en", {"1": ("How long?", True), "2": ("Where?", False)})
    chinese = evaluation_set("zh", {"1": ("多久？", True), "2": ("哪里？", False)})
    first, second = fit._crossed([english, chinese])
    assert (first.name, second.name) == ("en of zh", "zh of en")
    assert (first.corpus, second.corpus) == (chinese.corpus, english.corpus)
    assert [query.text for query in first.queries] == ["How long?", "Where?"]
    assert [query.answerable for query in first.queries] == [True, False]
    assert [query.answers for query in first.queries] == [("zh 1",), ("zh 2",)]
    assert [query.text for query in second.queries] == ["多久？", "哪里？"]


@pytest.mark.parametrize(
    "other",
    [
        evaluation_set("other questions", {"1": ("多久？", True), "3": ("哪里？", False)}),
        evaluation_set("other documents", {"1": ("多久？", True), "2": ("哪里？", False)}, "abc"),
    ],
)
def test_other_sets_are_not_crossed(other: EvaluationSet) -> None:
    """Not those with other questions or documents, and none where every question has an answer."""
    english = evaluation_set("en", {"1": ("How long?", True), "2": ("Where?", False)})
    assert fit._crossed([english, other]) == []
    answerable = [evaluation_set(name, {"1": ("How long?", True)}) for name in ("en", "zh")]
    assert fit._crossed(answerable) == []


def test_without_the_set_another_fit_is_measured() -> None:
    """What a set reaches when nothing of it was fitted on stands beside what it reaches otherwise."""
    first, second = labelled(1), labelled(2)
    outcome = answerability.GROUP.run({"first": first, "second": second, "unlabelled": searched()})
    assert outcome is not None and list(outcome.figures["AUROC"]) == ["first", "second"]
    alone = answerability.measure(first, answerability.fit([second]))["AUROC"]
    assert outcome.figures["AUROC"]["first"].left_out == round(alone, 4)
    lonely = answerability.GROUP.run({"first": first})
    assert lonely is not None and lonely.figures["AUROC"]["first"].left_out is None


@pytest.mark.parametrize(
    ("queries", "message"),
    [(None, "is not in BEIR layout"), ("{", "line 1, is not JSON"), ('{"_id": "1", "text": "?"}', "nothing to fit on")],
)
@pytest.mark.usefixtures("prepared")
def test_a_wrong_set_is_one_line(
    folder: Path,  # noqa: F811
    queries: str | None,
    message: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A folder that is missing, broken or without labels: one line on standard error and exit code 2."""
    monkeypatch.setenv("DOCENT_HOME", str(home))
    (folder / "qrels.tsv").unlink()
    if queries is None:
        (folder / "queries.jsonl").unlink()
    else:
        (folder / "queries.jsonl").write_text(queries, "utf-8")
    assert main([str(folder), "--json"]) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert (output.out, output.err.count("\n")) == ("", 1)


@pytest.mark.usefixtures("prepared")
def test_the_command_prints_json(
    folder: Path,  # noqa: F811
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each group by name, with shipped and refitted numbers and the figures of each set."""
    monkeypatch.setenv("DOCENT_HOME", str(home))
    assert main([str(folder), "--cache", str(tmp_path / "cache"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == ["evidence", "answerability", "fusion"]
    assert printed["evidence"]["shipped"] == asdict(EVIDENCE_WEIGHTS)
    assert printed["fusion"]["figures"]["nDCG@10"]["set"].keys() == {"shipped", "refitted", "left_out"}
