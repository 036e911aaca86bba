"""How well a document was read: a score from 0 to 1 and what is wrong. A leaf beside `language`: it knows no formats.

A parser that fails loudly is easy; one that returns glyph codes, another encoding's letters or what a recogniser
saw in a stain would be answered from. Each kind of damage is a measure of its own, the share of the text it spoils
(after the document-quality rules of Gopher, Rae et al. 2021, and C4, Raffel et al. 2020, kept to those that hold in
any language and for tables, code and short notes). Every measure is turned into a penalty that is 0 up to a share
that good documents have and 1 from a share that makes the text useless; the score is the product of what is left.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from ingest.base.language import HANGUL, IDEOGRAPHS, KANA, is_chinese
from ingest.base.types import ReadDocument

# Below it a document is kept but not answered from. Of 933 good documents (Office, Markdown, PDF, code, tables, a
# dozen languages) the worst scored 1.0, of 23 kinds of planted damage the best .1: the line is halfway.
ACCEPTED_SCORE = 0.5
# Long documents are judged by this many characters, taken from all over them.
_SAMPLE = 60_000
_SLICES = 12


@dataclass(frozen=True)
class ParseScore:
    """`score` 0 to 1, higher is better; `language` zh, ja, ko, ru, en, other; `reason` one line, '' if all is well."""

    score: float
    language: str
    reason: str


def score_document(document: ReadDocument) -> ParseScore:
    """Judge the text of a document, whatever it was read from."""
    text = _sample(document.text)
    prose = _without_markup(text)
    language = _language(prose)
    reason, worst, score = "", 0.0, 1.0
    for measure, none, all_, message in _MEASURES:
        penalty = _ramp(measure(prose), none, all_)
        score *= 1 - penalty
        if penalty > max(worst, 0.05):
            worst, reason = penalty, message
    sparse = _sparse(document)
    if sparse > worst:
        reason = "hardly any text on its pages: they may be scans that need text recognition"
    return ParseScore(round(score * (1 - sparse), 3), language, reason)


def _ramp(value: float, none: float, all_: float) -> float:
    """0 up to `none`, 1 from `all_`, in proportion between; `all_` below `none` where less is worse."""
    return min(1.0, max(0.0, (value - none) / (all_ - none)))


def _sample(text: str) -> str:
    if len(text) <= _SAMPLE:
        return text
    step, length = len(text) // _SLICES, _SAMPLE // _SLICES
    return "\n".join(text[number * step : number * step + length] for number in range(_SLICES))


_LINK = re.compile(r"(?:https?://|www\.|mailto:)[^\s)\]>\"'|]+|\]\([^)\s]*\)|<[^<>\n]{1,200}>")
# Rules and fillers that people draw: runs of one mark.
_RULES = re.compile(r"([-=_.*#~+|:─━═·…\s])\1{2,}")


def _without_markup(text: str) -> str:
    """The text without addresses, tags and drawn lines, which say nothing about how it was read."""
    return _RULES.sub(r"\1", _LINK.sub(" ", text))


_KANA = re.compile(f"[{KANA}]")
_HANGUL = re.compile(f"[{HANGUL}]")
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-žẞ]+")
# English words that are not also words of its neighbours; they make up a fifth of English text.
_ENGLISH = frozenset("the of and to is are with that this from be by it you have will must not at".split())


def _language(text: str) -> str:
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
    known = sum(word in _ENGLISH for word in words)
    return "en" if words and known >= 0.08 * len(words) else "other"


_GLYPH_CODE = re.compile(
    r"\(cid:\d+\)|/(?:g|glyph|uni|cid)[0-9A-F]{1,5}\b|\\u[0-9a-f]{4}|&#x?[0-9a-f]{2,6};", re.IGNORECASE
)


def _glyph_codes(text: str) -> float:
    """Share of characters that are a font's numbers for letters, as '(cid:12)'."""
    return sum(map(len, _GLYPH_CODE.findall(text))) / max(1, _visible(text))


# Replacement character, private use (but for the bullets of symbol fonts), unassigned blocks' and control codes, boxes.
_UNREADABLE = re.compile(
    "[\ufffd\ue000-\uefff\uf100-\uf8ff\U000f0000-\U0010ffff\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u25a1]"
)


def _unreadable(text: str) -> float:
    return len(_UNREADABLE.findall(text)) / max(1, _visible(text))


_HIGH_RUN = re.compile("[\u0080-\u00ffŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]{2,}")
_HIGH_WORD = re.compile("[À-ÖØ-öø-ÿ]{4,}")
# What UTF-8 read as GB18030 looks like: its private-use characters stand between the ideographs.
_CHINESE_RUN = re.compile(f"[{IDEOGRAPHS}\ue000-\ue5ff\uff00-\uffef]{{4,}}")
_ACCENTED_WORDS = 5
_KNOWN_SOUP = re.compile("(?:锟斤拷|锟斤|烫烫|屯屯)")


