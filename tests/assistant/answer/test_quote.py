from __future__ import annotations

import pytest
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer.quote import ExtractiveLLM, attach_evidence
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


def asked(question: str) -> list[ChatMessage]:
    return [
        ChatMessage(role=MessageRole.SYSTEM, content="系统"),
        ChatMessage(role=MessageRole.USER, content=f"资料：\n\n[1] 年假\n\n{question}"),
    ]


def test_it_quotes_the_best_three_sentences_with_their_sources() -> None:
    """Best first, no sentence twice, each on its own line with its source's number, one delta a line."""
    responses = list(ExtractiveLLM().stream_chat(attach_evidence(asked("Question: How many days?"), SENTENCES)))
    deltas = [response.delta for response in responses]
    assert deltas == [
        "From the documents:",
        "\n“Every employee has 25 days of annual leave.” [1]",
        "\n“Leave is 25 days.” [3]",
        "\n“未休的年假可以结转。” [2]",
        "",
    ]
    assert responses[-1].message.content == "".join(delta or "" for delta in deltas)
    assert responses[-1].additional_kwargs == {"finish_reason": "stop"}


def test_it_speaks_the_questions_language() -> None:
    """The language is the question's, not the passages'."""
    answer = ExtractiveLLM().chat(attach_evidence(asked("问题：年假有多少天？"), SENTENCES[:1])).message.content
    assert answer == "文件中这样写：\n「Every employee has 25 days of annual leave.」 [1]"


@pytest.mark.parametrize(
    ("question", "answer"),
    [("Question: Who won?", "The documents do not say."), ("问题：谁赢了？", "文件中没有说明这一点。")],
)
def test_without_evidence_it_says_so(question: str, answer: str) -> None:
    """It never invents: no evidence, one honest sentence."""
    for messages in (asked(question), attach_evidence(asked(question), ())):
        response = ExtractiveLLM().chat(messages)
        assert response.message.content == answer
        assert response.additional_kwargs["finish_reason"] == "stop"
    assert ExtractiveLLM().complete(question).text == answer
    assert [part.delta for part in ExtractiveLLM().stream_complete(question)] == [answer, ""]


def test_attaching_leaves_the_callers_messages_alone() -> None:
    """Evidence goes onto a copy of the last user message; the transcript stays as it was."""
    before = asked("Question: x?")
    after = attach_evidence(before, SENTENCES)
    assert after[-1].additional_kwargs["evidence"] == SENTENCES
    assert "evidence" not in before[-1].additional_kwargs
    assert after[-1].content == before[-1].content
    with pytest.raises(ValueError, match="no user message"):
        attach_evidence(before[:1], SENTENCES)
