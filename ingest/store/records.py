"""The values that are written to the catalog and read from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ingest.base.types import DocumentRecord, Passage, ReadDocument, Vectors

ANSWERING = "answering"
QUARANTINED = "quarantined"


@dataclass(frozen=True)
class NewDocument:
    """A document ready to be written: read, scored, split and embedded.

    `score` is the parse score, 0 to 1, None when it was not computed. A quarantined document has a `reason` and no
    passages. `vectors` has shape (passages, dimension). `multi_vectors` has the packed multi-vector embedding
    (`ingest.passages.multi_vector`) of each passage; when it is empty, passages are searched by `vectors` alone.
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
        """QUARANTINED with a `reason`, else ANSWERING."""
        return QUARANTINED if self.reason else ANSWERING


# A file written to this shortly before it was read may be written to again within the same tick of its file system's
# clock: FAT counts in steps of two seconds, network shares in one.
_TICK_NS = 2_000_000_000


@dataclass(frozen=True)
class SeenFile:
    """A file as it was when its content was read, at `checked_ns`; it was last modified at `modified_ns`.

    Times are in ns since 1970, `size` is in bytes, and `root` is the folder that was ingested.
    """

    path: Path
    root: Path
    size: int
    modified_ns: int
    checked_ns: int
    sha256: str

    @property
    def format(self) -> str:
        """The suffix, as `format_of` returns it."""
        return format_of(self.path)

    def is_unchanged(self, size: int, modified_ns: int, now_ns: int) -> bool:
        """Whether a file of this size and time has the same content, without opening it.

        False when the file was modified less than 2 s before its content was read, and when `checked_ns` is later than
        `now_ns`, because the clock was set back.
        """
        is_same = (self.size, self.modified_ns) == (size, modified_ns)
        return is_same and modified_ns + _TICK_NS <= self.checked_ns <= now_ns


@dataclass(frozen=True)
class NewFile(SeenFile):
    """A file ready to be written. `failures` are (member, reason) of the parts that could not be read."""

    documents: Sequence[NewDocument] = ()
    failures: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class NewPath(SeenFile):
    """A path to content that the library already has. `moved_from` is the file's earlier path if it was moved."""

    moved_from: Path | None = None


@dataclass(frozen=True)
class FileRecord(SeenFile):
    """A path that the library knows, the number of documents of its file, and its failed parts (member, reason)."""

    documents: int
    failures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ListedDocument(DocumentRecord):
    """A document with its language, parse score (0 to 1), state and all its paths.

    `state` is 'answering' or 'quarantined', and `reason` says why it is quarantined. `paths` are all files with the
    same content. `member` names the part of an e-mail or archive, '' for the file itself.
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
