"""The documents a person means by a number, a name, a path or a folder. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.runs.find_files import absolute
from ingest.store.records import ListedDocument

UNKNOWN = "no such document in the library: `docent list` shows them"


@dataclass(frozen=True)
class Named:
    """A document, and the file by whose path it was named; None when it was named in another way."""

    document: ListedDocument
    file: Path | None = None


def select_documents(documents: Sequence[ListedDocument], name: str) -> list[Named]:
    """A number is an id; anything else a path, a folder of the library, or a name as `docent list` shows it."""
    if not name.strip():
        return []
    if name.isdecimal():
        return [Named(document) for document in documents if document.id == int(name)]
    path = absolute(Path(name))
    by_file = [
        Named(document, Path(file))
        for document in documents
        for file in document.paths
        if Path(file) == path or Path(file).is_relative_to(path)
    ]
    if by_file:
        return by_file
    parts = [document for document in documents if document.member]
    by_part = [d for d in parts if any(Path(file) / d.member == path for file in d.paths)]
    return [Named(document) for document in by_part or documents if by_part or document.name == name]
