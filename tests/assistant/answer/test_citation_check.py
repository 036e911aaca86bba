"""The citation check: which sentences are cited or unsupported, and that streaming does not change it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from assistant.answer.citation_check import CheckedText, cite_evidence
from assistant.events import Citation, EvidenceSentence, Source, SourcePassage

LEAVE = (
    "Every employee has 25 days of annual leave. Unused days may be carried over until 31 March.\n\n"
    "| Years of service | Days |\n|---|---|\n| up to 5 | 25 |\n| over 5 | 28 |"
)
TRAVEL = "差旅费用在14天内报销。请保留发票。住宿每晚不超过1,200元。"
SOURCES = (
    Source(1, 11, 7, "hr/leave.md", "Leave policy", "Annual leave", "p. 3", LEAVE, 0.9),
    Source(2, 12, 8, "财务/差旅.md", "差旅制度", "报销", "", TRAVEL, 0.8),
)
LONG_LINE = "Every employee has 25 days of annual leave, as the leave policy says"
ANSWERS = (
    "[1] Every employee has 25 days of annual leave [1]. Unused days may be carried over until 31 March[2, 1].\n",
    f"{LONG_LINE}\n1. Unused days may be carried over until 31 March\n2. There are 40 days.",
    "差旅费用在14天内报销【1】。请保留发票［2］。年假有30天。",
    "所有员工的差旅费用在14天内报销而且请保留发票以及其他的各种各样的单据\n（一）请保留发票。",
    'Is it 25 days? "Yes, 25 days of annual leave, e.g. [1[2]3] in v2.5!" [Note] Unused days [12',
)


def checked(parts: list[str]) -> CheckedText:
    """The answer that arrives in these pieces; the texts shown join to its text."""
    answer = CheckedText(SOURCES)
    shown = [answer.more(part) for part in parts]
    shown.append(answer.more("", last=True))
    assert "".join(shown) == answer.text
    return answer


def pieces(text: str, seed: int) -> list[str]:
    """The text cut at random places; seed 0 cuts after every character."""
    chance = random.Random(seed)
    count = len(text) - 1 if seed == 0 else chance.randint(1, len(text) - 1)
    cuts = sorted(chance.sample(range(1, len(text)), count))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def outcome(answer: CheckedText) -> tuple[str, list[Citation], list[str]]:
    return answer.text, answer.citations, answer.unsupported


def test_markers_of_the_model_are_removed_and_ours_follow_their_sentences() -> None:
    """Each sentence that a passage supports ends in its source's number; the model's own numbers are removed."""
    answer = checked(["Every employee has 25 days [2] of annual leave[3]. Unused days may be carried over【1, 2】."])
    assert answer.text == ("Every employee has 25 days of annual leave. [1] Unused days may be carried over. [1]")
    assert answer.unsupported == []


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("[1] Every employee has 25 days.", "Every employee has 25 days. [1]"),
        ("Every employee has 25 days.\n[1] Nothing else.", "Every employee has 25 days. [1]\n Nothing else."),
        ("Every employee has 25 days of annual leave [1", "Every employee has 25 days of annual leave [1]"),
        ("Every employee has 25 days of annual leave [1[2]3].", "Every employee has 25 days of annual leave. [1]"),
        ("See [Note] and array[x].", "See [Note] and array[x]."),
        ("请保留发票［1］。", "请保留发票。 [2]"),
        ("Fine.", "Fine."),
        ("", ""),
        (" \n", ""),
    ],
)
def test_markers_are_removed_wherever_they_are(answer: str, shown: str) -> None:
    """At the start, at a line break, nested, and incomplete at the end; other brackets stay."""
    assert checked([answer]).text == shown


def test_a_marker_split_over_deltas_is_never_shown() -> None:
    """No part of a possible marker is shown."""
    answer = CheckedText(SOURCES)
    shown = [answer.more(delta) for delta in ("Every employee has 25 days", " [", "1", ", ", "2", "]", " of leave.")]
    assert shown == ["Every employee has 25 days", "", "", "", "", "", " of leave."]
    assert answer.more("", last=True) == " [1]"


def test_brackets_that_are_no_marker_are_shown_once_that_is_clear() -> None:
    """Text that was held back as a possible marker is shown with the delta that makes clear it is none."""
    answer = CheckedText(SOURCES)
    assert [answer.more(delta) for delta in ("See [", "1", "0 items]")] == ["See", "", " [10 items]"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_any_chunking_gives_the_same(answer: str) -> None:
    """Text, citations and unsupported sentences do not depend on how the model's answer was cut into deltas."""
    whole = outcome(checked([answer]))
    for seed in range(120):
        parts = pieces(answer, seed)
        assert outcome(checked(parts)) == whole, parts


