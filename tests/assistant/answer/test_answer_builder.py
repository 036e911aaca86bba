from __future__ import annotations

import pytest

from assistant.answer import answer_builder as module
from assistant.answer.answer_builder import AnswerBuilder
from assistant.answer.citation_check import CheckedText
from assistant.events import Evidence, EvidenceSentence, Source

TEXT = "Every employee has 25 days of annual leave. Unused days are lost in April."
SOURCE = Source(1, 11, 7, "leave.md", "Leave policy", "Annual leave", "p. 3", TEXT, 0.9)
SENTENCES = (
    EvidenceSentence(1, TEXT[:43], 0, 43, 0.9, TEXT[:43]),
    EvidenceSentence(1, TEXT[44:], 44, len(TEXT), 0.2, TEXT[44:]),
)
FOUND = Evidence((SOURCE,), SENTENCES, 0.8, abstained=False)


def test_a_checked_answer_is_what_was_shown() -> None:
    """The parts shown join to the answer, with our markers; `written` stays what the model wrote."""
    draft = AnswerBuilder("transformers")
    draft.found, draft.checked = FOUND, CheckedText((SOURCE,))
    shown = [draft.add(delta) for delta in ("", "Every employee has 25 days [", "7] of leave. ", "Parking is free.")]
    shown.append(draft.finish())
    done = draft.done("length")
    assert "".join(shown) == done.answer == "Every employee has 25 days of leave. [1] Parking is free."
    assert draft.written == "Every employee has 25 days [7] of leave. Parking is free."
    assert [citation.quote for citation in done.citations] == [TEXT[:43]]
    assert done.unsupported == ("Parking is free.",)
    assert (done.engine, done.finish_reason, done.evidence) == ("transformers", "length", FOUND)


def test_a_quoted_answer_cites_what_it_quotes() -> None:
    """Without a check the text is passed on as it is; only the sentences that were quoted are cited."""
    draft = AnswerBuilder("extractive")
    draft.found, draft.quoted = FOUND, SENTENCES[:1]
    assert draft.add("“Every employee …” [1]") == "“Every employee …” [1]"
    assert draft.finish() == ""
    done = draft.done("stop")
    assert done.answer == "“Every employee …” [1]"
    assert [citation.quote for citation in done.citations] == [TEXT[:43]]


def test_an_answer_that_was_not_found_cites_nothing() -> None:
    """Abstaining keeps the nearest sources and sentences, without a citation."""
    draft = AnswerBuilder("transformers")
    draft.found, draft.written = Evidence((SOURCE,), SENTENCES, 0.1, abstained=True), "The documents do not say."
    done = draft.done("abstained")
    assert (done.answer, done.citations, done.unsupported) == ("The documents do not say.", (), ())
    assert done.evidence == draft.found


def test_there_is_no_answer_before_there_is_evidence() -> None:
    """Asking too early is a mistake in the program."""
    with pytest.raises(ValueError, match="evidence"):
        AnswerBuilder("extractive").done("stop")


def test_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step has the seconds since the step before it, the first token among them, and `total` has them all."""
    now = [100.0]

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(module, "time", Clock)
    draft = AnswerBuilder("extractive")
    draft.found = FOUND
    for seconds, step in ((0.5, lambda: draft.mark("search")), (2, lambda: draft.mark("queue"))):
        now[0] += seconds
        step()
    for seconds, delta in ((0.25, ""), (1, "a"), (3, "b")):
        now[0] += seconds
        draft.add(delta)
    draft.finish()
    now[0] += 0.125
    assert draft.done("stop").timings == {
        "search": 0.5, "queue": 2.0, "first_token": 1.25, "generation": 3.0, "total": 6.875,
    }  # fmt: skip
