"""Back up a library into one ZIP file, and restore it, while other processes use it.

A backup has a copy of every SQLite file of the library's folder, each as it was at one moment, and the embedders that
made its vectors, so that the library can be searched offline. The index is a cache and is built again. Restoring copies
with SQLite's own backup into the existing file, in one transaction, so that processes which have the file open see the
restored content. A database file that may be open is never replaced.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from ingest.base.errors import DocentError
from ingest.base.files import whole_file
from ingest.base.logs import get_logger
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.search.indexes.publisher import Publisher
from ingest.search.indexes.search_index import INDEX_FOLDER
from ingest.search.indexes.snapshot import LINEAGE
from ingest.search.indexes.snapshot_files import point_to
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.schema import SCHEMA_VERSION
from ingest.store.write_lock import write_lock

FORMAT = 1
_MANIFEST = "docent-backup.json"
_BLOCK = 1 << 20
log = get_logger(__name__)


@dataclass(frozen=True)
class BackupReport:
    """A backup: its file, the contents of its library, when it was made (ISO 8601, UTC), and its size in bytes."""

    file: str
    documents: int
    passages: int
    revision: int
    made_at: str
    bytes: int


def backup(home: Path, target: Path) -> BackupReport:
    """Write the library in `home` to `target`, complete or not at all, while others search and ingest.

    Raises DocentError when there is no library or the file cannot be written.
    """
    Catalog(home / CATALOG_FILE).close()
    try:
        with tempfile.TemporaryDirectory(prefix=".docent-backup-", dir=target.absolute().parent) as folder:
            copies = Path(folder)
            for database in sorted(home.glob("*.db")):
                _copy_database(database, copies / database.name)
            catalog = Catalog(copies / CATALOG_FILE)
            try:
                documents, passages = catalog.counts()
                revision = catalog.revision
                embedders = _embedders(home, catalog)
            finally:
                catalog.close()
            members = {path.name: path for path in sorted(copies.glob("*.db"))} | embedders
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            manifest = {
                "format": FORMAT, "schema": SCHEMA_VERSION, "made_at": made_at, "revision": revision,
                "documents": documents, "passages": passages,
                "files": {
                    name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for name, path in members.items()
                },
            }  # fmt: skip
            # Vectors cannot be compressed, and a backup should not slow down the answers of a server.
            with whole_file(target) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
                for name, path in members.items():
                    archive.write(path, name)
            size = target.stat().st_size
    except (OSError, sqlite3.Error) as error:
        log.error("backup.failed", exc_info=True)
        raise DocentError(
            f"The backup {target} cannot be written ({_reason(error)}): free some space or name another file."
        ) from error
    log.info("backup.done", file=str(target), passages=passages, bytes=size)
    return BackupReport(str(target), documents, passages, revision, made_at, size)


def restore(home: Path, source: Path, replace: bool = False) -> BackupReport:
    """Make the library in `home` what it was when `source` was written. Checks everything before it changes anything.

    Raises DocentError when the file is no complete backup or was written by a newer Docent, when there is a library
    already (and `replace` is false), or while another process writes it.
    """
    with _opened(source) as (archive, manifest):
        if (home / CATALOG_FILE).exists() and not replace:
            raise DocentError(
                f"There is a library in {home} already: add --replace to put the backup in its place, "
                "or set DOCENT_HOME to an empty folder."
            )
        with write_lock(home, "docent restore"):
            for leftover in home.glob(".restore-*"):  # of a restore that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            staged = Path(tempfile.mkdtemp(prefix=".restore-", dir=home))
            try:
                _unpack(archive, manifest, source, staged)
                _renumber(staged, home)
                _build_index(staged)
                _swap(staged, home)
            except sqlite3.Error as error:
                log.error("restore.failed", exc_info=True)
                raise DocentError(
                    f"The backup {source} cannot be restored ({_reason(error)}): the library is unchanged; check the "
                    "disk and try again."
                ) from error
            finally:
                shutil.rmtree(staged, ignore_errors=True)
    log.info("restore.done", file=str(source), passages=manifest["passages"])
    return BackupReport(
        str(source), manifest["documents"], manifest["passages"], manifest["revision"], manifest["made_at"],
        source.stat().st_size,
    )  # fmt: skip


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment. Other processes can write meanwhile: it has a write-ahead log."""
    with closing(sqlite3.connect(source, timeout=30)) as read, closing(sqlite3.connect(target, timeout=30)) as written:
        read.backup(written)


def _embedders(home: Path, catalog: Catalog) -> dict[str, Path]:
    """Name in the backup → file, for every file of the embedders of all embedding sets."""
    files = {}
    for row in catalog.rows("SELECT embedder FROM generations WHERE embedder IS NOT NULL"):
        folder = home / EMBEDDERS_FOLDER / json.loads(row["embedder"])["fingerprint"]
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                files[f"{EMBEDDERS_FOLDER}/{folder.name}/{path.relative_to(folder).as_posix()}"] = path
    return files


