"""The values that one step of ingestion returns and the next one takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Shape (texts, dimension), or (dimension,) for one text.
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
        """All pages, joined by `PAGE_BREAK`."""
        return PAGE_BREAK.join(page.text for page in self.pages)


PAGE_BREAK = "\n\n"


@dataclass(frozen=True)
class ReadFile:
    """The documents of one file: itself, an e-mail also its attachments, an archive only its members.

    `failures` are (member, reason) of the parts that could not be read; all other parts are in `documents`.
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
    """A document as the catalog knows it. `path` is absolute; `name` is how people see it, relative to its root.

    `sha256`, `size` in bytes and `modified_ns` (ns since 1970) are those of its file; `pages` and `passages` are
    numbers of them; `ingested_at` is in ISO 8601, UTC.
    """

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
    """A passage found by a search. `score` orders hits of one search; higher is better, and `rank` counts from 1.

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
    """How far a run is: `done` of `total` files, their pages and passages, seconds since its first file began.

    `total` is 0 while the embedding model is prepared, which takes seconds the first time. `left` is the seconds until
    the end, estimated from the bytes read so far; None while no estimate is possible.
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
        """The rate since the first file began; 0 before."""
        return self.passages / self.seconds if self.seconds > 0 else 0.0


ProgressCallback = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """A callback for callers who show no progress."""
