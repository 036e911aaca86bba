"""What every engine of ours has in common: LlamaIndex's four ways of calling, made from one generator.

Knows no model. An engine implements `_responses`; closing what `stream_chat` returns closes that generator, which is
how a caller stops the work.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Sequence
from typing import Any

from llama_index.core.llms import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    CustomLLM,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from ingest.base.errors import DocentError


class ChatModel(CustomLLM):
    """A LlamaIndex LLM whose answers come from `_responses`; the last response says why it ended."""

    @abstractmethod
    def _responses(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Generator[ChatResponse, None, None]:
        """Responses with growing content; the last has `finish_reason` in `additional_kwargs`."""

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return self._responses(messages, **kwargs)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        *_, last = self._responses(messages, **kwargs)
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
        for response in self.stream_chat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs):
            yield CompletionResponse(
                text=response.message.content or "", delta=response.delta, additional_kwargs=response.additional_kwargs
            )


def room_for_answer(prompt_tokens: int, context_window: int) -> int:
    """How many tokens the answer may have. Raises DocentError when the prompt leaves it none."""
    if prompt_tokens >= context_window:
        raise DocentError(
            f"the prompt has {prompt_tokens} tokens and the model reads {context_window}: lower `prompt_tokens`."
        )
    return context_window - prompt_tokens


def response(text: str, delta: str, **more: Any) -> ChatResponse:
    """The assistant has said `text` so far, `delta` of it just now."""
    message = ChatMessage(role=MessageRole.ASSISTANT, content=text)
    return ChatResponse(message=message, delta=delta, additional_kwargs=more)
