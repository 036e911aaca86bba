"""Follow-up questions are completed by rules."""

from __future__ import annotations

import json

import pytest

from assistant.understand.follow_up import depends_on_earlier, stand_alone
from tests.project import PROJECT

FOLLOWUPS = PROJECT / "data" / "eval" / "followups.jsonl"


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        ("Hotel limit per night in Munich", "And in Paris?", "Hotel limit per night in Paris"),
        ("What does E-17 on the AQ-400 mean?", "And E-12?", "What does E-12 on the AQ-400 mean?"),
        ("How soon does IT answer a P2 ticket?", "What about P1?", "How soon does IT answer a P1 ticket?"),
        ("How many days of leave do employees get?", "And for part-timers?",
         "How many days of leave do employees get for part-timers"),
        ("How heavy is the AQ-400?", "How long must it warm up?", "How long must it warm up? (heavy is the AQ-400)"),
        ("丧假几天？", "婚假呢？", "婚假，丧假几天？"),
        ("喪假幾天？", "還有婚假呢？", "婚假，喪假幾天？"),
        ("AQ-400报E-12是什么意思？", "那E-24呢？", "E-24，AQ-400报E-24是什么意思？"),
        ("国内出差要提前几天申请？", "由谁审批？", "由谁审批，国内出差要提前几天申请？"),
    ],
)  # fmt: skip
def test_what_is_missing_is_taken_from_before(before: str, question: str, expected: str) -> None:
    """A fragment replaces the corresponding part or is appended; a question with a pronoun gets what it refers to."""
    assert stand_alone(question, [before]) == expected


def test_a_chain_of_follow_ups_is_completed() -> None:
    """The question before may itself have been a follow-up."""
    turns = ["Hotel limit per night in Munich", "And in Paris?"]
    assert stand_alone("What about in Singapore?", turns) == "Hotel limit per night in Singapore"


def test_the_newest_topic_counts() -> None:
    """After a question that stands alone, nothing of the questions before it is used."""
    turns = ["Hotel limit per night in Munich", "How much sick pay do I get?"]
    assert "Munich" not in stand_alone("And in Suzhou?", turns)


@pytest.mark.parametrize(
    "question",
    [
        "When is the helpdesk open?", "Is there a canteen in the Suzhou office?", "What is the plan for this year?",
        "Emergency phone number while travelling", "消防演习是哪一天？", "U盘可以用吗？最长批准几天？",
        "笔记本电脑几年换一次新的？",
    ],
)  # fmt: skip
def test_a_new_topic_stays_as_it_is(question: str) -> None:
    """A question that stands alone is searched word for word, whatever was asked before."""
    assert stand_alone(question, ["How many days of annual leave do employees get?", "年假有多少天？"]) == question
    assert not depends_on_earlier(question)


def test_the_first_question_of_a_conversation() -> None:
    """There is nothing to complete it from, however much it depends on one before."""
    assert stand_alone("And in Paris? ", []) == "And in Paris?"


def test_on_the_sample_questions() -> None:
    """Of the project's follow-ups no new topic is changed, and nearly all the others are completed."""
    rows = [json.loads(line) for line in FOLLOWUPS.read_text("utf-8").splitlines()]
    assert len(rows) >= 60
    new = [row for row in rows if not row["follows"]]
    assert [stand_alone(row["text"], row["turns"]) for row in new] == [row["text"] for row in new]
    missed = [row["text"] for row in rows if row["follows"] and stand_alone(row["text"], row["turns"]) == row["text"]]
    assert missed == ["How much notice must I give?", "早上几点之前要告诉主管？", "收到发票后多久付款？"]
