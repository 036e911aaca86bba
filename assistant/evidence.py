"""The sentences that answer a question, picked from the passages found. Knows nothing of models or prompts.

A sentence is worth what it shares with the question's rare words (its heading's words counting half), how near
its meaning is, and how good its passage was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
# A sentence worth less than this share of the best one is about something else.
WORTH_QUOTING = 0.7
# A question for a quantity or a date is answered by a sentence with a number; how much that counts.
NUMBER_WEIGHT = 0.15
_ASKS_FOR_NUMBER = re.compile(
    r"\bhow (?:many|much|long|often|old|far|high|soon|quickly|late|early)\b|\bwhen\b|\bwhich year\b|"
    r"\bwhat (?:is the )?(?:year|date|time|percentage|share|price|cost|amount|limit|number)\b|"
    r"多少|几[天个年月次小号点岁名人]|多[久长大高远快]|什么时候|何时|哪一?[年天日月]|价格|金额|比例|标准是",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|[一二三四五六七八九十百千万两]+[年月日天个次周岁名人小]|"
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|half|twice|once)\b",
    re.IGNORECASE,
)
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
    header: str
    cover: float
    score: float

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def shown(self) -> str:
        return readable(self.text, self.header)


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
    number_weight = NUMBER_WEIGHT if _ASKS_FOR_NUMBER.search(question) else 0.0
    scored = [
        (
            candidate.score + trust * COSINE_WEIGHT * cosine + number_weight * _has_number(candidate.text),
            candidate,
            cosine,
        )
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


def worth_quoting(sentences: Sequence[EvidenceSentence]) -> tuple[EvidenceSentence, ...]:
    """The sentences good enough to be the answer: the best one and those nearly as good."""
    least = WORTH_QUOTING * max((sentence.score for sentence in sentences), default=0.0)
    return tuple(sentence for sentence in sentences if sentence.score >= least)


def _candidates(source: Source, weights: Mapping[str, float], passage_worth: float) -> list[_Candidate]:
    heading = set(terms(context_line(source.title, source.heading)))
    found = []
    asked = 0.0
    for start, end, header in _statements(source.text):
        text = source.text[start:end]
        own_terms = set(terms(text))
        own = _cover(own_terms, weights)
        if text.rstrip("*_ ").endswith(("?", "？")):
            # A question written in the document is not an answer; what follows it may be.
            asked = own
            continue
        about = _cover(own_terms | heading | set(terms(header)), weights)
        cover = max(own, asked) + HEADING_SHARE * (about - own)
        asked = 0.0
        found.append(_Candidate(source, start, end, header, cover, cover + passage_worth))
    return found


def _statements(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, column headings) of sentences and table rows; a table's headings and rule are not statements."""
    header = ""
    spans = list(_sentences_and_rows(text))
    for place, (start, end) in enumerate(spans):
        line = text[start:end]
        if not line.startswith("|"):
            header = ""
        elif place + 1 < len(spans) and _TABLE_RULE.fullmatch(text[slice(*spans[place + 1])]):
            header = line
            continue
        # Neither a rule nor the marks that close an emphasised sentence say anything.
        if re.search(r"[^\W_]", line):
            yield start, end, header


def _sentences_and_rows(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of sentences; a table row is one, whatever ends in its cells."""
    row_end = 0
    for start, end in sentence_spans(text):
        if start < row_end:
            continue
        if text[start] == "|":
            newline = text.find("\n", start)
            row_end = len(text) if newline < 0 else newline
            end = start + len(text[start:row_end].rstrip())
        yield start, end


def readable(text: str, header: str = "") -> str:
    """A sentence as people read it: on one line, without Markdown; a table row as 'column: cell' pairs."""
    if text.startswith("|"):
        columns = _cells(header)
        cells = _cells(text)
        columns += [""] * (len(cells) - len(columns))
        return "; ".join(
            f"{column}: {cell}" if column and column != cell else cell
            for column, cell in zip(columns, cells, strict=False)
            if cell
        )
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    plain = re.sub(r"\*\*|__|`|^\s*(?:[-*+•]|#+|>)\s+", "", plain)
    return " ".join(plain.split())


def _cells(row: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|")) if row else []
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _has_number(text: str) -> bool:
    return _NUMBER.search(text) is not None


def _with_heading(candidate: _Candidate) -> str:
    return f"{context_line(candidate.source.title, candidate.source.heading)}\n{candidate.shown}"


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
            EvidenceSentence(
                n=candidate.source.n,
                text=candidate.text,
                start=candidate.start,
                end=candidate.end,
                score=round(score, 4),
                shown=candidate.shown,
            )
        )
    return tuple(chosen)
