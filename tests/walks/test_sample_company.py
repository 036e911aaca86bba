"""The sample company and its gold questions: complete, consistent, and what the readers make of them today."""

from __future__ import annotations

import json
from collections import Counter

from ingest.base.language import is_chinese
from tests.fakes.sample_corpus import CORPUS, DOCUMENTS, corpus_lines

EVAL = CORPUS.parent
QUERIES = [json.loads(line) for line in (EVAL / "queries.jsonl").read_text("utf-8").splitlines()]
JUDGEMENTS = [line.split("\t") for line in (EVAL / "qrels.tsv").read_text("utf-8").splitlines()[1:]]


def relevant(query_id: str) -> list[str]:
    return [document for query, document, _ in JUDGEMENTS if query == query_id]


def test_the_corpus_is_what_the_readers_give() -> None:
    """`docent eval data/eval` measures the documents as read now; `python -m tests.fakes.sample_corpus` renews them."""
    assert CORPUS.read_text("utf-8").splitlines() == corpus_lines()


def test_every_answer_stands_in_a_relevant_document() -> None:
    """A gold answer that no document contains would make every system look wrong."""
    texts = {
        entry["_id"]: " ".join(entry["text"].split())
        for entry in map(json.loads, CORPUS.read_text("utf-8").splitlines())
    }
    for query in QUERIES:
        found = [" ".join(answer.split()) for answer in query["answers"]]
        for document in relevant(query["_id"]):
            assert any(answer in texts[document] for answer in found), (query["_id"], document)


def test_questions_and_judgements_fit_together() -> None:
    """Answerable questions have answers and relevant documents that exist; the others have neither."""
    files = {path.relative_to(DOCUMENTS).as_posix() for path in DOCUMENTS.rglob("*") if path.is_file()}
    assert {document for _, document, _ in JUDGEMENTS} <= files
    for query in QUERIES:
        assert bool(query["answers"]) == query["answerable"] == bool(relevant(query["_id"])), query["_id"]


def test_the_set_is_as_broad_as_it_should_be() -> None:
    """At least 80 questions, both languages well represented, a fifth that cannot be answered."""
    languages = Counter(is_chinese(query["text"]) for query in QUERIES)
    assert len(QUERIES) >= 80
    assert min(languages.values()) >= 0.4 * len(QUERIES)
    assert sum(not query["answerable"] for query in QUERIES) >= 0.2 * len(QUERIES)
    assert len({path.suffix for path in DOCUMENTS.rglob("*.*")}) >= 8


def test_the_older_policy_is_never_the_right_answer() -> None:
    """Where two versions of a policy disagree, only the newer is relevant."""
    assert not [document for _, document, _ in JUDGEMENTS if "2024" in document]
