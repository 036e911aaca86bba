"""Which files a person means by the paths given. Knows nothing of what is in them.

Links are followed inside the folder that was given and each folder is walked once, so that loops end; a link that
leads out is named and not followed. `.docentignore` files, in gitignore's syntax, say what is nobody's document.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from ingest.base.logs import get_logger
from ingest.runs.report import Failure

log = get_logger(__name__)

IGNORE_FILE = ".docentignore"
# What programs and systems leave behind, in small letters; nobody means it as a document.
_LEFTOVERS = frozenset(
    ("thumbs.db", "desktop.ini", "node_modules", "__macosx", "$recycle.bin", "system volume information", "lost+found")
)
_OFFICE_LOCK = "~$"
# A disk or share that gives not one name in this time is taken to be away.
_PATIENCE_SECONDS = 30.0

# Where the names that a .docentignore speaks of begin in a path, and what it says of them.
_Rules = tuple[tuple[int, GitIgnoreSpec], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A file: the folder it was found through, its size in bytes, when it was changed in ns since 1970."""

    root: Path
    size: int
    modified_ns: int


def absolute(path: Path) -> Path:
    """Without `..` but with links kept: a share that moves behind its link keeps its documents."""
    # Path.resolve would follow links, and Path.expanduser raises for a file called '~draft.md'.
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def printable(path: str | Path) -> str:
    """A name to show: what is not valid UTF-8 in it becomes a question mark."""
    return os.fsencode(path).decode("utf-8", "replace")


def discover(
    paths: Sequence[Path], own: Collection[Path], failed: list[Failure]
) -> tuple[dict[Path, Found], list[Path]]:
    """(what was found by path, in order; what could not be looked at, so that nothing below it counts as gone).

    Folders in `own` are passed over when they are met on the way through a larger one. Each file is found once, also
    where the given folders overlap. What cannot be taken in is added to `failed`.
    """
    found: dict[Path, Found] = {}
    taken: set[str] = set()
    unreadable: list[Path] = []
    given = [absolute(path) for path in paths]
    for path in given:
        walk = _Walk(path, given, {str(folder) for folder in own})
        if _ended(walk):
            failed += walk.failed
            unreadable += walk.unreadable
            for file, (real, size, modified_ns) in walk.files.items():
                if real not in taken:
                    taken.add(real)
                    found[Path(file)] = Found(walk.root, size, modified_ns)
        else:  # its thread waits on and must not be listened to any more
            unreadable.append(path)
            reason = f"it did not answer for {_PATIENCE_SECONDS:g} s: check the disk or share it is on"
            failed.append(Failure(printable(path), reason))
    return found, unreadable


