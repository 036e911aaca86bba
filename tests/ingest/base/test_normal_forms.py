"""Numbers, dates, versions and codes have one form, however they are written; different ones never share it."""

from __future__ import annotations

import pytest

from ingest.base.language import terms
from ingest.base.normal_forms import claimed_numbers, find_forms, fold, stated_numbers, supports

FULL_DATES = (
    "2027-06-11", "2027/6/11", "2027/06/11", "11 June 2027", "11th June 2027", "11th of June, 2027", "11 Jun 2027",
    "11-Jun-2027", "June 11, 2027", "june 11 2027", "Jun. 11, 2027", "June 11th, 2027", "2027年6月11日",
    "2027年06月11号", "2027 年 6 月 11 日", "２０２７年６月１１日", "二〇二七年六月十一日", "二零二七年六月十一号",
)  # fmt: skip


@pytest.mark.parametrize("written", FULL_DATES)
def test_a_date_has_one_form(written: str) -> None:
    """In English and Chinese, in any order, in digits, words and numerals: the same terms and the same claim."""
    assert terms(written) == ["2027-06-11", "2027-06", "06-11", "2027", "june", "11"]
    assert claimed_numbers(written) == {"2027-06-11"}


@pytest.mark.parametrize(
    "asked", ["June 2027", "2027年6月", "2027-06", "2027", "二〇二七年", "6月11日", "June 11", "11 June", "June"]
)
@pytest.mark.parametrize("written", FULL_DATES[::4])
def test_parts_of_a_date_find_it(asked: str, written: str) -> None:
    """Everything a question says of a date is among the terms of the full date; 年 alone is a word."""
    assert set(terms(asked)) - {"年"} <= set(terms(written))


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("13/06/2027", "2027-06-13"),
        ("06/13/2027", "2027-06-13"),
        ("06/06/2027", "2027-06-06"),
        ("11.06.2027", "2027-06-11"),
        ("2027-06-11T10:30", "2027-06-11"),
        ("2027.6.11", "2027-06-11"),
        ("May 2027", "2027-05"),
        ("on May 11", "05-11"),
        ("十二月三十一日", "12-31"),
    ],
)
def test_dates_with_one_reading(written: str, date: str) -> None:
    """What can be only one date is that date."""
    assert date in claimed_numbers(written)


@pytest.mark.parametrize(
    "written",
    [
        "11/06/2027", "11-06-2027", "31/31/2027", "2027-13-01", "31 June 2027", "you may 11 times", "20 may attend",
        "march 20 miles", "the 2010-11 season", "6个月", "三个月", "june", "A-11 June", "0.6月", "June 20% more",
    ],
)  # fmt: skip
def test_what_is_no_date(written: str) -> None:
    """A writing with two readings, a day that does not exist, a modal verb, a season and a duration are no dates."""
    assert [form for form in find_forms(fold(written)) if form.date is not None and form.date.day] == []


@pytest.mark.parametrize(
    ("value", "writings"),
    [
        (
            "1500",
            ["1,500", "1500", "1\u00a0500", "1\u202f500", "1\u2009500", "1500.00", "1,500.0", "１５００", "一千五百"],
        ),
        ("35000", ["35,000", "3.5万", "3.5 万", "三万五千", "35 thousand"]),
        ("205000", ["20.5万", "二十万五千", "205,000"]),
        ("3500000", ["3.5 million", "350万", "三百五十万", "3,500,000"]),
        ("1000000000000", ["1 trillion", "一万亿", "1万亿"]),
        ("2005", ["两千零五", "2005"]),
        ("15", ["十五", "15"]),
        ("2.5", ["2.5", "€2.50", "2.50 euros", "2.50元"]),
    ],
)
def test_a_number_has_one_form(value: str, writings: list[str]) -> None:
    """With and without separators, in full width and in numerals: one term, and one claim."""
    for written in writings:
        assert value in terms(written), written
        assert claimed_numbers(written) == {value}, written


def test_a_percentage_has_one_form() -> None:
    """15 %, 15 percent and 百分之十五 have the same terms, and none of them is the number 15."""
    for written in ("15%", "15 %", "１５％", "15 percent", "15 per cent", "15.0%", "百分之十五", "百分之15"):
        assert terms(written) == ["15", "percent"], written
        assert claimed_numbers(written) == {"15%"}, written
    assert claimed_numbers("百分之三点五") == {"3.5%"}
    assert claimed_numbers("百分之百") == {"100%"}


