"""The explanation of a search: what every cosine and every word adds to the score of a hit.

The scores, their steps and the candidates are those that the search recorded. Only the BM25 of each single word is
computed here, on the index that was searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from ingest.base.language import terms
from ingest.base.types import Hit
from ingest.passages.embedders.embedder import UNREADABLE_SHARE
from ingest.passages.sentences import readable, sentences_and_rows
from ingest.search.fuse import FUSION, NOT_COMPARED, FusedScore, FusionWeights
from ingest.search.hybrid import Candidates, ScoredHit, SearchResult
from ingest.search.indexes.snapshot import IndexSnapshot
from ingest.search.rerank import RerankedHit, Reranker


@dataclass(frozen=True)
class QuestionWord:
    """A term of the question. `share` is what it would add to the best possible match, 0 to 1; all add up to 1.

    `shown` is the word as it was asked, `known` whether any passage has it.
    """

    term: str
    shown: str
    share: float
    known: bool


@dataclass(frozen=True)
class RankedCosine:
    """A cosine and its rank among the candidates."""

    value: float
    rank: int


@dataclass(frozen=True)
class ExplainedHit:
    """A hit and the parts of its score: `fused` is dense weight × similarity + lexical weight × lexical^power + steps.

    `fused` is the hit's score unless a cross-encoder has read it, which then gave it `reranked`.

    `similarity` is the mean of the two cosines after it on the embedder's scale (`EmbedderProfile`).
    `nearest_sentence` is the text of the sentence or row with the best cosine, '' where none was embedded. `lexical` is
    a share of the best possible BM25, to which `words` (term → share) add up. Ranks are among the candidates;
    `lexical_rank` is None for a hit that shares no word. `dense_lead` and `lexical_lead` say how much more either leg
    adds to this hit's score than to that of the median candidate.
    """

    hit: Hit
    similarity: float
    passage_cosine: RankedCosine
    best_sentence_cosine: RankedCosine
    nearest_sentence: str
    lexical: float
    lexical_rank: int | None
    words: dict[str, float]
    dense_lead: float
    lexical_lead: float
    steps: Mapping[str, float]
    fused: float
    reranked: float | None


@dataclass(frozen=True)
class SearchExplanation:
    """How the two legs, dense and lexical, understood the question, and each hit, best first.

    `dense_weight` (0 to 1) is 1 when the embedder reads the language of the question and knows every token of it, and
    0 when the share it does not know is `unreadable_share` or more. `language_weight` is the part of it that comes from
    the language alone. `reranker` names the cross-encoder that decides the order, '' without one;
    `reranker_problem` is one line when it could not be used.
    """

    question: str
    embedder: str
    unknown_share: float
    unreadable_share: float
    language_weight: float
    dense_weight: float
    lexical_weight: float
    lexical_power: float
    candidates: int
    words: tuple[QuestionWord, ...]
    reranker: str
    reranker_problem: str
    hits: tuple[ExplainedHit, ...]


def explain(
    question: str, result: SearchResult, reranker: Reranker | None, weights: FusionWeights = FUSION
) -> SearchExplanation:
    """Explain the hits of a search; `reranker` and `weights` must be those of the search."""
    candidates, embedder = result.candidates, result.embedder
    words = _question_words(question, result.index)
    shares = _word_shares(words, result.index, [scored.hit.passage_id for scored in result.hits])
    return SearchExplanation(
        question=question, embedder=embedder.card.name, unknown_share=embedder.unknown_share(question),
        unreadable_share=UNREADABLE_SHARE, language_weight=embedder.profile.weight(question),
        dense_weight=candidates.dense_weight, lexical_weight=weights.lexical, lexical_power=weights.lexical_power,
        candidates=len(candidates.ranked), words=words,
        reranker=reranker.name if reranker else "", reranker_problem=reranker.problem if reranker else "",
        hits=tuple(
            _explained(scored, candidates, weights, shares[scored.hit.passage_id]) for scored in result.hits
        ),
    )  # fmt: skip


def _explained(
    scored: ScoredHit, candidates: Candidates, weights: FusionWeights, words: dict[str, float]
) -> ExplainedHit:
    parts = scored.parts
    all_parts = [candidate for _, candidate in candidates.ranked]

    def ranked(cosine_of: Callable[[FusedScore], float]) -> RankedCosine:
        return RankedCosine(cosine_of(parts), _rank(cosine_of(parts), map(cosine_of, all_parts)))

    # A single candidate is compared with a passage that has nothing in common with the question.
    others = all_parts if len(all_parts) > 1 else [FusedScore(0.0, NOT_COMPARED, 0.0, 0.0)]
    return ExplainedHit(
        hit=scored.hit,
        similarity=parts.similarity,
        passage_cosine=ranked(lambda candidate: candidate.cosines.passage),
        best_sentence_cosine=ranked(lambda candidate: candidate.cosines.best_sentence),
        nearest_sentence=_nearest_sentence(scored),
        lexical=parts.lexical,
        lexical_rank=_rank(parts.lexical, (candidate.lexical for candidate in all_parts)) if words else None,
        words=words,
        dense_lead=candidates.dense_weight * (parts.similarity - median(other.similarity for other in others)),
        lexical_lead=weights.lexical_part(parts.lexical) - median(weights.lexical_part(o.lexical) for o in others),
        steps=parts.steps,
        fused=parts.score,
        reranked=scored.reranked if isinstance(scored, RerankedHit) else None,
    )


def _rank(value: float, values: Iterable[float]) -> int:
    """1 for the highest value; equal values get the same rank."""
    return 1 + sum(other > value for other in values)


def _nearest_sentence(scored: ScoredHit) -> str:
    text, cosines = scored.hit.text, scored.sentence_cosines
    sentences = [readable(text[start:end], header) for start, end, header in sentences_and_rows(text)]
    if not cosines or len(sentences) != len(cosines):
        return ""
    return sentences[max(range(len(cosines)), key=lambda number: cosines[number])]


def _question_words(question: str, index: IndexSnapshot) -> tuple[QuestionWord, ...]:
    """The question's terms, the highest weight first."""
    weights = index.inverse_frequencies(terms(question))
    total = sum(weights.values())
    heaviest = sorted(weights.items(), key=lambda item: (-item[1], question.find(item[0])))
    return tuple(
        QuestionWord(term, _as_asked(term, question), weight / total, bool(index.lexical([term], 1)))
        for term, weight in heaviest
    )


def _as_asked(term: str, question: str) -> str:
    """The word that the term was made from; the term itself for a Chinese term and for a part of a code."""
    for word in question.split():
        made = terms(word)
        # A code's first term is the whole of it, which may be written with a hyphen in the question.
        if made == [term] or (made[:1] == [term] and len(term) > 1 and word.isascii()):
            return word.strip(".,:;!?()[]\"'“”‘’")
    return term


def _word_shares(
    words: tuple[QuestionWord, ...], index: IndexSnapshot, passage_ids: list[int]
) -> dict[int, dict[str, float]]:
    """Passage id → term → its share of the best possible BM25, highest first; only terms that the passage has."""
    bound = index.lexical_bound([word.term for word in words])
    shares: dict[int, dict[str, float]] = {passage_id: {} for passage_id in passage_ids}
    for word in words:
        for passage_id, score in index.lexical([word.term], len(passage_ids), among=passage_ids).items():
            # Searched among given ids, Tantivy also returns passages without the term, with a score of 0.
            if score > 0:
                shares[passage_id][word.term] = score / bound
    return {
        passage_id: dict(sorted(by_term.items(), key=lambda item: -item[1])) for passage_id, by_term in shares.items()
    }
