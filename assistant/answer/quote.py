"""The engine that needs no model: it answers with the evidence sentences themselves, quoted and numbered.

Knows neither where the sentences come from nor what they mean; they travel on the last user message.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Any

from llama_index.core.llms import ChatMessage, ChatResponse, LLMMetadata, MessageRole

from assistant.engines.chat_model import ChatModel, response
from assistant.events import EvidenceSentence
from ingest.base.language import is_chinese

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


class ExtractiveLLM(ChatModel):
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

    def _responses(self, messages: Sequence[ChatMessage], **_kwargs: Any) -> Generator[ChatResponse, None, None]:
        asked = next((message for message in reversed(messages) if message.role == MessageRole.USER), None)
        question = ((asked.content if asked else None) or "").strip().rsplit("\n\n", 1)[-1]
        sentences = _best(asked.additional_kwargs.get(EVIDENCE, ()) if asked else ())
        text = ""
        for line in answer_lines(question, sentences):
            delta = line if not text else f"\n{line}"
            text += delta
            yield response(text, delta)
        yield response(text, "", finish_reason="stop")


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
