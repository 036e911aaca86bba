"""What happens to one question, as a stream of values. A leaf: it knows neither engine nor page.

`Assistant.ask` yields one `Evidence`, any number of `Queued` and `Delta`, and ends with exactly one
`Done` or `Failed`. The page, the HTTP API and the terminal all iterate the same stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """A passage the answer may draw on. `n` is the number people see; it starts at 1 for each question."""

    n: int
    passage_id: int
    document_id: int
    path: str
    title: str
    heading: str
    page: str
    text: str
    score: float


@dataclass(frozen=True)
class EvidenceSentence:
    """A sentence that may answer the question: `text == source.text[start:end]` for the source numbered `n`.

    `shown` is how people read it: without Markdown, a table row with its column headings.
    """

    n: int
    text: str
    start: int
    end: int
    score: float
    shown: str


@dataclass(frozen=True)
class Citation:
    """A place that supports the answer: `quote` stands in the passage, word for word."""

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
    """What was found, before the model has said a word. `confidence` is 0 to 1: can the library answer this?"""

    sources: tuple[Source, ...]
    sentences: tuple[EvidenceSentence, ...]
    confidence: float
    abstained: bool


@dataclass(frozen=True)
class Queued:
    """Still waiting for the model: `position` answers must end first. `estimate_seconds` is how long that may take,
    None while nobody knows how long answers take here."""

    position: int
    waited_seconds: float
    estimate_seconds: float | None = None


@dataclass(frozen=True)
class Delta:
    """More of the answer. May be empty: the model is at work and the caller may stop it here."""

    text: str


@dataclass(frozen=True)
class Done:
    """The whole answer; `answer` is the deltas joined. `finish_reason`: stop, length, abstained or timeout.

    `unsupported` holds the answer's sentences that no source bears out. `timings` are seconds by step.
    """

    answer: str
    citations: tuple[Citation, ...]
    evidence: tuple[EvidenceSentence, ...]
    sources: tuple[Source, ...]
    abstained: bool
    confidence: float
    engine: str
    finish_reason: str
    unsupported: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """No answer; `message` is one line for the person, `status` the HTTP status it would have had."""

    message: str
    status: int
    request_id: str


Event = Evidence | Queued | Delta | Done | Failed
