"""Which files are meant by a path."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.base.types import Failure
from ingest.runs import find_files as find_files_module
from ingest.runs.find_files import FoundFile, absolute, find_files, printable


def write(folder: Path, *names: str, text: str = "text") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    write(share, "b/two.md", "a.txt", ".hidden/secret.md", "b/.draft.md", "b/~$two.docx", "Thumbs.db", ".DS_Store")
    write(share, "models/card.md", ".git/config.md", "b/node_modules/left-pad/README.md", "__MACOSX/a.txt")
    return share


def names(folder: Path, *given: Path) -> list[str]:
    """What is found below the folder, which is given when nothing else is."""
    return [str(path.relative_to(folder)) for path in find_files(given or [folder], ()).files]


def test_a_folder_is_walked_in_order_without_leftovers(share: Path) -> None:
    """Hidden files and folders, what programs leave behind and the library's own folders are no documents."""
    listing = find_files([share], (share / "models",))
    assert list(listing.files) == [share / "a.txt", share / "b" / "two.md"]
    assert (listing.unreachable, listing.failures) == ([], [])


def test_what_is_found_carries_size_and_time(share: Path) -> None:
    """Each file comes with both, so that the disk is asked once."""
    os.utime(share / "a.txt", ns=(5, 1_700_000_000_123_456_789))
    listing = find_files([share], ())
    assert listing.files[share / "a.txt"] == FoundFile(share, 4, 1_700_000_000_123_456_789)


def test_a_file_is_found_through_its_folder(share: Path) -> None:
    """A file given by its own path is found, even a hidden one, and only once when it is given twice."""
    hidden = share / ".hidden" / "secret.md"
    listing = find_files([hidden, share / "a.txt", share], ())
    assert listing.files[hidden].root == hidden.parent
    assert list(listing.files).count(share / "a.txt") == 1


def test_folders_that_overlap_give_each_file_once(share: Path, tmp_path: Path) -> None:
    """Also through a link; a file belongs to the folder that was given first."""
    (tmp_path / "link").symlink_to(share)
    listing = find_files([share / "b", tmp_path / "link", share], ())
    assert {path: what.root for path, what in listing.files.items()} == {
        share / "b" / "two.md": share / "b",
        tmp_path / "link" / "a.txt": tmp_path / "link",
        tmp_path / "link" / "models" / "card.md": tmp_path / "link",
    }


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong path is a failure and not an empty folder: nothing below it counts as gone."""
    listing = find_files([tmp_path / "nowhere"], ())
    assert (listing.files, listing.unreachable) == ({}, [tmp_path / "nowhere"])
    assert listing.failures == [
        Failure(str(tmp_path / "nowhere"), "there is no such file or folder: check the spelling")
    ]


def test_a_share_that_is_away_is_not_an_empty_folder(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its system error is reported, for the share itself and for a folder in it; the rest is found."""
    away = TimeoutError(110, "Connection timed out")
    real_scandir = os.scandir

    def scandir(path: str) -> object:
        if str(path) == str(share / "b"):
            raise away
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = find_files([share], ())
    assert list(listing.files) == [share / "a.txt", share / "models" / "card.md"]
    assert listing.unreachable == [share / "b"]
    reason = "the folder cannot be listed (Connection timed out): check its permissions"
    assert listing.failures == [Failure(str(share / "b"), reason)]

    def stat(_path: str) -> object:
        raise away

    monkeypatch.setattr(os, "stat", stat)
    listing = find_files([share], ())
    assert (listing.files, listing.unreachable) == ({}, [share])
    reason = "it cannot be reached (Connection timed out): check the disk or share it is on"
    assert listing.failures == [Failure(str(share), reason)]


