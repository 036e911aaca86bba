"""Example questions are made from headings."""

from __future__ import annotations

from assistant.understand.example_questions import example_questions

HEADINGS = [
    ("Leave policy", "Leave policy"),
    ("Leave policy", "Leave policy › 2. Annual leave"),
    ("Leave policy", "Leave policy › Sick leave"),
    ("Leave policy", "Leave policy › Notes"),
    ("Leave policy", "Leave policy › What everybody who works here should know about the days off they can take"),
    ("Helpdesk", "Helpdesk › How do I reset my password?"),
    ("Helpdesk", "Helpdesk › Who repairs laptops?"),
    ("Travel guide", "Travel guide › Booking trains"),
    ("休假制度", "休假制度"),
    ("休假制度", "休假制度 › 三、年休假"),
    ("休假制度", "休假制度 › 病假"),
    ("常见问题", "常见问题 › 如何重置密码？"),
    ("Leave policy", "Leave policy › 年休假天数"),
]


def test_questions_among_the_headings_come_first_then_topics_in_turn() -> None:
    """Headings that are questions, then one topic of each document before a second of any. Titles, labels and long
    sentences are no topics, and numbers are removed."""
    assert list(example_questions(HEADINGS, "en")) == [
        "How do I reset my password?",
        "Who repairs laptops?",
        "What does “Leave policy” say about Annual leave?",
        "What does “Travel guide” say about Booking trains?",
        "What does “Leave policy” say about Sick leave?",
    ]


def test_chinese_questions_come_from_chinese_headings() -> None:
    """No Chinese topic under an English title, no label of two characters, and no English among them."""
    assert list(example_questions(HEADINGS, "zh")) == [
        "如何重置密码？",
        "《休假制度》对“年休假”是怎么规定的？",
    ]


def test_a_library_without_headings_has_no_questions() -> None:
    """No question is made without a heading."""
    assert list(example_questions([], "en")) == []
    assert list(example_questions([("Notes", ""), ("Notes", "Notes")], "en")) == []
