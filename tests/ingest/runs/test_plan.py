"""What a run has to read, what was only moved or copied, and how much it removes without being asked to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ingest.base.types import Page, ReadDocument, ReadFile
from ingest.documents.workers.pool import ReadOutcome
from ingest.runs.find_files import FoundFile
from ingest.runs.plan import Change, Contents, Plan, plan
from ingest.runs.scan import Scan
from ingest.store.records import FileRecord

ROOT = Path("/srv/share")
SECOND = 1_000_000_000
NOW = 1_000 * SECOND


def record(name: str, content: str = "", documents: int = 1, size: int = 10) -> FileRecord:
    """A file that was old when its content was looked at, ten seconds ago."""
    path = ROOT / name
    return FileRecord(path, ROOT, size, 100 * SECOND, NOW - 10 * SECOND, content or f"hash of {name}", documents, ())


def scanned(known: list[FileRecord], found: dict[str, FoundFile], missing: tuple[str, ...] = ()) -> Scan:
    """What a scan gives for these records and files; `missing` are names of records."""
    records = {record.path: record for record in known}
    files = {ROOT / name: file for name, file in found.items()}
    unchanged = {
        path: records[path] for path, file in files.items()
        if path in records and records[path].is_unchanged(*file.size_and_time, NOW)
    }  # fmt: skip
    gone = {ROOT / name: records[ROOT / name] for name in missing}
    return Scan([ROOT], files, records, unchanged, gone, sum(record.documents for record in known))


def planned(
    known: list[FileRecord], found: dict[str, FoundFile], missing: tuple[str, ...] = ()
) -> tuple[Plan, Contents]:
    scan = scanned(known, found, missing)
    return plan(scan), Contents(scan.known, scan.missing)


def as_known(record: FileRecord) -> FoundFile:
    return FoundFile(ROOT, record.size, record.modified_ns)


def new_files(*names: str) -> dict[str, FoundFile]:
    """Files of the size of every record, at a time of their own."""
    return {name: FoundFile(ROOT, 10, 5) for name in names}


def read(name: str, content: str, parsed: bool = True, error: str | None = None) -> ReadOutcome:
    file = ReadFile((ReadDocument("T", (Page("", "text"),)),)) if parsed else None
    return ReadOutcome(ROOT / name, content, 10, 1, file, error)


def test_unchanged_is_not_opened() -> None:
    """The same size and time as when it was read, and old by then, is enough."""
    known = record("a.md")
    scan = scanned([known], {"a.md": as_known(known)})
    assert (scan.unchanged, plan(scan).to_read) == ({known.path: known}, [])


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (record("a.md"), FoundFile(ROOT, 11, 100 * SECOND)),
        (record("a.md"), FoundFile(ROOT, 10, 100 * SECOND + 1)),
        (record("a.md"), FoundFile(ROOT, 10, 99 * SECOND)),
        (replace(record("a.md"), checked_ns=101 * SECOND), FoundFile(ROOT, 10, 100 * SECOND)),
        (replace(record("a.md"), modified_ns=NOW + 99 * SECOND), FoundFile(ROOT, 10, NOW + 99 * SECOND)),
        (replace(record("a.md"), checked_ns=NOW + 99 * SECOND), FoundFile(ROOT, 10, 100 * SECOND)),
    ],
    ids=["size", "newer", "older", "fresh when read", "in the future", "read in the future"],
)
def test_what_is_not_trusted(then: FileRecord, now: FoundFile) -> None:
    """Another size or time either way, a file just written when it was read, and clocks that jumped: it is hashed."""
    made, contents = planned([then], {"a.md": now})
    assert (made.to_read, made.hashes) == ([ROOT / "a.md"], {ROOT / "a.md": "hash of a.md"})
    assert contents.resolve(read("a.md", "hash of a.md", parsed=False)).change is Change.UNCHANGED


def test_moved_comes_first() -> None:
    """A new file of a missing one's size and kind is looked at first and, when it has its content, is that file."""
    gone, other = record("a.md"), record("b.md", size=20)
    made, contents = planned(
        [gone, other],
        {"b.md": as_known(other), "z.md": FoundFile(ROOT, 10, 5), "y.md": FoundFile(ROOT, 30, 5)},
        ("a.md",),
    )
    assert (made.perhaps_moved, made.changed) == ([ROOT / "z.md"], [ROOT / "y.md"])
    assert made.hashes == {ROOT / "z.md": "hash of a.md"}
    resolved = contents.resolve(read("z.md", "hash of a.md", parsed=False))
    assert (resolved.change, resolved.moved_from, resolved.is_new) == (Change.MOVED, ROOT / "a.md", False)
    assert contents.missing == {}


