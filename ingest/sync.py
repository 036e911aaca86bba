"""Bring the library level with folders: the walk of a document, read → split → embed → catalog → index.

The one place that writes. Knows nothing of terminals: progress goes to a callback, the outcome is a value.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ingest.catalog import Catalog
from ingest.embed import Embedder, load_embedder, prepare_embedder
from ingest.errors import DocentError, ReadError, SettingsError
from ingest.index import SearchIndex
from ingest.library import CATALOG_FILE, EMBEDDERS_FOLDER, INDEX_FOLDER
from ingest.logs import get_logger
from ingest.read import read
from ingest.settings import Settings
from ingest.split import context_line, split
from ingest.types import DocumentRecord, Passage, ReadDocument
from ingest.writer import the_one_writer

# Files that programs leave behind; nobody means them as documents.
_LEFTOVERS = ("~$", "Thumbs.db", "desktop.ini")
_RATE_NOTE = "passages_per_second"
log = get_logger(__name__)


@dataclass(frozen=True)
class Failure:
    """A file or folder that could not be taken in, and why."""

    path: str
    reason: str


@dataclass
class IngestReport:
    """What one run did; the counts are documents, `passages` is how many the library now has in all."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list)
    passages: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` files, and the passages embedded so far."""

    done: int
    total: int
    passages: int
    path: str


ProgressCallback = Callable[[Progress], None]


def _no_progress(_progress: Progress) -> None:
    """For callers who do not watch."""


def ingest(paths: Sequence[Path], settings: Settings, progress: ProgressCallback = _no_progress) -> IngestReport:
    """Add, update and remove so that the library holds what the files and folders hold now.

    Each document is one transaction: killed at any moment, what was finished stays. Raises SettingsError when the
    embedder in the settings is not the library's, DocentError when another process writes or the disk fails.
    """
    started = time.monotonic()
    report = IngestReport()
    with the_one_writer(settings.home, "docent ingest"):
        # Looked at before anything is loaded: a wrong path should not take seconds to be said.
        found, unreadable = _discover(paths, report)
        catalog = Catalog(settings.home / CATALOG_FILE, create=True)
        try:
            embedder = _the_library_embedder(catalog, settings)
            _remove_missing(catalog, paths, found, unreadable, report)
            _take_in(catalog, embedder, found, report, progress)
            _level(catalog, settings, embedder)
            report.passages = catalog.counts()[1]
        except sqlite3.OperationalError as error:
            raise DocentError(
                f"The library in {settings.home} cannot be written ({error}): free or mend the disk and run the same "
                f"command again; the {report.added + report.updated} documents finished in this run are kept."
            ) from error
        finally:
            catalog.close()
    report.seconds = round(time.monotonic() - started, 3)
    log.info("ingest.done", **{**report.as_json(), "failed": len(report.failed)})
    return report


def ingest_documents(documents: Sequence[tuple[str, ReadDocument, str]], settings: Settings) -> None:
    """Fill a library with documents that are already read: (name, document, hash of its content) each."""
    root = settings.home.absolute() / "documents"
    with the_one_writer(settings.home, "docent ingest"):
        catalog = Catalog(settings.home / CATALOG_FILE, create=True)
        try:
            embedder = _the_library_embedder(catalog, settings)
            timer = _EmbeddingTimer()
            for name, document, sha256 in documents:
                passages, vectors = timer.embed(embedder, document)
                catalog.put_document(root / name, root, document, sha256, 0, 0, passages, vectors)
            _level(catalog, settings, embedder)
        finally:
            catalog.close()


def rebuild(settings: Settings, progress: ProgressCallback = _no_progress) -> IngestReport:
    """Split and embed every document anew, with the embedder the settings name, from the text the library kept.

    Searches go on with the old passages until the new ones replace them in one transaction.
    """
    started = time.monotonic()
    report = IngestReport()
    with the_one_writer(settings.home, "docent rebuild"):
        catalog = Catalog(settings.home / CATALOG_FILE)
        try:
            embedder = load_embedder(prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER))
            documents = catalog.documents()
            embedded = []
            timer = _EmbeddingTimer()
            for number, document in enumerate(documents):
                progress(Progress(number, len(documents), timer.passages, document.path))
                embedded.append((document.id, *timer.embed(embedder, catalog.content(document.id))))
            progress(Progress(len(documents), len(documents), timer.passages, ""))
            catalog.replace_passages(asdict(embedder.card), embedded)
            timer.note(catalog)
            _level(catalog, settings, embedder)
            report.updated, report.passages = len(documents), catalog.counts()[1]
        finally:
            catalog.close()
    report.seconds = round(time.monotonic() - started, 3)
    log.info("rebuild.done", documents=report.updated, passages=report.passages, seconds=report.seconds)
    return report


def remove(names: Sequence[str], settings: Settings) -> tuple[list[DocumentRecord], list[Failure]]:
    """Forget documents by number, name or path; the files themselves stay. (removed, not found)."""
    removed: list[DocumentRecord] = []
    failed: list[Failure] = []
    with the_one_writer(settings.home, "docent remove"):
        catalog = Catalog(settings.home / CATALOG_FILE)
        try:
            documents = catalog.documents()
            for name in names:
                wanted = _matching(documents, name)
                removed += [document for document in wanted if document not in removed]
                if not wanted:
                    failed.append(Failure(name, "no such document in the library: `docent list` shows them"))
            if removed:
                catalog.remove_documents(document.id for document in removed)
                card = catalog.embedder()
                if card is not None:
                    index = SearchIndex(settings.home / INDEX_FOLDER, card["dimension"], card["fingerprint"])
                    index.level(catalog)
                    index.publish()
        finally:
            catalog.close()
    return removed, failed


def _matching(documents: Sequence[DocumentRecord], name: str) -> list[DocumentRecord]:
    """A number is an id; anything else a path, a folder of the library, or a name as `docent list` shows it."""
    if name.isdigit():
        return [document for document in documents if document.id == int(name)]
    path = _absolute(Path(name))
    by_path = [d for d in documents if Path(d.path) == path or Path(d.path).is_relative_to(path)]
    return by_path or [document for document in documents if document.name == name]


def _absolute(path: Path) -> Path:
    """Without `..` but with links kept: a share that moves behind its link keeps its documents."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - Path.resolve would follow links


def _discover(paths: Sequence[Path], report: IngestReport) -> tuple[dict[Path, Path], list[Path]]:
    """(file → the folder it was found through, folders that could not be listed)."""
    found: dict[Path, Path] = {}
    unreadable: list[Path] = []

    def not_listed(error: OSError) -> None:
        unreadable.append(Path(error.filename))
        report.failed.append(
            Failure(error.filename, f"the folder cannot be listed ({error.strerror}): check its permissions")
        )

    for given in paths:
        path = _absolute(given)
        if path.is_dir():
            for folder, subfolders, names in os.walk(path, onerror=not_listed):
                subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
                for name in sorted(names):
                    if not name.startswith((".", *_LEFTOVERS)):
                        found.setdefault(Path(folder) / name, path)
        elif path.exists():
            found.setdefault(path, path.parent)
        else:
            unreadable.append(path)
            report.failed.append(Failure(str(given), "there is no such file or folder: check the spelling"))
    return found, unreadable


def _the_library_embedder(catalog: Catalog, settings: Settings) -> Embedder:
    folder = prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER)
    card = catalog.embedder()
    if card is not None and card["fingerprint"] != folder.name:
        _, passages = catalog.counts()
        rate = catalog.note(_RATE_NOTE)
        takes = f", about {max(1, round(passages / rate / 60))} min" if rate else ""
        raise SettingsError(
            f"setting 'embedder' is {settings.embedder!r}, but the library was made with {card['name']!r}: "
            f"a rebuild is needed ({passages} passages{takes}). Run `docent rebuild`, or set the embedder back."
        )
    embedder = load_embedder(folder)
    if card is None:
        catalog.set_embedder(asdict(embedder.card))
    return embedder


def _remove_missing(
    catalog: Catalog, paths: Sequence[Path], found: dict[Path, Path], unreadable: Sequence[Path], report: IngestReport
) -> None:
    """Documents below the given folders whose file is gone. What could not be looked at is not gone."""
    folders = [path for given in paths if (path := _absolute(given)).is_dir()]
    gone = []
    for document in catalog.documents():
        path = Path(document.path)
        below = any(path.is_relative_to(folder) for folder in folders)
        if below and path not in found and not any(path.is_relative_to(hidden) for hidden in unreadable):
            gone.append(document.id)
    if gone:
        catalog.remove_documents(gone)
    report.removed = len(gone)


def _take_in(
    catalog: Catalog, embedder: Embedder, found: dict[Path, Path], report: IngestReport, progress: ProgressCallback
) -> None:
    known = {Path(document.path): document for document in catalog.documents()}
    timer = _EmbeddingTimer()
    for number, (path, root) in enumerate(found.items()):
        progress(Progress(number, len(found), timer.passages, str(path)))
        try:
            _take_in_one(catalog, embedder, timer, path, root, known.get(path), report)
        except (ReadError, OSError) as error:
            reason = str(error) if isinstance(error, ReadError) else _system_reason(error)
            report.failed.append(Failure(str(path), reason))
            log.warning("ingest.file_failed", path=str(path), reason=reason)
    progress(Progress(len(found), len(found), timer.passages, ""))
    timer.note(catalog)


def _take_in_one(
    catalog: Catalog, embedder: Embedder, timer: _EmbeddingTimer, path: Path, root: Path,
    known: DocumentRecord | None, report: IngestReport,
) -> None:  # fmt: skip
    status = path.stat()
    if known is not None and (known.size, known.modified_ns) == (status.st_size, status.st_mtime_ns):
        report.unchanged += 1
        return
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if known is not None and known.sha256 == sha256:
        catalog.touch_document(known.id, status.st_size, status.st_mtime_ns)
        report.unchanged += 1
        return
    document = read(path)
    passages, vectors = timer.embed(embedder, document)
    catalog.put_document(path, root, document, sha256, status.st_size, status.st_mtime_ns, passages, vectors)
    if known is None:
        report.added += 1
    else:
        report.updated += 1


def _system_reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the file disappeared while it was being read: run again if it comes back"
    if isinstance(error, PermissionError):
        return "the file may not be read: check its permissions"
    return f"the file cannot be read ({error.strerror or error}): check the disk or share it is on"


class _EmbeddingTimer:
    """Embeds, and remembers how fast: a later rebuild can then say how long it will take."""

    def __init__(self) -> None:
        self.passages = 0
        self._seconds = 0.0

    def embed(self, embedder: Embedder, document: ReadDocument) -> tuple[list[Passage], Any]:
        passages = split(document, embedder.count_tokens, embedder.passage_tokens)
        started = time.monotonic()
        vectors = embedder.embed_passages(
            [f"{context_line(document.title, passage.heading)}\n{passage.text}" for passage in passages]
        )
        self._seconds += time.monotonic() - started
        self.passages += len(passages)
        return passages, vectors

    def note(self, catalog: Catalog) -> None:
        if self._seconds > 0:
            catalog.set_note(_RATE_NOTE, round(self.passages / self._seconds, 2))


def _level(catalog: Catalog, settings: Settings, embedder: Embedder) -> None:
    index = SearchIndex(settings.home / INDEX_FOLDER, embedder.card.dimension, embedder.card.fingerprint)
    index.level(catalog)
    index.publish()


def watch(
    paths: Sequence[Path], settings: Settings, progress: ProgressCallback = _no_progress
) -> Iterator[IngestReport]:
    """Ingest now, and again after every burst of changes below the folders, until interrupted."""
    from watchfiles import watch as changes

    yield ingest(paths, settings, progress)
    for _ in changes(*[path for path in paths if path.exists()], debounce=2000, raise_interrupt=False):
        yield ingest(paths, settings, progress)
