"""What a person means by a number, a name or a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.runs.select import select_documents
from ingest.store.records import ListedDocument


def document(number: int, name: str, member: str = "", *paths: str) -> ListedDocument:
    shown = f"/srv/{name}/{member}" if member else f"/srv/{name}"
    return ListedDocument(
        number, shown, shown.removeprefix("/srv/"), "T", "md", "h", 1, 1, 1, 1, "", member, "en", 1.0, "answering", "",
        (f"/srv/{name}", *paths),
    )  # fmt: skip


LIBRARY = [
    document(1, "hr/leave.md", "", "/srv/copies/leave.md"),
    document(2, "hr/7"),
    document(3, "mail.eml"),
    document(4, "mail.eml", "plan.docx"),
]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("3", [(3, None)]),
        ("7", []),
        ("hr/leave.md", [(1, None)]),
        ("/srv/hr/leave.md", [(1, "/srv/hr/leave.md")]),
        ("/srv/hr", [(1, "/srv/hr/leave.md"), (2, "/srv/hr/7")]),
        ("/srv/copies", [(1, "/srv/copies/leave.md")]),
        ("/srv/mail.eml", [(3, "/srv/mail.eml"), (4, "/srv/mail.eml")]),
        ("/srv/mail.eml/plan.docx", [(4, None)]),
        ("mail.eml/plan.docx", [(4, None)]),
        ("/srv/hr/leave", []),
        ("  ", []),
        ("²", []),
    ],
)
def test_what_is_meant(name: str, meant: list[tuple[int, str | None]]) -> None:
    """A number is an id only; a path means the file with all its parts, or everything below; a name is as listed."""
    selection = [(selected.document.id, selected.file) for selected in select_documents(LIBRARY, name)]
    assert selection == [(number, None if path is None else Path(path)) for number, path in meant]
