"""Coverage: how many of a question's terms the retrieved passages contain, and how similar they are, as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from assistant.events import Source
from ingest.base.dates import MONTHS
from ingest.base.language import in_other_language, terms
from ingest.base.normal_forms import find_forms, fold
from ingest.passages.split import context_line

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.,’'/_-]*")


@dataclass(frozen=True)
class Coverage:
    """How well the retrieved passages cover a question.

    The covers are the shares (0 to 1) of the question's terms, weighted by rarity, that the best sentence, passage and
    document contain. The similarities are the highest of all sentences and of all passages, on the embedder's scale;
    `dense_weight` (0 to 1) says how far it can read the question, and where that is 0 they are 0. `across` is 1 when
    the embedder can read the question and the first passage is in the other language (`in_other_language`), else 0.
    `lacks_name` is 1 when the question mentions a name or code that the best passage does not contain, else 0.
    """

    sentence_cover: float
    passage_cover: float
    document_cover: float
    sentence_similarity: float
    passage_similarity: float
    dense_weight: float
    across: float
    lacks_name: float


def measure_coverage(
    question: str, sources: Sequence[Source], sentences: Iterable[AbstractSet[str]], weights: Mapping[str, float],
    sentence_similarity: float, passage_similarity: float, dense_weight: float,
) -> Coverage:  # fmt: skip
    """The coverage of a question by these sources.

    `sentences` are the terms of each candidate sentence and its headings; `weights` maps the question's terms to their
    rarity. A document's cover counts only those of its passages that are among the sources.
    """
    passages = [set(terms(f"{context_line(source.title, source.heading)}\n{source.text}")) for source in sources]
    documents: dict[int, set[str]] = {}
    for source, words in zip(sources, passages, strict=True):
        documents.setdefault(source.document_id, set()).update(words)
    best = max(passages, key=lambda words: cover(words, weights), default=set[str]())
    return Coverage(
        sentence_cover=max((cover(words, weights) for words in sentences), default=0.0),
        passage_cover=cover(best, weights),
        document_cover=max((cover(words, weights) for words in documents.values()), default=0.0),
        sentence_similarity=sentence_similarity if dense_weight > 0 else 0.0,
        passage_similarity=passage_similarity if dense_weight > 0 else 0.0,
        dense_weight=dense_weight,
        across=float(dense_weight > 0 and bool(sources) and in_other_language(sources[0].text, question)),
        lacks_name=float(any(not name <= best for name in names(question))),
    )


def cover(words: AbstractSet[str], weights: Mapping[str, float]) -> float:
    """The share (0 to 1) of the question's total weight that `words` contain; 0 for a question without weight."""
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in words) / total if total > 0 else 0.0


def names(question: str) -> list[set[str]]:
    """The names and codes in a question, in Latin letters: words with a capital letter, and codes such as E-19.

    Each is given as the set of terms that a text must contain to mention it; a code is one term. The first word of a
    question has a capital letter anyway, so it is no name. Of a date only its month counts, where it has a name: a
    passage may give the year in its heading, and the day in another form.
    """
    folded = fold(question)
    dates = [form for form in find_forms(folded) if form.date is not None]
    named = [
        set(terms(MONTHS[form.date.month - 1]))
        for form in dates
        if form.date and form.date.month and re.search("[A-Z]", folded[form.start : form.end])
    ]
    for match in _WORD.finditer(folded):
        if any(form.start <= match.start() < form.end for form in dates):
            continue
        word = match.group().rstrip(".,'’")
        word_terms = terms(word)
        if word_terms and re.search(r"\d", word) and re.search(r"[A-Za-z]", word):
            named.append({word_terms[0]})
        elif word_terms and word[0].isupper() and match.start() > 0:
            named.append(set(word_terms))
    return named
