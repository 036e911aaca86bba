"""How well a document was read: a score from 0 to 1, and the reason of a low one.

Some damage raises no error: codes of a font instead of letters, a wrong encoding, stains taken for letters. Each kind
of damage has a measure, the share of the text that it affects (after the quality rules of Gopher, Rae et al. 2021, and
C4, Raffel et al. 2020; those that hold in any language and for tables, code and short notes). A measure becomes a
penalty: 0 up to a share that good documents have, 1 from a share that makes the text useless, in proportion between.
The score is the product of 1 minus each penalty.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from ingest.base.language import IDEOGRAPHS, language_of
from ingest.base.types import ReadDocument

# Documents with a lower score are stored but not used for answers. 933 good documents (Office, Markdown, PDF, code,
# tables, a dozen languages) all scored 1.0, 23 kinds of artificial damage at most .1; this is about halfway.
ACCEPTED_SCORE = 0.5
# Long documents are scored by a sample of this many characters, in slices from all parts of the document.
_SAMPLE_CHARACTERS = 60_000
_SAMPLE_SLICES = 12
# Smaller penalties lower the score without being its reason.
_PENALTY_TO_NAME = 0.05
_NO_WORDS = "the letters form no words: the font's letters are mixed up; print it to a new PDF"


@dataclass(frozen=True)
class ParseScore:
    """`score` 0 to 1, 1 is best; `language` as `language_of` names it; `reason` one line, '' if all is well."""

    score: float
    language: str
    reason: str


def score_document(document: ReadDocument) -> ParseScore:
    """Score the text of a document of any format; the reason is that of the largest penalty."""
    text = _without_markup(_sample(document.text))
    score, largest, reason = 1.0, 0.0, ""
    for measure in _MEASURES:
        penalty = measure.penalty(text)
        score *= 1 - penalty
        if penalty > max(largest, _PENALTY_TO_NAME):
            largest, reason = penalty, measure.message
    sparse = _sparse_pages(document)
    if sparse > largest:
        reason = "hardly any text on its pages: they may be scans that need text recognition"
    return ParseScore(round(score * (1 - sparse), 3), language_of(text), reason)


def _ramp(value: float, none: float, full: float) -> float:
    """0 up to `none`, 1 from `full`, in proportion between; `full` is below `none` where less is worse."""
    return min(1.0, max(0.0, (value - none) / (full - none)))


def _sample(text: str) -> str:
    if len(text) <= _SAMPLE_CHARACTERS:
        return text
    step, length = len(text) // _SAMPLE_SLICES, _SAMPLE_CHARACTERS // _SAMPLE_SLICES
    return "\n".join(text[number * step : number * step + length] for number in range(_SAMPLE_SLICES))


_LINK = re.compile(r"(?:https?://|www\.|mailto:)[^\s)\]>\"'|]+|\]\([^)\s]*\)|<[^<>\n]{1,200}>")
# Lines drawn with characters: runs of one mark.
_DRAWN_LINES = re.compile(r"([-=_.*#~+|:─━═·…\s])\1{2,}")


def _without_markup(text: str) -> str:
    """The text without web addresses, tags and drawn lines, which show nothing about how well it was read."""
    return _DRAWN_LINES.sub(r"\1", _LINK.sub(" ", text))


_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_GLYPH_CODE = re.compile(
    r"\(cid:\d+\)|/(?:g|glyph|uni|cid)[0-9A-F]{1,5}\b|\\u[0-9a-f]{4}|&#x?[0-9a-f]{2,6};", re.IGNORECASE
)


def _glyph_codes(text: str) -> float:
    """Share of characters in codes of a font, such as '(cid:12)', in place of letters."""
    return sum(map(len, _GLYPH_CODE.findall(text))) / max(1, _visible(text))


# The replacement character, private-use characters (except the bullets of symbol fonts), control codes and boxes.
_UNREADABLE = re.compile(
    "[\ufffd\ue000-\uefff\uf100-\uf8ff\U000f0000-\U0010ffff\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u25a1]"
)


def _unreadable_characters(text: str) -> float:
    """Share of characters that no person can read."""
    return len(_UNREADABLE.findall(text)) / max(1, _visible(text))


# Characters that bytes above 127 become in Windows-1252, and words of nothing but accented letters.
_HIGH_RUN = re.compile("[\u0080-\u00ffŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]{2,}")
_HIGH_WORD = re.compile("[À-ÖØ-öø-ÿ]{4,}")
# What UTF-8 read as GB18030 looks like: ideographs with private-use characters between them.
_CHINESE_RUN = re.compile(f"[{IDEOGRAPHS}\ue000-\ue5ff\uff00-\uffef]{{4,}}")
_ACCENTED_WORDS = 5
# Replacement characters, and uninitialised memory, read as GBK.
_KNOWN_GARBAGE = re.compile("(?:锟斤拷|锟斤|烫烫|屯屯)")


def _wrong_encoding(text: str) -> float:
    """Share of letters read in a wrong encoding: runs of characters that become shorter text when that is undone."""
    damaged = sum(len(run) for run in _HIGH_RUN.findall(text) if _is_utf8_misread(run, _latin_bytes))
    # Words of nothing but accented letters are Chinese, Russian or Greek bytes read as Latin-1. A list may have a few.
    words = _HIGH_WORD.findall(text)
    damaged += sum(map(len, words)) if len(words) >= _ACCENTED_WORDS else 0
    damaged += sum(len(run) for run in _CHINESE_RUN.findall(text)[:3000] if _is_utf8_misread(run, _chinese_bytes))
    damaged += sum(map(len, _KNOWN_GARBAGE.findall(text)))
    # A run may be counted twice, and two or three such letters stand for one, so the share may exceed 1.
    letters = sum(map(str.isalnum, text))
    return damaged / max(1, letters)


def _is_utf8_misread(run: str, to_bytes: Callable[[str], bytes]) -> bool:
    """Whether the run's bytes in the encoding of `to_bytes` are UTF-8 for a shorter text."""
    data = to_bytes(run)
    # The run may end in the middle of a character.
    for cut in range(3):
        try:
            decoded = data[: len(data) - cut].decode()
        except UnicodeDecodeError:
            continue
        return 0 < len(decoded) < len(run)
    return False