def test_any_chunking_of_scrambled_text_gives_the_same() -> None:
    """Also for text that no model would write: brackets, numbers, line breaks and closing marks in any order."""
    scraps = ["[", "]", "1", "12", ",", "【", "】", " ", "\n", ".", "。", "?", '"', "e.g.", "x" * 60, "一", "、", "）"]
    scraps += ["| ", "- ", "25 days", " of annual leave", "请保留发票", "#", "…"]
    for seed in range(1, 600):
        chance = random.Random(seed)
        text = "ab" + "".join(chance.choice(scraps) for _ in range(12))
        whole = outcome(checked([text]))
        for parts in (pieces(text, 0), pieces(text, seed)):
            assert outcome(checked(parts)) == whole, parts


@pytest.mark.parametrize("answer", ANSWERS)
def test_markers_stand_after_sentences_and_never_inside_words(answer: str) -> None:
    """Each marker of the check follows the end of a sentence, and a line break, white space or sentence follows it."""
    text = checked(pieces(answer, 3)).text
    plain = re.sub(r" \[\d\]", "", text)
    for marker in re.finditer(r" \[\d\]", text):
        after = text[marker.end() : marker.end() + 1]
        before = text[: marker.start()]
        ends_a_line = after in ("", "\n")
        assert before[-1:] in '.!?。！？"' or ends_a_line
        assert not (before[-1:].isascii() and before[-1:].isalnum() and after.isalnum())
    assert "[" not in plain.replace("[Note]", "")


def test_a_number_the_passage_lacks_is_not_cited() -> None:
    """A sentence of the right words with a wrong number gets no marker and is listed as unsupported."""
    answer = checked(["Every employee has 30 days of annual leave. Unused days may be carried over until 31 March."])
    assert answer.text == (
        "Every employee has 30 days of annual leave. Unused days may be carried over until 31 March. [1]"
    )
    assert answer.unsupported == ["Every employee has 30 days of annual leave."]
    assert [citation.quote for citation in answer.citations] == ["Unused days may be carried over until 31 March."]


def test_part_of_a_number_is_another_number() -> None:
    """The passage's 25 and 31 do not support a 5 or a 3."""
    assert checked(["Every employee has 5 days of annual leave until 3 March."]).citations == []


def test_numbers_written_differently_are_the_same() -> None:
    """Full-width digits and thousands separators do not change a number."""
    answer = checked(["差旅费用在１４天内报销。住宿每晚不超过1200元。"])
    assert answer.text == "差旅费用在１４天内报销。 [2]住宿每晚不超过1200元。 [2]"
    assert [citation.quote for citation in answer.citations] == ["差旅费用在14天内报销。", "住宿每晚不超过1,200元。"]


@pytest.mark.parametrize(
    ("said", "supported"),
    [
        ("Unused days may be carried over until March 31.", True),
        ("Unused days may be carried over until March 30.", False),
        ("Unused days may be carried over until 31 May.", False),
        ("住宿每晚不超过一千二百元。", True),
        ("住宿每晚不超过一千三百元。", False),
        ("差旅費用在十四天內報銷。", True),
        ("差旅費用在十五天內報銷。", False),
    ],
)
def test_numbers_and_dates_are_compared_by_their_normal_form(said: str, supported: bool) -> None:
    """A date in another order, a sum in numerals and another script are supported; another date or sum is not."""
    assert (checked([said]).unsupported == []) is supported


@pytest.mark.parametrize("number", ["1. ", "12) ", "3、"])
def test_the_number_of_a_list_item_is_no_claim(number: str) -> None:
    """An item is supported by its words; its position in the model's list is in no passage."""
    answer = checked([f"{number}Every employee has 25 days of annual leave."])
    assert answer.text == f"{number}Every employee has 25 days of annual leave. [1]"
    assert answer.unsupported == []


def test_a_number_that_begins_a_sentence_is_a_claim() -> None:
    """`3.5 days` is no list item, so the missing 3.5 leaves the sentence unsupported."""
    assert checked(["3.5 days of annual leave."]).unsupported == ["3.5 days of annual leave."]


