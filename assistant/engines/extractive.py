"""The engine that needs no model: it answers with the evidence sentences themselves, quoted and numbered.

Knows neither where the sentences come from nor what they mean; they travel on the last user message.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Any

from llama_index.core.llms import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    CustomLLM,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from assistant.events import EvidenceSentence
from assistant.prompt import is_chinese

EVIDENCE = "evidence"
MOST_SENTENCES = 3
LEAD_IN = {"zh": "文件中这样写：", "en": "From the documents:"}
NOTHING = {"zh": "文件中没有说明这一点。", "en": "The documents do not say."}


def attach_evidence(messages: Sequence[ChatMessage], sentences: Sequence[EvidenceSentence]) -> list[ChatMessage]:
    """Copies of the messages whose last user message carries the sentences for `ExtractiveLLM`, best first."""
    copies = list(messages)
    for position in reversed(range(len(copies))):
        if copies[position].role == MessageRole.USER:
            message = copies[position]
            extra = {**message.additional_kwargs, EVIDENCE: tuple(sentences)}
            copies[position] = message.model_copy(update={"additional_kwargs": extra})
            return copies
    raise ValueError("there is no user message to attach evidence to")


class ExtractiveLLM(CustomLLM):
    """Quotes up to three evidence sentences, a line each, ending in ` [n]`; one delta a line.

    The question's language is read off the last paragraph of the last user message, where the prompt puts it. Without
    evidence it says that the documents do not say. The last response carries `finish_reason` "stop".
    """

    @classmethod
    def class_name(cls) -> str:
        return "docent_extractive"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="extractive", is_chat_model=True, context_window=1_000_000)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:  # noqa: ARG002
        return self._responses(messages)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:  # noqa: ARG002
        *_, last = self._responses(messages)
        return last

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:  # noqa: ARG002
        last = self.chat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs)
        return CompletionResponse(text=last.message.content or "", additional_kwargs=last.additional_kwargs)

    @llm_completion_callback()
    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002 - LlamaIndex's signature, here and above
        **kwargs: Any,
    ) -> CompletionResponseGen:
        responses = self.stream_chat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs)
        return (
            CompletionResponse(
                text=response.message.content or "", delta=response.delta, additional_kwargs=response.additional_kwargs
            )
            for response in responses
        )

    def _responses(self, messages: Sequence[ChatMessage]) -> Generator[ChatResponse, None, None]:
        asked = next((message for message in reversed(messages) if message.role == MessageRole.USER), None)
        question = ((asked.content if asked else None) or "").strip().rsplit("\n\n", 1)[-1]
        sentences = _best(asked.additional_kwargs.get(EVIDENCE, ()) if asked else ())
        text = ""
        for line in answer_lines(question, sentences):
            delta = line if not text else f"\n{line}"
            text += delta
            yield _response(text, delta, {})
        yield _response(text, "", {"finish_reason": "stop"})


def answer_lines(question: str, sentences: Sequence[EvidenceSentence]) -> list[str]:
    """The answer's lines: a lead-in in the question's language and the quotations, or that nothing is said."""
    language = "zh" if is_chinese(question) else "en"
    if not sentences:
        return [NOTHING[language]]
    quotes = [f"{_quoted(sentence.shown, language)} [{sentence.n}]" for sentence in sentences]
    return [LEAD_IN[language], *quotes]


def _best(sentences: Sequence[EvidenceSentence]) -> list[EvidenceSentence]:
    """The first sentences, no two of which say the same but for case, spaces and marks."""
    chosen: dict[str, EvidenceSentence] = {}
    for sentence in sentences:
        key = re.sub(r"\W+", "", sentence.text).casefold()
        if key:
            chosen.setdefault(key, sentence)
    return list(chosen.values())[:MOST_SENTENCES]


def _quoted(text: str, language: str) -> str:
    one_line = " ".join(text.split())
    return f"「{one_line}」" if language == "zh" else f"“{one_line}”"


def _response(text: str, delta: str, extra: dict[str, Any]) -> ChatResponse:
    message = ChatMessage(role=MessageRole.ASSISTANT, content=text)
    return ChatResponse(message=message, delta=delta, additional_kwargs=extra)
