"""What the library has on a question: sources, the sentences that answer, and how sure that is. Knows no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.events import Evidence, EvidenceSentence, Source
from assistant.refuse.answerability import Thresholds, confidence, decide
from assistant.retrieve.context_expansion import expand_context, relocated
from assistant.retrieve.coverage import Coverage
from assistant.retrieve.evidence import pick_evidence
from assistant.understand.follow_up import stand_alone
from ingest.base.types import Hit
from ingest.library import Library
from ingest.passages.embedders.embedder import dense_weight
from ingest.search.hybrid import ScoredHit
from ingest.search.versions import names_version

# Asked for beyond those wanted, because older versions of a document may go.
_SPARE = 3


@dataclass(frozen=True)
class Picked:
    """The passages found, a source each, their best sentences, and how strong they are."""

    passages: tuple[Source, ...]
    sentences: tuple[EvidenceSentence, ...]
    strength: Coverage


def find(library: Library, question: str, earlier: Sequence[str], count: int, thresholds: Thresholds) -> Evidence:
    """What at most `count` passages of the library say, with the sections around them.

    `earlier` are the questions of the conversation before this one, oldest first: what it lacks is taken from them.
    Raises DocentError while there is no library.
    """
    searched = stand_alone(question, earlier)
    picked = pick(library, searched, count)
    sure = confidence(picked.strength)
    decision = decide(sure, thresholds)
    sources = expand_context(picked.passages, library.catalog)
    return Evidence(
        sources=sources,
        sentences=relocated(picked.sentences, picked.passages, sources),
        confidence=round(sure, 4),
        abstained=decision == "refused",
        searched=searched if searched != question.strip() else "",
        caution=decision == "caution",
    )


def pick(library: Library, question: str, count: int) -> Picked:
    """What `find` weighs a question by, while every passage is still a source of its own."""
    return pick_among(library, question, library.search_scored(question, count + _SPARE), count)


def pick_among(library: Library, question: str, found: Sequence[ScoredHit], count: int) -> Picked:
    """Like `pick`, from these hits, best first; no more of them are looked at than `pick` asks for."""
    hits = found[: count + _SPARE]
    kept, replaced = _without_superseded(question, [scored.hit for scored in hits])
    passages = tuple(_source(number, hit, replaced) for number, hit in enumerate(kept[:count], 1))
    best_cosine = max((scored.parts.cosines.whole for scored in hits), default=0.0)
    cosines = {scored.hit.passage_id: scored.statements for scored in hits}
    trust = dense_weight(library.embedder.unknown_share(question))
    return Picked(passages, *pick_evidence(question, passages, library.index, cosines, best_cosine, trust))


def _source(number: int, hit: Hit, replaced: Mapping[str, Sequence[str]]) -> Source:
    return Source(
        n=number, passage_id=hit.passage_id, document_id=hit.document_id, path=hit.path, title=hit.title,
        heading=hit.heading, page=hit.page, text=hit.text, score=hit.score, newer=hit.newer,
        replaces=tuple(replaced.get(hit.path, ())),
    )  # fmt: skip


def _without_superseded(question: str, hits: Sequence[Hit]) -> tuple[list[Hit], dict[str, list[str]]]:
    """A passage of an older version stays only when nothing of the newer one was found, or it was asked for.

    The second value is what went: newer version → older versions, by name.
    """
    found = {hit.path for hit in hits}
    best = hits[0].document_id if hits else None
    kept: list[Hit] = []
    replaced: dict[str, list[str]] = {}
    for hit in hits:
        if hit.document_id == best or hit.newer not in found or names_version(question, hit.path):
            kept.append(hit)
        elif hit.path not in replaced.setdefault(hit.newer, []):
            replaced[hit.newer].append(hit.path)
    return kept, replaced
