"""A library is never half written: writers are killed, or meet a full disk or a second writer, under a reader."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.base.errors import DocentError
from ingest.library import Library
from ingest.passages.embedders import library_embedder
from ingest.runs import check as check_module
from ingest.runs.check import check
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import is_locked, write_lock
from tests.conftest import fill
from tests.fakes.crash_writer import NAMES, SENTENCES, load_toy
from tests.project import PROJECT

SENTENCE = re.compile(r"(file\d+) round(\d+) part(\d+)")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the library will be; searched with the toy embedder that the writer uses."""
    monkeypatch.setattr(library_embedder, "load_embedder", load_toy)
    monkeypatch.setattr(check_module, "load_embedder", load_toy)
    return tmp_path / "library"


class Writers:
    """Starts writers one at a time."""

    def __init__(self) -> None:
        self._forks = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.crash_writer"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT,
        )  # fmt: skip

    def start(self, home: Path, rounds: int = 0, limit: int = 0) -> int:
        """The writer's process number."""
        assert self._forks.stdin
        self._forks.stdin.write(f"{home} {rounds} {limit}\n")
        self._forks.stdin.flush()
        return int(self._answer("started"))

    def ended(self) -> int:
        """Its exit code, when it has ended."""
        return int(self._answer("ended"))

    def run(self, home: Path, rounds: int = 1, limit: int = 0) -> int:
        self.start(home, rounds, limit)
        return self.ended()

    def _answer(self, what: str) -> str:
        assert self._forks.stdout
        word, _, value = self._forks.stdout.readline().partition(" ")
        assert word == what
        return value

    def close(self) -> None:
        assert self._forks.stdin
        self._forks.stdin.close()
        self._forks.kill()
        self._forks.wait()


@pytest.fixture
def writers() -> Iterator[Writers]:
    writers = Writers()
    yield writers
    writers.close()


class Reader:
    """Searches without a pause and follows the library; what goes wrong is kept."""

    def __init__(self, home: Path) -> None:
        self.wrong: list[str] = []
        self.searches = 0
        self._library = Library(home)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._search)

    def __enter__(self) -> Reader:
        self._library.follow()
        self._thread.start()
        # A server has opened the library before the disk is full: on a full disk SQLite has no room to open it.
        while not self.searches and not self.wrong:
            time.sleep(0.01)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._library.close()

    def _search(self) -> None:
        number = 0
        while not self._stop.is_set():
            name = NAMES[number % len(NAMES)]
            number += 1
            try:
                hits = self._library.search(f"{name} part{number % SENTENCES}")
                self.wrong += [f"{hit.path} shows {hit.text[:40]}" for hit in hits if f"{hit.title} " not in hit.text]
                if not any(hit.title == name for hit in hits):
                    self.wrong.append(f"{name} is not found")
                self.searches += 1
            except Exception as error:  # noqa: BLE001 - every kind of failure is what this is looking for
                self.wrong.append(f"{type(error).__name__}: {error}")


def assert_nothing_is_half(home: Path) -> None:
    """Every document is there, all its passages are its own and of one round, and the indexes agree with the record."""
    catalog = Catalog(home / CATALOG_FILE)
    try:
        documents = {document.id: document.title for document in catalog.documents()}
        assert sorted(documents.values()) == NAMES
        rounds_by_name: dict[str, set[str]] = {}
        parts: dict[str, list[int]] = {}
        for row in catalog.passages(catalog.passage_ids().tolist()).values():
            for name, round_number, part in SENTENCE.findall(row["text"]):
                assert name == documents[row["document_id"]]
                rounds_by_name.setdefault(name, set()).add(round_number)
                parts.setdefault(name, []).append(int(part))
        assert {name: len(rounds) for name, rounds in rounds_by_name.items()} == dict.fromkeys(NAMES, 1)
        assert {name: sorted(numbers) for name, numbers in parts.items()} == {
            name: list(range(SENTENCES)) for name in NAMES
        }
    finally:
        catalog.close()
    assert check(home) == []


def kill_often(home: Path, writers: Writers, times: int, seed: int) -> int:
    """Kill so many writers, each after a random while; how many searches went on meanwhile."""
    chosen = random.Random(seed)
    assert writers.run(home) == 0
    with Reader(home) as reader:
        for _ in range(times):
            process = writers.start(home)
            time.sleep(chosen.uniform(0.0, 0.5))
            os.kill(process, signal.SIGKILL)
            assert writers.ended() == -signal.SIGKILL
            assert_nothing_is_half(home)
            assert reader.wrong == []
    assert writers.run(home) == 0
    assert_nothing_is_half(home)
    # The next writer removes what dead writers left; the reader has a copy of its own.
    assert not list((home / "index").glob(".work-*"))
    return reader.searches


def test_killed_at_random_moments(home: Path, writers: Writers) -> None:
    """No document is lost, none is half, no passage has another's text, and no search fails."""
    assert kill_often(home, writers, 8, seed=1) > 0


@pytest.mark.slow
def test_killed_two_hundred_times(home: Path, writers: Writers) -> None:
    """The same, long enough to meet every step of a run."""
    assert kill_often(home, writers, 200, seed=2) > 0


def test_a_disk_that_takes_no_more(home: Path, writers: Writers) -> None:
    """Whichever write is the one that fails, there is one line, searches go on, and the next run repairs everything.

    The operating system refuses every file of the writer that would grow beyond a limit, and the limit is raised until
    nothing fails any more.
    """
    assert writers.run(home) == 0
    codes = []
    with Reader(home) as reader:
        for limit in (64, 1_024, 4_096, 12_288, 40_960, 81_920, 131_072, 262_144, 1 << 26):
            codes.append(writers.run(home, limit=limit))
            assert codes[-1] in (0, 3), f"limit {limit}"
            assert_nothing_is_half(home)
            assert reader.wrong == []
    assert codes[0] == 3
    assert codes[-1] == 0
    assert reader.searches > 0


def test_a_full_disk(home: Path, small_disk: Path, writers: Writers) -> None:
    """The same on a disk that is really full, at whatever write that becomes true: no search fails or mixes texts."""
    home = small_disk / "library"
    assert writers.run(home) == 0
    codes = []
    with Reader(home) as reader:
        for free in (0, 16, 48, 96, 160, 256, 512, 1024):  # kibibytes
            filler = small_disk / "filler"
            fill(filler, free * 1024)
            codes.append(writers.run(home, rounds=3))
            filler.unlink()
            assert codes[-1] in (0, 3), f"{free} KiB free"
            assert_nothing_is_half(home)
            assert reader.wrong == []
    assert codes[0] == 3
    assert writers.run(home) == 0
    assert_nothing_is_half(home)


def test_a_second_writer(home: Path, writers: Writers) -> None:
    """While one writes, another learns who it is and changes nothing; when the first is killed, the next may write."""
    assert writers.run(home) == 0
    process = writers.start(home)
    # Asked for only when it is taken: taken here, it would turn the writer away that is just beginning.
    while True:
        os.kill(process, signal.SIGSTOP)
        if is_locked(home):
            break
        os.kill(process, signal.SIGCONT)  # it was between two runs
        time.sleep(0.01)
    with pytest.raises(DocentError, match="is being changed by"), write_lock(home, "docent ingest"):
        pytest.fail("two writers at once")
    os.kill(process, signal.SIGKILL)
    assert writers.ended() == -signal.SIGKILL
    assert writers.run(home) == 0
    assert_nothing_is_half(home)