def test_two_of_the_same_size_are_told_by_name() -> None:
    """When a folder of small files is renamed, each is compared with the one it was."""
    known = [record(f"old/{letter}.md", size=10) for letter in "abc"]
    made, _ = planned(
        known, {f"new/{letter}.md": FoundFile(ROOT, 10, 5) for letter in "abc"}, tuple(f"old/{x}.md" for x in "abc")
    )
    assert made.hashes == {ROOT / f"new/{letter}.md": f"hash of old/{letter}.md" for letter in "abc"}


def test_not_moved_after_all() -> None:
    """Of the same size, but with another content: it is new, and the missing one stays missing."""
    _, contents = planned([record("a.md")], {"z.md": FoundFile(ROOT, 10, 5)}, ("a.md",))
    resolved = contents.resolve(read("z.md", "something else"))
    assert (resolved.change, resolved.is_new) == (Change.ADDED, True)
    assert list(contents.missing) == [ROOT / "a.md"]


def test_only_one_takes_the_place() -> None:
    """Of two new files with the missing one's content, the first is it and the second a copy."""
    _, contents = planned([record("a.md")], {"y.md": FoundFile(ROOT, 10, 5), "z.md": FoundFile(ROOT, 10, 5)}, ("a.md",))
    changes = [contents.resolve(read(name, "hash of a.md", parsed=False)).change for name in ("y.md", "z.md")]
    assert changes == [Change.MOVED, Change.DUPLICATE]


def test_copies() -> None:
    """Of what is there already, and of what came in this very run; the same bytes of another kind are no copy."""
    known = record("a.md")
    made, contents = planned(
        [known], {"a.md": as_known(known), **{name: FoundFile(ROOT, 10, 5) for name in ("b.md", "c.md", "c.csv")}}
    )
    assert contents.resolve(read("b.md", "new")).is_new
    assert contents.resolve(read("c.md", "new")).change is Change.DUPLICATE
    assert contents.resolve(read("c.csv", "new")).change is Change.ADDED
    assert made.hashes[ROOT / "c.md"] == "hash of a.md"
    assert ROOT / "c.csv" not in made.hashes


def test_two_that_change_places() -> None:
    """Each path leads to what the other held; content that no path leads to in between is added again."""
    known = [record("a.md", "A"), record("b.md", "B")]
    _, contents = planned(known, {"a.md": FoundFile(ROOT, 10, 5), "b.md": FoundFile(ROOT, 10, 5)})
    first, second = contents.resolve(read("a.md", "B")), contents.resolve(read("b.md", "A"))
    assert (first.change, first.is_new) == (Change.UPDATED, False)
    assert (second.change, second.is_new) == (Change.UPDATED, True)


def test_failure_changes_nothing() -> None:
    """A file that cannot be read leaves the version the library has, and is no copy of anything."""
    _, contents = planned([record("a.md", "A")], {"a.md": FoundFile(ROOT, 11, 5), "b.md": FoundFile(ROOT, 9, 5)})
    assert contents.resolve(read("a.md", "X", parsed=False, error="damaged")).change is Change.FAILED
    assert contents.resolve(read("b.md", "A")).change is Change.DUPLICATE


@pytest.mark.parametrize(
    ("there", "gone", "refused"), [(10, 5, True), (20, 6, False), (20, 7, True), (6, 4, False), (4, 4, False)]
)
def test_too_much_is_gone(there: int, gone: int, refused: bool) -> None:
    """More than 30 % and at least five documents are not removed unasked."""
    known = [record(f"{number}.md") for number in range(there)]
    _, contents = planned(known, {}, tuple(f"{number}.md" for number in range(gone)))
    refusal = contents.refusal(there)
    assert bool(refusal) == refused
    if refused:
        assert refusal.startswith(f"{gone} of its {there} documents are gone")
        assert "--allow-removals" in refusal


def test_what_moved_is_not_gone() -> None:
    """A folder that was renamed is not a loss."""
    known = [record(f"old/{number}.md") for number in range(6)]
    _, contents = planned(
        known,
        {f"new/{number}.md": FoundFile(ROOT, 10, 5) for number in range(6)},
        tuple(f"old/{n}.md" for n in range(6)),
    )
    assert contents.refusal(6)
    for number in range(6):
        contents.resolve(read(f"new/{number}.md", f"hash of old/{number}.md", parsed=False))
    assert contents.refusal(6) == ""
