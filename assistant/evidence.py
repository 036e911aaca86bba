"""The sentences that answer a question, picked from the passages found. Knows nothing of models or prompts.

A sentence is worth what it shares with the question's rare words (its heading's words counting half), how near
its meaning is, and how good its passage was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.events import EvidenceSentence, Source
from ingest.embed import Embedder
from ingest.fuse import dense_trust
from ingest.index import SearchIndex
from ingest.language import sentence_spans, terms
from ingest.split import context_line

# Weights of a sentence's cosine and of its passage's fused score against a full lexical match of 1.
COSINE_WEIGHT = 0.5
PASSAGE_WEIGHT = 0.5
# A word that stands in the heading tells what the sentence is about, but every sentence below has it.
HEADING_SHARE = 0.5
# Only the best by words and passage are embedded: 24 sentences take about 50 ms on two cores.
EMBEDDED = 24
SENTENCES = 3
_TABLE_RULE = re.compile(r"[\s|:\-]+")


@dataclass(frozen=True)
class Strength:
    """How well the question is covered: shares (0 to 1) of its weighted words in the best sentence and passage,
    the best cosines, and how far the embedder is to be believed."""

    sentence_cover: float
    passage_cover: float
    sentence_cosine: float
    passage_cosine: float
    trust: float


@dataclass(frozen=True)
class _Candidate:
    source: Source
    start: int
    end: int
    cover: float
    score: float

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]


def pick_evidence(
    question: str, sources: Sequence[Source], index: SearchIndex, embedder: Embedder, passage_cosine: float
) -> tuple[tuple[EvidenceSentence, ...], Strength]:
    """The best sentences, best first, and how strong they are. `passage_cosine` is the best passage's."""
    weights = index.inverse_frequencies(terms(question))
    trust = dense_trust(embedder.unknown_share(question))
    best_score = max((source.score for source in sources), default=0.0)
    candidates = []
    for source in sources:
        passage_score = source.score / best_score if best_score > 0 else 0.0
        candidates += _candidates(source, weights, PASSAGE_WEIGHT * passage_score)
    candidates.sort(key=lambda candidate: -candidate.score)
    candidates = candidates[:EMBEDDED]
    cosines = [0.0] * len(candidates)
    if trust > 0 and candidates:
        vector = embedder.embed_query(question)
        texts = [_with_heading(candidate) for candidate in candidates]
        cosines = [float(cosine) for cosine in embedder.embed_passages(texts) @ vector]
    scored = [
        (candidate.score + trust * COSINE_WEIGHT * cosine, candidate, cosine)
        for candidate, cosine in zip(candidates, cosines, strict=True)
    ]
    scored.sort(key=lambda item: -item[0])
    strength = Strength(
        sentence_cover=max((candidate.cover for _, candidate, _ in scored), default=0.0),
        passage_cover=max((_cover(_passage_terms(source), weights) for source in sources), default=0.0),
        sentence_cosine=max(cosines, default=0.0),
        passage_cosine=passage_cosine,
        trust=trust,
    )
    return _distinct(scored), strength


def _candidates(source: Source, weights: Mapping[str, float], passage_worth: float) -> list[_Candidate]:
    heading = set(terms(context_line(source.title, source.heading)))
    found = []
    asked = 0.0
    for start, end in sentence_spans(source.text):
        text = source.text[start:end]
        if _TABLE_RULE.fullmatch(text):
            continue
        own = _cover(set(terms(text)), weights)
        if text.rstrip("*_ ").endswith(("?", "？")):
            # A question written in the document is not an answer; what follows it may be.
            asked = own
            continue
        cover = max(own, asked)
        asked = 0.0
        cover += HEADING_SHARE * (_cover(heading | set(terms(text)), weights) - own)
        found.append(_Candidate(source, start, end, cover, cover + passage_worth))
    return found


def _with_heading(candidate: _Candidate) -> str:
    return f"{context_line(candidate.source.title, candidate.source.heading)}\n{candidate.text}"


def _passage_terms(source: Source) -> set[str]:
    return set(terms(f"{context_line(source.title, source.heading)}\n{source.text}"))


def _cover(found: set[str], weights: Mapping[str, float]) -> float:
    """The share of the question's weight that these terms have."""
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in found) / total if total > 0 else 0.0


def _distinct(scored: Sequence[tuple[float, _Candidate, float]]) -> tuple[EvidenceSentence, ...]:
    """The first few that say different things: copies of a document repeat its sentences."""
    chosen: list[EvidenceSentence] = []
    seen: set[str] = set()
    for score, candidate, _ in scored:
        key = " ".join(terms(candidate.text))
        if key in seen or len(chosen) == SENTENCES:
            continue
        seen.add(key)
        chosen.append(
            EvidenceSentence(candidate.source.n, candidate.text, candidate.start, candidate.end, round(score, 4))
        )
    return tuple(chosen)
