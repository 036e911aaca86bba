"""What a run has to do: which files need not be opened, what was only moved or copied, and when to ask first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ingest.base.types import Page, ReadDocument, ReadFile
from ingest.documents.workers.pool import ReadOutcome
from ingest.runs.find_files import Found
from ingest.runs.plan import Fate, Plan
from ingest.store.records import FileRecord

ROOT = Path("/srv/share")
SECOND = 1_000_000_000
NOW = 1_000 * SECOND


def record(name: str, content: str = "", documents: int = 1, size: int = 10) -> FileRecord:
    """A file that was old when its content was looked at, ten seconds ago."""
    path = ROOT / name
    return FileRecord(path, ROOT, size, 100 * SECOND, NOW - 10 * SECOND, content or f"hash of {name}", documents, ())


def plan(known: list[FileRecord], found: dict[str, Found], missing: tuple[str, ...] = ()) -> Plan:
    return Plan(
        {ROOT / name: file for name, file in found.items()}, {one.path: one for one in known},
        [ROOT / name for name in missing], [ROOT], sum(one.documents for one in known), NOW,
    )  # fmt: skip


def as_known(one: FileRecord) -> Found:
    return Found(ROOT, one.size, one.modified_ns)


def outcome(name: str, content: str, parsed: bool = True, error: str | None = None) -> ReadOutcome:
    file = ReadFile((ReadDocument("T", (Page("", "text"),)),)) if parsed else None
    return ReadOutcome(ROOT / name, content, 10, 1, file, error)


def test_unchanged_is_not_opened() -> None:
    """The same size and time as when it was read, and old by then, is enough."""
    known = record("a.md")
    made = plan([known], {"a.md": as_known(known)})
    assert (made.unchanged, made.to_read) == ([known], [])


@pytest.mark.parametrize(
    ("then", "now"),
    [
        (record("a.md"), Found(ROOT, 11, 100 * SECOND)),
        (record("a.md"), Found(ROOT, 10, 100 * SECOND + 1)),
        (record("a.md"), Found(ROOT, 10, 99 * SECOND)),
        (replace(record("a.md"), checked_ns=101 * SECOND), Found(ROOT, 10, 100 * SECOND)),
        (replace(record("a.md"), modified_ns=NOW + 99 * SECOND), Found(ROOT, 10, NOW + 99 * SECOND)),
        (replace(record("a.md"), checked_ns=NOW + 99 * SECOND), Found(ROOT, 10, 100 * SECOND)),
    ],
    ids=["size", "newer", "older", "fresh when read", "in the future", "read in the future"],
)
def test_what_is_not_trusted(then: FileRecord, now: Found) -> None:
    """Another size or time either way, a file just written when it was read, and clocks that jumped: it is hashed."""
    made = plan([then], {"a.md": now})
    assert (made.unchanged, made.to_read, made.skip) == ([], [ROOT / "a.md"], {ROOT / "a.md": "hash of a.md"})
    assert made.settle(outcome("a.md", "hash of a.md", parsed=False)).fate is Fate.UNCHANGED


def test_moved_comes_first() -> None:
    """A new file of a missing one's size and kind is looked at first and, when it has its content, is that file."""
    gone, other = record("a.md"), record("b.md", size=20)
    made = plan(
        [gone, other], {"b.md": as_known(other), "z.md": Found(ROOT, 10, 5), "y.md": Found(ROOT, 30, 5)}, ("a.md",)
    )
    assert (made.perhaps_moved, made.changed) == ([ROOT / "z.md"], [ROOT / "y.md"])
    assert made.skip == {ROOT / "z.md": "hash of a.md"}
    settled = made.settle(outcome("z.md", "hash of a.md", parsed=False))
    assert (settled.fate, settled.moved_from, settled.is_new) == (Fate.MOVED, ROOT / "a.md", False)
    assert made.missing == {}


