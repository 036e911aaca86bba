"""The files below the given paths.

Links to files and folders below the given folder are followed, and each folder is walked once, so that loops end. A
link out of the given folder is a failure and is not followed. `.docentignore` files, in gitignore's syntax, name files
that are not documents.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from ingest.base.logs import get_logger
from ingest.base.types import Failure

log = get_logger(__name__)

IGNORE_FILE = ".docentignore"
# Files and folders that programs and systems leave behind, in lower case.
_LEFTOVERS = frozenset(
    ("thumbs.db", "desktop.ini", "node_modules", "__macosx", "$recycle.bin", "system volume information", "lost+found")
)
_OFFICE_LOCK = "~$"
# A disk or share that lists nothing in this time counts as unreachable.
_PATIENCE_SECONDS = 30.0

# For each .docentignore on the way down: where the names it applies to begin in a path, and its patterns.
_Rules = tuple[tuple[int, GitIgnoreSpec], ...]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file: the given folder that it is below, its size in bytes, and when it was modified, in ns since 1970."""

    root: Path
    size: int
    modified_ns: int

    @property
    def size_and_time(self) -> tuple[int, int]:
        """(size in bytes, modified in ns since 1970)."""
        return self.size, self.modified_ns


@dataclass(frozen=True)
class Listing:
    """The files by path, in order. Nobody knows whether files below `unreachable` still exist."""

    files: Mapping[Path, FoundFile]
    unreachable: Sequence[Path]
    failures: Sequence[Failure]


def absolute(path: Path) -> Path:
    """The absolute path without `..`. Links stay: a share that moves behind its link keeps its documents."""
    # Path.resolve would follow links, and Path.expanduser raises for a file called '~draft.md'.
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def printable(path: str | Path) -> str:
    """The path for a message: bytes that are not valid UTF-8 become the replacement character."""
    return os.fsencode(path).decode("utf-8", "replace")


def find_files(paths: Sequence[Path], excluded: Collection[Path]) -> Listing:
    """List the given files, and all files below the given folders.

    The folders `excluded` are left out where they are below another folder. Each file is listed once, also when the
    given folders overlap. A path that cannot be reached is in `unreachable`, and the reason in `failures`.
    """
    files: dict[Path, FoundFile] = {}
    real_paths: set[str] = set()
    unreachable: list[Path] = []
    failures: list[Failure] = []
    starts = [absolute(path) for path in paths]
    for path in starts:
        walk = _Walk(path, starts, {str(folder) for folder in excluded})
        if _ended(walk):
            failures += walk.failures
            unreachable += walk.unreachable
            for file, (real, size, modified_ns) in walk.files.items():
                if real not in real_paths:
                    real_paths.add(real)
                    files[Path(file)] = FoundFile(walk.root, size, modified_ns)
        else:  # its thread still waits for the disk; the files that it finds later are ignored
            unreachable.append(path)
            reason = f"it did not answer for {_PATIENCE_SECONDS:g} s: check the disk or share it is on"
            failures.append(Failure(printable(path), reason))
    return Listing(files, unreachable, failures)


