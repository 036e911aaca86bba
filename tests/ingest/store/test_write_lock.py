"""One writer at a time: the second learns who the first is, and a dead writer blocks nobody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.base.errors import DocentError
from ingest.store.write_lock import is_locked, write_lock
from tests.project import PROJECT

HOLDER = """
import sys, time
from pathlib import Path
from ingest.store.write_lock import write_lock
with write_lock(Path(sys.argv[1]), "docent ingest"):
    print("holding", flush=True)
    time.sleep(600)
"""


def holder(home: Path) -> subprocess.Popen[str]:
    """Another process that has the right to write, until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home)],
        stdout=subprocess.PIPE, text=True, cwd=PROJECT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    return process


def test_second_writer_is_refused(home: Path) -> None:
    """In the same process too; the message names what the first does, its process and since when."""
    with write_lock(home, "docent rebuild"):
        assert is_locked(home)
        with pytest.raises(DocentError) as caught, write_lock(home, "docent ingest"):
            pytest.fail("two writers at once")
        assert is_locked(home)
    message = rf"is being changed by `docent rebuild` \(process {os.getpid()}, since \d{{4}}-.*\): wait for it"
    assert re.search(message, str(caught.value))
    assert not is_locked(home)
    with write_lock(home, "docent ingest"):
        assert is_locked(home)


def test_another_process_and_its_death(home: Path) -> None:
    """While it lives it is named; killed, it blocks nobody."""
    process = holder(home)
    try:
        assert is_locked(home)
        refused = rf"`docent ingest` \(process {process.pid},"
        with pytest.raises(DocentError, match=refused), write_lock(home, "docent remove"):
            pytest.fail("two writers at once")
    finally:
        process.kill()
        process.wait()
    assert (home / "writer.json").exists()
    assert not is_locked(home)
    with write_lock(home, "docent remove"):
        assert json.loads((home / "writer.json").read_text())["doing"] == "docent remove"
    assert not (home / "writer.json").exists()


def test_asking_does_not_leave_a_stale_note(home: Path) -> None:
    """The note of a dead writer is deleted at the first look: a look takes the lock, which could turn a writer away."""
    (home / "writer.json").write_text("{}")
    assert not is_locked(home)
    assert not (home / "writer.json").exists()


def test_lock_is_freed_when_the_work_fails(home: Path) -> None:
    """Whatever goes wrong inside, the next writer may begin."""
    with pytest.raises(ValueError, match="broken"), write_lock(home, "docent ingest"):
        raise ValueError("broken")
    assert not is_locked(home)


def test_disk_that_fails(home: Path) -> None:
    """A system error while writing becomes one line with its reason and what to do."""
    full = OSError(28, "No space left on device")
    with (
        pytest.raises(DocentError, match=r"cannot be written \(No space left on device\): free or repair the disk"),
        write_lock(home, "x"),
    ):
        raise full
    with write_lock(home, "x"):
        assert is_locked(home)


def test_a_reader_that_leaves_is_not_the_disk(home: Path) -> None:
    """A closed pipe is not blamed on the library."""
    with pytest.raises(BrokenPipeError), write_lock(home, "x"):
        raise BrokenPipeError(32, "Broken pipe")


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A state folder that cannot be is named with the setting that says where it is."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DocentError, match=r"file/library cannot be written .*: set DOCENT_HOME"),
        write_lock(tmp_path / "file" / "library", "x"),
    ):
        pytest.fail("no folder to write in")


def test_half_a_note(home: Path) -> None:
    """A note that says nothing is no reason to fail: the other is then just another process."""
    with write_lock(home, "docent ingest"):
        (home / "writer.json").write_text("{")
        with pytest.raises(DocentError, match="is being changed by another process"), write_lock(home, "x"):
            pytest.fail("two writers at once")
