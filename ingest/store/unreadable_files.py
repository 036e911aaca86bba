"""The files that could not be read, remembered in the catalog so that they do not delay every run.

Such a file is tried again when it has changed, when the readers have changed (a newer Docent, text recognition that
was installed since), and when a person names the file itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import ingest.documents
from ingest.documents.pdf.read_image import can_recognise
from ingest.documents.workers.sandbox import Limits
from ingest.store.database import Database
from ingest.store.records import SeenFile


@dataclass(frozen=True)
class UnreadableFile(SeenFile):
    """A file, the one-line reason why it could not be read, and `readers_fingerprint` at that time."""

    reason: str
    readers: str

    def is_still_unreadable(self, size: int, modified_ns: int, now_ns: int) -> bool:
        """Whether reading a file of this size (bytes) and time (ns since 1970) again would fail for the same reason."""
        return self.readers == readers_fingerprint() and self.is_unchanged(size, modified_ns, now_ns)


def unreadable_files(catalog: Database) -> dict[Path, UnreadableFile]:
    """Every unreadable file in the catalog, by path."""
    rows = catalog.rows(
        "SELECT path, root, size, modified_ns, checked_ns, sha256, reason, readers FROM unreadable ORDER BY path"
    )
    return {Path(row["path"]): UnreadableFile(Path(row["path"]), Path(row["root"]), *tuple(row)[2:]) for row in rows}


def remember_unreadable(catalog: Database, new: Iterable[UnreadableFile], forget: Iterable[Path]) -> None:
    """Add `new` to the unreadable files and delete the paths `forget`, in one transaction."""
    outdated, files = [(str(path),) for path in forget], list(new)
    if not outdated and not files:
        return
    with catalog.transaction():
        for values in outdated:
            catalog.write("DELETE FROM unreadable WHERE path = ?", values)
        for file in files:
            catalog.write(
                "INSERT OR REPLACE INTO unreadable (path, root, size, modified_ns, checked_ns, sha256, reason, readers)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    str(file.path), str(file.root), file.size, file.modified_ns, file.checked_ns, file.sha256,
                    file.reason, file.readers,
                ),
            )  # fmt: skip


@cache
def readers_fingerprint() -> str:
    """16 hexadecimal digits that change when the readers' code or limits change, or OCR is installed or removed."""
    digest = hashlib.sha256(f"{Limits()} {can_recognise()}".encode())
    folder = Path(ingest.documents.__path__[0])
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
