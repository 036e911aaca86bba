"""Bring the library level with folders: the walk of a document, read → split → embed → catalog → index.

Knows nothing of terminals: progress goes to a callback, the outcome is a value.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.base.types import DocumentRecord, ReadDocument
from ingest.documents.quality import ACCEPTED_SCORE, score_document
from ingest.documents.workers.pool import Readers, ReadOutcome
from ingest.passages.embedders.embedder import Embedder, load_embedder
from ingest.passages.embedders.library_embedder import embedder_for_adding, require_passage_room
from ingest.passages.split_and_embed import NO_VECTORS, PassageEmbedder
from ingest.runs.batch import Batch
from ingest.runs.plan import Fate, Plan
from ingest.runs.progress import Meter
from ingest.runs.report import Failure, IngestReport, Progress, ProgressCallback, no_progress
from ingest.runs.scan import scan
from ingest.runs.select import UNKNOWN, select_documents
from ingest.runs.writing import open_for_writing
from ingest.store.catalog import Catalog
from ingest.store.records import QUARANTINED, NewDocument, NewFile, NewPath, name_of
from ingest.store.unreadable_files import UnreadableFile, readers_fingerprint, remember_unreadable, unreadable_files
from ingest.store.write_lock import INGESTING

log = get_logger(__name__)


def ingest(
    paths: Sequence[Path], settings: Settings, progress: ProgressCallback = no_progress, *,
    accept: Sequence[str] = (), allow_removals: bool = False,
) -> IngestReport:  # fmt: skip
    """Add, update and remove so that the library holds what the files and folders hold now.

    Work is committed a batch at a time: killed at any moment, what was committed stays and is found. `accept` names
    quarantined documents to answer from all the same. Raises SettingsError when an embedder is asked for that is not
    the library's, DocentError when another process writes or the disk fails.
    """
    started = time.monotonic()
    report = IngestReport()
    with open_for_writing(settings, INGESTING, report, create=True) as library:
        catalog = library.catalog
        progress(Progress(0, 0, 0, ""))
        maker = _maker(catalog, settings)
        _accept(catalog, maker, accept, report)
        unreadable = unreadable_files(catalog)
        remembered = set(unreadable)
        plan = scan(paths, settings, catalog.files(), unreadable, report, allow_removals)
        meter = Meter(progress, library.note, len(plan.found), sum(plan.found[path].size for path in plan.to_read))
        meter.finish(len(plan.unchanged))
        batch = Batch(catalog, maker, library.publisher, report, meter)
        failed = _take_in(plan, catalog, maker, batch, report, meter, allow_removals)
        remember_unreadable(catalog, failed, remembered - set(unreadable))
        maker.save_rate(catalog)
        library.publisher.publish(catalog)
        report.quarantined += [
            Failure(document.path, document.reason)
            for document in catalog.listed(QUARANTINED)
            if any(Path(path) in plan.found for path in document.paths)
        ]
        report.passages = catalog.counts()[1]
    report.seconds = round(time.monotonic() - started, 3)
    log.info(
        "ingest.done", **{**report.as_json(), "failed": len(report.failed), "quarantined": len(report.quarantined)}
    )
    return report


def _take_in(
    plan: Plan, catalog: Catalog, maker: PassageEmbedder, batch: Batch, report: IngestReport, meter: Meter,
    allow_removals: bool,
) -> list[UnreadableFile]:  # fmt: skip
    """The walk of a document: path → read → split → embed → catalog → index. Gives what would only fail again."""
    unreadable = []
    accepted = catalog.accepted()
    checked: dict[Path, int] = {}
    with Readers() as readers:
        for paths in (plan.perhaps_moved, plan.changed):
            for outcome in readers.read_all(_handed_out(paths, checked), plan.skip):
                path, root = outcome.path, plan.found[outcome.path].root
                meter.look_at(path)
                settled = plan.settle(outcome)
                report.failed += [Failure(f"{path}/{member}", reason) for member, reason in settled.failures]
                seen = (path, root, outcome.size, outcome.modified_ns, checked[path])
                if settled.fate is Fate.FAILED:
                    report.failed.append(failure_of(outcome))
                    if outcome.is_lasting:
                        reason = report.failed[-1].reason
                        unreadable.append(UnreadableFile(*seen, outcome.sha256, reason, readers_fingerprint()))
                    meter.finish(1, plan.found[path].size)
                elif settled.is_new and outcome.file is not None:
                    new = [
                        _with_passages(judged(document, outcome.sha256, accepted), maker)
                        for document in outcome.file.documents
                    ]
                    file = NewFile(*seen, outcome.sha256, new, outcome.file.failures)
                    batch.add(file, settled.fate, settled.documents)  # embeds and commits when it is full
                else:
                    known = NewPath(*seen, outcome.sha256, settled.moved_from)
                    batch.add(known, settled.fate, settled.documents)
            batch.commit()
            if paths is plan.perhaps_moved:
                _remove_missing(plan, catalog, report, allow_removals)
    return unreadable


def _handed_out(paths: Iterable[Path], checked: dict[Path, int]) -> Iterator[Path]:
    """The paths, each with the clock noted at which its reading can have begun at the earliest."""
    for path in paths:
        checked[path] = time.time_ns()
        yield path


def judged(document: ReadDocument, sha256: str, accepted: Collection[tuple[str, str]]) -> NewDocument:
    """A document that was read, with its score; below the line in quarantine unless a person accepted this content."""
    score = score_document(document)
    bad = score.score < ACCEPTED_SCORE and (sha256, document.member) not in accepted
    return NewDocument(
        document,
        (),
        NO_VECTORS,
        score.language,
        score.score,
        (score.reason or "little of it can be read") if bad else "",
    )


def _with_passages(new: NewDocument, maker: PassageEmbedder) -> NewDocument:
    return new if new.state == QUARANTINED else replace(new, passages=maker.split(new.document))


def failure_of(outcome: ReadOutcome) -> Failure:
    """Why a file could not be read, also for the log."""
    reason = outcome.error or "it changed while it was being read: run again when nobody writes to it"
    log.warning("ingest.file_failed", path=str(outcome.path), reason=reason)
    return Failure(str(outcome.path), reason)


def _remove_missing(plan: Plan, catalog: Catalog, report: IngestReport, allow_removals: bool) -> None:
    """What is gone leaves the answers before the slow reading begins, unless that is so much that it looks wrong."""
    refusal = "" if allow_removals else plan.refusal()
    if refusal:
        report.failed.append(Failure(", ".join(map(str, plan.folders)), refusal))
    elif plan.missing:
        report.removed += catalog.remove_paths(plan.missing)


def _accept(catalog: Catalog, maker: PassageEmbedder, names: Sequence[str], report: IngestReport) -> None:
    """Answer from quarantined documents all the same, from the text the library kept."""
    listed = catalog.listed() if names else []
    for name in names:
        wanted = {named.document.id: named.document for named in select_documents(listed, name)}
        if not wanted:
            report.failed.append(Failure(name, UNKNOWN))
        for document in wanted.values():
            if document.state == QUARANTINED:
                content = catalog.content(document.id)
                passages = maker.split(content)
                (embedded,) = maker.embed([(content.title, passages)])
                catalog.accept(document.id, passages, *embedded)
                report.updated += 1


def _maker(catalog: Catalog, settings: Settings) -> PassageEmbedder:
    """Splits and embeds with the library's own embedder, which is opened, and for a new library noted, at first use."""
    folder = embedder_for_adding(catalog, settings)

    def load() -> Embedder:
        embedder = require_passage_room(load_embedder(folder))
        if catalog.embedder() is None:
            catalog.set_embedder(asdict(embedder.card))
        return embedder

    return PassageEmbedder(load)


