"""Hybrid search: candidates and the parts of their scores, and the two factors that change their order."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ingest.base.settings import Settings
from ingest.library import Library
from ingest.passages.multi_vector import unpack_multi_vectors
from ingest.search.fuse import FUSION
from ingest.search.hybrid import Preference, propose
from ingest.sync import ingest


def written(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_what_either_leg_finds_is_scored_by_both(settings: Settings, tmp_path: Path) -> None:
    """Cosines of passage, best sentence and surroundings are those of the stored vectors; no passage is left out."""
    texts = {
        "a.md": "Annual leave is 25 days. Parking is free.",
        "b.md": "Holidays are granted by the manager.",
        "c.md": "年假有二十五天。",
    }
    ingest([written(tmp_path / "office", texts)], settings)
    library = Library(settings.home)
    try:
        catalog, embedder = library.catalog, library.embedder
        candidates = propose("How long is annual leave?", embedder, library.index, catalog, 10)
        rows = catalog.passages([passage_id for passage_id, _ in candidates.ranked])
        assert [Path(rows[passage_id]["path"]).name for passage_id, _ in candidates.ranked][:2] == ["a.md", "b.md"]
        assert len(rows) == 3
        query = embedder.embed_query("How long is annual leave?")
        for passage_id, parts in candidates.ranked:
            (packed,) = catalog.rows("SELECT views FROM passages WHERE id = ?", (passage_id,))[0]
            others = unpack_multi_vectors(packed, len(query)) @ query
            whole = float(np.frombuffer(rows[passage_id]["vector"], "<f4") @ query)
            assert parts.cosines.passage == pytest.approx(whole, abs=2e-3)
            if len(others):
                assert parts.cosines.surroundings == pytest.approx(float(others[0]), abs=1e-6)
                assert parts.cosines.best_sentence == pytest.approx(float(others[1:].max()), abs=1e-6)
                assert candidates.sentence_cosines[passage_id] == pytest.approx(others[1:].tolist())
            else:
                assert parts.cosines.best_sentence == parts.cosines.surroundings == parts.cosines.passage
                assert candidates.sentence_cosines[passage_id] == ()
        unread = propose("年假有几天？", embedder, library.index, catalog, 10)
        assert [Path(rows[passage_id]["path"]).name for passage_id, _ in unread.ranked] == ["c.md"]
        assert unread.sentence_cosines == {}
    finally:
        library.close()


def test_an_answer_of_yes_or_no_is_for_such_a_question(settings: Settings, tmp_path: Path) -> None:
    """A passage that opens with 'Yes' has a factor when that is asked, unless its heading is a question itself."""
    texts = {
        "a.md": "Dogs in the office are seen by visitors, and dogs in the office are loud.",
        "b.md": "Yes, dogs are welcome in the office.",
        "c.md": "# Cats\n\n## Are cats allowed?\n\nYes, as are dogs in the office.",
    }
    ingest([written(tmp_path / "faq", texts)], settings)
    library = Library(settings.home)
    try:
        plain = {scored.hit.path: scored.parts for scored in library.search_scored("dogs in the office")}
        asked = {scored.hit.path: scored.parts for scored in library.search_scored("Are dogs allowed in the office?")}
    finally:
        library.close()
    for name, factor in (("a.md", 1.0), ("b.md", FUSION.yes_or_no), ("c.md", 1.0)):
        for parts, expected in ((plain[name], 1.0), (asked[name], factor)):
            assert parts.score == pytest.approx(expected * (parts.cosines.mean + 0.25 * parts.lexical))


def test_few_hits_are_the_first_of_many(settings: Settings, tmp_path: Path) -> None:
    """However few are asked for, a passage that a factor lifts from a low rank is among them."""
    texts = {f"{number:02}.md": f"The office has dogs in it, says note {number}." for number in range(20)}
    ingest([written(tmp_path / "notes", {**texts, "yes.md": "Yes, pets such as dogs may come along."})], settings)
    library = Library(settings.home)
    try:
        question = "Are dogs in the office?"
        every = [hit.passage_id for hit in library.search(question, 30)]
        for count in (1, 2, 3, 5):
            assert [hit.passage_id for hit in library.search(question, count)] == every[:count]
    finally:
        library.close()


@pytest.mark.parametrize(
    ("question", "newer", "text", "heading", "factor"),
    [
        ("How many days?", "", "Yes, 25.", "", 1.0),
        ("How many days?", "leave-2026.md", "25.", "", FUSION.older_version),
        ("How many days in 2024?", "leave-2026.md", "25.", "", 1.0),
        ("Are there 25 days?", "", "Yes, 25.", "Leave", FUSION.yes_or_no),
        ("Are there 25 days?", "", "Yes, 25.", "Is there leave?", 1.0),
        ("Are there 25 days?", "leave-2026.md", "Yes, 25.", "", FUSION.older_version * FUSION.yes_or_no),
        ("可以结转吗？", "", "可以，最多五天。", "", FUSION.yes_or_no),
    ],
)  # fmt: skip
def test_preference(question: str, newer: str, text: str, heading: str, factor: float) -> None:
    """An older version has a factor unless it is asked for, and so has a yes or no; no product is above `highest`."""
    preference = Preference(question)
    row = {"text": text, "heading": heading}
    factors = preference.factors(row, "leave-2024.md", newer)  # type: ignore[arg-type]
    assert math.prod(factors.values()) == pytest.approx(factor)
    assert preference.highest >= factor
