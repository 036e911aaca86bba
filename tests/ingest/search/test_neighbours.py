"""Neighbours of passages: the right passages, and a joined text that reads as the document does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.base.types import Page, ReadDocument
from ingest.passages.split import split
from ingest.search.neighbours import join, neighbours
from ingest.store.catalog import Catalog
from tests.conftest import put_document, toy_vectors

TABLE = "| City | Limit |\n| --- | --- |\n" + "\n".join(f"| City {n} | {100 + n} euros |" for n in range(8))
SENTENCES = " ".join(f"Rule {n} says that form {n} is needed." for n in range(12))
TEXT = f"# Guide\n\n## Hotels\n\n{SENTENCES}\n\n{TABLE}\n\n- keep the bill\n- hand it in\n\n## Trains\n\nBook early."


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Two documents, each cut into passages of about thirty words."""
    catalog = Catalog(tmp_path / "catalog.db", create=True)
    for name, pages in (
        ("a.md", (Page("p. 1", TEXT),)),
        ("b.md", (Page("p. 1", "One day."), Page("p. 2", "Two days."))),
    ):
        document = ReadDocument("Guide", pages)
        passages = split(document, lambda text: len(text.split()), 30)
        vectors = toy_vectors([passage.text for passage in passages])
        put_document(catalog, tmp_path / name, tmp_path, document, name, passages, vectors)
    yield catalog
    catalog.close()


def test_those_of_the_section_within_reach(catalog: Catalog) -> None:
    """Only passages of the same document under the same heading, in order, and each once."""
    ids = catalog.passage_ids().tolist()
    every = neighbours(catalog, ids, 0)
    assert [neighbour.passage_id for neighbour in every] == ids
    hotels = [neighbour.passage_id for neighbour in every if neighbour.heading.endswith("Hotels")]
    assert len(hotels) > 4
    assert [neighbour.passage_id for neighbour in neighbours(catalog, hotels[:1], 2)] == hotels[:3]
    assert [neighbour.passage_id for neighbour in neighbours(catalog, [hotels[2], hotels[3]], 1)] == hotels[1:5]
    trains = next(neighbour.passage_id for neighbour in every if neighbour.heading.endswith("Trains"))
    assert [neighbour.passage_id for neighbour in neighbours(catalog, [trains], 9)] == [trains]
    assert neighbours(catalog, [], 2) == []
    assert neighbours(catalog, [max(ids) + 1], 2) == []


def test_joined_they_read_as_the_document_does(catalog: Catalog) -> None:
    """Word for word, rows under one header, items on their own lines; each passage is at its offsets."""
    every = neighbours(catalog, catalog.passage_ids().tolist(), 0)
    hotels = [neighbour for neighbour in every if neighbour.heading.endswith("Hotels")]
    text, joined = join(hotels)
    start = TEXT.index(SENTENCES)
    assert text.split() == TEXT[start : TEXT.index("## Trains")].split()
    assert text.count("| City | Limit |") == 1
    assert TABLE in text
    assert "\n- keep the bill\n- hand it in" in text
    assert any(part.lead for part in joined)
    for part in joined:
        assert part.lead + text[part.start : part.end] == part.passage.text


def test_the_first_keeps_its_header(catalog: Catalog) -> None:
    """A table's later rows need their column names when nothing stands before them."""
    every = neighbours(catalog, catalog.passage_ids().tolist(), 0)
    rows = [neighbour for neighbour in every if len(neighbour.text) > neighbour.end - neighbour.start]
    text, joined = join(rows[:1])
    assert text == rows[0].text
    assert (joined[0].start, joined[0].end, joined[0].lead) == (0, len(text), "")


def test_pages_stay_apart(catalog: Catalog) -> None:
    """What stood on two pages is two paragraphs."""
    every = neighbours(catalog, catalog.passage_ids().tolist(), 0)
    pages = [neighbour for neighbour in every if neighbour.text.endswith("days.")]
    first = next(neighbour for neighbour in neighbours(catalog, [pages[0].passage_id], 1) if neighbour.page == "p. 1")
    assert join([first, pages[0]])[0] == "One day.\n\nTwo days."
