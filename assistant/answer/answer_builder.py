"""Builds an answer while it is generated: checks the model's text against the sources, collects and times it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from assistant.answer.citation_check import CheckedText
from assistant.events import Citation, Done, Evidence


class StepClock:
    """Measures the seconds of each step between a question and its answer."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._seconds: dict[str, float] = {}

    def mark(self, step: str) -> None:
        """Record that `step` ends now; it began at the last mark."""
        now = time.monotonic()
        self._seconds[step] = round(now - self._last, 4)
        self._last = now

    def timings(self) -> dict[str, float]:
        """Seconds of each step so far, in order, and `total`."""
        return {**self._seconds, "total": round(time.monotonic() - self._started, 4)}


class AnswerBuilder:
    """Collects the text of one answer.

    With `check` the text is a model's: its sentences are checked and cited as they come. Without, it consists of
    quotations, whose `citations` are known beforehand.
    """

    def __init__(
        self,
        evidence: Evidence,
        engine: str,
        clock: StepClock,
        check: CheckedText | None = None,
        citations: Sequence[Citation] = (),
    ) -> None:
        self._evidence = evidence
        self._engine = engine
        self.clock = clock
        self._check = check
        self._citations = citations
        self.model_text = ""

    def add(self, text: str) -> str:
        """Add generated text. Returns the text to show now; the check may hold the end of it back."""
        if text and not self.model_text:
            self.clock.mark("first_token")
        self.model_text += text
        return self._check.more(text) if self._check is not None else text

    def finish(self) -> str:
        """End the text. Returns what remains to be shown: the text that the check had held back."""
        self.clock.mark("generation")
        return self._check.more("", last=True) if self._check is not None else ""

    def done(self, finish_reason: str) -> Done:
        """The record of the answer, after `finish`."""
        check = self._check
        return Done(
            evidence=self._evidence,
            answer=check.text if check is not None else self.model_text,
            citations=tuple(check.citations if check is not None else self._citations),
            engine=self._engine,
            finish_reason=finish_reason,
            unsupported=tuple(check.unsupported) if check is not None else (),
            timings=self.clock.timings(),
        )