@contextmanager
def _opened(source: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    try:
        with zipfile.ZipFile(source) as archive:
            try:
                manifest = json.loads(archive.read(_MANIFEST))
                newer = manifest["format"] > FORMAT or manifest["schema"] > SCHEMA_VERSION
                names = {name for name, file in manifest["files"].items() if file["sha256"] is not None}
                names |= {manifest[key] for key in ("documents", "passages", "revision", "made_at")}
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise _unusable(source, "its table of contents is missing or damaged") from error
            if newer:
                raise DocentError(
                    f"The backup {source} was written by a newer Docent: install that version to restore it."
                )
            if CATALOG_FILE not in names:
                raise _unusable(source, f"it has no {CATALOG_FILE}")
            yield archive, manifest
    except FileNotFoundError as error:
        if error.filename != str(source):
            raise
        raise DocentError(f"There is no file {source}: name one that `docent backup` has written.") from error
    except (zipfile.BadZipFile, EOFError) as error:
        raise _unusable(source, "it is cut short or not a backup") from error


def _unpack(archive: zipfile.ZipFile, manifest: dict[str, Any], source: Path, staged: Path) -> None:
    """Unpack everything into a folder. Raises DocentError when a file differs from what was backed up."""
    for name, expected in manifest["files"].items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise _unusable(source, f"it names a file outside of the library, {name}")
        target = staged / path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        try:
            with archive.open(name) as packed, target.open("wb") as file:
                while block := packed.read(_BLOCK):
                    digest.update(block)
                    file.write(block)
        except (KeyError, zipfile.BadZipFile, EOFError) as error:
            raise _unusable(source, f"{name} in it is missing or damaged") from error
        if digest.hexdigest() != expected["sha256"]:
            raise _unusable(source, f"{name} in it has been changed")


def _renumber(staged: Path, home: Path) -> None:
    """Raise the revision and the next ids above those of the existing library, and give the copy a new lineage.

    So no index or stored answer confuses a restored passage with another one. Raises DocentError for a damaged copy.
    """
    catalog = Catalog(staged / CATALOG_FILE)  # migrates an older schema
    try:
        problems = catalog.integrity_problems()
        if problems:
            raise DocentError(f"The backup holds a damaged library ({problems[0]}): restore an earlier one.")
        revision, issued = 0, dict[str, int]()
        if (home / CATALOG_FILE).is_file():
            with closing(sqlite3.connect(home / CATALOG_FILE, timeout=30)) as existing:
                revision, issued = _reached(existing)
        with catalog.transaction():
            catalog.set_state("revision", str(max(revision, catalog.revision) + 1))
            catalog.set_note(LINEAGE, uuid.uuid4().hex)
            for table, number in issued.items():
                catalog.write("INSERT INTO sqlite_sequence SELECT ?, 0 WHERE NOT EXISTS"
                              " (SELECT 1 FROM sqlite_sequence WHERE name = ?)", (table, table))  # fmt: skip
                catalog.write("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (number, table))
    finally:
        catalog.close()


def _reached(existing: sqlite3.Connection) -> tuple[int, dict[str, int]]:
    """The revision, and the highest id issued in each table; 0 and {} when the catalog is too damaged to be read."""
    try:
        (revision,) = existing.execute("SELECT value FROM state WHERE key = 'revision'").fetchone()
        return int(revision), dict(existing.execute("SELECT name, seq FROM sqlite_sequence"))
    except (sqlite3.DatabaseError, TypeError, ValueError):
        log.warning("restore.existing_unreadable", exc_info=True)
        return 0, {}


def _build_index(staged: Path) -> None:
    """Build the index before the catalog is restored, so that processes which open the catalog find it ready."""
    catalog = Catalog(staged / CATALOG_FILE)
    publisher = Publisher(staged / INDEX_FOLDER)
    try:
        publisher.publish(catalog)
    finally:
        publisher.close()
        catalog.close()


def _swap(staged: Path, home: Path) -> None:
    """Move embedders and index files, which no process uses yet, then copy the databases, the catalog last."""
    for folder in sorted((staged / EMBEDDERS_FOLDER).glob("*")):
        target = home / EMBEDDERS_FOLDER / folder.name
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(target)
    (home / INDEX_FOLDER).mkdir(exist_ok=True)
    pointer = ""
    for entry in sorted((staged / INDEX_FOLDER).glob("*")):
        if entry.is_dir():
            entry.rename(home / INDEX_FOLDER / entry.name)
            pointer = entry.name
    for database in sorted(staged.glob("*.db"), key=lambda path: path.name == CATALOG_FILE):
        existing = home / database.name
        _set_aside_damaged(existing)
        if existing.is_file():
            _copy_database(database, existing)
        else:
            database.rename(existing)
    if pointer:
        point_to(home / INDEX_FOLDER, pointer)


def _set_aside_damaged(database: Path) -> None:
    """Rename a damaged database, because SQLite cannot copy into it. Running servers then have to be restarted."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=30)) as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                return
    except sqlite3.OperationalError:  # there is none, or it is locked
        return
    except sqlite3.DatabaseError:
        log.warning("restore.damaged_set_aside", file=str(database), exc_info=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for path in (database, Path(f"{database}-wal"), Path(f"{database}-shm")):
        if path.is_file():
            path.rename(f"{path}.damaged-{stamp}")


def _unusable(source: Path, why: str) -> DocentError:
    return DocentError(f"The backup {source} cannot be restored ({why}): take another one; the library is unchanged.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