class _Walk:
    """All files below the path `start`, or `start` itself when it is a file. `starts` are all given paths."""

    def __init__(self, start: Path, starts: Sequence[Path], excluded: set[str]) -> None:
        self.root = start.parent  # of a file; a folder is its own root
        self.files: dict[str, tuple[str, int, int]] = {}  # path → (real path, size, modified_ns)
        self.unreachable: list[Path] = []
        self.failures: list[Failure] = []
        self.steps = 0
        self._start = start
        self._starts = starts
        self._excluded = excluded
        self._walked: set[str] = set()  # real paths of folders
        self._links: list[tuple[str, _Rules]] = []

    def run(self) -> None:
        """List the files; failures and unreachable paths are stored, not raised."""
        path = str(self._start)
        try:
            status = os.stat(path)  # noqa: PTH116 - paths stay plain text until the end, for speed
            real = os.path.realpath(path, strict=True)
        except (FileNotFoundError, NotADirectoryError):
            self._not_reached(path, "there is no such file or folder: check the spelling")
            return
        except OSError as error:
            self._not_reached(path, f"it cannot be reached ({error.strerror}): check the disk or share it is on")
            return
        if not stat.S_ISDIR(status.st_mode):
            self._add(path, real, status)
            return
        self.root = self._start
        self._folder(path, real, ())
        # Links come after all folders: a file that is in a folder and linked to keeps its own path.
        real_files = {file_real for file_real, _, _ in self.files.values()}
        for link, rules in self._links:  # following a link may add other links
            self._follow(link, rules, real, real_files)

    def _folder(self, path: str, real: str, rules: _Rules) -> None:
        waiting = [(path, real, rules)]
        while waiting:
            folder, real_folder, rules = waiting.pop()
            self._walked.add(real_folder)
            entries: dict[str, os.DirEntry[str]] = {}
            try:
                with os.scandir(folder) as listing:
                    for entry in listing:
                        entries[entry.name] = entry
                        self.steps += 1
                if IGNORE_FILE in entries:
                    rules = (*rules, (len(os.path.join(folder, "")), _ignored_by(entries[IGNORE_FILE])))  # noqa: PTH118
            except ValueError as error:  # without its rules, files that somebody wanted left out would be ingested
                self._not_reached(folder, f"its {IGNORE_FILE} cannot be understood ({error}): correct it")
                continue
            except OSError as error:
                self._not_reached(folder, f"the folder cannot be listed ({error.strerror}): check its permissions")
                continue
            subfolders = []
            for name in sorted(entries):
                subfolder = self._entry(entries[name], os.path.join(real_folder, name), rules)  # noqa: PTH118
                if subfolder is not None:
                    subfolders.append((*subfolder, rules))
            waiting += reversed(subfolders)

    def _entry(self, entry: os.DirEntry[str], real: str, rules: _Rules) -> tuple[str, str] | None:
        """Add a file to the list. Returns a folder as (path, real path), to be walked."""
        path = entry.path
        if entry.name.startswith((".", _OFFICE_LOCK)) or entry.name.lower() in _LEFTOVERS:
            return None
        is_folder = entry.is_dir(follow_symlinks=False)
        if (is_folder and path in self._excluded) or _is_ignored(path, "/" if is_folder else "", rules):
            return None
        if entry.is_symlink():
            self._links.append((path, rules))
        elif is_folder and self._has_name(path):
            return path, real
        elif not is_folder:
            try:
                self._add(path, real, entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                log.debug("find_files.gone_meanwhile", path=printable(path))
            except OSError as error:
                self._not_reached(path, f"the file cannot be looked at ({error.strerror}): check its permissions")
        return None

    def _follow(self, link: str, rules: _Rules, root: str, real_files: set[str]) -> None:
        """Add the file or folder that the link leads to, if it is below `root` and not listed yet.

        `real_files` are the real paths of the files listed so far; new ones are added to it.
        """
        self.steps += 1
        try:
            real = os.path.realpath(link, strict=True)
            status = os.stat(real)  # noqa: PTH116
        except OSError as error:
            self._not_reached(link, f"it is a link that leads nowhere ({error.strerror}): correct it or remove it")
            return
        if any(_is_below(real, os.path.realpath(folder)) for folder in self._excluded):
            return
        if not _is_below(real, root):
            if not any(_is_below(real, os.path.realpath(path)) for path in self._starts):
                reason = f"it is a link out of the folder: give what it leads to as well, or name it in {IGNORE_FILE}"
                self.failures.append(Failure(printable(link), reason))
        elif stat.S_ISDIR(status.st_mode):
            if real not in self._walked and self._has_name(link):
                before = len(self.files)
                self._folder(link, real, rules)
                real_files.update(real for real, _, _ in list(self.files.values())[before:])
        elif real not in real_files:
            real_files.add(real)
            self._add(link, real, status)

    def _add(self, path: str, real: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            self.failures.append(Failure(printable(path), "it is not an ordinary file: remove it from the folder"))
        elif self._has_name(path):
            self.files[path] = (real, status.st_size, status.st_mtime_ns)

    def _has_name(self, path: str) -> bool:
        try:
            path.encode()
        except UnicodeEncodeError:
            self.failures.append(Failure(printable(path), "its name is not valid UTF-8: rename it"))
            return False
        return True

    def _not_reached(self, path: str, reason: str) -> None:
        self.unreachable.append(Path(path))
        self.failures.append(Failure(printable(path), reason))


def _ignored_by(entry: os.DirEntry[str]) -> GitIgnoreSpec:
    """The patterns of a .docentignore. Raises OSError when it cannot be read, ValueError when a line is no pattern."""
    if not entry.is_file():
        raise ValueError("it is not an ordinary file")
    return GitIgnoreSpec.from_lines(Path(entry.path).read_text("utf-8-sig").splitlines())


def _is_ignored(path: str, mark: str, rules: _Rules) -> bool:
    """The nearest .docentignore with a pattern for it decides; `mark` is '/' for a folder, else ''."""
    for start, spec in reversed(rules):
        ignored = spec.check_file(path[start:] + mark).include
        if ignored is not None:
            return ignored
    return False


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))  # noqa: PTH118


def _ended(walk: _Walk) -> bool:
    """Run the walk in a thread. False when it listed nothing for `_PATIENCE_SECONDS`; the thread is then abandoned."""
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            walk.run()
            outcome.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            outcome.set_exception(error)

    threading.Thread(target=run, name="find-files", daemon=True).start()
    steps = -1
    while not wait([outcome], _PATIENCE_SECONDS).done:
        if walk.steps == steps:
            return False
        steps = walk.steps
    outcome.result()
    return True
