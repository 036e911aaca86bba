"""Questions made from a library's own statements, without a model. Knows nothing of searching.

A statement becomes a question when the part that answers is taken out: a date gives 'when', a quantity 'how many', a
name 'who', a cell of a table its column. People do not quote: some of the other words are therefore exchanged for
words from elsewhere in the library, as many as bring the confidences near those of real questions.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ingest.base.language import COMMON_IDEOGRAPHS, ENGLISH_STOP_WORDS, is_chinese, terms
from ingest.passages.sentences import is_question, readable, sentences_and_rows

# Share of the words (English) or pairs of characters (Chinese) that are exchanged. With these, the confidences of made
# questions lie nearest to those of the real, answerable ones of near-miss-en, near-miss-zh, CMRC and data/eval.
FOREIGN_WORDS = 0.1
FOREIGN_PAIRS = 0.2
# Words kept before the answer (English) and characters of the clause (Chinese): real questions are about as long.
_WORDS = 9
_CHARACTERS = 24
# With less than this many words left there is nothing to search for; a Chinese word is about two search terms.
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
    """A question that the passage answers with `answer`, word for word."""

    text: str
    answer: str
    passage_id: int


def synthetic_questions(passages: Iterable[tuple[int, str]], most: int) -> list[SyntheticQuestion]:
    """At most `most` questions from (passage id, text) pairs, spread over the passages.

    The same passages give the same questions in the same order; a passage more changes few of them.
    """
    told = [(number, list(_statements(text))) for number, text in passages]
    told.sort(key=lambda item: _dice(str(item[0])).random())
    foreign = _Foreign(text for _, texts in told for text in texts)
    made: list[SyntheticQuestion] = []
    for turn in range(max((len(texts) for _, texts in told), default=0)):
        for number, texts in told:
            if turn >= len(texts):
                continue
            question = synthetic_question(texts[turn], foreign)
            if question is not None:
                made.append(SyntheticQuestion(*question, number))
            if len(made) == most:
                return made
    return made


def synthetic_question(statement: str, foreign: Callable[[str, random.Random], str]) -> tuple[str, str] | None:
    """(question, answer) from a statement as people read it; None when nothing in it can be asked for.

    `foreign` gives, for a word, the one to put in its place.
    """
    dice = _dice(statement)
    if (made := _from_row(statement, dice)) is not None:
        return made
    return (_from_chinese if is_chinese(statement) else _from_english)(statement, dice, foreign)


def _statements(text: str) -> Iterator[str]:
    shown = [
        readable(text[start:end], header)
        for start, end, header in sentences_and_rows(text)
        if not is_question(text[start:end])
    ]
    yield from sorted(shown, key=lambda one: _dice(one).random())


def _from_row(statement: str, dice: random.Random) -> tuple[str, str] | None:
    """A cell of a table row, asked for by its column and the row's first cell."""
    cells = [part.split(": ", 1) for part in statement.split("; ")]
    if len(cells) < 2 or any(len(cell) != 2 for cell in cells):
        return None
    column, answer = dice.choice(cells[1:])
    subject = " ".join(cells[0])
    return (f"{subject}的{column}是什么？" if is_chinese(statement) else f"What is the {column} of {subject}?"), answer


def _from_english(
    statement: str, dice: random.Random, foreign: Callable[[str, random.Random], str]
) -> tuple[str, str] | None:
    found = [(lead, match) for lead, pattern in _ENGLISH for match in pattern.finditer(statement)]
    if found:
        lead, match = dice.choice(found)
        answer, start, end = match["answer"], match.start(), match.end()
        lead = lead.format(match["what"]) if "what" in match.groupdict() else lead
    else:
        words = list(_ENGLISH_WORD.finditer(statement))
        if len(words) < 6:
            return None
        place = dice.randrange(len(words) - 1)
        start, end = words[place].start(), words[place + 1].end()
        lead, answer = "What", statement[start:end]
    before = _ENGLISH_WORD.findall(statement[:start])[-_WORDS:]
    after = _ENGLISH_WORD.findall(statement[end:])[: max(2, _WORDS - len(before))]
    if len(set(terms(" ".join((*before, *after))))) < _FEWEST_TERMS:
        return None
    asked = [
        word if word.lower() in ENGLISH_STOP_WORDS or dice.random() >= FOREIGN_WORDS else foreign("en", dice)
        for word in (*before, *after)
    ]
    return f"{lead} {' '.join(asked)}?", answer


def _from_chinese(
    statement: str, dice: random.Random, foreign: Callable[[str, random.Random], str]
) -> tuple[str, str] | None:
    found = [(asked, match.span("answer")) for asked, pattern in _CHINESE for match in pattern.finditer(statement)]
    if found:
        asked, (start, end) = dice.choice(found)
    else:
        clauses = [match.span() for match in re.finditer(r"[^，。；：！？、,;]{8,30}", statement)]
        if not clauses:
            return None
        first, end = dice.choice(clauses)
        asked, start = "什么", (first + end) // 2
    ends = [match.end() for match in _CLAUSE_END.finditer(statement[:start])]
    opening = ends[-1] if ends else 0
    if start - opening < 8 and len(ends) > 1:
        opening = ends[-2]
    closing = _CLAUSE_END.search(statement, end)
    before = statement[opening:start][-_CHARACTERS:]
    after = statement[end : closing.start() if closing else len(statement)][: max(4, _CHARACTERS - len(before))]
    if len(set(terms(f"{before} {after}"))) < 2 * _FEWEST_TERMS:
        return None
    before, after = (
        _CHINESE_PAIR.sub(lambda match: match.group() if dice.random() >= FOREIGN_PAIRS else foreign("zh", dice), part)
        for part in (before, after)
    )
    return f"{before}{asked}{after}？", statement[start:end]


class _Foreign:
    """Gives words of the same language from anywhere in the library."""

    def __init__(self, texts: Iterable[str]) -> None:
        words: dict[str, set[str]] = {"en": set(), "zh": set()}
        for text in texts:
            words["zh"].update(_CHINESE_PAIR.findall(text))
            words["en"].update(word for word in re.findall(r"[a-z]{4,}", text) if word not in ENGLISH_STOP_WORDS)
        self._words: dict[str, Sequence[str]] = {language: sorted(found) for language, found in words.items()}

    def __call__(self, language: str, dice: random.Random) -> str:
        words = self._words[language]
        return dice.choice(words) if words else ""


def _dice(text: str) -> random.Random:
    """Always the same for the same text."""
    return random.Random(hashlib.blake2b(text.encode(), digest_size=8).digest())
