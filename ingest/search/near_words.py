"""Words within an edit distance of a word that the library does not have: English words, and words of its own.

English words come from a list. The library's own words (names, products, terms of the trade) come from its index, which
knows stems: stems near a beginning of the typed word lead to passages, whose text has the words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from ingest.base.language import terms
from ingest.search.english_words import word_counts, words_beginning_with
from ingest.search.indexes.snapshot import IndexSnapshot
from ingest.store.catalog import Catalog

# From this length on two edits are allowed, for shorter words one.
_TWO_EDITS = 8
_SHORTEST = 3
# The library's own words: their stems lack at most this many letters of the typed word; so many of the nearest stems
# are looked at, in so many passages each.
_LONGEST_ENDING = 4
_STEMS = 12
_PASSAGES = 4
_WORDS = re.compile(r"[^\W\d_]+")
_VOWELS = frozenset("aeiouy")
# The letters of a keyboard (QWERTY) as rows and columns; a column's neighbours in the row below are its own and the one
# before it.
_KEYS = {letter: (row, column) for row, keys in enumerate(("qwertyuiop", "asdfghjkl", "zxcvbnm"))
         for column, letter in enumerate(keys)}  # fmt: skip


@dataclass(frozen=True)
class NearWord:
    """A word in lower case, its search term ('' for a function word), and how many passages have that term.

    `distance` is the number of edits between it and the typed word: letters added, left out, replaced, or two
    neighbours exchanged. `likely` is False for a single edit that people seldom make: another letter that is neither
    near on the keyboard nor a vowel for a vowel. `english` is how often the word occurs in English texts, 0 for a word
    that is not in the list.
    """

    word: str
    term: str
    passages: int
    distance: int
    likely: bool
    english: int


def near_words(typed: str, index: IndexSnapshot, catalog: Catalog, at_most: int) -> list[NearWord]:
    """The words within the allowed edits of `typed` (lower case), also English words that the library does not have.

    `at_most` limits the edits further.
    """
    edits = min(at_most, 2 if len(typed) >= _TWO_EDITS else 1)
    near = [word for initial in _initials(typed) for word in _near(typed, edits, words_beginning_with(initial), index)]
    nearest = min((word.distance for word in near if word.passages), default=edits)
    if any(word.passages and word.distance == 1 and word.likely for word in near):
        return near  # nothing can be nearer, and looking for the library's own words takes most of the time
    stems = _near_stems(typed, nearest, index, known={word.term for word in near})
    own_words = {word.lower() for word in _words_of(stems, index, catalog)} - {word.word for word in near}
    return near + _near(typed, nearest, [word for word in own_words if word.startswith(_initials(typed))], index)


def writes_as_name(word: NearWord, index: IndexSnapshot, catalog: Catalog) -> bool:
    """Whether the library writes the word with a capital letter wherever it was looked for."""
    written = {found for found in _words_of([word.term], index, catalog) if found.lower() == word.word}
    return bool(written) and all(found[0].isupper() for found in written)


def _near(typed: str, edits: int, words: Sequence[str], index: IndexSnapshot) -> list[NearWord]:
    found = process.extract(typed, words, scorer=OSA.distance, score_cutoff=edits, limit=None)
    term_of = {word: next(iter(terms(word)), "") for word, _, _ in found if len(word) >= _SHORTEST and word.isascii()}
    counts = index.bm25.passage_counts(list(term_of.values()))
    return [
        NearWord(
            word, term_of[word],
            counts[term_of[word]] if term_of[word] else len(index.bm25),  # a function word is in every document
            int(distance), distance > 1 or _is_likely(typed, word), word_counts().get(word, 0),
        )
        for word, distance, _ in found
        if word in term_of
    ]  # fmt: skip


def _initials(typed: str) -> tuple[str, ...]:
    """The beginnings that a near word may have: the first letter, or the first two exchanged."""
    return (typed[0],) if typed[0] == typed[1] else (typed[0], typed[1] + typed[0])


def _near_stems(typed: str, edits: int, index: IndexSnapshot, known: AbstractSet[str]) -> list[str]:
    """The stems within `edits` of a beginning of the word, without those `known`; the nearest, most frequent first."""
    by_length: dict[int, list[str]] = defaultdict(list)
    counts: dict[str, int] = {}
    for initial in _initials(typed):
        for stem, count in index.bm25.terms_with_prefix(initial).items():
            long_enough = len(stem) >= max(_SHORTEST, len(typed) - _LONGEST_ENDING)
            if long_enough and stem not in known and stem.isascii() and stem.isalpha():
                counts[stem] = count
                by_length[len(stem)].append(stem)
    distances: dict[str, int] = {}
    for length, stems in by_length.items():
        for beginning in {typed[: length + change] for change in range(-edits, edits + 1)}:
            found = process.extract(beginning, stems, scorer=OSA.distance, score_cutoff=edits, limit=None)
            for stem, distance, _ in found:
                distances[stem] = min(int(distance), distances.get(stem, edits))
    return sorted(distances, key=lambda stem: (distances[stem], abs(len(typed) - len(stem)), -counts[stem]))[:_STEMS]


def _words_of(stems: Iterable[str], index: IndexSnapshot, catalog: Catalog) -> set[str]:
    """The words of some passages that have these stems, as they are written."""
    ids = {passage_id for stem in stems for passage_id in index.lexical([stem], _PASSAGES)}
    rows = catalog.passages(sorted(ids)).values()
    return {word for row in rows for word in _WORDS.findall(f"{row['title']} {row['heading']} {row['text']}")}


def _is_likely(typed: str, word: str) -> bool:
    """Whether the one edit between two words is one that people make often."""
    if len(typed) != len(word):
        return True
    changed = [(was, meant) for was, meant in zip(typed, word, strict=True) if was != meant]
    if len(changed) == 2:  # two neighbours exchanged
        return True
    (was, meant) = changed[0]
    if was in _VOWELS and meant in _VOWELS:
        return True
    (row, column), (other_row, other_column) = _KEYS.get(was, (9, 9)), _KEYS.get(meant, (0, 0))
    if row == other_row:
        return abs(column - other_column) == 1
    above, below = sorted([(row, column), (other_row, other_column)])
    return below[0] - above[0] == 1 and below[1] - above[1] in (-1, 0)
