"""Follow-up questions: completed from the previous question, by rules, so that they can be searched alone.

"And in Paris?" after "Hotel limit per night in Munich" is searched as "Hotel limit per night in Paris". The form of a
question alone decides whether it depends on the previous question; a question that does not is searched unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.base.chinese_script import simplified
from ingest.base.language import is_chinese, terms

# How many previous questions are used: each may be a follow-up itself.
TURNS = 4

_OPENS = re.compile(r"\A\s*(?:(?:and|or|but|so|also|ok(?:ay)?|then)\b[ ,]*)+", re.IGNORECASE)
_ABOUT = re.compile(r"\A\s*(?:(?:what|how) about|what if)\b", re.IGNORECASE)
# Words that refer to the previous question. Not 'there is', 'this year', nor 'that' at the beginning of a clause.
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|those|these|he|she|him|his|the same|instead|else)\b|"
    r"\b(?:that|this)(?: one)?(?=\s*[?.!,]|\s*$)|\bafter (?:that|this)\b|\b(?:that|this) one\b|\bone\s*\?",
    re.IGNORECASE,
)
_PREPOSITION = r"(?:in|at|on|for|to|from|by|with|during|under|per|of)"
_PHRASE = re.compile(rf"({_PREPOSITION})\s+(?:the |an? )?[\w’'-]+(?:\s+(?-i:[A-Z])[\w’'-]+)*", re.IGNORECASE)
# Question words at the beginning of a question; what follows them is its subject.
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
# The beginning of a question without a subject, if the question has at most _CHINESE_SHORT characters.
_CHINESE_WITHOUT_SUBJECT = re.compile(
    r"\s*(?:最[晚早多少高低]|由谁|谁|什么时候|何时|几[点天个年]|多久|多少|怎么|如何|可以|能|要|需要|应该|在哪|哪[里天]|有没有|"
    r"为什么|还[要能]|没.{1,4}的)"
)
_CHINESE_SHORT = 12
# Questions that only ask whether somebody else may do the same.
_CHINESE_MAY_TOO = re.compile(r".{1,8}(?:可以|行|能|也是)吗\s*[？?]?\s*$")


def stand_alone(question: str, earlier: Sequence[str]) -> str:
    """The question as it would be asked alone; `earlier` are the questions before it, oldest first."""
    completed = ""
    for turn in [*earlier[-TURNS:], question]:
        completed = _resolve(turn.strip(), completed) if completed else turn.strip()
    return completed


def depends_on_earlier(question: str) -> bool:
    """Whether the form of the question says that it cannot be understood without the previous question."""
    if is_chinese(question):
        question = simplified(question)
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
        # A single word: a code such as SEV2 is one, though it has several terms.
        or len({tuple(terms(word)) for word in question.split()} - {()}) <= 1
    )


def _resolve(question: str, previous: str) -> str:
    """The question completed from the previous one, which is complete; unchanged when it does not depend on it."""
    if not depends_on_earlier(question):
        return question
    if is_chinese(question):
        fragment = _without_chinese_frame(question).strip(" 　？?，,")
        return f"{fragment}，{_with_codes_replaced(previous, fragment)}" if fragment else previous
    fragment = _ABOUT.sub("", _OPENS.sub("", question)).strip(" ?.,!")
    if _POINTS_BACK.search(question) or _ASKING.match(fragment):
        return f"{_OPENS.sub('', question).strip()} ({_ASKING.sub('', previous, count=1).strip(' ?.')})"
    return _with_fragment(fragment, previous)


def _without_chinese_frame(question: str) -> str:
    """The question without 那 or 还有 at its beginning and 呢 at its end, in the characters it was asked in."""
    # The patterns are in simplified characters, which have the same places.
    compared = simplified(question)
    opens = _CHINESE_OPENS.match(compared)
    start = opens.end() if opens else 0
    ends = _CHINESE_ASKS_FOR_OTHER.search(compared, start)
    return question[start : ends.start() if ends else len(question)]


def _with_fragment(fragment: str, previous: str) -> str:
    """The previous question with its corresponding part replaced by the fragment, or the fragment appended."""
    replaced = _with_codes_replaced(previous, fragment)
    if replaced != previous:
        return replaced
    phrase = _PHRASE.match(fragment)
    if phrase is not None:
        same = [match for match in _PHRASE.finditer(previous) if match[1].lower() == phrase[1].lower()]
        if same:
            return previous[: same[-1].start()] + fragment + previous[same[-1].end() :]
    return f"{previous.rstrip(' ?.')} {fragment}"


def _with_codes_replaced(previous: str, fragment: str) -> str:
    """The previous question with its codes replaced by the fragment's of the same series: E-17 by E-12, P2 by P1."""
    text = previous
    for code in _CODE.findall(fragment):
        same = [other for other in _CODE.findall(text) if _series(other) == _series(code) and other != code]
        if len(same) == 1:
            text = re.sub(rf"(?<![A-Za-z0-9-]){re.escape(same[0])}(?![A-Za-z0-9-])", code, text)
    return text


def _series(code: str) -> str:
    """What codes of one series share: the letters before the first digit, or the length where there are none."""
    letters = re.match(r"[A-Za-z]*-?", code)
    return letters.group().upper() if letters and letters.group() else "0" * len(code)
