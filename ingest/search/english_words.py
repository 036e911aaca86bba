"""English words: which words exist, so that a real word is not taken for a misspelled one.

The words are those of pyspellchecker (MIT): 160,000 with their inflections, checked against several dictionaries. It
has few misspellings, and lacks product names and newer words.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files

_SHORTEST = 3
# Counts in pyspellchecker's texts from which a word is a part of compounds such as 'timesheet': most of its rarer words
# of few letters are names and abbreviations, into which misspelled words fall apart ('physicain' = 'physi' + 'cain').
_PART_COUNTS = {3: 20_000, 4: 2_000}
_LONG_PART_COUNT = 200


@cache
def word_counts() -> dict[str, int]:
    """Word in lower case → how often it occurs in the texts that pyspellchecker counted. Read once; takes 20 MB."""
    packed = (files("spellchecker") / "resources" / "en.json.gz").read_bytes()
    counts: dict[str, int] = json.loads(gzip.decompress(packed))
    return {
        word: count
        for word, count in counts.items()
        if word.isascii() and word.isalpha() and len(word) >= _SHORTEST
    }  # fmt: skip


@cache
def words_beginning_with(beginning: str) -> tuple[str, ...]:
    """The words of the list that begin with these one or two letters."""
    words = word_counts() if len(beginning) == 1 else words_beginning_with(beginning[0])
    return tuple(word for word in words if word.startswith(beginning))


def is_english_word(word: str) -> bool:
    """Whether the list has this word (in lower case)."""
    return word in word_counts()


def is_compound(word: str) -> bool:
    """Whether the word (in lower case) is made of two frequent words, as newer words often are: timesheet, offboard."""
    return any(_is_part(word[:cut]) and _is_part(word[cut:]) for cut in range(_SHORTEST, len(word) - _SHORTEST + 1))


def _is_part(word: str) -> bool:
    return word_counts().get(word, 0) >= _PART_COUNTS.get(len(word), _LONG_PART_COUNT)
