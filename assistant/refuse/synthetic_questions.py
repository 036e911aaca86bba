"""Synthetic questions: made by rules from the sentences and table rows of a library, without a model.

A sentence becomes a question when the part that answers it is replaced by a question word: a date by 'when', a quantity
by 'how many', a name by 'who', a cell of a table by a question for its column. People do not quote the text. So some of
the other words are replaced by words from elsewhere in the library: as many as make the synthetic questions about as
answerable as real ones.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.base.language import COMMON_IDEOGRAPHS, ENGLISH_STOP_WORDS, is_chinese, terms
from ingest.passages.sentences import is_question, readable, sentences_and_rows

# Share of the words (English) or pairs of characters (Chinese) that are replaced. With these, the answerability of
# synthetic questions is nearest to that of the real ones of near-miss-en, near-miss-zh, CMRC and data/eval.
REPLACED_WORDS = 0.1
REPLACED_PAIRS = 0.2
# Words kept before the answer (English) and characters of the clause (Chinese): real questions are about as long.
_WORDS = 9
_CHARACTERS = 24
# A question with fewer search terms is not used; a Chinese word is about two terms.
_FEWEST_TERMS = 3

_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_ENGLISH = (
    ("When", re.compile(rf"\b(?:(?:in|on|since|by|from) )?(?:\d{{1,2}} )?(?:{_MONTH} )?(?P<answer>(?:1\d|20)\d\d)\b")),
    ("When", re.compile(rf"\b(?:on |by |until )?(?P<answer>\d{{1,2}} {_MONTH}|{_MONTH} \d{{1,2}})\b")),
    ("How many {}", re.compile(
        r"(?<![\w.$€£¥-])(?P<answer>\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|"
        r"thirty) (?P<what>[a-z]+)\b")),
    ("How much", re.compile(r"(?P<answer>[$€£¥]\s?\d[\d,.]*|\d[\d,.]*\s?%)")),
    ("Who", re.compile(r"(?<=[a-z,;] )(?P<answer>[A-Z][\w’'-]+(?: (?:of |the )?[A-Z][\w’'-]+)+)")),
    ("What", re.compile(r"(?<=[a-z,;] )(?P<answer>[A-Z][\w’'-]+)")),
)  # fmt: skip
_CHINESE = (
    ("什么时候", re.compile(r"(?P<answer>\d{2,4}年(?:\d{1,2}月)?(?:\d{1,2}日)?|\d{1,2}月\d{1,2}日|\d{1,2}世纪)")),
    ("多少", re.compile(
        r"(?P<answer>\d[\d,.]*|[一二三四五六七八九十百千万两]+)(?=[多余]?[万亿]?(?:个|次|名|人|位|岁|种|层|条|座|家|米|里|公里|"
        r"平方|公顷|吨|克|千克|公斤|度|倍|天|日|小时|分钟|周|元|美元|%|％|分|台|只))")),
    ("什么", re.compile(r"(?P<answer>《[^》]{1,15}》|“[^”]{2,12}”|「[^」]{2,12}」)")),
    ("谁", re.compile(r"由(?P<answer>[^，。；：、]{2,8}?)(?=负责|批准|审批|提出|创立|创建|担任)")),
    ("什么", re.compile(r"(?<=[^，。；：]{3})(?:是|为|称为|叫做|包括)(?P<answer>[^，。；：]{2,20})")),
)  # fmt: skip
_CLAUSE_END = re.compile(r"[，。；：！？,;]")
_ENGLISH_WORD = re.compile(r"[\w’'/-]+")
_CHINESE_PAIR = re.compile(f"[{COMMON_IDEOGRAPHS}]{{2}}")


@dataclass(frozen=True)
class SyntheticQuestion:
    """A question, and the words of the passage that answer it."""

    text: str
    answer: str
    passage_id: int


def synthetic_questions(passages: Iterable[tuple[int, str]], most: int) -> list[SyntheticQuestion]:
    """At most `most` questions from (passage id, text) pairs; the first of every passage before the second of any.

    The same passages give the same questions in the same order; an additional passage changes few of them.
    """
    sentences_of = [(passage_id, list(_shuffled_sentences(text))) for passage_id, text in passages]
    sentences_of.sort(key=lambda item: _random_of(str(item[0])).random())
    replacement = _Replacement(text for _, texts in sentences_of for text in texts)
    questions: list[SyntheticQuestion] = []
    for turn in range(max((len(texts) for _, texts in sentences_of), default=0)):
        for passage_id, texts in sentences_of:
            if turn >= len(texts):
                continue
            question = synthetic_question(texts[turn], replacement)
            if question is not None:
                questions.append(SyntheticQuestion(*question, passage_id))
            if len(questions) == most:
                return questions
    return questions


def synthetic_question(sentence: str, replacement: Callable[[str, random.Random], str]) -> tuple[str, str] | None:
    """(question, answer) from the readable form of a sentence or row; None when nothing in it can be asked for.

    `replacement` returns a word of a language ('en' or 'zh') to replace another.
    """
    rng = _random_of(sentence)
    if (question := _from_row(sentence, rng)) is not None:
        return question
    return (_from_chinese if is_chinese(sentence) else _from_english)(sentence, rng, replacement)


def _shuffled_sentences(text: str) -> Iterator[str]:
    shown = [
        readable(text[start:end], header)
        for start, end, header in sentences_and_rows(text)
        if not is_question(text[start:end])
    ]
    yield from sorted(shown, key=lambda sentence: _random_of(sentence).random())


def _from_row(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    """(question, answer) for a cell of a table row, by its column and the row's first cell; None for other text."""
    cells = [part.split(": ", 1) for part in sentence.split("; ")]
    if len(cells) < 2 or any(len(cell) != 2 for cell in cells):
        return None
    column, answer = rng.choice(cells[1:])
    subject = " ".join(cells[0])
    return (f"{subject}的{column}是什么？" if is_chinese(sentence) else f"What is the {column} of {subject}?"), answer