def _mojibake(text: str) -> float:
    """Share of characters read in a wrong encoding: runs that turn into good text when the mistake is undone."""
    spoiled = sum(len(run) for run in _HIGH_RUN.findall(text) if _undoes(run, _latin_bytes, "utf-8"))
    # Words of nothing but accented letters: Chinese, Russian or Greek bytes shown as Latin-1. A list may have a few.
    words = _HIGH_WORD.findall(text)
    spoiled += sum(map(len, words)) if len(words) >= _ACCENTED_WORDS else 0
    spoiled += sum(len(run) for run in _CHINESE_RUN.findall(text)[:3000] if _undoes(run, _chinese_bytes, "utf-8"))
    spoiled += sum(map(len, _KNOWN_SOUP.findall(text)))
    # A run may be counted in two ways; and two or three such letters stand for one that was lost.
    letters = sum(map(str.isalnum, text))
    return spoiled / max(1, letters)


def _undoes(run: str, to_bytes: Callable[[str], bytes], encoding: str) -> bool:
    raw = to_bytes(run)
    # The run may have begun or ended in the middle of a character.
    for cut in range(3):
        try:
            found = raw[: len(raw) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
        return len(found) < len(run) and len(found) > 0
    return False


def _latin_bytes(run: str) -> bytes:
    return b"".join(bytes([ord(letter)]) if ord(letter) < 256 else letter.encode("cp1252", "ignore") for letter in run)


def _chinese_bytes(run: str) -> bytes:
    return run.encode("gb18030", "ignore")


def _rare_characters(text: str) -> float:
    """Share of Han characters that no everyday text uses: a font's or an encoding's numbers taken for characters."""
    han = _IDEOGRAPH.findall(text)
    return sum(not _is_everyday(character) for character in han) / len(han) if len(han) >= 20 else 0.0


@cache
def _is_everyday(character: str) -> bool:
    """In the first level of GB 2312, Big5 or JIS X 0208, which hold the characters of ordinary text."""
    return any(
        first <= (character.encode(encoding, "replace") or b"?")[0] <= last
        for encoding, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("shift_jis", 0x88, 0x97))
    )


_VOWELS = re.compile("[aeiouyà-æè-ïò-öø-üýÿāăąēėęěīįıōőœūůűų]", re.IGNORECASE)
# A word of prose: letters only, not part of a name such as cfg.srv1, HTTPService or max_len.
_PROSE_WORD = re.compile(r"(?<![\w./\\@-])[A-Za-zÀ-ÖØ-öø-ž][a-zß-öø-ž]{3,}(?![\w/\\@=(]|[.-]\w)")
_WORDS_TO_JUDGE = 40


def _few_vowels(text: str) -> float:
    """How far the share of vowels among letters is below what languages have, as shifted fonts make it.

    English has .38, German .37, French .44, Polish .37 (letter frequencies of each); letters at random .23.
    """
    words = set(_PROSE_WORD.findall(text))
    if len(words) < _WORDS_TO_JUDGE:
        return 0.0
    letters = "".join(words)
    return max(0.0, 0.37 - len(_VOWELS.findall(letters)) / len(letters))


_CONSONANTS = re.compile("[bcdfghjklmnpqrstvwxz]{5,}", re.IGNORECASE)


def _consonant_soup(text: str) -> float:
    """Share of longer words with five consonants in a row or no vowel at all, abbreviations in capitals aside."""
    words = set(_PROSE_WORD.findall(text))
    if len(words) < _WORDS_TO_JUDGE:
        return 0.0
    return sum(bool(_CONSONANTS.search(word)) or not _VOWELS.search(word) for word in words) / len(words)


_MARK = re.compile(
    r"[^\w\s.,;:!?()'\"“”‘’/|\-–—*#_`$€£¥%&+=<>\[\]{}@\\。，、；：！？（）《》「」【】·•●○◦▪■◆➢✓✔✗★☆→←↑↓▲▼…°©®™§№«»¿¡×÷±≤≥≈∞€\uf000-\uf0ff]"
)
_TOKEN = re.compile(r"\S+")
_ODD_TOKEN = re.compile(
    r"[^\W\d_][^\w\s'’.,/:@&()\[\]{}<>=+_|`\"“”*#-]+[^\W\d_]|[a-z][A-Z][a-z]?[A-Z][a-z]|[a-z]{2}[A-Z]{2}[a-z]"
)
# … and shreds of letters among marks: 'l|^a', '~;fJ', '«*i'. Code has such marks, but longer names.
_SHRED = re.compile(r"(?=\S*[!^~|\\<>{}¦§¬«»*;])(?!\S*[^\W_]{3})(?=\S{3})\S+")


