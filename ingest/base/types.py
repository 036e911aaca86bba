"""The values that travel between the steps of ingestion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Page:
    """One page, slide or sheet of a document as Markdown; `label` is what a citation shows ('p. 3'), '' for none."""

    label: str
    text: str


@dataclass(frozen=True)
class ReadDocument:
    """A file turned into Markdown. `text` joins the pages; offsets elsewhere count its characters.

    `member` names the part of an e-mail or archive it came from ('report.docx', 'minutes/may.txt'), '' for the file.
    """

    title: str
    pages: tuple[Page, ...]
    member: str = ""

    @property
    def text(self) -> str:
        return PAGE_BREAK.join(page.text for page in self.pages)


PAGE_BREAK = "\n\n"


@dataclass(frozen=True)
class ReadFile:
    """What came out of one file: its document, or for a mail or an archive also what it carries.

    `failures` are (member, reason) for parts that could not be read; the rest was.
    """

    documents: tuple[ReadDocument, ...]
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Passage:
    """A piece of a document small enough to embed and to quote.

    `start` and `end` are character offsets into the document's text. `text` is that range, except that a table's
    later pieces repeat its header row in front. `heading` is the path of headings, outermost first, ' › ' between.
    """

    ordinal: int
    text: str
    heading: str
    page: str
    start: int
    end: int


@dataclass(frozen=True)
class DocumentRecord:
    """A document as the catalog knows it. `path` is absolute; `name` is how people see it, relative to its root."""

    id: int
    path: str
    name: str
    title: str
    format: str
    sha256: str
    size: int
    modified_ns: int
    pages: int
    passages: int
    ingested_at: str


@dataclass(frozen=True)
class Hit:
    """A passage found by a search. `score` orders hits of one search; higher is better.

    `path` is the document's name below the folder it was ingested from. `newer` names the newer version of its
    document when the library has one, else ''.
    """

    rank: int
    score: float
    document_id: int
    path: str
    title: str
    heading: str
    page: str
    passage_id: int
    text: str
    newer: str = ""


@dataclass(frozen=True)
class Failure:
    """A file, a folder or a name that a run could not handle, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` files, its pages and passages so far, seconds since its first file.

    `total` is 0 while the embedding model is prepared, which takes seconds the first time. `left` is how many seconds
    the rest will take, estimated from the bytes so far; None while there is nothing to estimate from.
    """

    done: int
    total: int
    passages: int
    path: str
    pages: int = 0
    seconds: float = 0.0
    left: float | None = None

    @property
    def passages_per_second(self) -> float:
        return self.passages / self.seconds if self.seconds > 0 else 0.0


ProgressCallback = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """A callback for callers who show no progress."""
