"""How well a question is covered by what was found for it, as a few numbers. Knows nothing of how they are weighed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from assistant.events import Source
from ingest.base.language import terms
from ingest.passages.split import context_line

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.,’'/_-]*")


@dataclass(frozen=True)
class Coverage:
    """Shares (0 to 1) of the question's weighted words in the best sentence, passage and document; the best cosines
    and how far the embedder is to be believed; 1 when the best passage lacks something that the question names."""

    sentence_cover: float
    passage_cover: float
    document_cover: float
    sentence_cosine: float
    passage_cosine: float
    dense_weight: float
    lacks_name: float


def measure_coverage(
    question: str, sources: Sequence[Source], sentences: Iterable[AbstractSet[str]], weights: Mapping[str, float],
    sentence_cosine: float, passage_cosine: float, dense_weight: float,
) -> Coverage:  # fmt: skip
    """`sentences` gives the terms of each candidate with its headings; `weights` the question's terms by rarity.

    A document's cover counts only those of its passages that are among the sources.
    """
    passages = [set(terms(f"{context_line(source.title, source.heading)}\n{source.text}")) for source in sources]
    documents: dict[int, set[str]] = {}
    for source, found in zip(sources, passages, strict=True):
        documents.setdefault(source.document_id, set()).update(found)
    best = max(passages, key=lambda found: cover(found, weights), default=set[str]())
    return Coverage(
        sentence_cover=max((cover(found, weights) for found in sentences), default=0.0),
        passage_cover=cover(best, weights),
        document_cover=max((cover(found, weights) for found in documents.values()), default=0.0),
        sentence_cosine=sentence_cosine if dense_weight > 0 else 0.0,
        passage_cosine=passage_cosine,
        dense_weight=dense_weight,
        lacks_name=float(any(not name <= best for name in names(question))),
    )


def cover(found: AbstractSet[str], weights: Mapping[str, float]) -> float:
    """The share of the question's weight that these terms have."""
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term in found) / total if total > 0 else 0.0


def names(question: str) -> list[set[str]]:
    """What the question calls by name in Latin letters: codes such as E-19, and words written with a capital.

    Each as the terms a text must have to speak of it: a code is one term, whole. A capital that opens the question
    tells nothing.
    """
    found = []
    for match in _WORD.finditer(unicodedata.normalize("NFKC", question)):
        word = match.group().rstrip(".,'’")
        own = terms(word)
        if own and re.search(r"\d", word) and re.search(r"[A-Za-z]", word):
            found.append({own[0]})
        elif own and word[0].isupper() and match.start() > 0:
            found.append(set(own))
    return found
