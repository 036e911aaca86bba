"""Chinese and English text as search terms and as sentences; what a Chinese character is; the language of a text.

Everything that compares words uses the same terms: the BM25 index, the question, and the choice of evidence sentences.
Chinese is cut into characters and pairs of characters, which needs no dictionary; words are lower-cased and stemmed;
numbers, dates and codes have one form however they are written, and traditional characters become simplified ones.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from operator import add

import Stemmer

from ingest.base.normal_forms import find_forms, fold, surroundings, token_terms

# What a Chinese character is, for the whole product: these go inside the [...] of a regular expression.
# Unicode's block CJK Unified Ideographs holds nearly all that people write. It is enough where a character must be
# likely: in a name, in a word of a made-up question, in bytes that may or may not be Chinese.
COMMON_IDEOGRAPHS = "\u4e00-\u9fff"
# All of them: with Extension A, the Compatibility Ideographs of older encodings, and planes 2 and 3 (Extension B and
# later), whose rare characters occur in names of people, places and species.
IDEOGRAPHS = f"\u3400-\u4dbf{COMMON_IDEOGRAPHS}\uf900-\ufaff\U00020000-\U0003134f"
KANA = "\u3040-\u30ff"  # the blocks Hiragana and Katakana
HANGUL = "\uac00-\ud7af"  # the block Hangul Syllables
# The blocks CJK Symbols and Punctuation and Halfwidth and Fullwidth Forms: the punctuation of Chinese text.
FULL_WIDTH_MARKS = "\u3000-\u303f\uff00-\uffef"

# Scripts without spaces between words, and Hangul, whose words carry suffixes that no stemmer here removes.
_CJK = f"{KANA}{IDEOGRAPHS}{HANGUL}"
_CJK_RUN = re.compile(f"[{_CJK}]+")
# A word, or a code or number such as E-07, 3.5, v2.1, 1,200: joined by single punctuation marks inside it.
_WORD = re.compile(rf"[^\W_{_CJK}]+(?:[.,:/+&'’_-][^\W_{_CJK}]+)*", re.UNICODE)
_WORD_PART = re.compile(r"[^\W_]+", re.UNICODE)
_TOKEN = re.compile(f"(?P<cjk>{_CJK_RUN.pattern})|{_WORD.pattern}", re.UNICODE)
_DIGIT = re.compile("[0-9]")
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")

# Function words carry no topic; the list is the closed classes of English (articles, pronouns, auxiliaries,
# prepositions, conjunctions, question words).
ENGLISH_STOP_WORDS = frozenset(
    """a about am an and any are as at be been being but by can could did do does doing for from had has have having
    he her hers him his how i if in into is it its itself me might must my of on onto or our ours shall she should
    so such than that the their theirs them then there these they this those to too us was we were what when where
    which who whom whose why will with would you your yours""".split()
)
# Chinese function characters, left out only as single characters: in pairs they still distinguish words.
CHINESE_STOP_CHARACTERS = frozenset(
    "的了是在有和与或及等吗呢吧么啊什怎哪几多少个这那为以于由被把将对也都就而其之所能可会要请问我你他她它们"
)

# A Stemmer must not be used by two threads at the same time.
_thread = threading.local()


# The few words that most of a text consists of are not stemmed again each time.
@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    stemmer = getattr(_thread, "stemmer", None)
    if stemmer is None:
        stemmer = _thread.stemmer = Stemmer.Stemmer("english")
    stemmed: str = stemmer.stemWord(word)
    return stemmed


def terms(text: str) -> list[str]:
    """The search terms of a text, in order and with repeats.

    A run of Chinese, Japanese or Korean becomes its single characters and its adjacent pairs; a word becomes its stem;
    a code such as `E-07` stays whole and also becomes its parts. Stop words and single stop characters are left out.
    Numbers, dates and codes have one form however they are written (`normal_forms`): a date becomes its year, its
    month, its day and what they say together. Full-width forms and traditional characters become ordinary ones.
    """
    folded = fold(text)
    lower = folded.lower()
    if len(lower) != len(folded):  # a rare letter such as İ becomes two
        folded = lower
    result: list[str] = []
    done = 0
    for form in find_forms(folded):
        _add_words(lower, done, form.start, result)
        for term in form.terms:
            _add_part(term, result)
        done = form.end
    _add_words(lower, done, len(lower), result)
    return result


def _add_words(text: str, start: int, end: int, result: list[str]) -> None:
    """Append the terms of the words and runs of characters in `text[start:end]`, which is folded and in lower case."""
    for match in _TOKEN.finditer(text, start, end):
        token = match.group()
        if match.lastgroup == "cjk":
            result.extend([character for character in token if character not in CHINESE_STOP_CHARACTERS])
            result.extend(map(add, token, token[1:]))
            continue
        if token.isalpha():
            if token not in ENGLISH_STOP_WORDS:
                result.append(_stem(token))
            continue
        if token.isdecimal():
            result.append(token)
            continue
        token = token.removesuffix("'s").removesuffix("’s")
        if _DIGIT.search(token):
            whole, parts = token_terms(token, *surroundings(text, match))
            _add_part(whole, result)
        else:
            parts = _WORD_PART.findall(token)
            if len(parts) > 1:
                result.append(token)
        for part in parts:
            if part not in ENGLISH_STOP_WORDS:
                _add_part(part, result)


def _add_part(part: str, result: list[str]) -> None:
    """Append a number or code as it is, or the stem of a word; of 3.8 also 3 and 8, but an address stays whole."""
    result.append(_stem(part))
    if _DECIMAL.fullmatch(part):
        result.extend(part.split("."))


def is_chinese(text: str) -> bool:
    """True when ideographs, kana and Hangul are at least a fifth of the letters: Latin product names are common.

    Also true of Japanese and Korean text; `language_of` tells these apart.
    """
    chinese = sum(len(run) for run in _CJK_RUN.findall(text))
    return chinese > 0 and chinese >= 0.2 * sum(character.isalpha() for character in text)


# A character of Chinese, or the least that may be a word of another language.
_LETTERS = re.compile(f"[{IDEOGRAPHS}]|[^\\W\\d_]{{2}}")


def in_other_language(text: str, question: str) -> bool:
    """Whether one of both is Chinese (`is_chinese`) and the other is in another language, so that they share few words.

    False for a text without two letters in a row: numbers, amounts and codes belong to every language.
    """
    return is_chinese(text) != is_chinese(question) and _LETTERS.search(text) is not None


_KANA = re.compile(f"[{KANA}]")
_HANGUL = re.compile(f"[{HANGUL}]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-žẞ]+")
# English words that are not words of related languages too; they make up a fifth of English text.
_ENGLISH_WORDS = frozenset("the of and to is are with that this from be by it you have will must not at".split())


def language_of(text: str) -> str:
    """The main language of a text, by its letters or common words: zh, ja, ko, ru, en, or other."""
    letters = sum(map(str.isalpha, text)) or 1
    if len(_KANA.findall(text)) > 0.1 * letters:
        return "ja"
    if len(_HANGUL.findall(text)) > 0.2 * letters:
        return "ko"
    if is_chinese(text):
        return "zh"
    if len(_CYRILLIC.findall(text)) > 0.3 * letters:
        return "ru"
    words = [word.lower() for word in _LATIN_WORD.findall(text)]
    common = sum(word in _ENGLISH_WORDS for word in words)
    return "en" if words and common >= 0.08 * len(words) else "other"


# Markdown's marks of emphasis and code; an underscore inside a word, as in DOCENT_HOME, belongs to the word.
EMPHASIS = r"[*`]+|(?<![^\W_])_+|_+(?![^\W_])"
# Full stops that do not end a sentence. Lower case, without the stop itself.
_ABBREVIATIONS = frozenset("mr mrs ms dr prof st no vs etc e.g i.e fig inc ltd co jr sr dept approx tel ext".split())
_SENTENCE_END = re.compile(r"[。！？!?…]+[”’」』）)\"']*|\.+[”’\"')\]]*(?=\s|$)|\n+")
# Lines that never continue the one before: headings, list items, table rows, quotations.
_OWN_LINE = re.compile(r"\s*(?:[-*+•·◦▪●#|>]|\d{1,3}[.)、．]|[（(]?[一二三四五六七八九十]+[)）、])")
# A line that was broken by the width of the page has at least this width in letters; a Chinese character counts two.
_WRAPPED_WIDTH = 50


def begins_own_line(text: str) -> bool:
    """True for a line that never continues the one before: a heading, list item, table row or quotation."""
    return _OWN_LINE.match(text) is not None


def is_wrapped(line: str, following: str) -> bool:
    """True when the break between two lines comes only from the width of the page."""
    if not following.strip() or begins_own_line(following) or re.match(r"\s*[#|]", line):
        return False
    width = len(line) + sum(len(run) for run in _CJK_RUN.findall(line))
    return width >= _WRAPPED_WIDTH and line.rstrip()[-1:] not in "。！？；：:"


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence, without white space around it. A line is a sentence too unless `is_wrapped`.

    `text[start:end]` is the sentence with its closing punctuation. Every visible character is in exactly one span.
    """
    start = 0
    for match in _SENTENCE_END.finditer(text):
        mark = match.group()[0]
        if mark == "." and not _ends_sentence(text, match):
            continue
        if mark == "\n" and len(match.group()) == 1 and _breaks_wrapped_line(text, match.start()):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _breaks_wrapped_line(text: str, newline: int) -> bool:
    end = text.find("\n", newline + 1)
    following = text[newline + 1 : end if end >= 0 else len(text)]
    return is_wrapped(text[text.rfind("\n", 0, newline) + 1 : newline], following)


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    word = (line.rsplit(None, 1)[-1:] or [""])[0].lower().lstrip("(\"'")
    # Abbreviations, initials such as 'J.', and '1.' opening a list item.
    if word in _ABBREVIATIONS or re.fullmatch(r"[a-z]", word) or re.fullmatch(r"\s*\d{1,3}", line):
        return False
    return not text[match.end() : match.end() + 3].lstrip()[:1].islower()


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