def _symbol_soup(text: str) -> float:
    """Share of tokens a recogniser makes of stains and handwriting: marks nobody writes, or letters mixed with them."""
    tokens = _TOKEN.findall(text)
    latin = [token for token in tokens if any(letter.isalpha() for letter in token) and not _IDEOGRAPH.search(token)]
    if len(tokens) < _WORDS_TO_JUDGE:
        return 0.0
    odd = sum(bool(_ODD_TOKEN.search(token) or _SHRED.fullmatch(token)) for token in latin)
    marks = sum(bool(_MARK.search(token)) and not any(map(str.isalnum, token)) for token in tokens)
    return (odd + marks) / len(tokens)


_TORN = re.compile(r"(?:(?<![^\W_])[^\W\d_] ){4,}[^\W\d_](?![^\W_])")


def _fragments(text: str) -> float:
    """Share of letters that stand alone, one after the other: words that were torn apart, not cells of tables."""
    torn = sum(len(run) // 2 for run in _TORN.findall(text) if not _IDEOGRAPH.search(run))
    return torn / max(1, sum(map(str.isalpha, text)))


_TABLE_ROW = re.compile(r"^\|.*\n?", re.MULTILINE)
_RUN = re.compile(r"([^\s\-=_.*#~+|:─━═·…0])\1{7,}")


def _repetition(text: str) -> float:
    """Share of the text that only repeats: runs of one character, and what is left when DEFLATE has found the rest.

    Good documents shrink to a fifth to a half, logs and forms to a twentieth, one line over and over to almost nothing.
    """
    text = _TABLE_ROW.sub("", text)  # a column may hold the same value in every row
    if len(text) < 400:
        return 0.0
    runs = sum(len(match.group()) for match in _RUN.finditer(text)) / len(text)
    raw = text.encode()
    packed = len(zlib.compress(raw, 6)) / len(raw)
    letters = Counter(filter(str.isalpha, text))
    one = letters.most_common(1)[0][1] / letters.total() if letters.total() > 200 else 0.0
    return max(runs, _ramp(packed, 0.035, 0.01), _ramp(one, 0.3, 0.6))


def _unbroken(text: str) -> float:
    """Share of characters in 'words' no one writes, such as encoded binary data: seventy letters or figures."""
    return sum(map(len, re.findall(r"[A-Za-z0-9+/=]{70,}", text))) / max(1, _visible(text))


def _sparse(document: ReadDocument) -> float:
    """How far several printed pages have fewer words than a page has; pages that came out empty count."""
    numbers = [int(match.group(1)) for page in document.pages if (match := re.fullmatch(r"p\. (\d+)", page.label))]
    if not numbers or max(numbers) < 4:
        return 0.0
    words = sum(1 for page in document.pages for _ in _words(page.text))
    return _ramp(words / max(numbers), 6, 2)


def _words(text: str) -> Iterator[str]:
    for match in re.finditer(r"\w+", text):
        yield from match.group() if _IDEOGRAPH.search(match.group()) else (match.group(),)


def _visible(text: str) -> int:
    return len(text) - sum(map(str.isspace, text))


# Measure, the share good documents reach, the share that leaves nothing of use, what to tell a person.
_MEASURES: tuple[tuple[Callable[[str], float], float, float, str], ...] = (
    (_glyph_codes, 0.05, 0.35, "codes of a font stand where its letters should: print the file to a new PDF"),
    (_unreadable, 0.03, 0.20, "many characters are unreadable: the font or the encoding is missing; save it again"),
    (_mojibake, 0.05, 0.20, "the text was saved in a wrong encoding: save it again as UTF-8"),
    (_rare_characters, 0.15, 0.45, "most Chinese characters are not in use: the font or the encoding is wrong"),
    (_few_vowels, 0.08, 0.17, "the letters form no words: the font's letters are mixed up; print it to a new PDF"),
    (_consonant_soup, 0.20, 0.50, "the letters form no words: the font's letters are mixed up; print it to a new PDF"),
    (_symbol_soup, 0.15, 0.40, "text recognition made no words of it: scan it again, straight and at 300 dots an inch"),
    (_fragments, 0.15, 0.60, "the words are torn into single letters: save it again or print it to a new PDF"),
    (_repetition, 0.25, 0.70, "the same characters or lines repeat over and over"),
    (_unbroken, 0.40, 0.85, "it holds encoded data, not text"),
)