def test_other_topics_are_unsupported() -> None:
    """A sentence that shares too few words with every passage is listed; one without words is neither."""
    answer = checked(["Parking is free on Sundays. It is."])
    assert (answer.text, answer.citations) == ("Parking is free on Sundays. It is.", [])
    assert answer.unsupported == ["Parking is free on Sundays."]


def test_rare_words_weigh_more() -> None:
    """With weights, a sentence whose only rare word is missing is unsupported although most of its words are there."""
    sentence = "Every employee has 25 days of sabbatical leave."
    assert checked([sentence]).citations != []
    answer = CheckedText(SOURCES, {"sabbat": 8.0})
    answer.more(sentence, last=True)
    assert (answer.citations, answer.unsupported) == ([], [sentence])


def test_citations_quote_the_sentence_that_supports() -> None:
    """The citation has all fields of the source, and the quote is the passage's nearest sentence, word for word."""
    answer = checked(["请保留发票。Unused days may be carried over to 31 March. 请保留发票。"])
    assert answer.citations == [
        Citation(2, "财务/差旅.md", "差旅制度", "报销", "", 12, 8, "请保留发票。"),
        Citation(
            1, "hr/leave.md", "Leave policy", "Annual leave", "p. 3", 11, 7,
            "Unused days may be carried over until 31 March.",
        ),
    ]  # fmt: skip
    for citation in answer.citations:
        assert citation.quote in SOURCES[citation.n - 1].text


def test_without_sources_nothing_is_cited() -> None:
    """Every sentence is unsupported where there is no passage."""
    answer = CheckedText(())
    assert answer.more("Every employee has 25 days.", last=True) == "Every employee has 25 days."
    assert (answer.citations, answer.unsupported) == ([], ["Every employee has 25 days."])


def test_quotations_cite_themselves() -> None:
    """An answer of evidence cites each sentence in order, with the sentence as the quote."""
    texts = ("请保留发票。", "Every employee has 25 days of annual leave.")

    def sentences() -> Iterator[EvidenceSentence]:
        for n, text in zip((2, 1), texts, strict=True):
            start = SOURCES[n - 1].text.index(text)
            yield EvidenceSentence(n, text, start, start + len(text), 1.0, text)

    cited = list(cite_evidence(tuple(sentences()), SOURCES))
    assert [(citation.n, citation.passage_id, citation.quote) for citation in cited] == [
        (2, 12, texts[0]),
        (1, 11, texts[1]),
    ]


FIRST = "Every employee has 25 days of annual leave. Unused days may be carried over."
SECOND = "A doctor's note is needed from the fourth day of illness."
MERGED = Source(
    1, 22, 7, "hr/leave.md", "Leave policy", "Leave", "p. 4", f"{FIRST}\n\n{SECOND}", 0.9,
    (
        SourcePassage(21, "p. 3", 0, len(FIRST), found=False),
        SourcePassage(22, "p. 4", len(FIRST) + 2, len(FIRST) + 2 + len(SECOND)),
    ),
)  # fmt: skip


def test_a_citation_names_the_passage_that_holds_the_quote() -> None:
    """Of a source of several passages the one with the quote, and its page, in a checked and in a quoted answer."""
    answer = CheckedText([MERGED])
    answer.more(f"{SECOND} Every employee has 25 days of annual leave.", last=True)
    cited = [(citation.passage_id, citation.page, citation.quote) for citation in answer.citations]
    assert cited == [(22, "p. 4", SECOND), (21, "p. 3", "Every employee has 25 days of annual leave.")]
    start = MERGED.text.index("Unused")
    quoted = EvidenceSentence(1, FIRST[start:], start, len(FIRST), 1.0, FIRST[start:])
    (citation,) = cite_evidence([quoted], [MERGED])
    assert (citation.passage_id, citation.page, citation.quote) == (21, "p. 3", "Unused days may be carried over.")


def test_words_of_two_passages_do_not_add_up() -> None:
    """A claim with half of its words in one passage and half in the next is supported by neither."""
    answer = CheckedText([MERGED])
    claim = "Every employee carried an unused note of illness, says the doctor."
    answer.more(claim, last=True)
    assert (answer.citations, answer.unsupported) == ([], [claim])
    together = CheckedText([Source(1, 22, 7, "hr/leave.md", "Leave policy", "Leave", "p. 4", MERGED.text, 0.9)])
    together.more(claim, last=True)
    assert together.unsupported == []
