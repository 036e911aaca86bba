"""Which files are meant by a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.discover import absolute, discover, printable
from ingest.report import Failure


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    for name in (
        "b/two.md",
        "a.txt",
        ".hidden/secret.md",
        "b/.draft.md",
        "b/~$two.docx",
        "Thumbs.db",
        "models/card.md",
    ):
        (share / name).parent.mkdir(parents=True, exist_ok=True)
        (share / name).write_text("text", "utf-8")
    return share


def test_a_folder_is_walked_in_order_without_leftovers(share: Path) -> None:
    """Hidden files, hidden folders and what programs leave behind are nobody's documents; nor are our own folders."""
    failed: list[Failure] = []
    found, unreadable = discover([share], (share / "models",), failed)
    assert list(found.items()) == [(share / "a.txt", share), (share / "b" / "two.md", share)]
    assert (unreadable, failed) == ([], [])


def test_a_file_is_found_through_its_folder(share: Path) -> None:
    """A file named by itself is meant, also when it is hidden; named twice it is one file."""
    hidden = share / ".hidden" / "secret.md"
    found, _ = discover([hidden, share / "a.txt", share], (), [])
    assert found[hidden] == hidden.parent
    assert list(found).count(share / "a.txt") == 1


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong path is a failure and not an empty folder: nothing below it counts as gone."""
    failed: list[Failure] = []
    found, unreadable = discover([tmp_path / "nowhere"], (), failed)
    assert (found, unreadable) == ({}, [tmp_path / "nowhere"])
    assert failed == [Failure(str(tmp_path / "nowhere"), "there is no such file or folder: check the spelling")]


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
