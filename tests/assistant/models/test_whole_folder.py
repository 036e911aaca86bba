from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from assistant.models.whole_folder import LOCK, alone_in, whole_folder
from tests.project import PROJECT

# Begins a folder, says so, and ends it well when it is told to.
BUSY = """
import sys
from pathlib import Path
from assistant.models.whole_folder import alone_in, whole_folder
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


def test_a_folder_has_its_name_only_when_it_is_whole(root: Path) -> None:
    """Until the block ends nothing has the name; then everything is there, and what was there before is not."""
    target = root / "one"
    with alone_in(target.parent), whole_folder(target) as making:
        (making / "file").write_text("first")
        assert not target.exists()
    assert names(target) == {"file"}
    with alone_in(target.parent), whole_folder(target) as making:
        (making / "other").write_text("second")
        assert names(target) == {"file"}
    assert names(target) == {"other"}
    assert names(target.parent) == {"one"}


def test_an_error_leaves_what_was_there(root: Path) -> None:
    """A folder that could not be finished leaves no trace."""
    target = root / "one"
    target.mkdir()
    with pytest.raises(ValueError, match="no"), alone_in(root), whole_folder(target) as making:
        (making / "file").write_text("x")
        raise ValueError("no")
    assert names(root) == {"one"}
    assert names(target) == set()


def test_who_is_killed_leaves_nothing_that_counts_and_the_next_one_clears_up(root: Path) -> None:
    """After kill -9 there is no folder of that name; whoever comes next gets the lock at once and removes the rest."""
    running = busy(root / "one")
    running.kill()
    running.wait()
    assert [name for name in names(root) if not name.startswith(".")] == []
    assert names(root) != set()
    waited: list[str] = []
    with alone_in(root, lambda: waited.append("waited")):
        assert names(root) == set()
    assert waited == []


def test_the_second_waits_for_the_first_and_takes_nothing_from_it(root: Path) -> None:
    """It is told that it waits; what the other was making is then whole."""
    running = busy(root / "one")
    assert running.stdin is not None
    stdin = running.stdin
    waited: list[set[str]] = []

    def waiting() -> None:
        waited.append(names(root))
        stdin.write("\n")
        stdin.flush()

    with alone_in(root, waiting):
        assert names(root) == {"one"}
        assert names(root / "one") == {"half", "whole"}
    assert len(waited) == 1
    assert running.wait() == 0
    assert all(name.startswith(".making-") for name in waited[0])
