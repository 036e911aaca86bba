"""Citation check: compares each sentence of an answer with the sources and adds the number of one that supports it.

A model of half a billion parameters cannot be trusted to cite: the source numbers that it writes mean nothing. So its
markers, such as `[1]`, are removed, and the markers of this check are inserted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from assistant.events import Citation, EvidenceSentence, Source, SourcePassage
from ingest.base.language import sentence_spans, terms
from ingest.base.normal_forms import claimed_numbers, stated_numbers, supports
from ingest.passages.split import context_line

# Share of a sentence's words, weighted by how rare they are, that a passage must contain to support it. Not all words,
# because wording differs; a sentence about something else shares at most a third with a passage on the same topic.
SUPPORTED = 0.6
_MARKER = re.compile(r"[ \t\u3000]?[\[［【]\s*\d{1,2}(?:\s*[,，]\s*\d{1,2})*\s*[\]］】]")
# Text that may become a marker when more text follows.
_OPEN_MARKER = re.compile(r"\s*(?:[\[［【][\d\s,，]*)*$")
# Text that may become the number of a list item, which ends the sentence before it.
_OPEN_LINE = re.compile(r"\s*\n\s*(?:\d{1,3}|[（(]?[一二三四五六七八九十]*)$")
_LIST_NUMBER = re.compile(r"(?:\d{1,3}[.)、．]|[（(]?[一二三四五六七八九十]+[)）、])\s*(?=\D)")


class CheckedText:
    """An answer as it is generated: `more` returns the text to show for each delta, with markers.

    `weights` are inverse document frequencies by term; a term without one weighs 1. `citations` and `unsupported` (the
    sentences that no passage supports) grow as sentences end.
    """

    def __init__(self, sources: Sequence[Source], weights: Mapping[str, float] | None = None) -> None:
        self.citations: list[Citation] = []
        self.unsupported: list[str] = []
        self.text = ""
        self._weights = weights or {}
        # Each passage of a source is compared alone: a long text contains many words by chance.
        self._passages = [
            (
                source,
                passage,
                set(terms(f"{context_line(source.title, source.heading)}\n{text}")),
                stated_numbers(f"{source.title}\n{source.heading}\n{text}"),
            )
            for source in sources
            for index, passage in enumerate(source.passages)
            for text in [source.excerpt(index, index)]
        ]
        self._raw = ""
        self._shown = 0
        self._checked = 0

    def more(self, delta: str, last: bool = False) -> str:
        """Add `delta` and return the text to show now. With `last` the answer ends: nothing is held back any more."""
        self._raw = _without_markers(self._raw + delta)
        # White space and the beginning of a marker are held back: the check's marker belongs before the space, and the
        # model's markers are removed when they are complete.
        until = _start(_OPEN_MARKER, self._raw)
        if last:
            self._raw = self._raw[:until]
        else:
            until = min(until, _start(_OPEN_LINE, self._raw[:until]))
        spans = list(sentence_spans(self._raw[:until]))
        # A sentence has ended when the next one begins.
        ended = spans if last else spans[:-1]
        to_show = ""
        for start, end in ended:
            if start < self._checked:
                continue
            self._checked = end
            to_show += self._raw[self._shown : end]
            self._shown = end
            to_show += self._marker(self._raw[start:end])
        to_show += self._raw[self._shown : until]
        self._shown = max(self._shown, until)
        if not self.text:
            to_show = to_show.lstrip()
        self.text += to_show
        return to_show

    def _marker(self, sentence: str) -> str:
        """Record the citation of a complete sentence and return its marker; '' where no passage supports it."""
        item = _LIST_NUMBER.match(sentence)
        claim = sentence[item.end() :] if item else sentence
        wanted = terms(claim)
        if not wanted:
            return ""
        best, share = self._best_passage(claim, wanted)
        if best is None or share < SUPPORTED:
            self.unsupported.append(sentence)
            return ""
        source, passage = best
        citation = cite(source, passage, self._quote(source.text[passage.start : passage.end], wanted))
        if citation not in self.citations:
            self.citations.append(citation)
        return f" [{source.n}]"

    def _best_passage(self, claim: str, wanted: Sequence[str]) -> tuple[tuple[Source, SourcePassage] | None, float]:
        """The passage with the largest share of the wanted terms among those with all numbers, and that share."""
        claimed = claimed_numbers(claim)
        best, best_share = None, 0.0
        for source, passage, words, numbers in self._passages:
            # A wrong number is the worst error, so the passage must have every number of the claim, in any form.
            if not supports(numbers, claimed):
                continue
            share = self._share(wanted, words)
            if share > best_share:
                best, best_share = (source, passage), share
        return best, best_share

    def _quote(self, passage: str, wanted: Sequence[str]) -> str:
        """The sentence of the passage that shares most with the sentence of the answer."""
        spans = [passage[start:end] for start, end in sentence_spans(passage)]
        return max(spans, key=lambda text: self._share(wanted, set(terms(text))), default=passage)

    def _share(self, wanted: Sequence[str], words: set[str]) -> float:
        """The weighted share (0 to 1) of the wanted terms that are among `words`."""
        weights = {term: self._weights.get(term, 1.0) for term in wanted}
        total = sum(weights.values())
        return sum(weight for term, weight in weights.items() if term in words) / total if total else 0.0


def _without_markers(text: str) -> str:
    """The text without markers. Removing a marker can complete another around it, so this is repeated."""
    while (without := _MARKER.sub("", text)) != text:
        text = without
    return text


def _start(pattern: re.Pattern[str], text: str) -> int:
    """Where the pattern begins in the text; the text's length when it does not occur."""
    match = pattern.search(text)
    return len(text) if match is None else match.start()


def cite(source: Source, passage: SourcePassage, quote: str) -> Citation:
    """A citation of one passage of a source."""
    return Citation(
        n=source.n, path=source.path, title=source.title, heading=source.heading, page=passage.page,
        passage_id=passage.passage_id, document_id=source.document_id, quote=quote,
    )  # fmt: skip


def cite_evidence(sentences: Sequence[EvidenceSentence], sources: Sequence[Source]) -> Iterator[Citation]:
    """The citations of an answer that consists of quotations."""
    by_number = {source.n: source for source in sources}
    for sentence in sentences:
        source = by_number[sentence.n]
        yield cite(source, source.passage_at(sentence.start), sentence.text)