def _latin_bytes(run: str) -> bytes:
    return b"".join(bytes([ord(letter)]) if ord(letter) < 256 else letter.encode("cp1252", "ignore") for letter in run)


def _chinese_bytes(run: str) -> bytes:
    return run.encode("gb18030", "ignore")


_IDEOGRAPHS_TO_JUDGE = 20


def _rare_characters(text: str) -> float:
    """Share of Chinese characters that ordinary text does not use: the font or the encoding was a different one."""
    ideographs = _IDEOGRAPH.findall(text)
    if len(ideographs) < _IDEOGRAPHS_TO_JUDGE:
        return 0.0
    return sum(not _is_everyday(character) for character in ideographs) / len(ideographs)


@cache
def _is_everyday(character: str) -> bool:
    """Whether it is in the first level of GB 2312, Big5 or JIS X 0208, which hold the characters of ordinary text."""
    return any(
        first <= (character.encode(encoding, "replace") or b"?")[0] <= last
        for encoding, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("shift_jis", 0x88, 0x97))
    )


_VOWELS = re.compile("[aeiouyà-æè-ïò-öø-üýÿāăąēėęěīįıōőœūůűų]", re.IGNORECASE)
# A word of prose: letters only, not part of a name such as cfg.srv1, HTTPService or max_len.
_PROSE_WORD = re.compile(r"(?<![\w./\\@-])[A-Za-zÀ-ÖØ-öø-ž][a-zß-öø-ž]{3,}(?![\w/\\@=(]|[.-]\w)")
_WORDS_TO_JUDGE = 40


def _few_vowels(text: str) -> float:
    """How far the share of vowels among letters is below .37; letters of a font with a shifted alphabet have few.

    English has .38, German .37, French .44, Polish .37 (letter frequencies of each), random letters .23.
    """
    words = set(_PROSE_WORD.findall(text))
    if len(words) < _WORDS_TO_JUDGE:
        return 0.0
    letters = "".join(words)
    return max(0.0, 0.37 - len(_VOWELS.findall(letters)) / len(letters))


_FIVE_CONSONANTS = re.compile("[bcdfghjklmnpqrstvwxz]{5,}", re.IGNORECASE)


def _unpronounceable_words(text: str) -> float:
    """Share of words of four letters or more with five consonants in a row or no vowel; capitals only are left out."""
    words = set(_PROSE_WORD.findall(text))
    if len(words) < _WORDS_TO_JUDGE:
        return 0.0
    return sum(bool(_FIVE_CONSONANTS.search(word)) or not _VOWELS.search(word) for word in words) / len(words)


# Marks that ordinary text does not use.
_MARK = re.compile(
    r"[^\w\s.,;:!?()'\"“”‘’/|\-–—*#_`$€£¥%&+=<>\[\]{}@\\。，、；：！？（）《》「」【】·•●○◦▪■◆➢✓✔✗★☆→←↑↓▲▼…°©®™§№«»¿¡×÷±≤≥≈∞€\uf000-\uf0ff]"
)
_TOKEN = re.compile(r"\S+")
# Letters with odd marks between them, or capitals in the middle of a word …
_ODD_TOKEN = re.compile(
    r"[^\W\d_][^\w\s'’.,/:@&()\[\]{}<>=+_|`\"“”*#-]+[^\W\d_]|[a-z][A-Z][a-z]?[A-Z][a-z]|[a-z]{2}[A-Z]{2}[a-z]"
)
# … and single letters among marks: 'l|^a', '~;fJ', '«*i'. Code has such marks too, but longer names.
_LETTERS_AMONG_MARKS = re.compile(r"(?=\S*[!^~|\\<>{}¦§¬«»*;])(?!\S*[^\W_]{3})(?=\S{3})\S+")


