"""Spelling: what is corrected to a word of the library, and what never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.library import Library
from ingest.passages.embedders.unavailable import UnavailableEmbedder
from ingest.search.spelling import CorrectedQuestion, Correction, correct_spelling
from tests.conftest import library_of_texts

COMPANY = {
    "leave.md": "# Vacation policy\n\nFull-time employees get 25 days of vacation a year. The policy for sabbaticals "
    "is separate. Requests for vacation go to the manager.\n",
    "expenses.md": "# Reimbursement\n\nClaims for reimbursement need a receipt. Rental cars are paid by the company. "
    "Accommodation in Munich costs at most 120 euros. Ask Sandra Schmidt in finance.\n",
    "it.md": "# Systems\n\nReport faults in Jira. The badge PPR-8907 opens the printer room. Onboarding takes place in "
    "the first week. The form is in the portal, and the farm is closed.\n",
    "制度.md": "# 员工手册\n\n员工每年享有年假十天。差旅费用在十四天内报销。考勤由人事部门负责，每月公布。\n",
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path) -> Iterator[Library]:
    """A library of four short documents, open for searching."""
    library = Library(library_of_texts(tmp_path_factory, "spelling-company", embedders_folder, COMPANY))
    yield library
    library.close()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("How do I get a reimbursemnt?", "How do I get a reimbursement?"),
        ("how many vacatoin days", "how many vacation days"),
        ("Vacaton policy?", "Vacation policy?"),
        ("IS ACOMODATION PAID FOR", "IS ACCOMMODATION PAID FOR"),
        ("what is the polciy for (sabaticals)?", "what is the policy for (sabbaticals)?"),
        ("the emploees' vacation", "the employees' vacation"),
        ("Who reads my mangaer's requests", "Who reads my manager's requests"),
        ("waht does the policy say", "what does the policy say"),
        ("怎么在 Jirra 报告", "怎么在 Jira 报告"),
    ],
)
def test_a_misspelled_word_becomes_the_one_that_the_library_has(company: Library, typed: str, meant: str) -> None:
    """One edit in a short word, two in a long one; case, possessive and punctuation stay as they were typed."""
    assert company.correct_spelling(typed).text == meant


@pytest.mark.parametrize(
    "question",
    [
        "How many vacation days do employees get?",  # as the library has it
        "Is dental care paid for?",  # a real word, although 'rental' is near
        "What about offboarding?",  # newer than the list of words, made of two
        "Do we get a webinar?",
        "Where is PPR9087?",  # codes
        "Does PPR-9807 open the door?",
        "Is 10.0.0.17 a printer, or v2.1.8?",
        "Is it at polciy.example.com/vacatoin or vacatoin@example.com?",
        "C:\\vacatoin\\polciy.docx",
        "Who runs JRIA?",  # an abbreviation
        "Does QuickBoks know my vacation?",  # a product, by its capitals
        "Is the hotel in Munchin paid for?",  # a name two edits away
        "Ask Mr Vacaton",  # a name that is near to a common word only
        "Where is the fom?",  # 'form' or 'farm'
        "is gdansk covered",
    ],
)
def test_what_is_no_misspelling_stays_as_typed(company: Library, question: str) -> None:
    """Real words, codes, addresses, abbreviations and names stay; so does a word that could be two."""
    assert company.correct_spelling(question) == CorrectedQuestion(question)


def test_a_word_is_not_corrected_when_another_word_was_meant(company: Library) -> None:
    """'vocatoin' is as near to a word that the library does not have, and 'pension' is meant by 'pesnion'."""
    assert company.correct_spelling("What is the pesnion?").text == "What is the pesnion?"
    assert company.correct_spelling("What is a dentel plan?").text == "What is a dentel plan?"


def test_the_rest_of_the_question_decides_between_two_words(company: Library) -> None:
    """Of two equally near words the one is meant that stands in a passage with the other words of the question."""
    assert company.correct_spelling("which frm is in the portal").text == "which frm is in the portal"  # too short
    assert company.correct_spelling("Where are reciepts for claims").text == "Where are receipts for claims"


def test_a_corrected_name_is_marked(company: Library) -> None:
    """A name is corrected only to a name, one edit away, and the correction says that it may be another name."""
    assert company.correct_spelling("Hotel in Munihc?").corrections == (
        Correction(9, 15, "Munihc", "Munich", is_name=True),
    )
    assert company.correct_spelling("who is schmitt").changes_name
    assert not company.correct_spelling("vacatoin").changes_name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("差旅费用怎么报消？", "差旅费用怎么报销？"),
        ("员工年价有几天", "员工年假有几天"),
        ("考情制度由谁负责", "考勤制度由谁负责"),
        ("vacatoin 和员工年价", "vacation 和员工年假"),
    ],
)
def test_homophones_become_the_word_that_the_library_has(company: Library, typed: str, meant: str) -> None:
    """Characters that are pronounced alike are exchanged where they make a word of the library, tones ignored."""
    assert company.correct_spelling(typed).text == meant


@pytest.mark.parametrize(
    "question",
    [
        "差旅费用在几天内报销？",  # as the library has it
        "刑事责任由谁承担？",  # real words that the library does not have
        "他想买房可以吗",
        "李年佳在哪个部门？",  # a name
        "公司的情况",  # neighbours by chance
        "報銷流程",
        "年休みは何日ですか",
    ],
)
def test_chinese_that_is_no_misspelling_stays_as_typed(company: Library, question: str) -> None:
    """Words of the dictionary, names, traditional characters and Japanese stay as they were typed."""
    assert company.correct_spelling(question) == CorrectedQuestion(question)


def test_without_an_embedder_words_are_corrected_all_the_same(company: Library) -> None:
    """A library whose embedder is gone is searched by words, misspelled ones too."""
    gone = UnavailableEmbedder(company.embedder.card, "It is gone.")
    corrected = correct_spelling("how many vacatoin days", gone, company.index, company.catalog)
    assert corrected.text == "how many vacation days"