def test_a_share_that_never_answers_does_not_stop_the_run(
    share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported after a while, nothing of it is found or counts as gone, and the next folder is walked."""
    write(tmp_path, "good/c.md")
    released = threading.Event()
    real_scandir = os.scandir

    def scandir(path: str) -> object:
        if str(path) == str(share / "b"):
            released.wait()
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(find_files_module, "_PATIENCE_SECONDS", 0.3)
    listing = find_files([share, tmp_path / "good"], ())
    released.set()
    assert (list(listing.files), listing.unreachable) == ([tmp_path / "good" / "c.md"], [share])
    assert listing.failures == [Failure(str(share), "it did not answer for 0.3 s: check the disk or share it is on")]


def test_a_slow_share_is_waited_for(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as names keep coming."""
    real_scandir = os.scandir

    def scandir(path: str) -> object:
        threading.Event().wait(0.2)
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(find_files_module, "_PATIENCE_SECONDS", 0.35)
    assert names(share) == ["a.txt", "b/two.md", "models/card.md"]


def test_docentignore_leaves_out_what_it_names(share: Path) -> None:
    """Gitignore's syntax: patterns, folders, comments, exceptions; a file given by itself is meant all the same."""
    write(share, "drafts/x.md", "b/keep.log", "b/other.log", "b/drafts", "old/a/b/c.md", "old/c.md")
    (share / ".docentignore").write_text("# not yet\n*.log\n!keep.log\ndrafts/\n/models\nold/**/c.md\n", "utf-8")
    assert names(share) == ["a.txt", "b/drafts", "b/keep.log", "b/two.md"]
    assert names(share, share / "drafts" / "x.md", share / "b") == [
        "drafts/x.md", "b/drafts", "b/keep.log", "b/other.log", "b/two.md",
    ]  # fmt: skip


def test_the_nearest_docentignore_decides(share: Path) -> None:
    """One in a subfolder applies to that folder, and overrides one above it."""
    write(share, "b/c/plan.md", "c/plan.md", "b/note.md")
    (share / ".docentignore").write_text("plan.md\n", "utf-8")
    (share / "b" / ".docentignore").write_text("!c/plan.md\n/two.md\n", "utf-8")
    assert names(share) == ["a.txt", "b/note.md", "b/c/plan.md", "models/card.md"]


@pytest.mark.parametrize(("content", "why"), [(b"!\n", "Invalid git pattern: '!'"), (b"\xff\n", "'utf-8' codec")])
def test_a_docentignore_that_is_not_understood_takes_nothing_in(share: Path, content: bytes, why: str) -> None:
    """The folder is left out, as it may hold what should be ignored; nothing in it counts as gone either."""
    (share / "b" / ".docentignore").write_bytes(content)
    listing = find_files([share], ())
    assert (list(listing.files), listing.unreachable) == (
        [share / "a.txt", share / "models" / "card.md"],
        [share / "b"],
    )
    assert listing.failures[0].path == str(share / "b")
    assert listing.failures[0].reason.startswith(f"its .docentignore cannot be understood ({why}")


def test_links_that_go_in_circles_end(share: Path) -> None:
    """Each folder is walked once, by its own path; a link to what is found anyway adds nothing."""
    (share / "b" / "up").symlink_to(share)
    (share / "again").symlink_to(share / "b")
    (share / "copy.md").symlink_to(share / "b" / "two.md")
    listing = find_files([share], ())
    assert list(listing.files) == [share / "a.txt", share / "b" / "two.md", share / "models" / "card.md"]
    assert (listing.unreachable, listing.failures) == ([], [])


def test_a_link_inside_the_folder_is_followed_once(share: Path) -> None:
    """What it leads to is found by the link's path when no other path leads there; links in there are followed too."""
    write(share, ".store/deep/x.md", ".store/y.md")
    (share / ".store" / "deep" / "back").symlink_to(share / ".store")
    (share / "one").symlink_to(share / ".store" / "deep")
    (share / "two").symlink_to(share / ".store" / "deep")
    (share / "y.md").symlink_to(share / ".store" / "y.md")
    listing = find_files([share], (share / "models",))
    assert [str(path.relative_to(share)) for path in listing.files] == ["a.txt", "b/two.md", "one/x.md", "y.md"]
    assert listing.failures == []


def test_a_link_out_of_the_folder_is_named_and_not_followed(share: Path, tmp_path: Path) -> None:
    """Unless what it leads to was given as well, or is ignored."""
    write(tmp_path, "private/salaries.md")
    (share / "salaries.md").symlink_to(tmp_path / "private" / "salaries.md")
    (share / "all").symlink_to(tmp_path / "private")
    reason = "it is a link out of the folder: give what it leads to as well, or name it in .docentignore"
    listing = find_files([share], ())
    assert list(listing.files) == [share / "a.txt", share / "b" / "two.md", share / "models" / "card.md"]
    assert (listing.unreachable, listing.failures) == (
        [],
        [Failure(str(share / name), reason) for name in ("all", "salaries.md")],
    )

    listing = find_files([share, tmp_path / "private"], ())
    assert list(listing.files)[-1] == tmp_path / "private" / "salaries.md"
    assert listing.failures == []

    (share / ".docentignore").write_text("/all\nsalaries.md\n", "utf-8")
    assert find_files([share], ()).failures == []


def test_our_own_folders_are_not_reached_by_a_link(share: Path) -> None:
    """The library inside the folder stays out of itself, however it is reached."""
    (share / "zoo").symlink_to(share / "models")
    listing = find_files([share], (share / "models",))
    assert list(listing.files) == [share / "a.txt", share / "b" / "two.md"]
    assert listing.failures == []


def test_a_link_that_leads_nowhere_is_named(share: Path) -> None:
    """Broken, or to itself; what it led to does not count as gone, for its disk may be away."""
    (share / "broken.md").symlink_to(share / "nothing.md")
    (share / "self.md").symlink_to(share / "self.md")
    listing = find_files([share], ())
    assert listing.unreachable == [share / "broken.md", share / "self.md"]
    assert [failure.reason for failure in listing.failures] == [
        "it is a link that leads nowhere (No such file or directory): correct it or remove it",
        "it is a link that leads nowhere (Too many levels of symbolic links): correct it or remove it",
    ]


def test_what_is_no_ordinary_file_is_named(share: Path) -> None:
    """Opening a pipe would wait for ever."""
    os.mkfifo(share / "pipe.md")
    listing = find_files([share, share / "pipe.md"], ())
    assert share / "pipe.md" not in listing.files
    assert (
        listing.failures
        == [Failure(str(share / "pipe.md"), "it is not an ordinary file: remove it from the folder")] * 2
    )


def test_names_that_are_no_text_are_named(share: Path) -> None:
    """A file, and a folder once instead of each file in it; a line end in a name is no fault."""
    folder = Path(os.fsdecode(os.fsencode(share) + b"/bad\xff"))
    write(folder, "a.md", "b.md")
    write(share, "b/bad\udcff.md", "b/two\nlines.md")
    listing = find_files([share], ())
    assert share / "b" / "two\nlines.md" in listing.files
    assert listing.failures == [
        Failure(printable(path), "its name is not valid UTF-8: rename it")
        for path in (folder, share / "b/bad\udcff.md")
    ]


def test_paths_may_be_long(tmp_path: Path) -> None:
    """Far beyond 255 characters."""
    below = Path(*["a folder with quite a long name " * 5] * 10) / "x.md"
    write(tmp_path, str(below))
    assert names(tmp_path) == [str(below)]


def test_a_file_that_goes_meanwhile_is_just_gone(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the list of names and the look at the file: no failure, and nothing to be kept for its sake."""
    real_scandir = os.scandir

    class Listing:
        def __init__(self, path: str) -> None:
            self._entries = list(real_scandir(path))

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self._entries)

        def __exit__(self, *_: object) -> None:
            (share / "a.txt").unlink(missing_ok=True)

    monkeypatch.setattr(os, "scandir", Listing)
    listing = find_files([share], (share / "models",))
    assert (list(listing.files), listing.unreachable, listing.failures) == ([share / "b" / "two.md"], [], [])


def test_one_file_has_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative, with dots or not: the same absolute path; a link is not followed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert absolute(Path("real/../real/x")) == tmp_path / "real" / "x"
    assert absolute(Path("link/x")) == tmp_path / "link" / "x"


def test_a_name_that_is_no_text_can_be_shown() -> None:
    """Bytes that are not UTF-8 are replaced, everything else stays."""
    assert printable(Path("年假.md")) == "年假.md"
    assert "\udcff" not in printable("bad\udcff.md")
