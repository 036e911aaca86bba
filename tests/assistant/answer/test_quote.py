"""Answers without a model: which sentences are quoted, and in which form."""

from __future__ import annotations

import pytest

from assistant.answer.quote import quote
from assistant.events import EvidenceSentence

SENTENCES = (
    EvidenceSentence(
        1, "Every employee has 25 days of annual leave.", 0, 43, 0.9, "Every employee has 25 days of annual leave."
    ),
    EvidenceSentence(3, "Leave is\n25 days.", 0, 17, 0.8, "Leave is\n25 days."),
    EvidenceSentence(
        2, "every employee has 25 days of annual leave", 5, 47, 0.7, "every employee has 25 days of annual leave"
    ),
    EvidenceSentence(2, "未休的年假可以结转。", 0, 10, 0.6, "未休的年假可以结转。"),
    EvidenceSentence(4, "A fourth one.", 0, 13, 0.5, "A fourth one."),
)


def test_it_quotes_the_best_three_sentences_with_their_sources() -> None:
    """Best first, no sentence twice, each on its own line with its source's number."""
    assert quote("How many days?", SENTENCES) == [
        "From the documents:",
        "“Every employee has 25 days of annual leave.” [1]",
        "“Leave is 25 days.” [3]",
        "“未休的年假可以结转。” [2]",
    ]


def test_it_speaks_the_language_of_the_question() -> None:
    """The lead-in is in the question's language, not in that of the passages."""
    assert quote("年假有多少天？", SENTENCES[:1]) == [
        "文件中这样写：",
        "「Every employee has 25 days of annual leave.」 [1]",
    ]


@pytest.mark.parametrize(
    ("question", "answer"), [("Who won?", "The documents do not say."), ("谁赢了？", "文件中没有说明这一点。")]
)
@pytest.mark.parametrize("sentences", [(), (EvidenceSentence(1, "…", 0, 1, 0.5, "…"),)])
def test_without_evidence_it_says_so(question: str, answer: str, sentences: tuple[EvidenceSentence, ...]) -> None:
    """Nothing is invented: without a sentence to quote, the answer says that the documents do not say."""
    assert quote(question, sentences) == [answer]
