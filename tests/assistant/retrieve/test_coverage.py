"""How much of a question the retrieved passages have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.events import Source
from assistant.retrieve.coverage import Coverage, measure_coverage, names


def source(document: int, text: str, heading: str = "") -> Source:
    return Source(document, document, document, f"{document}.md", "Guide", heading, "", text, 1.0)


def measure(question: str, weights: dict[str, float], *sources: Source, dense_weight: float = 0.0) -> Coverage:
    return measure_coverage(question, sources, [], weights, 0.6, 0.5, dense_weight)


def test_a_document_covers_what_its_passages_cover_together() -> None:
    """Half of the weight in each of two passages is half for the best passage and all for their document."""
    weights = {"pump": 1.0, "hall": 1.0}
    one, other = source(1, "The pump is new."), source(1, "The hall is old.")
    coverage = measure("pump hall", weights, one, other)
    assert (coverage.passage_cover, coverage.document_cover) == (0.5, 1.0)
    assert measure("pump hall", weights, one, source(2, "The hall is old.")).document_cover == 0.5


def test_headings_count_and_rare_words_count_more() -> None:
    """What stands in the heading is covered; a share is of the weights, not of the words."""
    coverage = measure("pump hall", {"pump": 3.0, "hall": 1.0}, source(1, "It is new.", heading="Pump"))
    assert coverage.passage_cover == 0.75


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does error E-19 on the AQ-400 mean?", [{"e19"}, {"aq400"}]),
        ("Where is the hotel in Mars?", [{"mar"}]),
        ("AQ-400报E-09故障怎么处理？", [{"aq400"}, {"e09"}]),
        ("What does Error PPR9087 mean?", [{"error"}, {"ppr9087"}]),
        ("What is closed on June 11th, 2027?", [{"june"}]),
        ("Which days are free in 2027?", []),
        ("年假有多少天？", []),
    ],
)
def test_names_are_codes_and_capitals_inside_the_question(question: str, expected: list[set[str]]) -> None:
    """Not the word that opens the question, not a bare number; a code is known by the whole of it."""
    assert names(question) == expected


def test_a_near_miss_by_one_name_is_seen() -> None:
    """The passage on another code lacks the one asked for; the one on that code does not."""
    weights = {"error": 1.0, "mean": 1.0}
    text = "Error E-07 means that the certificate has expired."
    assert measure("What does error E-19 mean?", weights, source(1, text)).lacks_name == 1.0
    assert measure("What does error E-07 mean?", weights, source(1, text)).lacks_name == 0.0


@pytest.mark.parametrize("written", ["PPR-9087", "PPR9087", "PPR 9087", "ppr-9087"])
def test_a_code_is_found_in_any_of_its_forms(written: str) -> None:
    """The passage mentions the code of the question with a hyphen, without, and with a space; never another code."""
    text = f"The valve {written} fits every pump."
    assert measure("What does PPR-9087 fit?", {"fit": 1.0}, source(1, text)).lacks_name == 0.0
    assert measure("What does PPR-8907 fit?", {"fit": 1.0}, source(1, text)).lacks_name == 1.0


def test_a_date_is_no_missing_name() -> None:
    """A month with a capital letter is found in a date in digits; the day's ending is no code that is missing."""
    dated = source(1, "The office is closed on 2027-06-11.")
    assert measure("What is closed on June 11th, 2027?", {"close": 1.0}, dated).lacks_name == 0.0
    assert measure("What is closed on Sept 11th, 2027?", {"close": 1.0}, dated).lacks_name == 1.0


def test_nothing_found_covers_nothing() -> None:
    """Without sources every share is 0, and similarities of an embedder without a vote are not passed on."""
    nothing = Coverage(0.0, 0.0, 0.0, 0.0, 0.0, dense_weight=0.0, across=0.0, lacks_name=0.0)
    assert measure("leave", {"leave": 1.0}) == nothing
    assert measure("leave", {"leave": 1.0}, dense_weight=0.5) == replace(
        nothing, sentence_similarity=0.6, passage_similarity=0.5, dense_weight=0.5
    )


def test_the_language_of_the_first_passage_and_of_the_question() -> None:
    """`across` is 1 when they differ, whatever the passages behind the first; codes and numbers do not matter.

    Never 1 for an embedder that cannot read the question: then words alone decide.
    """
    english, chinese = source(1, "Annual leave is 25 days."), source(2, "年假有二十五天。")
    for question, sources, across in (
        ("年假有几天？", (english, chinese), 1.0),
        ("年假有几天？", (chinese, english), 0.0),
        ("How long is annual leave?", (chinese,), 1.0),
        ("How long is annual leave?", (english, chinese), 0.0),
        ("年假有几天？", (source(3, "E-09: 25, 28, 30"), english), 0.0),
        ("AQ-400 报 E-09 故障怎么处理？", (source(3, "AQ-400 的 E-09 故障须更换滤芯。"),), 0.0),
    ):
        assert measure(question, {"leave": 1.0}, *sources, dense_weight=1.0).across == across
        assert measure(question, {"leave": 1.0}, *sources, dense_weight=0.0).across == 0.0
