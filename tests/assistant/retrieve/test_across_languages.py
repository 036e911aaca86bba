"""Questions in one language about documents in the other, with the bundled embedder and a real library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.answer.quote import LEAD_IN, NOT_SAID, NOTHING
from assistant.assistant import Assistant
from assistant.events import Done
from ingest.base.settings import load_settings
from tests.conftest import library_of_texts

LIBRARY = {
    "parking.md": "# Parking\n\nVisitors leave their cars behind the northern gate. Bicycles stand beside the kitchen. "
    "The barrier opens at seven in the morning.\n",
    "laptops.md": "# Laptops\n\nA laptop is replaced after four years. Report a stolen laptop to security within two "
    "hours. The battery is charged in the office.\n",
    "garden.md": "# Garden\n\nThe lawn is mown every other week. Roses are cut back in early spring.\n",
    "食堂.md": "# 食堂\n\n食堂在二楼。午餐从十一点半供应到一点半。素食者可以在第三个窗口取餐。\n",
    "体检.md": "# 体检\n\n公司每两年为员工安排一次免费体检。体检报告直接寄到员工家里。\n",
    "会议室.md": "# 会议室\n\n大会议室可以坐四十人。取消预订须提前一天。\n",
}
# Question, document, the sentence that answers.
QUESTIONS = [
    ("笔记本电脑被偷了怎么办？", "laptops.md", "Report a stolen laptop to security within two hours."),
    ("访客的汽车停在哪里？", "parking.md", "Visitors leave their cars behind the northern gate."),
    ("笔记本电脑多少年更换一次？", "laptops.md", "A laptop is replaced after four years."),
    ("什么时候修剪玫瑰？", "garden.md", "Roses are cut back in early spring."),
    ("When is lunch served?", "食堂.md", "午餐从十一点半供应到一点半。"),
    ("How many people fit into the large conference room?", "会议室.md", "大会议室可以坐四十人。"),
    ("How often do employees get a medical check-up?", "体检.md", "公司每两年为员工安排一次免费体检。"),
    ("Where do vegetarians get their meal?", "食堂.md", "素食者可以在第三个窗口取餐。"),
]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path) -> Iterator[Assistant]:
    """An assistant over `LIBRARY`, which is ingested once."""
    home = library_of_texts(tmp_path_factory, "across", embedders_folder, LIBRARY)
    assistant = Assistant(load_settings(home=home, engine="extractive"))
    assistant.load()
    yield assistant
    assistant.close()


@pytest.mark.parametrize(("question", "path", "sentence"), QUESTIONS)
def test_the_document_in_the_other_language_is_found(
    assistant: Assistant, question: str, path: str, sentence: str
) -> None:
    """It is the first source and its sentence the first evidence, exactly as it stands in the document."""
    evidence = assistant.evidence_for(question)
    assert evidence.sources[0].path == path
    first = evidence.sentences[0]
    assert (first.text, first.shown) == (sentence, sentence)
    by_number = {source.n: source for source in evidence.sources}
    assert by_number[first.n].text[first.start : first.end] == sentence


@pytest.mark.parametrize(("question", "path", "sentence"), QUESTIONS)
def test_it_is_answered_in_both_languages(assistant: Assistant, question: str, path: str, sentence: str) -> None:
    """The frame is in the language of the question, the quotation in that of the document."""
    *_, done = assistant.ask(question)
    assert isinstance(done, Done)
    assert not done.evidence.abstained
    assert done.evidence.sources[0].path == path
    assert done.answer.startswith(LEAD_IN["en" if question.isascii() else "zh"])
    assert sentence in done.answer


@pytest.mark.parametrize(
    "question",
    ["火星上有没有海洋？", "谁发明了电话？", "Who won the world cup?", "How tall is Mount Everest?"],
)
def test_what_no_document_says_is_refused(assistant: Assistant, question: str) -> None:
    """Also where the library has documents in both languages: similar is not answered."""
    *_, done = assistant.ask(question)
    assert isinstance(done, Done)
    assert done.evidence.abstained
    language = "en" if question.isascii() else "zh"
    assert done.answer in (NOT_SAID[language], NOTHING[language])
