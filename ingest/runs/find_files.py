"""The files below the given paths.

Links are followed inside the folder that was given, and each folder is walked once, so that loops end; a link that
leads out of it is a failure and not followed. `.docentignore` files, in gitignore's syntax, name what is no document.
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
# Files and folders that programs and systems leave behind, in small letters.
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
    """A file: the folder it was found through, its size in bytes, when it was changed in ns since 1970."""

    root: Path
    size: int
    modified_ns: int

    @property
    def size_and_time(self) -> tuple[int, int]:
        return self.size, self.modified_ns


@dataclass(frozen=True)
class Listing:
    """The files found, in order, by path. What is below `unreachable` does not count as gone."""

    files: Mapping[Path, FoundFile]
    unreachable: Sequence[Path]
    failures: Sequence[Failure]


def absolute(path: Path) -> Path:
    """The absolute path without `..`. Links stay: a share that moves behind its link keeps its documents."""
    # Path.resolve would follow links, and Path.expanduser raises for a file called '~draft.md'.
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def printable(path: str | Path) -> str:
    """The name for a message: what is not valid UTF-8 in it becomes a question mark."""
    return os.fsencode(path).decode("utf-8", "replace")


def find_files(paths: Sequence[Path], own: Collection[Path]) -> Listing:
    """List files and folders, folders with all that is below them.

    Folders in `own` are left out when they are below another folder. Each file is found once, also where the given
    folders overlap.
    """
    files: dict[Path, FoundFile] = {}
    seen: set[str] = set()
    unreachable: list[Path] = []
    failures: list[Failure] = []
    given = [absolute(path) for path in paths]
    for path in given:
        walk = _Walk(path, given, {str(folder) for folder in own})
        if _ended(walk):
            failures += walk.failures
            unreachable += walk.unreachable
            for file, (real, size, modified_ns) in walk.files.items():
                if real not in seen:
                    seen.add(real)
                    files[Path(file)] = FoundFile(walk.root, size, modified_ns)
        else:  # its thread still waits for the disk: whatever it finds later is ignored
            unreachable.append(path)
            reason = f"it did not answer for {_PATIENCE_SECONDS:g} s: check the disk or share it is on"
            failures.append(Failure(printable(path), reason))
    return Listing(files, unreachable, failures)


class _Walk:
    """All files below one given path, or that one file."""

    def __init__(self, given: Path, all_given: Sequence[Path], own: set[str]) -> None:
        self.root = given.parent  # of a file; a folder is its own root
        self.files: dict[str, tuple[str, int, int]] = {}  # path → (real path, size, modified_ns)
        self.unreachable: list[Path] = []
        self.failures: list[Failure] = []
        self.steps = 0
        self._given = given
        self._all_given = all_given
        self._own = own
        self._walked: set[str] = set()  # real paths of folders
        self._links: list[tuple[str, _Rules]] = []

    def run(self) -> None:
        path = str(self._given)
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
        self.root = self._given
        self._folder(path, real, ())
        # After the folders themselves: a file that is in the folder and linked to is known by its own path.
        found = {file_real for file_real, _, _ in self.files.values()}
        for link, rules in self._links:  # following one may add others
            self._follow(link, rules, real, found)

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
            except ValueError as error:  # to go on would ingest what somebody wanted left out
                self._not_reached(folder, f"its {IGNORE_FILE} cannot be understood ({error}): correct it")
                continue
            except OSError as error:
                self._not_reached(folder, f"the folder cannot be listed ({error.strerror}): check its permissions")
                continue
            subfolders = []
            for name in sorted(entries):
                inner = self._entry(entries[name], os.path.join(real_folder, name), rules)  # noqa: PTH118
                if inner is not None:
                    subfolders.append((*inner, rules))
            waiting += reversed(subfolders)

    def _entry(self, entry: os.DirEntry[str], real: str, rules: _Rules) -> tuple[str, str] | None:
        """Add a file to the list. Returns a folder as (path, real path), to be walked."""
        path = entry.path
        if entry.name.startswith((".", _OFFICE_LOCK)) or entry.name.lower() in _LEFTOVERS:
            return None
        is_folder = entry.is_dir(follow_symlinks=False)
        if (is_folder and path in self._own) or _is_ignored(path, "/" if is_folder else "", rules):
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

    def _follow(self, link: str, rules: _Rules, root: str, found: set[str]) -> None:
        """Add what the link leads to, when that is below the given folder and not found yet."""
        self.steps += 1
        try:
            real = os.path.realpath(link, strict=True)
            status = os.stat(real)  # noqa: PTH116
        except OSError as error:
            self._not_reached(link, f"it is a link that leads nowhere ({error.strerror}): correct it or remove it")
            return
        if any(_is_below(real, os.path.realpath(folder)) for folder in self._own):
            return
        if not _is_below(real, root):
            if not any(_is_below(real, os.path.realpath(path)) for path in self._all_given):
                reason = f"it is a link out of the folder: give what it leads to as well, or name it in {IGNORE_FILE}"
                self.failures.append(Failure(printable(link), reason))
        elif stat.S_ISDIR(status.st_mode):
            if real not in self._walked and self._has_name(link):
                before = len(self.files)
                self._folder(link, real, rules)
                found.update(real for real, _, _ in list(self.files.values())[before:])
        elif real not in found:
            found.add(real)
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
    """Raises OSError when it cannot be read, ValueError when a line is no pattern."""
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
    """Run it in a thread that can be abandoned: False when nothing was listed for too long."""
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
