"""LlamaIndex's ways of calling, all made from one generator."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from llama_index.core.llms import ChatMessage, ChatResponse, LLMMetadata, MessageRole

from assistant.engines.chat_model import ChatModel, response

ENDED: list[str] = []


class Counting(ChatModel):
    """Says one, two, three."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="counting", is_chat_model=True)

    def _responses(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Generator[ChatResponse, None, None]:
        text = ""
        try:
            for word in ("one", " two", " three")[: kwargs.get("words", 3)]:
                text += word
                yield response(text, word)
            yield response(text, "", finish_reason="stop", heard=messages[-1].content)
        except GeneratorExit:
            ENDED.append("closed")
            raise


def asked(text: str) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=text)]


def test_all_four_ways_say_the_same() -> None:
    """Chat and completion, whole and streamed; the last word on why it ended comes along."""
    model = Counting()
    streamed = list(model.stream_chat(asked("count")))
    assert [one.delta for one in streamed] == ["one", " two", " three", ""]
    assert model.chat(asked("count")).message.content == streamed[-1].message.content == "one two three"
    assert model.chat(asked("count")).additional_kwargs == {"finish_reason": "stop", "heard": "count"}
    completed = model.complete("count")
    assert (completed.text, completed.additional_kwargs["heard"]) == ("one two three", "count")
    assert [one.text for one in model.stream_complete("count")] == ["one", "one two", "one two three", "one two three"]


def test_options_reach_the_model() -> None:
    """A keyword of the call is a keyword of the generator."""
    assert Counting().chat(asked("count"), words=1).message.content == "one"


def test_closing_the_stream_closes_the_generator() -> None:
    """However it was called, a caller who stops stops the work."""
    ENDED.clear()
    for stream in (Counting().stream_chat(asked("count")), Counting().stream_complete("count")):
        next(stream)
        stream.close()
    assert ENDED == ["closed", "closed"]
