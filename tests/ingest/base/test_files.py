"""What another process can see of files and folders that are being written, and who may write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.base import files
from ingest.base.files import LOCK, alone_in, try_lock, whole_file, whole_folder, write_whole
from tests.conftest import fill
from tests.project import PROJECT

# Begins a folder, prints a line, and completes it when it reads a line.
BUSY = """
import sys
from pathlib import Path
from ingest.base import files
from ingest.base.files import alone_in, whole_folder
target = Path(sys.argv[1])
with alone_in(target.parent), whole_folder(target) as making:
    (making / "half").write_text("x")
    print("busy", flush=True)
    sys.stdin.readline()
    (making / "whole").write_text("x")
"""


def busy(target: Path) -> subprocess.Popen[str]:
    """A process in the middle of making `target`."""
    running = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(target)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "busy\n"
    return running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {LOCK}


def test_a_file_is_replaced_only_when_the_new_one_is_complete(root: Path) -> None:
    """Until the block ends readers see the old content, then the new, and nothing else is left in the folder."""
    target = root / "note.json"
    write_whole(target, "erste Fassung 第一版")
    assert target.read_text("utf-8") == "erste Fassung 第一版"
    with whole_file(target) as unfinished:
        unfinished.write_bytes(b"half")
        assert target.read_text("utf-8") == "erste Fassung 第一版"
    assert target.read_bytes() == b"half"
    assert names(root) == {"note.json"}


def test_a_file_that_could_not_be_written_leaves_the_old_one(root: Path) -> None:
    """An error inside the block, and a block that wrote nothing, change nothing and leave nothing behind."""
    target = root / "note.json"
    write_whole(target, "old")
    with pytest.raises(ValueError, match="no"), whole_file(target) as unfinished:
        unfinished.write_text("half")
        raise ValueError("no")
    with pytest.raises(FileNotFoundError), whole_file(target):
        pass
    assert target.read_text() == "old"
    assert names(root) == {"note.json"}


def test_a_folder_is_not_replaced_by_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError, as every other target that cannot be written, and nothing is left; an empty path is a folder too."""
    monkeypatch.chdir(root)
    for folder in (root, Path()):
        with pytest.raises(OSError, match=r"busy|directory"):
            write_whole(folder, "x")
    assert names(root) == set()


def test_a_full_disk_leaves_the_old_file(small_disk: Path) -> None:
    """Where the new content does not fit the old one stays, whole."""
    target = small_disk / "note.json"
    write_whole(target, "old")
    fill(small_disk / "filler", free=0)
    with pytest.raises(OSError, match="No space left"):
        write_whole(target, "new" * 100_000)
    assert target.read_text() == "old"
    assert names(small_disk) == {"note.json", "filler"}


def test_a_file_name_may_be_as_long_as_the_file_system_allows(root: Path) -> None:
    """The unfinished file's name does not grow with the target's."""
    write_whole(root / ("n" * 255), "x")
    assert names(root) == {"n" * 255}


def test_the_content_is_on_the_disk_before_the_rename(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut must not leave the new name with no content; who does without says so."""
    flushed: list[bool] = []
    monkeypatch.setattr(files, "flush_to_disk", lambda path: flushed.append(path.is_file() and not target.exists()))
    target = root / "note.json"
    write_whole(target, "x")
    assert flushed == [True]
    write_whole(target, "x", flush=False)
    assert flushed == [True]


def test_a_lock_is_held_by_one_process_at_a_time(root: Path) -> None:
    """Others get None at once; the holder's death frees it."""
    running = busy(root / "models")
    assert try_lock(root / LOCK) is None
    running.kill()
    running.wait()
    lock = try_lock(root / LOCK)
    assert lock is not None
    lock.release()


def test_a_folder_has_its_name_only_when_it_is_whole(root: Path) -> None:
    """Until the block ends nothing has the name; then everything is there, and what was there before is not."""
    target = root / "model"
    with alone_in(target.parent), whole_folder(target) as making:
        (making / "file").write_text("first")
        assert not target.exists()
    assert names(target) == {"file"}
    with alone_in(target.parent), whole_folder(target) as making:
        (making / "other").write_text("second")
        assert names(target) == {"file"}
    assert names(target) == {"other"}
    assert names(target.parent) == {"model"}


def test_an_error_leaves_what_was_there(root: Path) -> None:
    """A folder that could not be finished leaves no trace."""
    target = root / "model"
    target.mkdir()
    with pytest.raises(ValueError, match="no"), alone_in(root), whole_folder(target) as making:
        (making / "file").write_text("x")
        raise ValueError("no")
    assert names(root) == {"model"}
    assert names(target) == set()


def test_who_is_killed_leaves_nothing_that_counts_and_the_next_one_clears_up(root: Path) -> None:
    """After kill -9 there is no folder of that name; whoever comes next gets the lock at once and removes the rest."""
    running = busy(root / "model")
    running.kill()
    running.wait()
    assert [name for name in names(root) if not name.startswith(".")] == []
    assert names(root) != set()
    waited: list[str] = []
    with alone_in(root, lambda: waited.append("waited")):
        assert names(root) == set()
    assert waited == []


def test_the_second_waits_for_the_first_and_takes_nothing_from_it(root: Path) -> None:
    """It learns that it waits; what the first was making is then complete."""
    running = busy(root / "model")
    assert running.stdin is not None
    stdin = running.stdin
    waited: list[set[str]] = []

    def waiting() -> None:
        waited.append(names(root))
        stdin.write("\n")
        stdin.flush()

    with alone_in(root, waiting):
        assert names(root) == {"model"}
        assert names(root / "model") == {"half", "whole"}
    assert len(waited) == 1
    assert running.wait() == 0
    assert all(name.startswith(".making-") for name in waited[0])