def _from_english(
    sentence: str, rng: random.Random, replacement: Callable[[str, random.Random], str]
) -> tuple[str, str] | None:
    matches = [(lead, match) for lead, pattern in _ENGLISH for match in pattern.finditer(sentence)]
    if matches:
        lead, match = rng.choice(matches)
        answer, start, end = match["answer"], match.start(), match.end()
        lead = lead.format(match["what"]) if "what" in match.groupdict() else lead
    else:
        words = list(_ENGLISH_WORD.finditer(sentence))
        if len(words) < 6:
            return None
        first = rng.randrange(len(words) - 1)
        start, end = words[first].start(), words[first + 1].end()
        lead, answer = "What", sentence[start:end]
    before = _ENGLISH_WORD.findall(sentence[:start])[-_WORDS:]
    after = _ENGLISH_WORD.findall(sentence[end:])[: max(2, _WORDS - len(before))]
    if len(set(terms(" ".join((*before, *after))))) < _FEWEST_TERMS:
        return None
    kept = [
        word if word.lower() in ENGLISH_STOP_WORDS or rng.random() >= REPLACED_WORDS else replacement("en", rng)
        for word in (*before, *after)
    ]
    return f"{lead} {' '.join(kept)}?", answer


def _from_chinese(
    sentence: str, rng: random.Random, replacement: Callable[[str, random.Random], str]
) -> tuple[str, str] | None:
    matches = [
        (ask_word, match.span("answer")) for ask_word, pattern in _CHINESE for match in pattern.finditer(sentence)
    ]
    if matches:
        ask_word, (start, end) = rng.choice(matches)
    else:
        clauses = [match.span() for match in re.finditer(r"[^，。；：！？、,;]{8,30}", sentence)]
        if not clauses:
            return None
        first, end = rng.choice(clauses)
        ask_word, start = "什么", (first + end) // 2
    ends = [match.end() for match in _CLAUSE_END.finditer(sentence[:start])]
    opening = ends[-1] if ends else 0
    if start - opening < 8 and len(ends) > 1:
        opening = ends[-2]
    closing = _CLAUSE_END.search(sentence, end)
    before = sentence[opening:start][-_CHARACTERS:]
    after = sentence[end : closing.start() if closing else len(sentence)][: max(4, _CHARACTERS - len(before))]
    if len(set(terms(f"{before} {after}"))) < 2 * _FEWEST_TERMS:
        return None
    before, after = (
        _CHINESE_PAIR.sub(
            lambda match: match.group() if rng.random() >= REPLACED_PAIRS else replacement("zh", rng), part
        )
        for part in (before, after)
    )
    return f"{before}{ask_word}{after}？", sentence[start:end]


class _Replacement:
    """Returns a random word of a language ('en' or 'zh') from the library; '' when it has none."""

    def __init__(self, texts: Iterable[str]) -> None:
        words: dict[str, set[str]] = {"en": set(), "zh": set()}
        for text in texts:
            words["zh"].update(_CHINESE_PAIR.findall(text))
            words["en"].update(word for word in re.findall(r"[a-z]{4,}", text) if word not in ENGLISH_STOP_WORDS)
        self._words: dict[str, Sequence[str]] = {language: sorted(known) for language, known in words.items()}

    def __call__(self, language: str, rng: random.Random) -> str:
        words = self._words[language]
        return rng.choice(words) if words else ""


def _random_of(text: str) -> random.Random:
    """A random generator that is always the same for the same text."""
    return random.Random(hashlib.blake2b(text.encode(), digest_size=8).digest())