def _recognised_stains(text: str) -> float:
    """Share of tokens as text recognition makes of stains and handwriting: rare marks, alone or mixed with letters."""
    tokens = _TOKEN.findall(text)
    latin = [token for token in tokens if any(letter.isalpha() for letter in token) and not _IDEOGRAPH.search(token)]
    if len(tokens) < _WORDS_TO_JUDGE:
        return 0.0
    odd = sum(bool(_ODD_TOKEN.search(token) or _LETTERS_AMONG_MARKS.fullmatch(token)) for token in latin)
    marks = sum(bool(_MARK.search(token)) and not any(map(str.isalnum, token)) for token in tokens)
    return (odd + marks) / len(tokens)


_SPACED_LETTERS = re.compile(r"(?:(?<![^\W_])[^\W\d_] ){4,}[^\W\d_](?![^\W_])")


def _spaced_letters(text: str) -> float:
    """Share of letters in words written with a space after each letter; five or more in a row, so not table cells."""
    letters = sum(len(run) // 2 for run in _SPACED_LETTERS.findall(text) if not _IDEOGRAPH.search(run))
    return letters / max(1, sum(map(str.isalpha, text)))


_TABLE_ROW = re.compile(r"^\|.*\n?", re.MULTILINE)
_SAME_CHARACTER = re.compile(r"([^\s\-=_.*#~+|:─━═·…0])\1{7,}")


def _repetition(text: str) -> float:
    """How much the text repeats itself, 0 to 1: by runs of one character, by compression, by its commonest letter.

    The largest of the three counts; compression is DEFLATE.

    Compression shortens good documents to a fifth or a half, logs and forms to a twentieth, and one repeated line to
    less than a hundredth.
    """
    text = _TABLE_ROW.sub("", text)  # a column may hold the same value in every row
    if len(text) < 400:
        return 0.0
    runs = sum(len(match.group()) for match in _SAME_CHARACTER.finditer(text)) / len(text)
    data = text.encode()
    compressed = len(zlib.compress(data, 6)) / len(data)
    letters = Counter(filter(str.isalpha, text))
    commonest = letters.most_common(1)[0][1] / letters.total() if letters.total() > 200 else 0.0
    return max(runs, _ramp(compressed, 0.035, 0.01), _ramp(commonest, 0.3, 0.6))


def _encoded_data(text: str) -> float:
    """Share of characters in runs of seventy or more letters and digits, as in binary data written as Base64."""
    return sum(map(len, re.findall(r"[A-Za-z0-9+/=]{70,}", text))) / max(1, _visible(text))


def _sparse_pages(document: ReadDocument) -> float:
    """A penalty for four or more printed pages with six words or fewer on average; empty pages count."""
    numbers = [int(match.group(1)) for page in document.pages if (match := re.fullmatch(r"p\. (\d+)", page.label))]
    if not numbers or max(numbers) < 4:
        return 0.0
    words = sum(1 for page in document.pages for _ in _words(page.text))
    return _ramp(words / max(numbers), 6, 2)


def _words(text: str) -> Iterator[str]:
    """The words of a text; each character of a Chinese word counts as one."""
    for match in re.finditer(r"\w+", text):
        yield from match.group() if _IDEOGRAPH.search(match.group()) else (match.group(),)


def _visible(text: str) -> int:
    """The number of characters that are not white space."""
    return len(text) - sum(map(str.isspace, text))


@dataclass(frozen=True)
class _Measure:
    """A kind of damage: a function for the share of the text that it affects, two limits, and the message about it."""

    share: Callable[[str], float]
    harmless: float  # the largest share that good documents have
    useless: float  # the share from which the text is of no use
    message: str

    def penalty(self, text: str) -> float:
        """0 to 1: 0 up to `harmless`, 1 from `useless` on."""
        return _ramp(self.share(text), self.harmless, self.useless)


_MEASURES = (
    _Measure(_glyph_codes, 0.05, 0.35, "codes of a font are in place of its letters: print the file to a new PDF"),
    _Measure(_unreadable_characters, 0.03, 0.20,
        "many characters are unreadable: the font or the encoding is missing; save it again"),
    _Measure(_wrong_encoding, 0.05, 0.20, "the text was saved in a wrong encoding: save it again as UTF-8"),
    _Measure(_rare_characters, 0.15, 0.45, "most Chinese characters are not in use: the font or the encoding is wrong"),
    _Measure(_few_vowels, 0.08, 0.17, _NO_WORDS),
    _Measure(_unpronounceable_words, 0.20, 0.50, _NO_WORDS),
    _Measure(_recognised_stains, 0.15, 0.40,
        "text recognition found no words in it: scan it again, straight and at 300 dots an inch"),
    _Measure(_spaced_letters, 0.15, 0.60,
        "the words are split into single letters: save it again or print it to a new PDF"),
    _Measure(_repetition, 0.25, 0.70, "the same characters or lines repeat over and over"),
    _Measure(_encoded_data, 0.40, 0.85, "it holds encoded data, not text"),
)  # fmt: skip
