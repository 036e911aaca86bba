"""Bring the library level with folders: the walk of a document, read → split → embed → catalog → index.

The one place that writes. Knows nothing of terminals: progress goes to a callback, the outcome is a value.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest.catalog import Catalog
from ingest.discover import absolute, discover
from ingest.embed import Embedder, load_embedder, prepare_embedder
from ingest.errors import DocentError, ReadError, SettingsError
from ingest.index import SearchIndex
from ingest.library import CATALOG_FILE, EMBEDDERS_FOLDER, INDEX_FOLDER
from ingest.logs import get_logger
from ingest.read import read, reader_for
from ingest.report import Failure, IngestReport, Progress, ProgressCallback, no_progress
from ingest.settings import Settings
from ingest.split import embedded_context, split
from ingest.types import DocumentRecord, Passage, ReadDocument
from ingest.writer import the_one_writer

_RATE_NOTE = "passages_per_second"
# Fewer tokens than this are not a passage any more.
_LEAST_PASSAGE_TOKENS = 16
log = get_logger(__name__)


def ingest(paths: Sequence[Path], settings: Settings, progress: ProgressCallback = no_progress) -> IngestReport:
    """Add, update and remove so that the library holds what the files and folders hold now.

    Each document is one transaction: killed at any moment, what was finished stays. Raises SettingsError when the
    embedder in the settings is not the library's, DocentError when another process writes or the disk fails.
    """
    started = time.monotonic()
    report = IngestReport()
    with the_one_writer(settings.home, "docent ingest"), _disk_failures_told(settings.home, report):
        # The library's own files and the models are not documents.
        own = (absolute(settings.home), absolute(settings.models_cache))
        found, unreadable = discover(paths, own, report.failed)
        catalog = Catalog(settings.home / CATALOG_FILE, create=True)
        try:
            progress(Progress(0, 0, 0, ""))
            embedder = _the_library_embedder(catalog, settings)
            _remove_missing(catalog, paths, found, unreadable, report)
            _take_in(catalog, embedder, found, report, progress)
            _level(catalog, settings, embedder.card.dimension, embedder.card.fingerprint)
            report.passages = catalog.counts()[1]
        finally:
            catalog.close()
    report.seconds = round(time.monotonic() - started, 3)
    log.info("ingest.done", **{**report.as_json(), "failed": len(report.failed)})
    return report


@contextmanager
def _disk_failures_told(home: Path, report: IngestReport) -> Iterator[None]:
    """A disk that fails under the catalog is one line for a person."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        log.error("library.not_written", exc_info=True)
        raise DocentError(
            f"The library in {home} cannot be written ({error}): free or mend the disk and run the same command "
            f"again; the {report.added + report.updated} documents finished in this run are kept."
        ) from error


def ingest_documents(documents: Sequence[tuple[str, ReadDocument, str]], settings: Settings) -> None:
    """Fill a library with documents that are already read: (name, document, hash of its content) each."""
    root = settings.home.absolute() / "documents"
    report = IngestReport()
    with the_one_writer(settings.home, "docent ingest"), _disk_failures_told(settings.home, report):
        catalog = Catalog(settings.home / CATALOG_FILE, create=True)
        try:
            embedder = _the_library_embedder(catalog, settings)
            timer = _EmbeddingTimer()
            for name, document, sha256 in documents:
                passages, vectors = timer.embed(embedder, document)
                catalog.put_document(root / name, root, document, sha256, 0, 0, passages, vectors)
                report.added += 1
            _level(catalog, settings, embedder.card.dimension, embedder.card.fingerprint)
        finally:
            catalog.close()


def rebuild(settings: Settings, progress: ProgressCallback = no_progress) -> IngestReport:
    """Split and embed every document anew, with the embedder the settings name, from the text the library kept.

    Searches go on with the old passages until the new ones replace them in one transaction.
    """
    started = time.monotonic()
    report = IngestReport()
    with the_one_writer(settings.home, "docent rebuild"), _disk_failures_told(settings.home, report):
        catalog = Catalog(settings.home / CATALOG_FILE)
        try:
            progress(Progress(0, 0, 0, ""))
            embedder = _freshly_loaded(settings)
            documents = catalog.documents()
            embedded = []
            timer = _EmbeddingTimer()
            for number, document in enumerate(documents):
                progress(Progress(number, len(documents), timer.passages, document.path))
                embedded.append((document.id, *timer.embed(embedder, catalog.content(document.id))))
            progress(Progress(len(documents), len(documents), timer.passages, ""))
            catalog.replace_passages(asdict(embedder.card), embedded)
            timer.note(catalog)
            _level(catalog, settings, embedder.card.dimension, embedder.card.fingerprint)
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
    with the_one_writer(settings.home, "docent remove"), _disk_failures_told(settings.home, IngestReport()):
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
                    _level(catalog, settings, card["dimension"], card["fingerprint"])
        finally:
            catalog.close()
    return removed, failed