def ingest_documents(documents: Sequence[tuple[str, ReadDocument, str]], settings: Settings) -> None:
    """Fill a library with documents that are already read: (name, document, hash of its content) each.

    Every one stays a document of its own, also where two have the same content.
    """
    root = settings.home.absolute() / "documents"
    report = IngestReport()
    with open_for_writing(settings, INGESTING, report, create=True) as library:
        maker = _maker(library.catalog, settings)
        meter = Meter(no_progress, library.note, len(documents), 0)
        batch = Batch(library.catalog, maker, library.publisher, report, meter)
        for name, document, sha256 in documents:
            own = hashlib.sha256(f"{name}\0{sha256}".encode()).hexdigest()
            new = NewDocument(document, maker.split(document), NO_VECTORS)
            batch.add(NewFile(root / name, root, 0, 0, 0, own, (new,)), Fate.ADDED, 1)
        batch.commit()
        library.publisher.publish(library.catalog)


def remove(names: Sequence[str], settings: Settings) -> tuple[list[DocumentRecord], list[Failure]]:
    """Forget documents by number, name or path; the files themselves stay. (removed, not found).

    A document that several files hold stays until the last of them is removed, unless it is named by number or name.
    """
    removed: list[DocumentRecord] = []
    failed: list[Failure] = []
    with open_for_writing(settings, "docent remove") as library:
        catalog = library.catalog
        listed, files = catalog.listed(), catalog.files()
        paths: set[Path] = set()
        ids: set[int] = set()
        for name in names:
            wanted = select_documents(listed, name)
            if not wanted:
                failed.append(Failure(name, UNKNOWN))
            for named in wanted:
                record: DocumentRecord = named.document
                if named.file is None:
                    ids.add(record.id)
                else:
                    paths.add(named.file)
                    path = str(named.file / named.document.member)
                    record = replace(record, path=path, name=name_of(path, str(files[named.file].root)))
                removed += [record] if record not in removed else []
        if removed:
            catalog.remove_documents(ids)
            catalog.remove_paths(paths)
            library.publisher.publish(catalog)
    return removed, failed
