"""A follow-up made to stand alone: what it lacks is taken from the question before. Knows no model and no library.

"And in Paris?" after "Hotel limit per night in Munich" is searched as "Hotel limit per night in Paris". Rules of form
alone decide whether a question leans on the one before; a question that does not is searched as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.base.language import is_chinese, terms

# How far back a chain of follow-ups is traced.
TURNS = 4

_OPENS = re.compile(r"\A\s*(?:(?:and|or|but|so|also|ok(?:ay)?|then)\b[ ,]*)+", re.IGNORECASE)
_ABOUT = re.compile(r"\A\s*(?:(?:what|how) about|what if)\b", re.IGNORECASE)
# Words that point back. Not 'there is', 'this year', nor 'that' opening a clause.
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|those|these|he|she|him|his|the same|instead|else)\b|"
    r"\b(?:that|this)(?: one)?(?=\s*[?.!,]|\s*$)|\bafter (?:that|this)\b|\b(?:that|this) one\b|\bone\s*\?",
    re.IGNORECASE,
)
_PREPOSITION = r"(?:in|at|on|for|to|from|by|with|during|under|per|of)"
_PHRASE = re.compile(rf"({_PREPOSITION})\s+(?:the |an? )?[\w’'-]+(?:\s+(?-i:[A-Z])[\w’'-]+)*", re.IGNORECASE)
# Asking words at the head of a question; what follows is what it is about.
_ASKING = re.compile(
    r"\A\s*(?:(?:by |on |for |from |in )?(?:what|when|where|which|who|whom|why|how)\b(?:\s+(?:many|much|long|often|"
    r"soon|old|far))?|can|may|must|do|does|did|is|are|was|were|should|could|will|would)\b(?:\s+(?:is|are|was|were|do|does|did|can|"
    r"may|must|should|could|will|would|has to|have to|i|we|you|they|the|an?)\b)*\s*",
    re.IGNORECASE,
)
# A code, a number or a name: E-17, P2, SEV1, AQ-400C, 2026.
_CODE = re.compile(r"(?<![A-Za-z0-9-])(?=[A-Za-z-]*\d)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")

_CHINESE_OPENS = re.compile(r"\A\s*(?:那么|那(?![个些里边趟种天])|还有|以及|另外|此外|如果|要是|换成|再说)[，,]?")
_CHINESE_ASKS_FOR_OTHER = re.compile(r"(?:的话)?呢\s*[？?]?\s*$")
_CHINESE_POINTS_BACK = re.compile(r"[它她他其该]|这[个些里边种]|那[个些里边趟种]|上述|同样")
# Questions without a subject of their own, and subjects that only ask whether they may, too.
_CHINESE_WITHOUT_SUBJECT = re.compile(
    r"\s*(?:最[晚早多少高低]|由谁|谁|什么时候|何时|几[点天个年]|多久|多少|怎么|如何|可以|能|要|需要|应该|在哪|哪[里天]|有没有|"
    r"为什么|还[要能]|没.{1,4}的)"
)
_CHINESE_SHORT = 12
_CHINESE_MAY_TOO = re.compile(r".{1,8}(?:可以|行|能|也是)吗\s*[？?]?\s*$")


def stand_alone(question: str, earlier: Sequence[str]) -> str:
    """The question as it would be asked first; `earlier` are the questions before it, oldest first."""
    before = ""
    for turn in [*earlier[-TURNS:], question]:
        before = _resolve(turn.strip(), before) if before else turn.strip()
    return before


def leans_back(question: str) -> bool:
    """Whether the question cannot be understood without the one before, as far as its form tells."""
    if is_chinese(question):
        return bool(
            _CHINESE_OPENS.match(question)
            or _CHINESE_ASKS_FOR_OTHER.search(question)
            or _CHINESE_POINTS_BACK.search(question)
            or (len(question) <= _CHINESE_SHORT and _CHINESE_WITHOUT_SUBJECT.match(question))
            or _CHINESE_MAY_TOO.fullmatch(question)
        )
    return bool(
        _OPENS.match(question)
        or _ABOUT.match(question)
        or _POINTS_BACK.search(question)
        or len(set(terms(question))) <= 1
    )


def _resolve(question: str, before: str) -> str:
    if not leans_back(question):
        return question
    if is_chinese(question):
        fragment = _CHINESE_ASKS_FOR_OTHER.sub("", _CHINESE_OPENS.sub("", question)).strip(" 　？?，,")
        return f"{fragment}，{_exchanged(before, fragment)}" if fragment else before
    fragment = _ABOUT.sub("", _OPENS.sub("", question)).strip(" ?.,!")
    if _POINTS_BACK.search(question) or _ASKING.match(fragment):
        return f"{_OPENS.sub('', question).strip()} ({_ASKING.sub('', before, count=1).strip(' ?.')})"
    return _with_fragment(fragment, before)


def _with_fragment(fragment: str, before: str) -> str:
    """The earlier question with the fragment in the place of what it stands for, or after it when that is not clear."""
    exchanged = _exchanged(before, fragment)
    if exchanged != before:
        return exchanged
    phrase = _PHRASE.match(fragment)
    if phrase is not None:
        places = [place for place in _PHRASE.finditer(before) if place[1].lower() == phrase[1].lower()]
        if places:
            return before[: places[-1].start()] + fragment + before[places[-1].end() :]
    return f"{before.rstrip(' ?.')} {fragment}"


def _exchanged(before: str, fragment: str) -> str:
    """Codes of the earlier question give way to the fragment's of the same make: E-17 to E-12, P2 to P1."""
    text = before
    for code in _CODE.findall(fragment):
        same = [other for other in _CODE.findall(text) if _make(other) == _make(code) and other != code]
        if len(same) == 1:
            text = re.sub(rf"(?<![A-Za-z0-9-]){re.escape(same[0])}(?![A-Za-z0-9-])", code, text)
    return text


def _make(code: str) -> str:
    """Its letters before the first digit, and how many digits follow, as far as they tell one series from another."""
    letters = re.match(r"[A-Za-z]*-?", code)
    return letters.group().upper() if letters and letters.group() else "0" * len(code)