def _matching(documents: Sequence[DocumentRecord], name: str) -> list[DocumentRecord]:
    """A number is an id; anything else a path, a folder of the library, or a name as `docent list` shows it."""
    if not name.strip():
        return []
    if name.isdecimal():
        return [document for document in documents if document.id == int(name)]
    path = absolute(Path(name))
    by_path = [d for d in documents if Path(d.path) == path or Path(d.path).is_relative_to(path)]
    return by_path or [document for document in documents if document.name == name]


def _the_library_embedder(catalog: Catalog, settings: Settings) -> Embedder:
    folder = prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER)
    card = catalog.embedder()
    if card is not None and card["fingerprint"] != folder.name:
        _, passages = catalog.counts()
        rate = catalog.note(_RATE_NOTE)
        takes = f", about {max(1, round(passages / rate / 60))} min" if rate else ""
        same = card["name"] == settings.embedder
        made = "another version of it or other prefixes" if same else repr(card["name"])
        raise SettingsError(
            f"setting 'embedder' is {settings.embedder!r}, but the library was made with {made}: "
            f"a rebuild is needed ({passages} passages{takes}). Run `docent rebuild`, or set the embedder back."
        )
    embedder = _fit(load_embedder(folder))
    if card is None:
        catalog.set_embedder(asdict(embedder.card))
    return embedder


def _freshly_loaded(settings: Settings) -> Embedder:
    """The embedder the settings name; a compiled one that is damaged is made again."""
    folder = prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER)
    try:
        return _fit(load_embedder(folder))
    except SettingsError:
        raise
    except DocentError:
        log.warning("embedder.made_again", folder=str(folder), exc_info=True)
        shutil.rmtree(folder)
    return _fit(load_embedder(prepare_embedder(settings, settings.home / EMBEDDERS_FOLDER)))


def _fit(embedder: Embedder) -> Embedder:
    """Raises SettingsError when the prefix before every passage leaves the model no room to read one."""
    if embedder.passage_tokens < _LEAST_PASSAGE_TOKENS:
        raise SettingsError(
            f"setting 'embedder_passage_prefix' is {embedder.card.passage_prefix!r}: it leaves "
            f"{max(0, embedder.passage_tokens)} of the {embedder.card.max_tokens} tokens that {embedder.card.name} "
            "reads; shorten it."
        )
    return embedder


def _remove_missing(
    catalog: Catalog, paths: Sequence[Path], found: dict[Path, Path], unreadable: Sequence[Path], report: IngestReport
) -> None:
    """Documents below the given folders whose file is gone. What could not be looked at is not gone."""
    folders = [path for given in paths if (path := absolute(given)).is_dir()]
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
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise ReadError("it is not an ordinary file: remove it from the folder")
    reader_for(path)  # a film need not be hashed to be refused
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
        measure = embedder.count_tokens, embedder.passage_tokens
        passages = split(document, *measure)
        started = time.monotonic()
        vectors = embedder.embed_passages(
            [f"{embedded_context(document.title, passage.heading, *measure)}\n{passage.text}" for passage in passages]
        )
        self._seconds += time.monotonic() - started
        self.passages += len(passages)
        return passages, vectors

    def note(self, catalog: Catalog) -> None:
        if self._seconds > 0:
            catalog.set_note(_RATE_NOTE, round(self.passages / self._seconds, 2))


def _level(catalog: Catalog, settings: Settings, dimension: int, fingerprint: str) -> None:
    index = SearchIndex(settings.home / INDEX_FOLDER, dimension, fingerprint)
    try:
        index.level(catalog)
        index.publish()
    except (ValueError, RuntimeError) as error:  # Tantivy's and FAISS's words for a disk that fails
        log.error("index.not_written", exc_info=True)
        raise DocentError(
            f"The index in {index.folder} cannot be written ({' '.join(str(error).split())[:200]}): free or mend the "
            "disk and run the same command again; the documents are kept."
        ) from error
    finally:
        index.close()


def watch(
    paths: Sequence[Path], settings: Settings, progress: ProgressCallback = no_progress
) -> Iterator[IngestReport]:
    """Ingest now, and again after every burst of changes below the folders, until interrupted."""
    from watchfiles import DefaultFilter
    from watchfiles import watch as changes

    yield ingest(paths, settings, progress)
    # A library inside a watched folder changes with every run, which must not start the next one.
    home = absolute(settings.home)
    inside = any(home.is_relative_to(absolute(path)) for path in paths)
    interesting = DefaultFilter(ignore_paths=[home] if inside else [])
    there = [absolute(path) for path in paths if path.exists()]
    for _ in changes(*there, watch_filter=interesting, debounce=2000, raise_interrupt=False):
        yield ingest(paths, settings, progress)
