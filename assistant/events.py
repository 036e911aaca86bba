"""What happens to one question, as a stream of values. A leaf: it knows neither engine nor page.

`Assistant.ask` yields one `Evidence`, any number of `Queued` and `Delta`, and ends with exactly one
`Done` or `Failed`. The page, the HTTP API and the terminal all iterate the same stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """A passage within a source: `source.text[start:end]`, with `lead` in front when it stands first.

    `found` is false for one that only stands around those the search found. A `lead` is a table's header row.
    """

    passage_id: int
    page: str
    start: int
    end: int
    found: bool = True
    lead: str = ""


@dataclass(frozen=True)
class Source:
    """A piece of a document the answer may draw on. `n` is the number people see; it starts at 1 for each question.

    `parts` are the passages it was put together from, in the order of reading; a single passage needs none.
    `passage_id`, `page` and `score` are those of the best of them. `newer` names a newer version of the document when
    the library has one, `replaces` the older versions that were left out for it.
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
    parts: tuple[Part, ...] = ()
    newer: str = ""
    replaces: tuple[str, ...] = ()

    @property
    def passages(self) -> tuple[Part, ...]:
        """Every passage in it, at least one."""
        return self.parts or (Part(self.passage_id, self.page, 0, len(self.text)),)

    def found(self) -> tuple[int, int]:
        """The first and the last place in `passages` of what the search found."""
        places = [place for place, part in enumerate(self.passages) if part.found]
        return places[0], places[-1]

    def excerpt(self, first: int, last: int) -> str:
        """The text of these `passages`, both ends included, as it can be read without the others."""
        return self.passages[first].lead + self.text[self.passages[first].start : self.passages[last].end]

    def part_at(self, offset: int) -> Part:
        """The passage that holds this character of the text, or stands last before it."""
        return next((part for part in reversed(self.passages) if part.start <= offset), self.passages[0])


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
    """What was found, before the model has said a word. `confidence` is 0 to 1: can the library answer this?

    `searched` is what was searched for in place of a question that leans on the ones before it, else ''. With `caution`
    the question is answered, but what was found is not sure to answer it.
    """

    sources: tuple[Source, ...]
    sentences: tuple[EvidenceSentence, ...]
    confidence: float
    abstained: bool
    searched: str = ""
    caution: bool = False


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

    `unsupported` holds the answer's sentences that no source bears out. `timings` are seconds by step; `searched` and
    `caution` are those of `Evidence`.
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
    searched: str = ""
    caution: bool = False


@dataclass(frozen=True)
class Failed:
    """No answer; `message` is one line for the person, `status` the HTTP status it would have had."""

    message: str
    status: int
    request_id: str


Event = Evidence | Queued | Delta | Done | Failed
