"""The documents a person names: by number, name, path or folder, to be removed or accepted from quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.base.settings import Settings
from ingest.base.types import DocumentRecord, Failure
from ingest.passages.split_and_embed import PassageEmbedder
from ingest.runs.find_files import absolute
from ingest.runs.library_writer import open_for_writing
from ingest.runs.report import Counts
from ingest.store.catalog import Catalog
from ingest.store.records import QUARANTINED, ListedDocument, name_of

UNKNOWN = "no such document in the library: `docent list` shows them"


@dataclass(frozen=True)
class Selected:
    """A selected document, and the file whose path selected it; None when a number, name or part did."""

    document: ListedDocument
    file: Path | None = None


def select_documents(documents: Sequence[ListedDocument], name: str) -> list[Selected]:
    """The documents that `name` means: an id, the path of a file or folder, or a name as `docent list` shows it.

    Without a match the list is empty.
    """
    if not name.strip():
        return []
    if name.isdecimal():
        return [Selected(document) for document in documents if document.id == int(name)]
    path = absolute(Path(name))
    by_file = [
        Selected(document, Path(file))
        for document in documents
        for file in document.paths
        if Path(file) == path or Path(file).is_relative_to(path)
    ]
    if by_file:
        return by_file
    by_part = [
        document for document in documents
        if document.member and any(Path(file) / document.member == path for file in document.paths)
    ]  # fmt: skip
    return [Selected(document) for document in by_part or documents if by_part or document.name == name]


def remove(names: Sequence[str], settings: Settings) -> tuple[list[DocumentRecord], list[Failure]]:
    """Delete documents from the library; the files themselves stay. Returns (removed, names without a document).

    A document that several files hold stays until the last of them is removed, unless it is named by number or name.
    Raises DocentError when there is no library or another process writes.
    """
    removed: list[DocumentRecord] = []
    failed: list[Failure] = []
    paths: set[Path] = set()
    ids: set[int] = set()
    with open_for_writing(settings, "docent remove") as library:
        catalog = library.catalog
        listed, files = catalog.listed(), catalog.files()
        for name in names:
            selection = select_documents(listed, name)
            if not selection:
                failed.append(Failure(name, UNKNOWN))
            for selected in selection:
                record: DocumentRecord = selected.document
                if selected.file is None:
                    ids.add(record.id)
                else:
                    paths.add(selected.file)
                    path = str(selected.file / selected.document.member)
                    record = replace(record, path=path, name=name_of(path, str(files[selected.file].root)))
                removed += [record] if record not in removed else []
        if removed:
            catalog.remove_documents(ids)
            catalog.remove_paths(paths)
            library.publisher.publish(catalog)
    return removed, failed


def accept_documents(catalog: Catalog, embedder: PassageEmbedder, names: Sequence[str]) -> tuple[Counts, list[Failure]]:
    """Release the named documents from quarantine, with the text that the library has stored.

    Returns the counts, with released documents as updated, and the names without a document.
    """
    failed: list[Failure] = []
    accepted = 0
    listed = catalog.listed() if names else []
    for name in names:
        documents = {selected.document.id: selected.document for selected in select_documents(listed, name)}
        if not documents:
            failed.append(Failure(name, UNKNOWN))
        for document in documents.values():
            if document.state == QUARANTINED:
                content = catalog.content(document.id)
                passages = embedder.split(content)
                ((vectors, multi_vectors),) = embedder.embed([(content.title, passages)])
                catalog.accept(document.id, passages, vectors, multi_vectors)
                accepted += 1
    return Counts(updated=accepted), failed
