"""An engine that generates the texts it is given."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

from llama_index.core.llms import ChatMessage

from assistant.engines.engine import Engine, Generated, Sampling
from assistant.models.tokens import EstimatedTokens, estimate_tokens


class ScriptedEngine(Engine):
    """`texts` makes the texts of each answer; `asked` and `ended` record the prompts and how each answer ended."""

    name = "scripted"
    model = "a script"
    version = "1"
    opening_tokens = EstimatedTokens.opening_tokens
    alive = True

    def __init__(self, texts: Callable[[], Iterator[str]]) -> None:
        self.sampling = Sampling()
        self.asked: list[list[ChatMessage]] = []
        self.ended: list[str] = []
        self._texts = texts

    def count_tokens(self, text: str) -> int:
        return estimate_tokens(text)

    def stream(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling | None = None,  # noqa: ARG002 - the contract
    ) -> Generator[Generated, None, None]:
        self.asked.append(list(messages))
        try:
            for text in self._texts():
                yield Generated(text)
            yield Generated("", "stop")
            self.ended.append("finished")
        except GeneratorExit:
            self.ended.append("closed")
            raise


def saying(*texts: str) -> ScriptedEngine:
    """An engine whose every answer consists of these texts."""
    return ScriptedEngine(lambda: iter(texts))
