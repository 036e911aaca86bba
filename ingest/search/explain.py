"""Why a search found what it found: every vector's and every word's part in a score. Knows nothing of answering.

The score is the one the search gave; what it is made of is looked up beside it, so that explaining changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from ingest.base.language import terms
from ingest.base.types import Hit
from ingest.library import CANDIDATES, Library
from ingest.passages.embedders.embedder import UNREADABLE_SHARE, dense_weight
from ingest.passages.sentences import readable, statements
from ingest.search.fuse import LEXICAL_WEIGHT, NOT_NEAR, FusedScore
from ingest.search.hybrid import OLDER_VERSION, ScoredHit, propose
from ingest.search.indexes.search_index import SearchIndex
from ingest.search.rerank import RerankedHit
from ingest.search.versions import names_version

# Scores are rounded when they are shown; a factor nearer to 1 than this is none.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Word:
    """A term of the question. `share` is what it would add to the best possible match, 0 to 1; all add up to 1.

    `shown` is the word as it was asked, `known` whether any passage has it.
    """

    term: str
    shown: str
    share: float
    known: bool


@dataclass(frozen=True)
class View:
    """A cosine and its rank among the candidates."""

    cosine: float
    rank: int


@dataclass(frozen=True)
class ExplainedHit:
    """A hit and what its score is made of: `fused` is (trust × dense + LEXICAL_WEIGHT × lexical) × factors.

    That is the hit's score unless a cross-encoder has read it, which then gave it `reranked`.

    `dense` is the mean of the three views and `lexical` a share of the best possible BM25, to which `words` (term →
    share) add up; ranks are among the candidates, and one that shares no word has none among words. `statement` is
    the text of the nearest statement, '' where none was embedded. `dense_lead` and `lexical_lead` say how much more of
    its score either leg gives it than the candidate in the middle.
    """

    hit: Hit
    dense: View
    whole: View
    best_statement: View
    surroundings: View
    statement: str
    lexical: float
    lexical_rank: int | None
    words: dict[str, float]
    dense_lead: float
    lexical_lead: float
    factors: dict[str, float]
    fused: float
    reranked: float | None


@dataclass(frozen=True)
class SearchExplanation:
    """What the question was to both legs, and each hit, best first.

    `trust` (0 to 1) is the weight of the dense leg: 1 when the embedder knows every token, 0 from `UNREADABLE_SHARE`
    of unknown ones on. `reranker` names the cross-encoder that has the last word, '' without one; its problem is one
    line when it could not be used.
    """

    question: str
    embedder: str
    unknown_share: float
    unreadable_share: float
    trust: float
    lexical_weight: float
    candidates: int
    words: tuple[Word, ...]
    reranker: str
    reranker_problem: str
    hits: tuple[ExplainedHit, ...]


def explain(library: Library, question: str, count: int = 5) -> SearchExplanation:
    """The `count` best hits of `Library.search`, explained. Raises DocentError while there is no library."""
    scored = library.search_scored(question, count)
    embedder, index, reranker = library.embedder, library.index, library.reranker
    unknown_share = embedder.unknown_share(question)
    trust = dense_weight(unknown_share)
    candidates = dict(propose(question, embedder, index, library.catalog, max(CANDIDATES, count)).ranked)
    words = _words(question, index)
    shares = _word_shares(words, index, [one.hit.passage_id for one in scored])
    return SearchExplanation(
        question=question, embedder=embedder.card.name, unknown_share=unknown_share,
        unreadable_share=UNREADABLE_SHARE, trust=trust, lexical_weight=LEXICAL_WEIGHT, candidates=len(candidates),
        words=words, reranker=reranker.name if reranker else "", reranker_problem=reranker.problem if reranker else "",
        hits=tuple(
            _explained(question, one, list(candidates.values()), trust, shares[one.hit.passage_id]) for one in scored
        ),
    )  # fmt: skip


def _explained(
    question: str, scored: ScoredHit, candidates: list[FusedScore], trust: float, words: dict[str, float]
) -> ExplainedHit:
    parts = scored.parts

    def view(of: Callable[[FusedScore], float]) -> View:
        return View(of(parts), _rank(of(parts), map(of, candidates)))

    # One candidate alone leads over a passage that has nothing of the question.
    others = candidates if len(candidates) > 1 else [FusedScore(0.0, NOT_NEAR, 0.0)]
    lead = trust * (parts.cosines.mean - median(one.cosines.mean for one in others))
    lexical_lead = LEXICAL_WEIGHT * (parts.lexical - median(one.lexical for one in others))
    return ExplainedHit(
        hit=scored.hit, dense=view(lambda one: one.cosines.mean), whole=view(lambda one: one.cosines.whole),
        best_statement=view(lambda one: one.cosines.statement), surroundings=view(lambda one: one.cosines.surroundings),
        statement=_nearest_statement(scored), lexical=parts.lexical,
        lexical_rank=_rank(parts.lexical, (one.lexical for one in candidates)) if words else None, words=words,
        dense_lead=lead, lexical_lead=lexical_lead, factors=_factors(question, scored, trust),
        fused=parts.score, reranked=scored.reranked if isinstance(scored, RerankedHit) else None,
    )  # fmt: skip


def _rank(value: float, values: Iterable[float]) -> int:
    """1 for the highest; equals share the better rank."""
    return 1 + sum(other > value for other in values)


def _factors(question: str, scored: ScoredHit, trust: float) -> dict[str, float]:
    """What the sum of both legs was multiplied by, told from the score itself."""
    added = trust * scored.parts.cosines.mean + LEXICAL_WEIGHT * scored.parts.lexical
    found = {}
    if scored.hit.newer and not names_version(question, scored.hit.path):
        found["older_version"] = OLDER_VERSION
        added *= OLDER_VERSION
    if added and abs(scored.parts.score / added - 1) > _ROUNDING:
        found["yes_or_no"] = round(scored.parts.score / added, 4)
    return found


def _nearest_statement(scored: ScoredHit) -> str:
    text = scored.hit.text
    found = [readable(text[start:end], header) for start, end, header in statements(text)]
    if not scored.statements or len(found) != len(scored.statements):
        return ""
    return found[max(range(len(found)), key=lambda place: scored.statements[place])]


def _words(question: str, index: SearchIndex) -> tuple[Word, ...]:
    """The question's terms, those first that weigh most."""
    weights = index.inverse_frequencies(terms(question))
    total = sum(weights.values())
    heaviest = sorted(weights.items(), key=lambda item: (-item[1], question.find(item[0])))
    return tuple(
        Word(term, _as_asked(term, question), weight / total, bool(index.lexical([term], 1)))
        for term, weight in heaviest
    )


def _as_asked(term: str, question: str) -> str:
    """The word that the term was made from; a Chinese term, or one of a code's parts, stands for itself."""
    for word in question.split():
        if terms(word) == [term]:
            return word.strip(".,:;!?()[]\"'“”‘’")
    return term


def _word_shares(words: tuple[Word, ...], index: SearchIndex, ids: list[int]) -> dict[int, dict[str, float]]:
    """Passage id → term → its share of the best possible BM25, highest first; only terms that the passage has."""
    bound = index.lexical_bound([word.term for word in words])
    found: dict[int, dict[str, float]] = {passage_id: {} for passage_id in ids}
    for word in words:
        for passage_id, score in index.lexical([word.term], len(ids), among=ids).items():
            # Asked for among these ids alone, a passage without the term still comes back, with a score of 0.
            if score > 0:
                found[passage_id][word.term] = score / bound
    return {passage_id: dict(sorted(shares.items(), key=lambda item: -item[1])) for passage_id, shares in found.items()}
