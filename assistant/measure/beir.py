"""Reads evaluation sets in BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv`, `followups.jsonl`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from assistant.measure.evaluate_follow_ups import FollowUp, read_followups
from ingest.base.errors import SettingsError
from ingest.base.settings import Settings
from ingest.base.types import Page, ReadDocument
from ingest.runs.batch import ingest_documents


@dataclass(frozen=True)
class EvaluationQuery:
    """A question of a set.

    `relevant` maps document ids to gains above 0. `answers` and `answerable` are None where the set has none.
    """

    id: str
    text: str
    relevant: dict[str, int]
    answers: tuple[str, ...] | None
    answerable: bool | None

    @property
    def has_evidence(self) -> bool:
        """Whether some sentence of the corpus is known to answer it."""
        return bool(self.answers) and self.answerable is not False


@dataclass(frozen=True)
class CorpusDocument:
    """A line of `corpus.jsonl`, with the hash of its text."""

    id: str
    document: ReadDocument
    sha256: str

    @property
    def path(self) -> str:
        """The document's path in the library: its id without leading slashes, as a normal path (it may be a URL)."""
        return PurePosixPath(self.id.lstrip("/")).as_posix()


@dataclass(frozen=True)
class EvaluationSet:
    """The content of a set's folder. `name` is the folder's name, or its whole path where two folders have the same."""

    name: str
    corpus: tuple[CorpusDocument, ...]
    queries: tuple[EvaluationQuery, ...]
    followups: tuple[FollowUp, ...]

    @property
    def ids(self) -> dict[str, str]:
        """Path in the library → document id."""
        return {document.path: document.id for document in self.corpus}

    def ingest(self, settings: Settings) -> None:
        """Ingest the corpus into the library of `settings`."""
        ingest_documents([(entry.path, entry.document, entry.sha256) for entry in self.corpus], settings)


def read_sets(folders: Sequence[Path], limit: int | None = None) -> list[EvaluationSet]:
    """The sets of these folders, with at most `limit` questions each.

    Raises SettingsError, with file and line, for a folder that is not in BEIR layout.
    """
    names = Counter(folder.resolve().name for folder in folders)
    return [
        EvaluationSet(
            name=folder.resolve().name if names[folder.resolve().name] == 1 else folder.as_posix(),
            corpus=tuple(_read_corpus(folder)),
            queries=tuple(_read_queries(folder)[:limit]),
            followups=tuple(read_followups(folder)[:limit]),
        )
        for folder in folders
    ]


def _read_corpus(folder: Path) -> list[CorpusDocument]:
    documents = []
    for line in _lines(folder / "corpus.jsonl"):
        document = ReadDocument(str(line.get("title") or ""), (Page("", str(line["text"])),))
        digest = hashlib.sha256(document.text.encode()).hexdigest()
        documents.append(CorpusDocument(str(line["_id"]), document, digest))
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
    """Query id → document id → gain above 0; {} without the file. A first row of column names is skipped."""
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
