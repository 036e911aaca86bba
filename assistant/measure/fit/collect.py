"""Searches every question of an evaluation set once, and stores as arrays what fitting needs of the results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assistant.measure.beir import EvaluationQuery, EvaluationSet
from assistant.measure.metrics import contains, ideal_gain
from assistant.retrieve.evidence import Features, describe, find_candidates
from assistant.retrieve.find import SPARE, retrieve_from
from ingest.base.files import whole_file
from ingest.base.language import terms
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.search.hybrid import CANDIDATES, Preference, propose
from ingest.search.versions import superseded
from ingest.store.records import name_of

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
UNKNOWN = -1
# The code that decides what the arrays contain: after a change to it, cached arrays are not used.
_PROJECT = Path(__file__).parents[3]
_CODE = ("ingest/base/language.py", "ingest/passages", "ingest/search", "assistant/retrieve")


@dataclass(frozen=True, eq=False)
class SearchedSet:
    """The questions of a set, and the candidate sentences and passages of each.

    Arrays that begin with `sentence` have a row for each candidate sentence of the retrieved passages, those that
    begin with `passage` one for each passage that either leg of the search proposed; the rows of question i are those
    from `…_start[i]` to `…_start[i + 1]`.
    """

    answerable: Integers  # 1, 0, or UNKNOWN
    has_evidence: Flags  # whether its answer is known
    coverage: Numbers  # (questions, fields of Coverage)
    dense_weight: Numbers  # how far the embedder can read it
    ideal: Numbers  # discounted gain of the best possible ranking; 0 without judgements
    sentence_start: Integers
    sentence_features: Numbers  # (sentences, fields of evidence.Features)
    sentence_right: Flags  # whether it contains an answer
    sentence_words: Integers  # equal for sentences of a question that have the same words
    passage_start: Integers
    passage_similarity: Numbers  # its mean cosine on the embedder's scale
    passage_lexical: Numbers  # share of the best possible BM25
    passage_id: Integers
    passage_document: Integers  # equal for passages of one document
    passage_gain: Numbers  # of its document, by the set's judgements
    passage_older: Flags  # whether the step of older versions applies
    passage_polar: Flags  # whether the step of yes or no applies
    passage_by_words: Flags  # whether the lexical leg proposed it


def search_set(evaluation_set: EvaluationSet, settings: Settings, progress: Callable[[int], None]) -> SearchedSet:
    """Ingest the set's corpus into the empty library of `settings` and search all of its questions.

    Returns the arrays. `progress` gets how many questions were searched.
    """
    evaluation_set.ingest(settings)
    ids = evaluation_set.ids
    library = Library(settings.home)
    try:
        older = superseded((document.id, document.name) for document in library.catalog.documents())
        questions = []
        for done, query in enumerate(evaluation_set.queries, 1):
            questions.append(
                _sentences(library, query, settings.passages) | _passages(library, query, ids, older)
                | {
                    "answerable": UNKNOWN if query.answerable is None else int(query.answerable),
                    "has_evidence": query.has_evidence,
                    "dense_weight": library.embedder.weight(query.text),
                    "ideal": ideal_gain(query.relevant),
                }
            )  # fmt: skip
            progress(done)
    finally:
        library.close()
    return _arrays(questions)


def save(searched: SearchedSet, file: Path) -> None:
    """Write the arrays to a file, completely or not at all. Raises OSError when it cannot be written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as unfinished, unfinished.open("wb") as stream:
        np.savez(stream, **{field.name: getattr(searched, field.name) for field in fields(SearchedSet)})


def load(file: Path) -> SearchedSet:
    """The arrays that `save` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        return SearchedSet(**arrays)


def cache_name(evaluation_set: EvaluationSet, settings: Settings) -> str:
    """A file name that depends on the set, the settings of search and the code of search, like the arrays."""
    digest = hashlib.sha256(repr((evaluation_set.corpus, evaluation_set.queries)).encode())
    used = settings.embedder, settings.embedder_query_prefix, settings.embedder_passage_prefix, settings.passages
    digest.update(repr(used).encode())
    for name in _CODE:
        path = _PROJECT / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return f"{digest.hexdigest()[:32]}.npz"


def _sentences(library: Library, query: EvaluationQuery, count: int) -> dict[str, Any]:
    """The candidate sentences of a question, described as `pick_evidence` does, and its coverage."""
    hits = library.search_scored(query.text, count + SPARE)
    retrieved = retrieve_from(library, query.text, hits, count)
    cosines = {scored.hit.passage_id: scored.sentence_cosines for scored in hits}
    candidates = [
        candidate
        for source in retrieved.passages
        for candidate in find_candidates(source, cosines.get(source.passage_id, ()), library.embedder.profile.cosines)
    ]
    weights = library.index.inverse_frequencies(terms(query.text))
    described = describe(query.text, candidates, weights, library.embedder, retrieved.coverage.dense_weight)
    words: dict[str, int] = {}
    return {
        "coverage": astuple(retrieved.coverage),
        "sentence_features": np.array([astuple(features) for features in described]).reshape(-1, len(fields(Features))),
        "sentence_right": [
            query.has_evidence and contains([f"{candidate.text}\n{candidate.shown}"], query.answers or ())
            for candidate in candidates
        ],
        "sentence_words": [words.setdefault(" ".join(terms(candidate.text)), len(words)) for candidate in candidates],
    }


def _passages(library: Library, query: EvaluationQuery, ids: dict[str, str], older: dict[int, str]) -> dict[str, Any]:
    """Every passage that either leg of the search proposes for a question, with the parts of its score."""
    catalog, index = library.catalog, library.index
    # The dense leg takes part in every search, also for questions that the embedder cannot read.
    proposed = propose(query.text, library.embedder, index, catalog, CANDIDATES, dense_weight=1.0)
    by_words = index.lexical(terms(query.text), CANDIDATES)
    rows = catalog.passages([passage_id for passage_id, _ in proposed.ranked])
    preference = Preference(query.text)
    columns: dict[str, list[Any]] = {
        field.name: [] for field in fields(SearchedSet) if field.name.startswith("passage_")
    }
    del columns["passage_start"]
    for passage_id, parts in proposed.ranked:
        row = rows[passage_id]
        path = name_of(row["path"], row["root"])
        steps = preference.steps(row, path, older.get(row["document_id"], ""))
        columns["passage_similarity"].append(parts.similarity)
        columns["passage_lexical"].append(parts.lexical)
        columns["passage_id"].append(passage_id)
        columns["passage_document"].append(row["document_id"])
        columns["passage_gain"].append(query.relevant.get(ids[path], 0))
        columns["passage_older"].append("older_version" in steps)
        columns["passage_polar"].append("yes_or_no" in steps)
        columns["passage_by_words"].append(passage_id in by_words)
    return columns


def _arrays(questions: list[dict[str, Any]]) -> SearchedSet:
    arrays: dict[str, Any] = {}
    for field in fields(SearchedSet):
        kind: Any = {"Numbers": np.float64, "Flags": np.bool_, "Integers": np.int64}[str(field.type)]
        group, _, part = field.name.partition("_")
        if part == "start":
            lengths = [len(question[f"{group}_{_FIRST[group]}"]) for question in questions]
            arrays[field.name] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        elif group in _FIRST:
            arrays[field.name] = np.concatenate([np.asarray(question[field.name], kind) for question in questions])
        else:
            arrays[field.name] = np.array([question[field.name] for question in questions], kind)
    return SearchedSet(**arrays)


# The column of each group whose length is the number of rows of a question.
_FIRST = {"sentence": "right", "passage": "id"}