@dataclass
class _Walk:
    """All files below one given path, or that one file."""

    given: Path
    all_given: Sequence[Path]
    own: set[str]
    root: Path = field(init=False)
    files: dict[str, tuple[str, int, int]] = field(default_factory=dict)  # path → (real path, size, modified_ns)
    unreadable: list[Path] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    steps: int = 0
    _walked: set[str] = field(default_factory=set)  # real paths of folders
    _links: list[tuple[str, _Rules]] = field(default_factory=list)

    def run(self) -> None:
        path = str(self.given)
        self.root = self.given.parent
        try:
            status = os.stat(path)  # noqa: PTH116 - paths stay plain text until the end, for speed
            real = os.path.realpath(path, strict=True)
        except (FileNotFoundError, NotADirectoryError):
            self._not_looked_at(path, "there is no such file or folder: check the spelling")
            return
        except OSError as error:
            self._not_looked_at(path, f"it cannot be reached ({error.strerror}): check the disk or share it is on")
            return
        if not stat.S_ISDIR(status.st_mode):
            self._take(path, real, status)
            return
        self.root = self.given
        self._folder(path, real, ())
        # After the folders themselves: a file that is there and linked to goes by its own path.
        there = {file_real for file_real, _, _ in self.files.values()}
        for link, rules in self._links:  # grows on the way
            self._follow(link, rules, real, there)

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
            except ValueError as error:  # to go on would take in what somebody wanted left out
                self._not_looked_at(folder, f"its {IGNORE_FILE} cannot be understood ({error}): correct it")
                continue
            except OSError as error:
                self._not_looked_at(folder, f"the folder cannot be listed ({error.strerror}): check its permissions")
                continue
            subfolders = []
            for name in sorted(entries):
                inner = self._entry(entries[name], os.path.join(real_folder, name), rules)  # noqa: PTH118
                if inner is not None:
                    subfolders.append((*inner, rules))
            waiting += reversed(subfolders)

    def _entry(self, entry: os.DirEntry[str], real: str, rules: _Rules) -> tuple[str, str] | None:
        """Take a file in; give a folder back as (path, real path) to be walked."""
        path = entry.path
        if entry.name.startswith((".", _OFFICE_LOCK)) or entry.name.lower() in _LEFTOVERS:
            return None
        is_folder = entry.is_dir(follow_symlinks=False)
        if (is_folder and path in self.own) or _is_ignored(path, "/" if is_folder else "", rules):
            return None
        if entry.is_symlink():
            self._links.append((path, rules))
        elif is_folder and self._has_name(path):
            return path, real
        elif not is_folder:
            try:
                self._take(path, real, entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                log.debug("discover.gone_meanwhile", path=printable(path))
            except OSError as error:
                self._not_looked_at(path, f"the file cannot be looked at ({error.strerror}): check its permissions")
        return None

    def _follow(self, link: str, rules: _Rules, root: str, there: set[str]) -> None:
        """What the link leads to, when that is below the given folder and not found yet."""
        self.steps += 1
        try:
            real = os.path.realpath(link, strict=True)
            status = os.stat(real)  # noqa: PTH116
        except OSError as error:
            self._not_looked_at(link, f"it is a link that leads nowhere ({error.strerror}): mend it or remove it")
            return
        if any(_is_below(real, os.path.realpath(folder)) for folder in self.own):
            return
        if not _is_below(real, root):
            if not any(_is_below(real, os.path.realpath(path)) for path in self.all_given):
                reason = f"it is a link out of the folder: give what it leads to as well, or name it in {IGNORE_FILE}"
                self.failed.append(Failure(printable(link), reason))
        elif stat.S_ISDIR(status.st_mode):
            if real not in self._walked and self._has_name(link):
                before = len(self.files)
                self._folder(link, real, rules)
                there.update(real for real, _, _ in list(self.files.values())[before:])
        elif real not in there:
            there.add(real)
            self._take(link, real, status)

    def _take(self, path: str, real: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            self.failed.append(Failure(printable(path), "it is not an ordinary file: remove it from the folder"))
        elif self._has_name(path):
            self.files[path] = (real, status.st_size, status.st_mtime_ns)

    def _has_name(self, path: str) -> bool:
        try:
            path.encode()
        except UnicodeEncodeError:
            self.failed.append(Failure(printable(path), "its name is not valid UTF-8: rename it"))
            return False
        return True

    def _not_looked_at(self, path: str, reason: str) -> None:
        self.unreadable.append(Path(path))
        self.failed.append(Failure(printable(path), reason))


def _ignored_by(entry: os.DirEntry[str]) -> GitIgnoreSpec:
    """Raises OSError when it cannot be read, ValueError when a line is no pattern."""
    if not entry.is_file():
        raise ValueError("it is not an ordinary file")
    return GitIgnoreSpec.from_lines(Path(entry.path).read_text("utf-8-sig").splitlines())


def _is_ignored(path: str, mark: str, rules: _Rules) -> bool:
    """The nearest .docentignore that has something to say decides; `mark` is '/' for a folder."""
    for start, spec in reversed(rules):
        verdict = spec.check_file(path[start:] + mark).include
        if verdict is not None:
            return verdict
    return False


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))  # noqa: PTH118


def _ended(walk: _Walk) -> bool:
    """Run it in a thread that can be left behind: False when nothing came for too long."""
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            walk.run()
            outcome.set_result(None)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            outcome.set_exception(error)

    threading.Thread(target=run, name="discover", daemon=True).start()
    steps = -1
    while not wait([outcome], _PATIENCE_SECONDS).done:
        if walk.steps == steps:
            return False
        steps = walk.steps
    outcome.result()
    return True
