"""An answer in the making: what was found, written, checked and timed so far. Knows nothing of engines or queues."""

from __future__ import annotations

import time
from collections.abc import Sequence

from assistant.answer.citation_check import CheckedText, cite_evidence
from assistant.events import Done, Evidence, EvidenceSentence


class AnswerBuilder:
    """Collects one answer. With `checked` the model's sentences are checked; without, the answer quotes `quoted`."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.found: Evidence | None = None
        self.checked: CheckedText | None = None
        self.quoted: Sequence[EvidenceSentence] = ()
        self.user_content = ""
        self.written = ""
        self._started = self._last = time.monotonic()
        self._seconds: dict[str, float] = {}

    def mark(self, step: str) -> None:
        """The step that has just ended took the time since the last mark."""
        now = time.monotonic()
        self._seconds[step] = round(now - self._last, 4)
        self._last = now

    def add(self, delta: str) -> str:
        """Takes what the model wrote next; returns what to show of it."""
        if delta and not self.written:
            self.mark("first_token")
        self.written += delta
        return self.checked.more(delta) if self.checked is not None else delta

    def finish(self) -> str:
        """What was still held back, once the model has ended."""
        self.mark("generation")
        return self.checked.more("", last=True) if self.checked is not None else ""

    def done(self, finish_reason: str) -> Done:
        """The answer as it stands. Raises ValueError before anything was found."""
        if self.found is None:
            raise ValueError("an answer needs evidence first")
        found, checked = self.found, self.checked
        return Done(
            evidence=found,
            answer=checked.text if checked is not None else self.written,
            citations=tuple(checked.citations if checked is not None else cite_evidence(self.quoted, found.sources)),
            engine=self.engine,
            finish_reason=finish_reason,
            unsupported=tuple(checked.unsupported) if checked is not None else (),
            timings={**self._seconds, "total": round(time.monotonic() - self._started, 4)},
        )
