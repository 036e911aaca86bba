"""Spelling: words of a question that the library does not have, matched to words that it has.

A false correction is worse than none: it answers another question. So a word is corrected only when it is no real word,
code, abbreviation or name, and when one word of the library is clearly meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.base.language import FULL_WIDTH_MARKS, HANGUL, IDEOGRAPHS, KANA, language_of, terms
from ingest.passages.embedders.embedder import Embedder
from ingest.search.english_words import is_compound, is_english_word
from ingest.search.homophones import correct_homophones
from ingest.search.indexes.snapshot import IndexSnapshot
from ingest.search.near_words import NearWord, near_words, writes_as_name
from ingest.store.catalog import Catalog

# Shorter words are too near to too many others.
SHORTEST = 4
# The longest abbreviation: a word in capitals up to here is not corrected.
_ABBREVIATION = 5
# A candidate is clearly more frequent than another when it is in this many times as many passages.
_CLEARLY = 5
# A candidate clearly fits the rest of the question better when its best passage has this many times the BM25 for it.
_FITS_BETTER = 1.3
# Words that English texts have this seldom, names and products above all, count as if they had them this often when
# they are compared with an English word that the library does not have.
_RARE = 500
# Text without white space, brackets, quotation marks, or CJK, which needs no space around Latin words.
_CHUNK = re.compile(rf"[^\s{IDEOGRAPHS}{KANA}{HANGUL}{FULL_WIDTH_MARKS}\"“”()\[\]{{}}<>?!,;…—|*]+")
_PLAIN_WORD = re.compile(rf"['‘]?([A-Za-z]{{{SHORTEST},}})(?:['’]s)?['’.:]*")
_SENTENCE_BEGINS = re.compile(r"(?:\A|[.?!:…。？！：])[\s\"'“‘(]*\Z")


@dataclass(frozen=True)
class Correction:
    """A word as typed, at `question[start:end]`, and the word of the library that was meant.

    `is_name`: either of them may be a name, and one name is never proof of another.
    """

    start: int
    end: int
    typed: str
    meant: str
    is_name: bool = False


@dataclass(frozen=True)
class CorrectedQuestion:
    """A question with its corrections in order; `text` is what to search for: the question itself without any."""

    text: str
    corrections: tuple[Correction, ...] = ()

    @property
    def changes_name(self) -> bool:
        """Whether a word was corrected that may be a name."""
        return any(correction.is_name for correction in self.corrections)


def correct_spelling(question: str, embedder: Embedder, index: IndexSnapshot, catalog: Catalog) -> CorrectedQuestion:
    """The question with its misspelled words corrected.

    English words are corrected to words of the library within an edit distance, Chinese ones to words of the library
    that are pronounced alike.
    """
    found = [*_misspelled_words(question, embedder, index, catalog)]
    if language_of(question) == "zh":
        found += [Correction(*homophones) for homophones in correct_homophones(question, index)]
    corrections = tuple(sorted(found, key=lambda correction: correction.start))
    text = question
    for correction in reversed(corrections):
        text = text[: correction.start] + correction.meant + text[correction.end :]
    return CorrectedQuestion(text, corrections)


def _misspelled_words(
    question: str, embedder: Embedder, index: IndexSnapshot, catalog: Catalog
) -> Iterator[Correction]:
    for chunk in _CHUNK.finditer(question):
        plain = _PLAIN_WORD.fullmatch(chunk.group())
        if plain is None or not _may_be_misspelled(plain[1], index):
            continue
        typed, start = plain[1], chunk.start() + plain.start(1)
        end = start + len(typed)
        named = typed[0].isupper() and not typed.isupper() and not _SENTENCE_BEGINS.search(question[: chunk.start()])
        edits = 1 if named or is_compound(typed.lower()) else 2
        candidates = near_words(typed.lower(), index, catalog, edits)
        if any(embedder.has_word(form) for form in (typed.lower(), typed.lower().removesuffix("s"))):
            # Frequent words are one token, names of products as well as words of other languages: Spanish has 'anual'.
            candidates = [word for word in candidates if _without_doubles(word.word) == _without_doubles(typed.lower())]
        meant = _clearly_meant(candidates, terms(f"{question[:start]} {question[end:]}"), index)
        if meant is None:
            continue
        is_name = bool(meant.term) and writes_as_name(meant, index, catalog)
        if is_name or not named:
            yield Correction(start, end, typed, _cased(meant.word, typed, is_name), is_name)


def _may_be_misspelled(typed: str, index: IndexSnapshot) -> bool:
    """Whether the library does not have it, and it is no English word, abbreviation or name such as QuickBooks."""
    if (typed.isupper() and len(typed) <= _ABBREVIATION) or not (typed.isupper() or typed[1:].islower()):
        return False
    word_terms = terms(typed)  # none for a function word
    if not word_terms or any(index.bm25.passage_counts(word_terms).values()):
        return False
    return not is_english_word(typed.lower())


def _without_doubles(word: str) -> str:
    return re.sub(r"(.)\1", r"\1", word)


def _clearly_meant(candidates: list[NearWord], rest: list[str], index: IndexSnapshot) -> NearWord | None:
    """The candidate that was clearly meant: the only nearest one, or the much more frequent one, or that which fits.

    `rest` are the terms of the rest of the question: a candidate fits when a passage has it and them. None when a word
    that the library does not have may have been meant as well.
    """
    nearest = min(((word.distance, not word.likely) for word in candidates), default=(0, False))
    equal = [word for word in candidates if (word.distance, not word.likely) == nearest]
    by_term: dict[str, NearWord] = {}  # forms of one word are one candidate
    for word in sorted(equal, key=lambda word: -word.english):
        if word.passages:
            by_term.setdefault(word.term or word.word, word)
    present = sorted(by_term.values(), key=lambda word: -word.passages)
    absent = max((word.english for word in equal if not word.passages), default=0)
    if not present or absent > max(present[0].english, _RARE):
        return None
    if len(present) == 1 or present[0].passages >= _CLEARLY * present[1].passages:
        return present[0]
    fits = sorted(((_fit(word.term, rest, index), word) for word in present), key=lambda item: -item[0])
    return fits[0][1] if fits[0][0] > _FITS_BETTER * fits[1][0] else None


def _fit(term: str, rest: list[str], index: IndexSnapshot) -> float:
    """The highest BM25 for the rest of the question that a passage with this term has."""
    having = list(index.lexical([term], 100))
    return max(index.lexical(rest, 1, among=having).values(), default=0.0)


def _cased(meant: str, typed: str, is_name: bool) -> str:
    """The word with capital letters as they were typed, or as names have them."""
    if typed.isupper():
        return meant.upper()
    return meant.capitalize() if is_name or typed[0].isupper() else meant
