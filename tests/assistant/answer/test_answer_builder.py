"""Building an answer: text, citations and timings, with a model's text and with quotations."""

from __future__ import annotations

import pytest

from assistant.answer import answer_builder as module
from assistant.answer.answer_builder import AnswerBuilder, StepClock
from assistant.answer.citation_check import CheckedText, cite_evidence
from assistant.events import Evidence, EvidenceSentence, Source

TEXT = "Every employee has 25 days of annual leave. Unused days are lost in April."
SOURCE = Source(1, 11, 7, "leave.md", "Leave policy", "Annual leave", "p. 3", TEXT, 0.9)
SENTENCES = (
    EvidenceSentence(1, TEXT[:43], 0, 43, 0.9, TEXT[:43]),
    EvidenceSentence(1, TEXT[44:], 44, len(TEXT), 0.2, TEXT[44:]),
)
FOUND = Evidence((SOURCE,), SENTENCES, 0.8, abstained=False)


def test_a_checked_answer_is_what_was_shown() -> None:
    """The texts shown join to the answer, with the markers of the check; `model_text` stays what the model wrote."""
    builder = AnswerBuilder(FOUND, "transformers", StepClock(), CheckedText((SOURCE,)))
    shown = [builder.add(text) for text in ("", "Every employee has 25 days [", "7] of leave. ", "Parking is free.")]
    shown.append(builder.finish())
    done = builder.done("length")
    assert "".join(shown) == done.answer == "Every employee has 25 days of leave. [1] Parking is free."
    assert builder.model_text == "Every employee has 25 days [7] of leave. Parking is free."
    assert [citation.quote for citation in done.citations] == [TEXT[:43]]
    assert done.unsupported == ("Parking is free.",)
    assert (done.engine, done.finish_reason, done.evidence) == ("transformers", "length", FOUND)


def test_a_quoted_answer_cites_what_it_quotes() -> None:
    """Without a check the text is returned unchanged, with the citations that were given."""
    citations = tuple(cite_evidence(SENTENCES[:1], FOUND.sources))
    builder = AnswerBuilder(FOUND, "extractive", StepClock(), citations=citations)
    assert builder.add("“Every employee …” [1]") == "“Every employee …” [1]"
    assert builder.finish() == ""
    done = builder.done("stop")
    assert done.answer == "“Every employee …” [1]"
    assert [citation.quote for citation in done.citations] == [TEXT[:43]]


def test_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step has the seconds since the step before it, the first token among them, and `total` has them all."""
    now = [100.0]

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(module, "time", Clock)
    clock = StepClock()
    builder = AnswerBuilder(FOUND, "extractive", clock)
    for seconds, step in ((0.5, "search"), (2, "queue")):
        now[0] += seconds
        clock.mark(step)
    for seconds, text in ((0.25, ""), (1, "a"), (3, "b")):
        now[0] += seconds
        builder.add(text)
    builder.finish()
    now[0] += 0.125
    assert builder.done("stop").timings == {
        "search": 0.5, "queue": 2.0, "first_token": 1.25, "generation": 3.0, "total": 6.875,
    }  # fmt: skip
