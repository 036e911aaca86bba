"""Evidence: the sentences of the retrieved passages that are most likely to answer a question.

The score of a sentence is a weighted sum of its features: how many of the question's terms the sentence, its headings
and the sentence before it contain, whether it contains the terms that few candidates have, its cosine, its passage, and
whether it contains the kind of answer that was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from assistant.events import EvidenceSentence, Source
from assistant.retrieve.coverage import Coverage, cover, measure_coverage
from ingest.base.language import in_other_language, terms
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.embedders.profile import Scale
from ingest.passages.sentences import is_question, readable, sentences_and_rows
from ingest.passages.split import context_line
from ingest.search.answer_types import answer_types_asked, counts_what_is_asked, has_answer_type, new_numbers
from ingest.search.indexes.snapshot import IndexSnapshot

SENTENCES = 3
# Sentences in another language than the question whose tokens are compared with the question's: 20 ms on two cores.
TOKEN_MATCHED = 8
# A sentence with less than this share of the best one's score is about something else.
WORTH_QUOTING = 0.35
# From this share of the best one's score on, the scores do not say which of two sentences is better.
ABOUT_EQUAL = 0.75
_NUMERIC = {"moment", "duration", "money", "number"}


@dataclass(frozen=True)
class Features:
    """Features of a candidate sentence, and, with the same names, their weights.

    A share (0 to 1) is a share of the question's terms, weighted by their rarity in the library unless it says
    otherwise, and 0 for a sentence in another language. The comments speak of the candidate sentence.
    """

    context: float  # share that its headings contain and the sentence does not
    before: float  # share that the sentence before it contains and the sentence does not
    terms: float  # share of the terms that the sentence contains, all with the same weight
    telling: float  # share of words and single characters, weighted also by how few candidates contain them
    rarest: float  # weight of its rarest term among the candidates, divided by that of the question's rarest
    similarity: float  # on the embedder's scale × dense_weight: 0 where the embedder cannot read the question
    across: float  # the same where its language is not that of the question, so that words say little; else 0
    token_match: float  # similarity of its tokens to those of the question, on their scale, where `across` is not 0
    best_passage: float  # 1 when its passage is the best one
    lacks_kind: float  # 1 when it contains no answer of a kind that is asked for
    new_number: float  # 1 when a number is asked for and it contains one that the question does not
    counted: float  # 1 when a number is asked for and it has one before the noun that 'how many …' counts


# Conditional logit (the right sentences of a question against its other candidates), fitted on 2,832 questions of XQuAD
# English and Chinese, XQuAD across both languages, CMRC 2018 and data/eval, each set with the same total weight;
# `assistant.measure.fit` fits them again. Fitted without the set that it is measured on, the right sentence is first
# (among the first three) for .86 (.96) of the questions of XQuAD English, .83 (.96) of Chinese, .70 (.86) of CMRC, .69
# (.87) across languages, and .67 (.87) of data/eval. `context` is fixed at 6, so that a heading does not outweigh a
# sentence.
WEIGHTS = Features(
    context=6.0, before=5.48, terms=3.7, telling=1.58, rarest=2.5, similarity=1.83, across=0.04, token_match=2.71,
    best_passage=1.27, lacks_kind=-1.5, new_number=1.31, counted=1.95,
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A sentence or table row of a source: `source.text[start:end]`; `shown` is its readable form.

    `terms` are those of the sentence and of a question written just before it (such as the heading of a FAQ entry),
    `before` those of the sentence before it, `context` those of its headings. `similarity` is that to the question, on
    the embedder's scale, 0 where there is none.
    """

    source: Source
    start: int
    end: int
    shown: str
    terms: frozenset[str]
    before: frozenset[str]
    context: frozenset[str]
    similarity: float

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]


def pick_evidence(
    question: str, sources: Sequence[Source], index: IndexSnapshot, embedder: Embedder,
    cosines: Mapping[int, Sequence[float]], passage_cosine: float,
) -> tuple[tuple[EvidenceSentence, ...], Coverage]:  # fmt: skip
    """At most SENTENCES sentences, best first, and how well the sources cover the question.

    `cosines` maps a passage id to the cosines of its sentences and rows, in order; `passage_cosine` is that of the best
    passage.
    """
    scale = embedder.profile.cosines
    dense_weight = embedder.weight(question)
    weights = index.inverse_frequencies(terms(question))
    candidates = [
        candidate
        for source in sources
        for candidate in find_candidates(source, cosines.get(source.passage_id, ()), scale)
    ]
    scores = [
        sum(weight * value for weight, value in zip(astuple(WEIGHTS), astuple(features), strict=True))
        for features in describe(question, candidates, weights, embedder, dense_weight)
    ]
    ranked = sorted(zip(scores, candidates, strict=True), key=lambda item: -item[0])
    coverage = measure_coverage(
        question, sources, [candidate.terms | candidate.context for candidate in candidates], weights,
        max((candidate.similarity for candidate in candidates), default=0.0), scale.standardised(passage_cosine),
        dense_weight,
    )  # fmt: skip
    return _distinct(ranked), coverage


def worth_quoting(sentences: Sequence[EvidenceSentence]) -> tuple[EvidenceSentence, ...]:
    """The sentences that are good enough to quote as the answer: the best one and those nearly as good, best first.

    Sentences of one source that are about equally good are in the order of reading: a rule stands before what limits
    it.
    """
    highest = max((sentence.score for sentence in sentences), default=0.0)
    worth = [sentence for sentence in sentences if sentence.score >= WORTH_QUOTING * highest]
    equal = [sentence for sentence in worth if sentence.n == worth[0].n and sentence.score >= ABOUT_EQUAL * highest]
    others = [sentence for sentence in worth if sentence not in equal]
    return (*sorted(equal, key=lambda sentence: sentence.start), *others)


