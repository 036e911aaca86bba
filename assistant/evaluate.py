"""`docent eval`: a BEIR folder through the real library, scored. Knows nothing of how the library works inside.

One corpus line is one document. Every metric the files allow is computed; those they do not allow are left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from assistant.assistant import Assistant
from ingest.catalog import Catalog
from ingest.errors import SettingsError
from ingest.library import CATALOG_FILE, documents_of
from ingest.settings import Settings
from ingest.sync import ingest_documents
from ingest.types import Page, ReadDocument

DEPTH = 10
# Passages asked for so that at least ten documents are among them: a document is cut into several.
PASSAGES = 60


@dataclass(frozen=True)
class EvaluationQuery:
    """A question of the set; `answers` is None where the set does not give any, `answerable` likewise."""

    id: str
    text: str
    relevant: dict[str, int]
    answers: tuple[str, ...] | None
    answerable: bool | None


@dataclass(frozen=True)
class Asked:
    """What came of one question."""

    query: EvaluationQuery
    ranked: tuple[str, ...]
    evidence: tuple[str, ...]
    confidence: float
    abstained: bool
    search_seconds: float


def evaluate(
    folder: Path, settings: Settings, limit: int | None = None, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Metrics by name, for at most `limit` questions. Raises SettingsError when the folder is not in BEIR layout.

    The set gets a library of its own under a temporary folder; the site's library is not touched.
    """
    corpus = _read_corpus(folder)
    ids = {_name(document_id): document_id for document_id, _, _ in corpus}
    queries = _read_queries(folder)[:limit]
    with tempfile.TemporaryDirectory(prefix="docent-eval-") as home:
        own = settings.model_copy(update={"home": Path(home), "engine": "extractive"})
        started = time.monotonic()
        ingest_documents([(_name(document_id), document, digest) for document_id, document, digest in corpus], own)
        ingest_seconds = time.monotonic() - started
        assistant = Assistant(own)
        try:
            asked = []
            for number, query in enumerate(queries, 1):
                asked.append(_ask(assistant, query, ids))
                if progress is not None:
                    progress(number, len(queries))
        finally:
            assistant.close()
        passages = Catalog(Path(home) / CATALOG_FILE).counts()[1]
    result = {"set": folder.name, "documents": len(corpus), "passages": passages, "queries": len(queries)}
    return {**result, "ingest_seconds": round(ingest_seconds, 2), **metrics(asked)}


def _name(document_id: str) -> str:
    """The id as the library shows it: a name is a path below the root, and an id such as a URL is none as it stands."""
    return PurePosixPath(document_id.lstrip("/")).as_posix()


def _ask(assistant: Assistant, query: EvaluationQuery, ids: dict[str, str]) -> Asked:
    started = time.monotonic()
    hits = assistant.library.search(query.text, PASSAGES)
    search_seconds = time.monotonic() - started
    found = assistant.find(query.text)
    return Asked(
        query=query,
        ranked=tuple(ids[hit.path] for hit in documents_of(hits)[:DEPTH]),
        evidence=tuple(f"{sentence.text}\n{sentence.shown}" for sentence in found.sentences),
        confidence=found.confidence,
        abstained=found.abstained,
        search_seconds=search_seconds,
    )


def metrics(asked: Sequence[Asked]) -> dict[str, float]:
    """Every metric the questions allow, rounded to four places; times in milliseconds."""
    found: dict[str, float] = {}
    judged = [one for one in asked if one.query.relevant]
    if judged:
        found["ndcg@10"] = _mean(_ndcg(one.ranked, one.query.relevant) for one in judged)
        found["hit@5"] = _mean(any(name in one.query.relevant for name in one.ranked[:5]) for one in judged)
        found["mrr@10"] = _mean(_reciprocal_rank(one.ranked, one.query.relevant) for one in judged)
        found["recall@10"] = _mean(
            len(set(one.ranked) & set(one.query.relevant)) / len(one.query.relevant) for one in judged
        )
    if asked:
        times = [one.search_seconds * 1000 for one in asked]
        found["p50_ms"], found["p95_ms"] = float(np.percentile(times, 50)), float(np.percentile(times, 95))
    answered = [one for one in asked if one.query.answers and one.query.answerable is not False]
    if answered:
        found["evidence@1"] = _mean(_contains(one, 1) for one in answered)
        found["evidence@3"] = _mean(_contains(one, 3) for one in answered)
    labelled = [one for one in asked if one.query.answerable is not None]
    if len({one.query.answerable for one in labelled}) == 2:
        found.update(_refusal(labelled))
    return {name: round(value, 4) for name, value in found.items()}


