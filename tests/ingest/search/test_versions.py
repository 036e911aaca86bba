"""Versions by name: which numbers mean a version, and which another document."""

from __future__ import annotations

import pytest

from ingest.search.versions import names_other_version, names_version, superseded, version_of


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("hr/leave-policy-2024.md", (2024,)),
        ("hr/leave-policy-2026-05.md", (2026, 5)),
        ("leave_policy_2026-05-12.docx", (2026, 5, 12)),
        ("leave-policy-20260512.docx", (2026, 5, 12)),
        ("leave-policy-202605.docx", (2026, 5)),
        ("休假制度2026年5月.docx", (2026, 5)),
        ("handbook v2.pdf", (2,)),
        ("handbook-V1.3.pdf", (1, 3)),
        ("handbook_rev7.pdf", (7,)),
        ("手册版本2.pdf", (2,)),
        ("手册第2版.pdf", (2,)),
        ("chapter-2.md", ()),
        ("第2章.md", ()),
        ("invoice-120245.pdf", ()),
        ("order-20245.pdf", ()),
        ("AQ-400.md", ()),
        ("dev2.md", ()),
    ],
)
def test_version(name: str, version: tuple[int, ...]) -> None:
    """A year, a date or a marked version number is a version; any other number names a document of its own."""
    assert version_of(name)[1] == version


def test_family() -> None:
    """Without its version the name is the same for all versions: same folder, same kind of file."""
    assert version_of("hr/Leave Policy (2024).md")[0] == version_of("hr/leave-policy-2026.md")[0]
    assert version_of("hr/leave-policy-2024.md")[0] != version_of("it/leave-policy-2024.md")[0]
    assert version_of("hr/leave-policy-2024.md")[0] != version_of("hr/leave-policy-2024.pdf")[0]
    assert version_of("休假制度-2024.md")[0] == version_of("休假制度2026年5月.md")[0]


def test_every_older_version_names_the_newest() -> None:
    """Not the next one: the newest."""
    documents = [(1, "p-2024.md"), (2, "p-2026.md"), (3, "p-2025.md"), (4, "q-2020.md"), (5, "p.md")]
    assert superseded(documents) == {1: "p-2026.md", 3: "p-2026.md"}


def test_numbers_are_compared_as_numbers() -> None:
    """v10 is newer than v9, and a date written without dashes ranks among those with."""
    assert superseded([(1, "g-v9.md"), (2, "g-v10.md")]) == {1: "g-v10.md"}
    assert superseded([(1, "g-20240501.md"), (2, "g-2025-01-01.md"), (3, "g-202406.md")]) == {
        1: "g-2025-01-01.md",
        3: "g-2025-01-01.md",
    }


def test_records_of_a_day_are_not_versions() -> None:
    """Minutes that begin with their date, chapters and numbered invoices do not replace one another."""
    names = ["2026-09-14-steering.md", "2026-10-13-steering.md", "第1章.md", "第2章.md", "f-120245.md", "f-120246.md"]
    assert superseded(enumerate(names)) == {}


def test_same_version_twice() -> None:
    """Two documents of the newest version are both the newest."""
    assert superseded([(1, "p 2026.md"), (2, "p-2026.md"), (3, "p-2025.md")]).keys() == {3}


def test_question_for_a_version() -> None:
    """A question that has the year asks for that version; small numbers are in too many questions."""
    assert names_version("How many days in 2024?", "leave-policy-2024.md")
    assert names_version("2024年有几天年假", "leave-policy-20240501.md")
    assert not names_version("How many days in 2026?", "leave-policy-2024.md")
    assert not names_version("What is new in 2?", "handbook-v2.md")


@pytest.mark.parametrize(
    ("question", "name", "other"),
    [
        ("How many days in 2024?", "leave-policy-2026.md", True),
        ("How many days in 2024?", "leave-policy-2024.md", False),
        ("How many days in 2024?", "leave-policy-2024-05.md", False),
        ("2024年有几天年假", "休假制度2026年5月.docx", True),
        ("2024年有几天年假", "休假制度2024年5月.docx", False),
        ("What changed from 2024 to 2026?", "leave-policy-2024.md", False),
        ("What changed from 2024 to 2026?", "leave-policy-2025.md", True),
        ("How many days?", "leave-policy-2024.md", False),
        ("How many days in 2024?", "leave-policy.md", False),
        ("How many days in 2024?", "handbook-v2.md", False),
        ("What is form 120245?", "leave-policy-2026.md", False),
        ("Who was treated in 2015?", "MED-1999", False),
    ],
)
def test_question_for_another_version(question: str, name: str, other: bool) -> None:
    """Both have a year and none in common; without a year in the question or in the name nothing is known.

    The number of an identifier is no year.
    """
    assert names_other_version(question, name) is other
