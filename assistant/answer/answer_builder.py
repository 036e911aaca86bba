"""An answer while it is generated: what the model wrote is checked against the sources, collected and timed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from assistant.answer.citation_check import CheckedText
from assistant.events import Citation, Done, Evidence


class StepClock:
    """Seconds by step of a question's way."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._seconds: dict[str, float] = {}

    def mark(self, step: str) -> None:
        """Name the step that ends now; it took the time since the last mark."""
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
        """Take text that was generated; returns the text to show now."""
        if text and not self.model_text:
            self.clock.mark("first_token")
        self.model_text += text
        return self._check.more(text) if self._check is not None else text

    def finish(self) -> str:
        """End the text; returns the rest to show, which the check had held back."""
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
