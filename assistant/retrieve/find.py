"""Retrieve: the passages that a search finds for a question, their best sentences, and how well they cover it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.events import EvidenceSentence, Source
from assistant.retrieve.coverage import Coverage
from assistant.retrieve.evidence import pick_evidence
from ingest.base.types import Hit
from ingest.library import Library
from ingest.search.hybrid import ScoredHit
from ingest.search.versions import names_version

# Hits asked for beyond those wanted, because older versions of a document may be dropped.
SPARE = 3


@dataclass(frozen=True)
class Retrieved:
    """The passages as sources, best first; the best sentences of all of them; how well they cover the question."""

    passages: tuple[Source, ...]
    sentences: tuple[EvidenceSentence, ...]
    coverage: Coverage


def retrieve(library: Library, question: str, count: int) -> Retrieved:
    """At most `count` passages for a question, each as a source of its own, without neighbours yet.

    Raises DocentError while there is no library.
    """
    return retrieve_from(library, question, library.search_scored(question, count + SPARE), count)


def retrieve_from(library: Library, question: str, hits: Sequence[ScoredHit], count: int) -> Retrieved:
    """Like `retrieve`, from these hits, best first; at most `count` + SPARE of them are looked at."""
    hits = hits[: count + SPARE]
    kept, replaced = _without_superseded(question, [scored.hit for scored in hits])
    passages = tuple(_source(number, hit, replaced) for number, hit in enumerate(kept[:count], 1))
    best_cosine = max((scored.parts.cosines.passage for scored in hits), default=0.0)
    cosines = {scored.hit.passage_id: scored.sentence_cosines for scored in hits}
    return Retrieved(
        passages, *pick_evidence(question, passages, library.index, library.embedder, cosines, best_cosine)
    )


def _source(number: int, hit: Hit, replaced: Mapping[str, Sequence[str]]) -> Source:
    return Source(
        n=number, passage_id=hit.passage_id, document_id=hit.document_id, path=hit.path, title=hit.title,
        heading=hit.heading, page=hit.page, text=hit.text, score=hit.score, newer=hit.newer,
        replaces=tuple(replaced.get(hit.path, ())),
    )  # fmt: skip


def _without_superseded(question: str, hits: Sequence[Hit]) -> tuple[list[Hit], dict[str, list[str]]]:
    """The hits to keep, and for each newer version the paths of the older versions that were dropped.

    A passage of an older version is kept only when no hit is of the newer one, when the question names the version,
    or when it is of the same document as the best hit.
    """
    paths = {hit.path for hit in hits}
    best = hits[0].document_id if hits else None
    kept: list[Hit] = []
    replaced: dict[str, list[str]] = {}
    for hit in hits:
        if hit.document_id == best or hit.newer not in paths or names_version(question, hit.path):
            kept.append(hit)
        elif hit.path not in replaced.setdefault(hit.newer, []):
            replaced[hit.newer].append(hit.path)
    return kept, replaced
