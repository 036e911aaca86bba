"""What reading a file comes to, and in which order: files that may have moved, what is gone, the other files."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.base.types import Failure, no_progress
from ingest.runs.outcomes import Outcome, Removal, outcomes
from ingest.runs.plan import Change, plan
from ingest.runs.report import Counts, Meter
from ingest.runs.scan import scan
from ingest.store.records import FileRecord, NewFile, NewPath
from ingest.store.unreadable_files import readers_fingerprint

pytestmark = pytest.mark.usefixtures("in_process_readers")

NOTE = "# Canteen\n\nLunch is at noon, from Monday to Friday, for everybody.\n"
GARBAGE = "".join(chr(0xE000 + number % 600) + " " * (number % 7 == 0) for number in range(600))


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    share.mkdir()
    return share


def results(
    share: Path, known: Collection[FileRecord] = (), accepted: Collection[tuple[str, str]] = ()
) -> list[Outcome | Removal]:
    settings = Settings(home=share.parent / "home", models_cache=share.parent / "models")
    scanned = scan([share], settings, {record.path: record for record in known}, {}, False)
    meter = Meter(no_progress, no_progress, len(scanned.found), 1)
    return list(outcomes(scanned, plan(scanned), accepted, meter, False))


def record(path: Path, text: str) -> FileRecord:
    """What the library knows of a file with this text, which need not be there any more."""
    data = text.encode()
    return FileRecord(path, path.parent, len(data), 1, 2, hashlib.sha256(data).hexdigest(), 1, ())


def test_a_new_file(share: Path) -> None:
    """Its documents are ready to be split, with score and language; they have no passages yet."""
    (share / "canteen.md").write_text(NOTE)
    (outcome,) = results(share)
    assert isinstance(outcome, Outcome) and isinstance(outcome.entry, NewFile)
    (new,) = outcome.new_documents
    assert (new.document.title, new.language, new.reason, new.passages) == ("Canteen", "en", "", ())
    assert (outcome.entry.path, outcome.entry.sha256) == (
        share / "canteen.md", hashlib.sha256(NOTE.encode()).hexdigest(),
    )  # fmt: skip
    assert (outcome.counts, outcome.pages, outcome.failures) == (Counts(added=1), 1, [])


def test_what_is_gone_comes_between(share: Path) -> None:
    """First the file that moved, then the removal of the one that is really gone, then the new file."""
    (share / "a new note.md").write_text("# Parking\n\nVisitors park behind the house.\n")
    (share / "moved.md").write_text(NOTE)
    moved, removal, added = results(
        share, [record(share / "canteen.md", NOTE), record(share / "gone.md", "# Gone\n\nThis page is gone.\n")]
    )
    assert isinstance(moved, Outcome) and isinstance(moved.entry, NewPath)
    assert (moved.change, moved.moved_from, moved.counts) == (Change.MOVED, share / "canteen.md", Counts(moved=1))
    assert isinstance(removal, Removal)
    assert ([gone.path for gone in removal.missing], removal.failures) == ([share / "gone.md"], ())
    assert isinstance(added, Outcome)
    assert (added.path, added.change) == (share / "a new note.md", Change.ADDED)


def test_too_much_is_not_removed(share: Path) -> None:
    """The removal then names no file, and the reason; what is there is read all the same."""
    (share / "canteen.md").write_text(NOTE)
    removal, added = results(share, [record(share / f"{number}.md", f"Note {number}") for number in range(6)])
    assert isinstance(removal, Removal) and isinstance(added, Outcome)
    assert removal.missing == []
    assert [failure.path for failure in removal.failures] == [str(share)]
    assert added.change is Change.ADDED


def test_what_can_hardly_be_read(share: Path) -> None:
    """It is quarantined with its reason, unless a person accepted this very content."""
    (share / "scan.txt").write_text(GARBAGE, "utf-8")
    (outcome,) = results(share)
    assert isinstance(outcome, Outcome)
    ((path, reason),) = [(failure.path, failure.reason) for failure in outcome.quarantined]
    assert (path, bool(reason), outcome.counts) == (str(share / "scan.txt"), True, Counts(added=1))
    (outcome,) = results(share, accepted=[(hashlib.sha256(GARBAGE.encode()).hexdigest(), "")])
    assert isinstance(outcome, Outcome)
    assert outcome.quarantined == []


def test_a_file_that_fails(share: Path) -> None:
    """It changes nothing, counts for nothing, and is remembered with the readers that failed."""
    (share / "broken.docx").write_bytes(b"PK nonsense")
    (outcome,) = results(share)
    assert isinstance(outcome, Outcome) and outcome.unreadable is not None
    assert (outcome.change, outcome.entry, outcome.counts) == (Change.FAILED, None, Counts())
    assert outcome.failures == [Failure(str(share / "broken.docx"), outcome.unreadable.reason)]
    assert outcome.unreadable.readers == readers_fingerprint()