def find_candidates(source: Source, cosines: Sequence[float], scale: Scale) -> list[Candidate]:
    """The sentences and rows of a source, without those that are questions: a question answers nothing.

    `cosines` are those of all its sentences and rows in order, on `scale`; none for a passage that was not embedded
    sentence by sentence.
    """
    heading = set(terms(context_line(source.title, source.heading)))
    candidates: list[Candidate] = []
    before: set[str] = set()
    asked: set[str] = set()
    for number, (start, end, header) in enumerate(sentences_and_rows(source.text)):
        text = source.text[start:end]
        words = set(terms(text))
        if is_question(text):
            asked = words
            continue
        candidates.append(
            Candidate(
                source, start, end, readable(text, header), frozenset(words | asked), frozenset(before),
                frozenset(heading | set(terms(header))),
                scale.standardised(cosines[number]) if number < len(cosines) else 0.0,
            )
        )  # fmt: skip
        before, asked = words, set()
    return candidates


def describe(
    question: str,
    candidates: Sequence[Candidate],
    weights: Mapping[str, float],
    embedder: Embedder,
    dense_weight: float,
) -> list[Features]:
    """The features of each candidate, in the same order; `weights` maps the question's terms to their rarity.

    `dense_weight` (0 to 1) says how far the embedder can read the question.
    """
    kinds = answer_types_asked(question)
    numeric = not _NUMERIC.isdisjoint(kinds)
    best = max((candidate.source.score for candidate in candidates), default=0.0)
    telling = _weights_among(candidates, weights)
    rarest = max(telling.values(), default=0.0)
    words = {term: weight for term, weight in telling.items() if len(term) == 1 or term.isascii()}
    across = [float(in_other_language(candidate.shown, question)) for candidate in candidates]
    token_matches = _token_matches(question, candidates, across, embedder) if dense_weight > 0 else [0.0] * len(across)
    described = []
    for candidate, is_across, token_match in zip(candidates, across, token_matches, strict=True):
        # Words that both languages share, such as names, are among the tokens that are matched.
        shared = frozenset[str]() if is_across else candidate.terms & weights.keys()
        context, before = (frozenset[str](),) * 2 if is_across else (candidate.context, candidate.before)
        sentence_cover = cover(shared, weights)
        described.append(
            Features(
                context=cover(shared | context, weights) - sentence_cover,
                before=cover(shared | before, weights) - sentence_cover,
                terms=len(shared) / max(1, len(weights)),
                telling=cover(shared, words),
                rarest=max((telling[term] for term in shared & telling.keys()), default=0.0) / (rarest or 1.0),
                similarity=dense_weight * candidate.similarity,
                across=dense_weight * candidate.similarity * is_across,
                token_match=dense_weight * token_match,
                best_passage=float(candidate.source.score == best),
                lacks_kind=float(bool(kinds) and not any(has_answer_type(candidate.shown, kind) for kind in kinds)),
                new_number=float(numeric and new_numbers(candidate.shown, question)),
                counted=float(numeric and counts_what_is_asked(candidate.shown, question)),
            )
        )
    return described


def _token_matches(
    question: str, candidates: Sequence[Candidate], across: Sequence[float], embedder: Embedder
) -> list[float]:
    """How well the tokens of candidates in the other language match the question's, on their scale; 0 for all others.

    Computed for the nearest of these alone: within a language it adds nothing to words and cosines, and it takes time.
    """
    matches = [0.0] * len(candidates)
    scale = embedder.profile.token_matches
    chosen = [number for number, is_across in enumerate(across) if is_across]
    nearest = sorted(chosen, key=lambda number: -candidates[number].similarity)[:TOKEN_MATCHED]
    if scale is None or not nearest:
        return matches
    similarities = embedder.token_similarities(question, [candidates[number].shown for number in nearest])
    for number, similarity in zip(nearest, similarities, strict=True):
        matches[number] = max(0.0, scale.standardised(similarity))
    return matches


def _weights_among(candidates: Sequence[Candidate], weights: Mapping[str, float]) -> dict[str, float]:
    """Term → weight × rarity among the candidates, for the question's terms that any candidate contains."""
    total = len(candidates)
    counts = {term: sum(term in candidate.terms for candidate in candidates) for term in weights}
    return {term: weights[term] * math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in counts.items() if n > 0}


def _distinct(ranked: Sequence[tuple[float, Candidate]]) -> tuple[EvidenceSentence, ...]:
    """The best SENTENCES sentences with different words: copies of a document repeat its sentences.

    Their score is the probability that the sentence is the right one, if one of the candidates is.
    """
    chosen: list[EvidenceSentence] = []
    chosen_words: set[str] = set()
    highest = ranked[0][0] if ranked else 0.0
    total = sum(math.exp(score - highest) for score, _ in ranked)
    for score, candidate in ranked:
        words = " ".join(terms(candidate.text))
        if words in chosen_words or len(chosen) == SENTENCES:
            continue
        chosen_words.add(words)
        chosen.append(
            EvidenceSentence(
                n=candidate.source.n,
                text=candidate.text,
                start=candidate.start,
                end=candidate.end,
                score=round(math.exp(score - highest) / total, 4),
                shown=candidate.shown,
            )
        )
    return tuple(chosen)
