"""The events of one question, and the record of its answer.

`Assistant.ask` yields one `Evidence`, any number of `Queued` and `Delta`, and ends with exactly one `Done` or `Failed`.
The page, the HTTP API and the terminal all read the same stream. A leaf: it imports no other module of the project.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class SourcePassage:
    """A passage within a source: `source.text[start:end]`.

    `found` is false for a neighbour, which the search did not find. `lead` (a table's header row) is put before the
    text where an excerpt begins with this passage.
    """

    passage_id: int
    page: str
    start: int
    end: int
    found: bool = True
    lead: str = ""


@dataclass(frozen=True)
class Source:
    """A piece of a document that the answer may use. `n` is its number in the answer, from 1 for each question.

    `parts` are its passages in reading order, empty where it is a single passage. `passage_id`, `page` and `score` are
    those of the best passage. `newer` is the path of a newer version of the document in the library, '' for none;
    `replaces` are the paths of the older versions that were left out because of this one.
    """

    n: int
    passage_id: int
    document_id: int
    path: str
    title: str
    heading: str
    page: str
    text: str
    score: float
    parts: tuple[SourcePassage, ...] = ()
    newer: str = ""
    replaces: tuple[str, ...] = ()

    @property
    def passages(self) -> tuple[SourcePassage, ...]:
        """Every passage of the source, at least one."""
        return self.parts or (SourcePassage(self.passage_id, self.page, 0, len(self.text)),)

    def found(self) -> tuple[int, int]:
        """Index in `passages` of the first and of the last passage that the search found."""
        indexes = [index for index, passage in enumerate(self.passages) if passage.found]
        return indexes[0], indexes[-1]

    def excerpt(self, first: int, last: int) -> str:
        """The text from passage `first` to passage `last` (indexes in `passages`, both included), with its lead."""
        return self.passages[first].lead + self.text[self.passages[first].start : self.passages[last].end]

    def passage_at(self, offset: int) -> SourcePassage:
        """The passage that holds the character at this offset of the text, or the last one before it."""
        return next((passage for passage in reversed(self.passages) if passage.start <= offset), self.passages[0])


@dataclass(frozen=True)
class EvidenceSentence:
    """A sentence that may answer the question: `text == source.text[start:end]` for the source numbered `n`.

    `shown` is the readable form: without Markdown, a table row with its column headings.
    """

    n: int
    text: str
    start: int
    end: int
    score: float
    shown: str


@dataclass(frozen=True)
class Citation:
    """A passage that supports the answer; it holds `quote` word for word."""

    n: int
    path: str
    title: str
    heading: str
    page: str
    passage_id: int
    document_id: int
    quote: str


@dataclass(frozen=True)
class Evidence:
    """What the library has on a question, before the model has written anything.

    `confidence` (0 to 1) estimates whether the library can answer; `abstained`: it is too low, so no answer is written.
    With `caution` the question is answered although the evidence may not answer it. `searched` is what was
    searched for where it differs from the question asked (a follow-up was completed, a word corrected), else ''.
    """

    sources: tuple[Source, ...]
    sentences: tuple[EvidenceSentence, ...]
    confidence: float
    abstained: bool
    searched: str = ""
    caution: bool = False


@dataclass(frozen=True)
class Queued:
    """The question waits for the model: `position` answers must end before it.

    `estimate_seconds` is how long that may take, None until the first answer has shown how long answers take.
    """

    position: int
    waited_seconds: float
    estimate_seconds: float | None = None


@dataclass(frozen=True)
class Delta:
    """More text of the answer. It may be empty: while the model works, such events let the caller stop it."""

    text: str


@dataclass(frozen=True)
class Done:
    """The one record of an answer: the page draws it, conversations store it, `to_json` prints it.

    `answer` is all deltas joined, or a fixed sentence where the evidence abstained. `finish_reason` is stop, length
    (`max_new_tokens` reached), timeout, abstained or stopped (by the person). `unsupported` holds the sentences of the
    answer that no source supports. `timings` are seconds by step, and `total`.
    """

    evidence: Evidence
    answer: str
    citations: tuple[Citation, ...]
    engine: str
    finish_reason: str
    unsupported: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """No answer: `message` is one line for the person, `status` the HTTP status of this error."""

    message: str
    status: int
    request_id: str


Event = Evidence | Queued | Delta | Done | Failed


def to_json(done: Done) -> dict[str, Any]:
    """An answer as `docent ask --json`, `POST /chat` and the stream's `done` event give it to programs."""
    return {
        "answer": done.answer,
        "citations": [asdict(citation) for citation in done.citations],
        "evidence": [asdict(sentence) for sentence in done.evidence.sentences],
        "abstained": done.evidence.abstained,
        "caution": done.evidence.caution,
        "confidence": done.evidence.confidence,
        "searched": done.evidence.searched,
        "engine": done.engine,
        "finish_reason": done.finish_reason,
        "unsupported": list(done.unsupported),
        "timings": done.timings,
    }
