"""The values that travel between the steps of ingestion."""

from __future__ import annotations

import dataclasses

import pytest

from ingest.base.types import PAGE_BREAK, DocumentRecord, Hit, Page, Passage, ReadDocument


def test_text_joins_pages() -> None:
    """A document's text is its pages in order with a page break between, so that offsets can be counted in it."""
    document = ReadDocument("Handbook", (Page("p. 1", "one"), Page("p. 2", "二")))
    assert document.text == f"one{PAGE_BREAK}二"
    assert document.text[len("one") + len(PAGE_BREAK) :] == "二"
    assert ReadDocument("Empty", ()).text == ""


@pytest.mark.parametrize("kind", [Page, ReadDocument, Passage, DocumentRecord, Hit])
def test_values_do_not_change(kind: type) -> None:
    """Whoever was handed a value can rely on it: nobody changes it afterwards."""
    fields = dataclasses.fields(kind)
    value = kind(**{field.name: "" for field in fields})
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, fields[0].name, "other")


def test_hit_has_no_newer_version_unless_told() -> None:
    """A hit is of the newest version as long as nobody says otherwise."""
    assert Hit(1, 0.5, 1, "a.md", "A", "", "", 1, "text").newer == ""
