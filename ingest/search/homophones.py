"""Chinese words of a question that the library does not have, matched to words it has that are pronounced alike.

People type Chinese by its sound and choose the wrong characters: 报消 for 报销. Such a pair is no word: a dictionary of
words (jieba's, MIT) leaves both characters alone. Where characters of the same sound make a word of the library, and
that word occurs together with the rest of the question, it was meant.
"""

from __future__ import annotations

import itertools
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from ingest.base.language import CHINESE_STOP_CHARACTERS, COMMON_IDEOGRAPHS, terms
from ingest.search.indexes.snapshot import IndexSnapshot

_TONES = re.compile("[\u0300\u0301\u0304\u030c]")
# Sounds that many speakers do not tell apart, as input methods know: in and ing, en and eng; z, c, s and zh, ch, sh.
_ALIKE = re.compile("(?<=[zcs])h|(?<=[ie]n)g")
_RUN = re.compile(f"[{COMMON_IDEOGRAPHS}]{{2,}}")
# Readings of a character that count; the others are rare.
_READINGS = 2
# A pair of characters is a word of the library, not two neighbours by chance, when at least this share of the passages
# with its rarer character has the pair; for a word of the dictionary the second number is enough.
_COHESION = 0.2
_WORD_COHESION = 0.05
# A candidate is clearly more frequent than another when it is in this many times as many passages.
_CLEARLY = 3
# The passage that the rest of the question fits best and that has the candidate reaches at least this share of the BM25
# that it reaches in any passage; for a word of the dictionary the second number.
_FITS = 0.5
_WORD_FITS = 0.25
# In so many passages a pair is frequent.
_FREQUENT = 3
# jieba's tags of function words (particles, adverbs, prepositions, conjunctions, pronouns, numerals, classifiers,
# directions) and of names of persons: such a character alone is a word, and right as it stands.
_RIGHT_TAGS = ("u", "d", "p", "c", "r", "m", "q", "f", "y", "nr")
_NAME_TAG = "nr"


@cache
def _homophones() -> dict[str, frozenset[str]]:
    """Character → the other characters with one of its usual readings (tones ignored), of the 6,763 in GB 2312."""
    # Readings of single characters are all that is needed: without its phrases pypinyin takes 12 MB, not 120.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.pinyin_dict import pinyin_dict

    readings = {
        character: [_sound(reading) for reading in pinyin_dict[ord(character)].split(",")[:_READINGS]]
        for character in _common_characters()
        if ord(character) in pinyin_dict
    }
    sounds: defaultdict[str, set[str]] = defaultdict(set)
    for character, usual in readings.items():
        for reading in usual:
            sounds[reading].add(character)
    return {
        character: frozenset(set[str]().union(*(sounds[reading] for reading in usual)) - {character})
        for character, usual in readings.items()
    }


def _sound(reading: str) -> str:
    """A syllable such as 'qíng' without its tone and without what is not told apart: 'qin'."""
    return _ALIKE.sub("", _TONES.sub("", unicodedata.normalize("NFD", reading)))