def _refusal(labelled: Sequence[Asked]) -> dict[str, float]:
    """Refusing is right when the question cannot be answered."""
    from sklearn.metrics import precision_score, recall_score, roc_auc_score

    unanswerable = [not one.query.answerable for one in labelled]
    refused = [one.abstained for one in labelled]
    return {
        "refusal_auroc": float(roc_auc_score(unanswerable, [-one.confidence for one in labelled])),
        "refusal_precision": float(precision_score(unanswerable, refused, zero_division=0.0)),
        "refusal_recall": float(recall_score(unanswerable, refused)),
    }


def _ndcg(ranked: Sequence[str], relevant: dict[str, int]) -> float:
    """Normalised discounted cumulative gain at 10 (Järvelin and Kekäläinen, ACM TOIS 2002), gains as given."""
    gain = sum(relevant.get(name, 0) / math.log2(rank + 1) for rank, name in enumerate(ranked[:DEPTH], 1))
    ideal = sorted(relevant.values(), reverse=True)[:DEPTH]
    return gain / sum(value / math.log2(rank + 1) for rank, value in enumerate(ideal, 1))


def _reciprocal_rank(ranked: Sequence[str], relevant: dict[str, int]) -> float:
    return next((1 / rank for rank, name in enumerate(ranked[:DEPTH], 1) if name in relevant), 0.0)


def _contains(one: Asked, count: int) -> bool:
    """Whether one of the first `count` sentences shown contains a gold answer, spaces and case aside."""
    shown = [_squeezed(text) for text in one.evidence[:count]]
    return any(_squeezed(answer) in text for answer in one.query.answers or () for text in shown)


def _squeezed(text: str) -> str:
    return "".join(text.lower().split())


def _mean(values: Any) -> float:
    return float(np.mean([float(value) for value in values]))


def _read_corpus(folder: Path) -> list[tuple[str, ReadDocument, str]]:
    """(id, document, hash) of every line."""
    documents = []
    for line in _lines(folder / "corpus.jsonl"):
        document = ReadDocument(str(line.get("title") or ""), (Page("", str(line["text"])),))
        digest = hashlib.sha256(document.text.encode()).hexdigest()
        documents.append((str(line["_id"]), document, digest))
    return documents


def _read_queries(folder: Path) -> list[EvaluationQuery]:
    relevant = _read_judgements(folder / "qrels.tsv")
    queries = []
    for line in _lines(folder / "queries.jsonl"):
        answers, answerable = line.get("answers"), line.get("answerable")
        if not isinstance(answers, list | None) or not isinstance(answerable, bool | None):
            raise SettingsError(
                f"{folder / 'queries.jsonl'}: the `answers` of {line['_id']} must be a list and its `answerable` "
                "true or false: correct it."
            )
        queries.append(
            EvaluationQuery(
                id=str(line["_id"]), text=str(line["text"]), relevant=relevant.get(str(line["_id"]), {}),
                answers=None if answers is None else tuple(map(str, answers)), answerable=answerable,
            )
        )  # fmt: skip
    return queries


def _read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Query id → document id → gain above 0; none without the file. A first row of column names is passed over."""
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for number, row in enumerate(_text(path).split("\n") if path.is_file() else (), 1):
        if not row.strip():
            continue
        try:
            query, document, score = row.split("\t")
            gain = int(score)
        except ValueError as error:
            if number == 1:
                continue
            raise SettingsError(
                f"{path}, line {number}, is not query, document and whole number with tabs between: correct it."
            ) from error
        if gain > 0:
            relevant[query][document] = gain
    return relevant


def _lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, each with `_id` and `text`."""
    lines = []
    # Not `splitlines`: inside a JSON string a line separator (U+2028) is a character like any other.
    for number, text in enumerate(_text(path).split("\n"), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"{path}, line {number}, is not JSON ({error}): correct it.") from error
        if not isinstance(line, dict) or not {"_id", "text"} <= line.keys():
            raise SettingsError(f"{path}, line {number}, is not an object with `_id` and `text`: correct it.")
        lines.append(line)
    return lines


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"{path.parent} is not in BEIR layout: it has no {path.name}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: convert it.") from error
