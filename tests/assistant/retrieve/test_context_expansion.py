"""Context expansion: adjacent passages become one source with their neighbours, and offsets stay right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from assistant.events import EvidenceSentence, Source
from assistant.retrieve.context_expansion import REACH, expand_context, relocated
from ingest.base.types import Page, Passage, ReadDocument
from ingest.store.catalog import Catalog
from tests.conftest import put_document, toy_vectors

ROWS = "| City | Limit |\n| --- | --- |\n"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """One document of ten passages: eight under A, the last two of them rows of a table, then two under B."""
    catalog = Catalog(tmp_path / "catalog.db", create=True)
    passages: list[Passage] = []
    place = 0
    for number in range(10):
        own = f"Sentence {number} of it." if number not in (6, 7) else f"| City {number} | {number}00 euros |"
        text = f"{ROWS}{own}" if number in (6, 7) else own
        heading = "A" if number < 8 else "B"
        length = len(text) if number != 7 else len(own)
        passages.append(Passage(number, text, heading, f"p. {number // 4 + 1}", place, place + length))
        place += length + 1
    document = ReadDocument("T", (Page("", "x" * place),))
    vectors = toy_vectors([one.text for one in passages])
    put_document(catalog, tmp_path / "a.md", tmp_path, document, "a", passages, vectors)
    yield catalog
    catalog.close()


def found(catalog: Catalog, *ordinals: int) -> list[Source]:
    """The passages of these numbers as the search gives them, best first."""
    rows = {row["ordinal"]: row for row in catalog.passages(catalog.passage_ids().tolist()).values()}
    return [
        Source(
            n, rows[one]["id"], rows[one]["document_id"], "a.md", "T", rows[one]["heading"], rows[one]["page"],
            rows[one]["text"], 1.0 / n,
        )
        for n, one in enumerate(ordinals, 1)
    ]  # fmt: skip


def ordinals(catalog: Catalog, sources: Sequence[Source]) -> list[tuple[list[int], list[int]]]:
    """For each source the numbers of its passages, and of those that were found."""
    rows = catalog.passages(catalog.passage_ids().tolist())
    return [
        (
            [rows[part.passage_id]["ordinal"] for part in source.passages],
            [rows[part.passage_id]["ordinal"] for part in source.passages if part.found],
        )
        for source in sources
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((3,), [([1, 2, 3, 4, 5], [3])]),
        ((3, 2), [([0, 1, 2, 3, 4, 5], [2, 3])]),
        ((3, 5, 4), [([1, 2, 3, 4, 5, 6, 7], [3, 4, 5])]),
        ((0, 4), [([0, 1, 2], [0]), ([3, 4, 5, 6], [4])]),
        ((2, 5), [([0, 1, 2, 3, 4], [2]), ([5, 6, 7], [5])]),
        ((7, 8), [([5, 6, 7], [7]), ([8, 9], [8])]),
    ],
)  # fmt: skip
def test_neighbours_become_one_and_sections_come_along(
    catalog: Catalog, wanted: tuple[int, ...], expected: list[tuple[list[int], list[int]]]
) -> None:
    """Runs under one heading are one source; the best takes what is around it first; no passage is in two."""
    assert REACH == 2
    sources = expand_context(found(catalog, *wanted), catalog)
    assert ordinals(catalog, sources) == expected
    assert [source.n for source in sources] == list(range(1, len(sources) + 1))


def test_a_source_is_its_best_passage_s(catalog: Catalog) -> None:
    """Its id, page and score are those of the best; each part keeps its own page and reads as its passage."""
    (source,) = expand_context(found(catalog, 4, 3), catalog)
    best = found(catalog, 4)[0]
    assert (source.passage_id, source.page, source.score) == (best.passage_id, "p. 2", best.score)
    assert [part.page for part in source.passages] == ["p. 1", "p. 1", "p. 1", "p. 2", "p. 2", "p. 2"]
    assert source.excerpt(*source.found()) == "Sentence 3 of it.\n\nSentence 4 of it."
    texts = {row["id"]: row["text"] for row in catalog.passages(catalog.passage_ids().tolist()).values()}
    for place, part in enumerate(source.passages):
        assert source.excerpt(place, place) == texts[part.passage_id]
        assert source.passage_at(part.start) == source.passage_at(part.end - 1) == part


def test_rows_that_were_found_keep_their_header(catalog: Catalog) -> None:
    """Between its rows a header stands once; what was found can still be read without the rows before."""
    (source,) = expand_context(found(catalog, 7), catalog)
    assert source.text.endswith(f"{ROWS}| City 6 | 600 euros |\n| City 7 | 700 euros |")
    assert source.excerpt(*source.found()) == f"{ROWS}| City 7 | 700 euros |"


def test_sentences_are_where_they_are_said_to_be(catalog: Catalog) -> None:
    """After expansion `text == source.text[start:end]`, inside the part of the sentence's passage."""
    passages = found(catalog, 4, 7, 3, 9)
    sentences = [
        EvidenceSentence(source.n, own, source.text.index(own), len(source.text), 1.0, own)
        for source in passages
        for own in [source.text.removeprefix(ROWS)]
    ]
    sources = expand_context(passages, catalog)
    moved = relocated(sentences, passages, sources)
    assert [sentence.n for sentence in moved] == [1, 2, 1, 3]
    for before, after in zip(sentences, moved, strict=True):
        source = sources[after.n - 1]
        assert source.text[after.start : after.end] == after.text == before.text
        assert source.passage_at(after.start).passage_id == passages[before.n - 1].passage_id


def test_a_passage_that_has_left_stands_alone(catalog: Catalog) -> None:
    """It was found a moment ago, so it is shown as it was."""
    passages = found(catalog, 3, 8)
    gone = [Source(1, 999, 9, "gone.md", "T", "A", "", "Gone.", 2.0), *passages[1:]]
    sources = expand_context(gone, catalog)
    assert [(source.n, source.text, len(source.passages)) for source in sources] == [
        (1, "Gone.", 1), (2, "Sentence 8 of it. Sentence 9 of it.", 2),
    ]  # fmt: skip
    sentence = EvidenceSentence(1, "Gone.", 0, 5, 1.0, "Gone.")
    assert relocated([sentence], gone, sources) == (sentence,)
