"""What goes into the catalog and what comes out of it, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ingest.base.types import DocumentRecord, Passage, ReadDocument, Vectors

ANSWERING = "answering"
QUARANTINED = "quarantined"


@dataclass(frozen=True)
class NewDocument:
    """A document ready to be written: read, judged, split and embedded.

    `score` is 0 to 1, None when it was not judged. One that is quarantined has its `reason` and no passages.
    `multi_vectors` holds the packed multi-vector embeddings (`ingest.passages.multi_vector`), one for each passage;
    without any, each passage is only known whole.
    """

    document: ReadDocument
    passages: Sequence[Passage]
    vectors: Vectors
    language: str = ""
    score: float | None = None
    reason: str = ""
    multi_vectors: Sequence[bytes] = ()

    @property
    def state(self) -> str:
        return QUARANTINED if self.reason else ANSWERING


# A file written to this shortly before it was read may be written to again within the same tick of its file system's
# clock: FAT counts in steps of two seconds, network shares in one.
_TICK_NS = 2_000_000_000


@dataclass(frozen=True)
class SeenFile:
    """A file as it was when its content was looked at, at `checked_ns` by the clock; `modified_ns` is its own time."""

    path: Path
    root: Path
    size: int
    modified_ns: int
    checked_ns: int
    sha256: str

    @property
    def format(self) -> str:
        return format_of(self.path)

    def is_unchanged(self, size: int, modified_ns: int, now_ns: int) -> bool:
        """Whether a file of this size and time has the same content, without opening it.

        Never when it was fresh when its content was looked at, or when a clock has jumped.
        """
        same = (self.size, self.modified_ns) == (size, modified_ns)
        return same and modified_ns + _TICK_NS <= self.checked_ns <= now_ns


@dataclass(frozen=True)
class NewFile(SeenFile):
    """A file ready to be written. `failures` are (member, reason) of the parts that could not be read."""

    documents: Sequence[NewDocument] = ()
    failures: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class NewPath(SeenFile):
    """A path that leads to content the library already has. `moved_from` is the path it took the place of."""

    moved_from: Path | None = None


@dataclass(frozen=True)
class FileRecord(SeenFile):
    """A path the library knows, and how many documents came out of its file."""

    documents: int
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ListedDocument(DocumentRecord):
    """A document with what an administrator wants to know of it.

    `state` is 'answering' or 'quarantined', `reason` why it is the latter; `paths` are all files that hold it.
    """

    member: str
    language: str
    score: float | None
    state: str
    reason: str
    paths: tuple[str, ...]


def format_of(name: str | PurePath) -> str:
    """'pdf' for 'Report.PDF'; '' for a name without a suffix."""
    return PurePath(name).suffix.lower().lstrip(".")


def name_of(path: str, root: str) -> str:
    """How people see a document: its path below the folder that was ingested."""
    document, folder = Path(path), Path(root)
    return document.relative_to(folder).as_posix() if document.is_relative_to(folder) else document.name