def _common_characters() -> list[str]:
    """The 6,763 characters of GB 2312, which people write with."""
    places = ((row, cell) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    return [bytes(place).decode("gb2312") for place in places if place < (0xD7, 0xFA) or place >= (0xD8, 0xA1)]


def correct_homophones(question: str, index: IndexSnapshot) -> list[tuple[int, int, str, str]]:
    """(start, end, typed pair, meant pair) for each pair of the question that is certainly misspelled."""
    found: list[tuple[int, int, str, str]] = []
    for run in _RUN.finditer(question):
        if not any(_is_unknown(pair, index) for pair in _pairs(run.group())):
            continue
        loose, changeable = _loose_characters(run.group())
        for start, pair in enumerate(_pairs(run.group())):
            at = run.start() + start
            places = {start, start + 1}
            if not (places <= loose and places & changeable and _is_unknown(pair, index)):
                continue
            if found and found[-1][1] > at:
                continue
            alone = not {start - 1, start + 2} & loose
            meant = _meant(question, at, [place in changeable for place in (start, start + 1)], alone, index)
            if meant:
                found.append((at, at + 2, pair, meant))
    return found


def _pairs(run: str) -> list[str]:
    return [run[start : start + 2] for start in range(len(run) - 1)]


def _is_unknown(pair: str, index: IndexSnapshot) -> bool:
    """Whether the library does not have the pair. Traditional characters count as known: the dictionary lacks them."""
    pair_terms = terms(pair)
    return pair in pair_terms and not index.bm25.passage_counts([pair])[pair]


def _loose_characters(run: str) -> tuple[set[int], set[int]]:
    """The offsets of characters that belong to no word of the dictionary, and of those that may be wrong."""
    import rjieba

    words = rjieba.cut(run, False)
    loose = {sum(map(len, words[:number])) for number, word in enumerate(words) if len(word) == 1}
    right: set[int] = set()
    at = 0
    for word, tag in rjieba.tag(run):  # finds names by their form, too
        at += len(word)
        if tag.startswith(_RIGHT_TAGS):
            right.update(range(at - len(word), at))
        if tag.startswith(_NAME_TAG):
            right.add(at)  # of a given name of two characters it may have found only the first
    return loose, {place for place in loose - right if run[place] not in CHINESE_STOP_CHARACTERS}


def _meant(question: str, at: int, changeable: Sequence[bool], alone: bool, index: IndexSnapshot) -> str:
    """The pair of the library that was clearly meant by the one at `at`; '' for none.

    `changeable` says of both characters whether they may be wrong; only when they stand `alone` between words may both
    be.
    """
    import rjieba

    before, first, second, after = question[:at], question[at], question[at + 1], question[at + 2 :]
    # A character that makes a known pair with its other neighbour is right.
    firsts, seconds = (
        _homophones().get(character, frozenset()) if may_change and not _is_known(outer, index) else frozenset()
        for character, may_change, outer in zip(
            (first, second), changeable, (before[-1:] + first, second + after[:1]), strict=True
        )
    )
    one = [other + second for other in firsts] + [first + other for other in seconds]
    candidates = _words(one, index)
    if alone and not candidates:
        both = [a + b for a, b in itertools.product(firsts, seconds)]
        candidates = {word: count for word, count in _words(both, index).items() if rjieba.has_word(word)}
    rest = _content(before) + _content(after)
    fitting = {word: count for word, count in candidates.items() if _fits(word, rest, index)}
    ranked = sorted(fitting, key=lambda word: -fitting[word])
    if not ranked or (len(ranked) > 1 and fitting[ranked[0]] < _CLEARLY * fitting[ranked[1]]):
        return ""
    return ranked[0]


def _is_known(pair: str, index: IndexSnapshot) -> bool:
    return len(pair) == 2 and _RUN.fullmatch(pair) is not None and bool(index.bm25.passage_counts([pair])[pair])


def _words(pairs: list[str], index: IndexSnapshot) -> dict[str, int]:
    """Pair → in how many passages it is, for those pairs that are words of the library."""
    import rjieba

    pairs = [pair for pair in pairs if not set(pair) & CHINESE_STOP_CHARACTERS]
    counts = {pair: count for pair, count in index.bm25.passage_counts(pairs).items() if count}
    words = {}
    for pair, count in counts.items():
        rarer = min(index.bm25.passage_counts(list(pair)).values())
        if count >= (_WORD_COHESION if rjieba.has_word(pair) else _COHESION) * rarer:
            words[pair] = count
    return words


def _content(text: str) -> list[str]:
    """The terms of a text without its function words, of more than one character."""
    import rjieba

    words = [word for word, tag in rjieba.tag(text) if not tag.startswith(_RIGHT_TAGS)]
    return [term for word in words for term in terms(word) if len(term) > 1]


def _fits(word: str, rest: list[str], index: IndexSnapshot) -> bool:
    """Whether the word occurs with the rest of the question.

    It does when a passage with it has much of what passages have of the rest; for a word of the dictionary less is
    enough. Where there is no rest, another pair must be frequent.
    """
    import rjieba

    in_dictionary = rjieba.has_word(word)
    having = index.lexical([word], 100)
    best = max(index.lexical(rest, 1).values(), default=0.0)
    if best == 0:
        return in_dictionary or len(having) >= _FREQUENT
    with_word = max(index.lexical(rest, 1, among=list(having)).values(), default=0.0)
    return with_word >= (_WORD_FITS if in_dictionary else _FITS) * best
