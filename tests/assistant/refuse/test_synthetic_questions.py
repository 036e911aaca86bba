"""Questions made from passages."""

from __future__ import annotations

import random

import pytest

from assistant.refuse.synthetic_questions import synthetic_question, synthetic_questions

PASSAGES = [
    (1, "Full-time employees get 25 days of annual leave in every calendar year."),
    (2, "The Cork laboratory was opened in 1987 by the founding engineers of the company."),
    (3, "出差人员在国内住宿的标准为每晚不超过500元，超出部分由个人承担。"),
    (4, "Parking."),
]


def same(_language: str, _dice: random.Random) -> str:
    return "foreign"


def test_a_quantity_is_asked_for_and_taken_out() -> None:
    """'How many' with what is counted; the number itself is the answer and not in the question."""
    made = synthetic_question(PASSAGES[0][1], same)
    assert made is not None
    text, answer = made
    assert text.startswith("How many days")
    assert answer == "25"
    assert answer not in text


def test_a_chinese_quantity_is_asked_for_in_its_place() -> None:
    """多少 stands where the number stood, in the clause around it."""
    made = synthetic_question(PASSAGES[2][1], same)
    assert made is not None
    text, answer = made
    assert answer == "500"
    assert "多少元" in text and "500" not in text and text.endswith("？")


def test_a_cell_is_asked_for_by_its_column_and_row() -> None:
    """A table row as people read it names column and subject."""
    made = synthetic_question("Room: Argideen; Seats: 8", same)
    assert made == ("What is the Seats of Room Argideen?", "8")


@pytest.mark.parametrize("statement", ["Parking.", "See below.", "停车。"])
def test_what_says_too_little_is_not_asked(statement: str) -> None:
    """With next to no words left there would be nothing to search for."""
    assert synthetic_question(statement, same) is None


def test_answers_stand_in_their_passage() -> None:
    """Every answer is in its passage word for word, and not in its question."""
    texts = dict(PASSAGES)
    made = synthetic_questions(PASSAGES, 10)
    assert sorted(question.passage_id for question in made) == [1, 2, 3]
    for question in made:
        assert question.answer in texts[question.passage_id]
        assert question.answer not in question.text


def test_the_same_passages_give_the_same_questions() -> None:
    """Whatever order they come in, and no more than asked for, one passage after another."""
    assert synthetic_questions(PASSAGES, 10) == synthetic_questions(list(reversed(PASSAGES)), 10)
    assert synthetic_questions(PASSAGES, 2) == synthetic_questions(PASSAGES, 10)[:2]


def test_questions_in_the_text_are_not_statements() -> None:
    """What a document asks is no answer to be asked for."""
    assert synthetic_questions([(1, "How many days of annual leave do full-time employees get in 2026?")], 10) == []
