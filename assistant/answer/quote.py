"""Answers without a model: quotations of evidence sentences, or a fixed sentence that the documents do not say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.events import EvidenceSentence
from ingest.base.language import is_chinese

MOST_SENTENCES = 3
LEAD_IN = {"zh": "文件中这样写：", "en": "From the documents:"}
# The answer to a question that the assistant abstains from, naming the documents nearest to it.
NOT_SAID = {
    "en": "The documents do not say. The nearest ones are listed as sources.",
    "zh": "文件中没有说明。最接近的几份已列在来源中。",
}
# The answer where no document is near, and where the evidence is enough, but has no sentence to quote.
NOTHING = {"zh": "文件中没有说明这一点。", "en": "The documents do not say."}


def quote(question: str, sentences: Sequence[EvidenceSentence]) -> list[str]:
    """The lines of the answer: a lead-in in the question's language, then up to three quotations ending in ` [n]`.

    `sentences` come best first. Without any, the one line says that the documents do not say.
    """
    language = "zh" if is_chinese(question) else "en"
    quotations = [f"{_quoted(sentence.shown, language)} [{sentence.n}]" for sentence in _distinct(sentences)]
    return [LEAD_IN[language], *quotations] if quotations else [NOTHING[language]]


def not_said(question: str, has_sources: bool) -> str:
    """The sentence that the documents do not say, in the question's language."""
    return (NOT_SAID if has_sources else NOTHING)["zh" if is_chinese(question) else "en"]


def _distinct(sentences: Sequence[EvidenceSentence]) -> list[EvidenceSentence]:
    """The first three that differ in more than case, spaces and punctuation."""
    distinct: dict[str, EvidenceSentence] = {}
    for sentence in sentences:
        key = re.sub(r"\W+", "", sentence.text).casefold()
        if key:
            distinct.setdefault(key, sentence)
    return list(distinct.values())[:MOST_SENTENCES]


def _quoted(text: str, language: str) -> str:
    one_line = " ".join(text.split())
    return f"「{one_line}」" if language == "zh" else f"“{one_line}”"
