"""Checks an answer against its sources, sentence by sentence, and numbers the sentences they bear out.

A model of half a billion parameters cannot be trusted to cite (it writes numbers that mean nothing), so whatever
markers it writes are taken out and ours put in. Knows nothing of models: text goes in, text with markers comes out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from assistant.events import Citation, EvidenceSentence, Part, Source
from ingest.base.language import sentence_spans, terms
from ingest.passages.split import context_line

# Share of a sentence's weighted words that must stand in the passage. Wording differs, so not all of them; a sentence
# about something else shares a third at most with a passage on the same topic.
SUPPORTED = 0.6
_MARKER = re.compile(r"[ \t\u3000]?[\[［【]\s*\d{1,2}(?:\s*[,，]\s*\d{1,2})*\s*[\]］】]")
# What may become a marker once more text has come.
_OPEN_MARKER = re.compile(r"\s*(?:[\[［【][\d\s,，]*)*$")
# What may become the number of a list item, which ends the sentence before it.
_OPEN_LINE = re.compile(r"\s*\n\s*(?:\d{1,3}|[（(]?[一二三四五六七八九十]*)$")
_LIST_NUMBER = re.compile(r"(?:\d{1,3}[.)、．]|[（(]?[一二三四五六七八九十]+[)）、])\s*(?=\D)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class CheckedText:
    """An answer as it streams: `more` gives the text to show for each delta, markers included."""

    def __init__(self, sources: Sequence[Source], weights: Mapping[str, float] | None = None) -> None:
        self.citations: list[Citation] = []
        self.unsupported: list[str] = []
        self.text = ""
        self._weights = weights or {}
        # A passage at a time, also within a source of several: the more words, the less it says that one has many.
        self._passages = [
            (
                source,
                part,
                set(terms(f"{context_line(source.title, source.heading)}\n{text}")),
                _numbers(f"{source.title} {source.heading} {text}"),
            )
            for source in sources
            for place, part in enumerate(source.passages)
            for text in [source.excerpt(place, place)]
        ]
        self._raw = ""
        self._shown = 0
        self._checked = 0

    def more(self, delta: str, last: bool = False) -> str:
        """Text to show now. With `last`, everything that was held back."""
        self._raw = _without_markers(self._raw + delta)
        # White space and half a marker wait: a marker belongs before the space, and half of one is not text.
        until = _start(_OPEN_MARKER, self._raw)
        if last:
            self._raw = self._raw[:until]
        else:
            until = min(until, _start(_OPEN_LINE, self._raw[:until]))
        spans = list(sentence_spans(self._raw[:until]))
        # A sentence is over when the next one has begun.
        ended = spans if last else spans[:-1]
        out = ""
        for start, end in ended:
            if start < self._checked:
                continue
            self._checked = end
            out += self._raw[self._shown : end]
            self._shown = end
            out += self._marker(self._raw[start:end])
        out += self._raw[self._shown : until]
        self._shown = max(self._shown, until)
        if not self.text:
            out = out.lstrip()
        self.text += out
        return out

    def _marker(self, sentence: str) -> str:
        item = _LIST_NUMBER.match(sentence)
        claim = sentence[item.end() :] if item else sentence
        wanted = terms(claim)
        if not wanted:
            return ""
        best, share = self._best_part(claim, wanted)
        if best is None or share < SUPPORTED:
            self.unsupported.append(sentence)
            return ""
        source, part = best
        citation = cite(source, part, self._quote(source.text[part.start : part.end], wanted))
        if citation not in self.citations:
            self.citations.append(citation)
        return f" [{source.n}]"

    def _best_part(self, claim: str, wanted: Sequence[str]) -> tuple[tuple[Source, Part] | None, float]:
        claimed = _numbers(claim)
        best, best_share = None, 0.0
        for source, part, found, numbers in self._passages:
            # A number the passage does not have is the worst thing to get wrong.
            if not claimed <= numbers:
                continue
            share = self._share(wanted, found)
            if share > best_share:
                best, best_share = (source, part), share
        return best, best_share

    def _quote(self, passage: str, wanted: Sequence[str]) -> str:
        """The passage's own sentence that is nearest to the answer's."""
        spans = [passage[start:end] for start, end in sentence_spans(passage)]
        return max(spans, key=lambda text: self._share(wanted, set(terms(text))), default=passage)

    def _share(self, wanted: Sequence[str], found: set[str]) -> float:
        weights = {term: self._weights.get(term, 1.0) for term in wanted}
        total = sum(weights.values())
        return sum(weight for term, weight in weights.items() if term in found) / total if total else 0.0


def _without_markers(text: str) -> str:
    """Until none is left: taking one out can close another around it."""
    while (without := _MARKER.sub("", text)) != text:
        text = without
    return text


def _start(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return len(text) if found is None else found.start()


def _numbers(text: str) -> set[str]:
    """Every number, full-width digits and the commas of thousands aside."""
    return set(_NUMBER.findall(_THOUSANDS.sub("", unicodedata.normalize("NFKC", text))))


def cite(source: Source, part: Part, quote: str) -> Citation:
    return Citation(
        n=source.n, path=source.path, title=source.title, heading=source.heading, page=part.page,
        passage_id=part.passage_id, document_id=source.document_id, quote=quote,
    )  # fmt: skip


def cite_evidence(sentences: Sequence[EvidenceSentence], sources: Sequence[Source]) -> Iterator[Citation]:
    """The citations of an answer that is nothing but quotations."""
    by_number = {source.n: source for source in sources}
    for sentence in sentences:
        source = by_number[sentence.n]
        yield cite(source, source.part_at(sentence.start), sentence.text)