@pytest.mark.parametrize(
    "word",
    [
        "一些",
        "三明治",
        "万一",
        "十分",
        "一下",
        "千万",
        "五四运动",
        "三三两两",
        "几十万",
        "三万五",
        "第一百货",
        "五千克",
        "百姓",
        "万里长城",
    ],
)
def test_words_with_numerals_stay_words(word: str) -> None:
    """Characters that only look like a number keep their characters and pairs, so that the word is found."""
    pairs = [word[i : i + 2] for i in range(len(word) - 1)]
    assert set(pairs) <= set(terms(word))
    assert not any(term.isascii() for term in terms(word))


@pytest.mark.parametrize(
    ("one", "others"),
    [
        ("PPR-9087", ["PPR9087", "ppr-9087", "ＰＰＲ－９０８７"]),
        ("PPR-9087", ["PPR\u20119087", "PPR\u20139087", "PPR_9087", "PPR 9087"]),
        ("AQ-400C", ["AQ400C", "aq400c"]),
        ("E-07", ["E07", "e07"]),
        ("ISO-9001", ["ISO9001", "ISO 9001"]),
    ],
)  # fmt: skip
def test_a_code_has_one_form(one: str, others: list[str]) -> None:
    """With and without its hyphen, and in capitals with a space; the parts are terms too."""
    assert [terms(other) for other in others] == [terms(one)] * len(others)
    assert set(terms("ppr 9087")) <= set(terms("PPR-9087"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("PPR-9087", "PPR-8907"), ("E-07", "E-7"), ("A1-23", "A12-3"), ("AB-C12", "A-BC12"), ("10.0.0.12", "10.0.0.1"),
        ("10.0.0.12", "10.0.0.120"), ("v2.10", "v2.1"), ("version 2.10", "version 2.1"), ("版本 2.10", "版本 2.1"),
        ("version 115.0", "version 115"), ("2.10", "2.1"), ("1.2.3", "1.2.30"), ("15%", "15"),
        ("2027-06-11", "2027-06-12"),
        ("11/06/2027", "2027-06-11"), ("11/06/2027", "2027-11-06"), ("1,500", "15,00"), ("007", "7"),
    ],
)  # fmt: skip
def test_different_things_have_different_forms(one: str, other: str) -> None:
    """No claim of one is supported by the other, and they do not become the same terms."""
    assert not supports(stated_numbers(other), claimed_numbers(one))
    assert terms(one) != terms(other)


def test_versions_and_addresses_are_whole() -> None:
    """An address is one term without parts; a version is the same with its v, or with the word before it.

    Of a version 2.10 the 2 and the 10 are terms too, so that a question about version 2 finds it.
    """
    assert terms("10.0.0.12") == ["10.0.0.12"]
    assert terms("10.0.0.12:8080") == ["10.0.0.12:8080", "10.0.0.12", "8080"]
    assert terms("v2.10") == ["2.10", "2", "10"]
    assert terms("version 2.10") == ["version", "2.10", "2", "10"]
    assert terms("3.8.1") == ["3.8.1"]


def test_ordinary_words_are_not_joined_with_numbers() -> None:
    """Years, sums and small words in capitals before a number are no codes."""
    for text, expected in (
        ("NASA 2020", ["nasa", "2020"]),
        ("USD 500", ["usd", "500"]),
        ("IN 500", ["500"]),
        ("room 305", ["room", "305"]),
    ):
        assert terms(text) == expected


@pytest.mark.parametrize(
    ("claim", "source", "supported"),
    [
        ("It opens on 11 June 2027.", "开业日期：2027-06-11", True),
        ("It opens in June 2027.", "二〇二七年六月十一日开业", True),
        ("6月11日开业。", "It opens on 11 June.", True),
        ("It opens on 11 June 2027.", "Calendar 2027\n11 June: opening", True),
        ("It opens on 11 June 2027.", "11 June 2026: opening. Closed in 2027.", False),
        ("It opens on 11 June 2027.", "It opens on 2027-06-12; 11 rooms.", False),
        ("It costs 1,500 euros.", "费用为一千五百欧元", True),
        ("It costs 1,500 euros.", "It costs 15,000 euros.", False),
        ("The share is 15%.", "| Share (%) | 15 |", True),
        ("The share is 15%.", "15 shares", False),
        ("15 shares", "15% of it", True),
        ("See PPR-9087.", "form ppr 9087", True),
        ("See PPR-9087.", "form QQR-9087", False),
        ("See 9087.", "form PPR-9087", True),
        ("Open from 10:00.", "10:00-18:00", True),
        ("Error E-07", "Error E07", True),
    ],
)
def test_what_supports_a_claim(claim: str, source: str, supported: bool) -> None:
    """Every number, date and code of the claim must be in the source in any form, or follow from what is there."""
    assert supports(stated_numbers(source), claimed_numbers(claim)) is supported