def test_two_of_the_same_size_are_told_by_name() -> None:
    """When a folder of small files is renamed, each is compared with the one it was."""
    known = [record(f"old/{letter}.md", size=10) for letter in "abc"]
    made = plan(
        known, {f"new/{letter}.md": Found(ROOT, 10, 5) for letter in "abc"}, tuple(f"old/{x}.md" for x in "abc")
    )
    assert made.skip == {ROOT / f"new/{letter}.md": f"hash of old/{letter}.md" for letter in "abc"}


def test_not_moved_after_all() -> None:
    """Of the same size, but with another content: it is new, and the missing one stays missing."""
    made = plan([record("a.md")], {"z.md": Found(ROOT, 10, 5)}, ("a.md",))
    settled = made.settle(outcome("z.md", "something else"))
    assert (settled.fate, settled.is_new) == (Fate.ADDED, True)
    assert list(made.missing) == [ROOT / "a.md"]


def test_only_one_takes_the_place() -> None:
    """Of two new files with the missing one's content, the first is it and the second a copy."""
    made = plan([record("a.md")], {"y.md": Found(ROOT, 10, 5), "z.md": Found(ROOT, 10, 5)}, ("a.md",))
    fates = [made.settle(outcome(name, "hash of a.md", parsed=False)).fate for name in ("y.md", "z.md")]
    assert fates == [Fate.MOVED, Fate.DUPLICATE]


def test_copies() -> None:
    """Of what is there already, and of what came in this very run; the same bytes of another kind are no copy."""
    known = record("a.md")
    made = plan([known], {"a.md": as_known(known), **{name: Found(ROOT, 10, 5) for name in ("b.md", "c.md", "c.csv")}})
    assert made.settle(outcome("b.md", "new")).is_new
    assert made.settle(outcome("c.md", "new")).fate is Fate.DUPLICATE
    assert made.settle(outcome("c.csv", "new")).fate is Fate.ADDED
    assert made.skip[ROOT / "c.md"] == "hash of a.md"
    assert ROOT / "c.csv" not in made.skip


def test_two_that_change_places() -> None:
    """Each path leads to what the other held; what nothing leads to any more in between is taken in anew."""
    known = [record("a.md", "A"), record("b.md", "B")]
    made = plan(known, {"a.md": Found(ROOT, 10, 5), "b.md": Found(ROOT, 10, 5)})
    first, second = made.settle(outcome("a.md", "B")), made.settle(outcome("b.md", "A"))
    assert (first.fate, first.is_new) == (Fate.UPDATED, False)
    assert (second.fate, second.is_new) == (Fate.UPDATED, True)


def test_failure_changes_nothing() -> None:
    """A file that cannot be read leaves the version the library has, and is no copy of anything."""
    made = plan([record("a.md", "A")], {"a.md": Found(ROOT, 11, 5), "b.md": Found(ROOT, 9, 5)})
    assert made.settle(outcome("a.md", "X", parsed=False, error="damaged")).fate is Fate.FAILED
    assert made.settle(outcome("b.md", "A")).fate is Fate.DUPLICATE


@pytest.mark.parametrize(
    ("there", "gone", "refused"), [(10, 5, True), (20, 6, False), (20, 7, True), (6, 4, False), (4, 4, False)]
)
def test_too_much_is_gone(there: int, gone: int, refused: bool) -> None:
    """More than 30 % and at least five documents are not removed unasked."""
    known = [record(f"{number}.md") for number in range(there)]
    made = plan(known, {}, tuple(f"{number}.md" for number in range(gone)))
    assert bool(made.refusal()) == refused
    if refused:
        assert made.refusal().startswith(f"{gone} of its {there} documents are gone")
        assert "--allow-removals" in made.refusal()


def test_what_moved_is_not_gone() -> None:
    """A folder that was renamed is not a loss."""
    known = [record(f"old/{number}.md") for number in range(6)]
    made = plan(
        known, {f"new/{number}.md": Found(ROOT, 10, 5) for number in range(6)}, tuple(f"old/{n}.md" for n in range(6))
    )
    assert made.refusal()
    for number in range(6):
        made.settle(outcome(f"new/{number}.md", f"hash of old/{number}.md", parsed=False))
    assert made.refusal() == ""
