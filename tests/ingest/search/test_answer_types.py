from __future__ import annotations

import pytest

from ingest.search.answer_types import (
    answer_types_asked,
    asks_yes_or_no,
    counts_what_is_asked,
    has_answer_type,
    new_numbers,
    says_yes_or_no,
)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When is the review?", "moment"),
        ("报销截止到什么时候？", "moment"),
        ("入职手续哪天办？", "moment"),
        ("How long is the notice period?", "duration"),
        ("产假多久？", "duration"),
        ("年假有几天？", "duration"),
        ("How much does a badge cost?", "money"),
        ("住宿费用标准是多少元？", "money"),
        ("How many desks are there?", "number"),
        ("What is the extension of the helpdesk?", "number"),
        ("会议室有几个？", "number"),
        ("Who approves overtime?", "person"),
        ("谁负责考勤？", "person"),
        ("Where do I park?", "place"),
        ("打印机在哪里？", "place"),
        ("Why was the release delayed?", "reason"),
        ("为什么要双重验证？", "reason"),
    ],
)
def test_kind_asked(question: str, kind: str) -> None:
    """The question word tells the kind, in either language."""
    assert kind in answer_types_asked(question)


def test_a_question_may_not_say() -> None:
    """'What is', 如何 and plain words ask for no type that a pattern can recognise."""
    for question in ("What is Riverdesk?", "如何申请账号？", "parking"):
        assert answer_types_asked(question) == []


@pytest.mark.parametrize(
    ("kind", "with_it", "without"),
    [
        ("moment", "It starts on 3 May.", "It starts soon."),
        ("moment", "系统于2024年上线。", "系统已上线。"),
        ("duration", "It takes ten working days.", "It takes a while."),
        ("duration", "产假为158天。", "产假较长。"),
        ("money", "Dinner is up to €30.", "Dinner is paid."),
        ("money", "每晚不超过五百元。", "每晚有标准。"),
        ("number", "There are twelve desks.", "There are desks."),
        ("number", "共有三个会议室。", "设有会议室。"),
        ("person", "Approval is given by Fiona Reid.", "Approval is given in writing."),
        ("person", "由部门经理批准。", "须书面批准。"),
        ("place", "It stands in Cork.", "It stands still."),
        ("place", "打印机位于三楼。", "打印机可用。"),
        ("reason", "It closed because of the storm.", "It closed."),
        ("reason", "由于台风停工。", "今日停工。"),
    ],
)
def test_has_kind(kind: str, with_it: str, without: str) -> None:
    """A pattern recognises whether the text has one."""
    assert has_answer_type(with_it, kind)
    assert not has_answer_type(without, kind)


@pytest.mark.parametrize(
    "question", ["Can I work from home?", "Aren't snacks free?", "年假可以结转吗？", "是否需要发票？"]
)
def test_yes_or_no_is_asked(question: str) -> None:
    """A verb comes first in English; in Chinese a particle or a verb with its negation says so."""
    assert asks_yes_or_no(question)


@pytest.mark.parametrize("question", ["What can I do?", "How is it done?", "如何申请？", "Area of work?"])
def test_yes_or_no_is_not_asked(question: str) -> None:
    """A question word asks for something else."""
    assert not asks_yes_or_no(question)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes! New colleagues get one.", True),
        ("**No.** Ask first.", True),
        ("可以，须经批准。", True),
        ("No customer data is kept.", False),
        ("| No. | Action |", False),
        ("可以申请的人员如下。", False),
        ("Yesterday it rained.", False),
    ],
)
def test_yes_or_no_is_said(text: str, expected: bool) -> None:
    """Only as an opening that stands by itself."""
    assert says_yes_or_no(text) is expected


def test_new_numbers() -> None:
    """Numbers that the question named itself answer nothing; full-width digits are digits."""
    assert new_numbers("In 2024 there were 30.", "How many were there in 2024?")
    assert not new_numbers("In 2024 there were some.", "How many were there in 2024?")
    assert not new_numbers("２０２４年", "2024年有多少？")


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("It opens on 2027-06-11.", "What opens on 11 June 2027?", False),
        ("It opens on 2027-06-12.", "What opens on 11 June 2027?", True),
        ("It opens in June.", "What opens on 2027-06-11?", False),
        ("上限为一千五百元。", "1,500元是多少？", False),
        ("上限为一千五百元。", "上限是多少？", True),
        ("万一遗失，十分麻烦。", "上限是多少？", False),
        ("Form PPR-9087 is used.", "Is PPR9087 used?", False),
    ],
)
def test_new_numbers_are_new_in_every_form(text: str, question: str, expected: bool) -> None:
    """A date, sum or code that the question has in another form is not new; words with numerals are no numbers."""
    assert new_numbers(text, question) is expected


@pytest.mark.parametrize(
    ("traditional", "simple"),
    [
        ("什麼時候截止？", "什么时候截止？"), ("誰負責？", "谁负责？"), ("為什麼延遲？", "为什么延迟？"),
        ("會議室有幾個？", "会议室有几个？"), ("地點在哪裡？", "地点在哪里？"),
    ],
)  # fmt: skip
def test_traditional_questions_ask_for_the_same(traditional: str, simple: str) -> None:
    """The types of answer do not depend on the script, and there is at least one."""
    assert answer_types_asked(traditional) == answer_types_asked(simple) != []


def test_traditional_texts_have_the_same() -> None:
    """An answer in traditional characters has its type, its yes or no, and what is counted."""
    assert has_answer_type("由於颱風停工。", "reason")
    assert asks_yes_or_no("可以結轉嗎？")
    assert says_yes_or_no("沒有，請先申請。")
    assert counts_what_is_asked("共有三個會議室。", "有多少個會議室？")


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("How many tackles did he have?", "He had 118 total tackles.", True),
        ("How many tackles did he have?", "He had 118 yards and some luck.", False),
        ("How many desks are there?", "Twelve desks stand ready.", True),
        ("最多可以带几个人？", "每次最多两人。", True),
        ("配对要多少分钟？", "4分钟内不得配对。", True),
        ("配对要多少分钟？", "第4局不得配对。", False),
        ("Who counts?", "Two people count.", False),
    ],
)
def test_what_is_counted(question: str, text: str, expected: bool) -> None:
    """The number must stand before the thing that is counted, a few words between at most in English."""
    assert counts_what_is_asked(text, question) is expected
