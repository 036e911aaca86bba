"""`docent eval`: BEIR folders through the real library, question by question. Knows nothing of how the library works.

One corpus line is one document. What a question scores is as much as its set's files allow.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from assistant.assistant import Assistant
from assistant.measure.evaluate_follow_ups import FollowUp, evaluate_followups, read_followups
from assistant.measure.metrics import DEPTH, PASSAGES, contains, ndcg, recall, reciprocal_rank
from assistant.refuse.thresholds import fit_thresholds_when_due
from ingest.base.errors import SettingsError
from ingest.base.settings import Settings
from ingest.base.types import Page, ReadDocument
from ingest.library import best_hit_per_document
from ingest.passages.embedders.embedder import prepare_embedder
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.sync import ingest_documents


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


@dataclass(frozen=True)
class Evaluation:
    """A set put through a library of its own. `questions` has what each scored: see `assistant.measure.metrics.Scores`.

    `followups` are the figures of its follow-up questions by name, none when it has no such questions.
    """

    set: str
    documents: int
    passages: int
    ingest_seconds: float
    questions: list[dict[str, Any]]
    followups: dict[str, Any] = field(default_factory=dict)


def evaluate(
    folders: Sequence[Path], settings: Settings, limit: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Evaluation]:  # fmt: skip
    """Each folder's evaluation once it is done, with at most `limit` questions of each.

    All folders are read before the first is searched: SettingsError is raised when one is not in BEIR layout. Each
    gets a library of its own under a temporary folder; they share the embedder, and the site's library is not touched.
    `progress` gets a set's name, the questions asked and their total.
    """
    sets = [
        (name, _read_corpus(folder), _read_queries(folder)[:limit], read_followups(folder)[:limit])
        for name, folder in _named(folders)
    ]
    with tempfile.TemporaryDirectory(prefix="docent-eval-") as temporary:
        embedders = Path(temporary) / EMBEDDERS_FOLDER
        prepare_embedder(settings, embedders)
        for number, (name, corpus, queries, followups) in enumerate(sets):
            home = Path(temporary) / f"{number}"
            home.mkdir()
            (home / EMBEDDERS_FOLDER).symlink_to(embedders)
            own = settings.model_copy(update={"home": home, "engine": "extractive"})

            def told(done: int, name: str = name, total: int = len(queries)) -> None:
                if progress is not None:
                    progress(name, done, total)

            yield _evaluate(name, corpus, queries, followups, own, told)


def _named(folders: Sequence[Path]) -> list[tuple[str, Path]]:
    """Each folder with what its set is called: the folder's name, or all of its path where two have the same name."""
    names = Counter(folder.resolve().name for folder in folders)
    return [
        (folder.resolve().name if names[folder.resolve().name] == 1 else folder.as_posix(), folder)
        for folder in folders
    ]


def _evaluate(
    name: str, corpus: list[tuple[str, ReadDocument, str]], queries: list[EvaluationQuery],
    followups: list[FollowUp], own: Settings, told: Callable[[int], None],
) -> Evaluation:  # fmt: skip
    told(0)
    started = time.monotonic()
    ingest_documents([(_name(document_id), document, digest) for document_id, document, digest in corpus], own)
    ingest_seconds = time.monotonic() - started
    fit_thresholds_when_due(own)
    ids = {_name(document_id): document_id for document_id, _, _ in corpus}
    assistant = Assistant(own)
    try:
        questions = []
        for done, query in enumerate(queries, 1):
            questions.append(scores(_ask(assistant, query, ids)))
            told(done)
        followed = evaluate_followups(assistant.library, followups)
    finally:
        assistant.close()
    catalog = Catalog(own.home / CATALOG_FILE)
    try:
        passages = catalog.counts()[1]
    finally:
        catalog.close()
    return Evaluation(name, len(corpus), passages, round(ingest_seconds, 2), questions, followed)


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
        ranked=tuple(ids[hit.path] for hit in best_hit_per_document(hits)[:DEPTH]),
        evidence=tuple(f"{sentence.text}\n{sentence.shown}" for sentence in found.sentences),
        confidence=found.confidence,
        abstained=found.abstained,
        search_seconds=search_seconds,
    )


def scores(one: Asked) -> dict[str, Any]:
    """What a question scored, as far as its set has judgements, answers and says whether it can be answered."""
    query = one.query
    found: dict[str, Any] = {"_id": query.id}
    if query.relevant:
        found["ndcg@10"] = round(ndcg(one.ranked, query.relevant), 6)
        found["hit@5"] = int(any(name in query.relevant for name in one.ranked[:5]))
        found["mrr@10"] = round(reciprocal_rank(one.ranked, query.relevant), 6)
        found["recall@10"] = round(recall(one.ranked, query.relevant), 6)
    if query.answers and query.answerable is not False:
        found["evidence@1"] = int(contains(one.evidence[:1], query.answers))
        found["evidence@3"] = int(contains(one.evidence[:3], query.answers))
    found |= {"ms": round(one.search_seconds * 1000, 3), "confidence": one.confidence, "refused": one.abstained}
    return found if query.answerable is None else {**found, "answerable": query.answerable}


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
