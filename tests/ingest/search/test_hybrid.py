"""Hybrid search: candidates and the parts of their scores, and the two steps that change their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.base.settings import Settings
from ingest.library import Library
from ingest.passages.multi_vector import unpack_multi_vectors
from ingest.search.fuse import FUSION, NOT_COMPARED
from ingest.search.hybrid import Preference, propose
from ingest.sync import ingest


def written(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def test_what_either_leg_finds_is_scored_by_both(settings: Settings, tmp_path: Path) -> None:
    """Cosines of passage and best sentence are those of the stored vectors, and no passage is left out."""
    texts = {
        "a.md": "Annual leave is 25 days. Parking is free.",
        "b.md": "Holidays are granted by the manager.",
        "c.md": "年假有二十五天。",
        "d.md": "The pump is greased with lithium soap, says the maker of the pump.",
    }
    ingest([written(tmp_path / "office", texts)], settings)
    library = Library(settings.home)
    try:
        catalog, embedder = library.catalog, library.embedder
        candidates = propose("How long is annual leave?", embedder, library.index, catalog, 10)
        assert candidates.dense_weight == 1
        found = dict(candidates.ranked)
        rows = catalog.passages([row["id"] for row in catalog.rows("SELECT id FROM passages")])
        names = {passage_id: Path(row["path"]).name for passage_id, row in rows.items()}
        assert next(names[passage_id] for passage_id in found) == "a.md"
        assert {names[passage_id] for passage_id in found} == set(texts)
        query = embedder.embed_query("How long is annual leave?")
        for passage_id, row in rows.items():
            (packed,) = catalog.rows("SELECT views FROM passages WHERE id = ?", (passage_id,))[0]
            sentences = unpack_multi_vectors(packed, len(query)) @ query
            whole = float(np.frombuffer(row["vector"], "<f4") @ query)
            best = float(sentences.max()) if len(sentences) else whole
            parts = found[passage_id]
            assert parts.cosines.passage == pytest.approx(whole, abs=2e-3)
            assert parts.cosines.best_sentence == pytest.approx(best, abs=2e-3)
            assert parts.similarity == pytest.approx(embedder.profile.cosines.standardised(parts.cosines.mean))
            assert candidates.sentence_cosines[passage_id] == pytest.approx(sentences.tolist())
    finally:
        library.close()


def test_a_question_that_the_embedder_cannot_read_is_compared_by_words(settings: Settings, tmp_path: Path) -> None:
    """Then no vector is compared, and only the passages that share a word are candidates."""
    ingest([written(tmp_path / "office", {"a.md": "Annual leave is 25 days.", "c.md": "年假有二十五天。"})], settings)
    library = Library(settings.home)
    try:
        unread = propose("年假 𒉺 𒋼 𒋛 𒀭 𒂍", library.embedder, library.index, library.catalog, 10)
        rows = library.catalog.passages([passage_id for passage_id, _ in unread.ranked])
        assert [Path(rows[passage_id]["path"]).name for passage_id, _ in unread.ranked] == ["c.md"]
        assert (unread.dense_weight, unread.sentence_cosines) == (0, {})
        [(_, parts)] = unread.ranked
        assert (parts.cosines, parts.similarity) == (NOT_COMPARED, 0)
        assert parts.score == FUSION.lexical_part(parts.lexical) > 0
    finally:
        library.close()


def test_an_answer_of_yes_or_no_is_for_such_a_question(settings: Settings, tmp_path: Path) -> None:
    """A passage that opens with 'Yes' gets a step when that is asked, unless its heading is a question itself."""
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
    for name, step in (("a.md", 0.0), ("b.md", FUSION.yes_or_no), ("c.md", 0.0)):
        for parts, expected in ((plain[name], 0.0), (asked[name], step)):
            legs = parts.similarity + FUSION.lexical_part(parts.lexical)
            assert parts.score == pytest.approx(legs + expected)


def test_few_hits_are_the_first_of_many(settings: Settings, tmp_path: Path) -> None:
    """However few are asked for, a passage that a step lifts from a low rank is among them."""
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
    ("question", "newer", "text", "heading", "step"),
    [
        ("How many days?", "", "Yes, 25.", "", 0.0),
        ("How many days?", "leave-2026.md", "25.", "", FUSION.older_version),
        ("How many days in 2024?", "leave-2026.md", "25.", "", 0.0),
        ("How many days in 2026?", "leave-2026.md", "25.", "", FUSION.older_version),
        ("How many days in 2026?", "", "25.", "", FUSION.older_version),
        ("Are there 25 days?", "", "Yes, 25.", "Leave", FUSION.yes_or_no),
        ("Are there 25 days?", "", "Yes, 25.", "Is there leave?", 0.0),
        ("Are there 25 days?", "leave-2026.md", "Yes, 25.", "", FUSION.older_version + FUSION.yes_or_no),
        ("可以结转吗？", "", "可以，最多五天。", "", FUSION.yes_or_no),
    ],
)  # fmt: skip
def test_preference(question: str, newer: str, text: str, heading: str, step: float) -> None:
    """An older version gets a step unless it is asked for, and any version when another year is; so does a yes or no.

    No sum is above `highest`.
    """
    preference = Preference(question)
    row = {"text": text, "heading": heading}
    steps = preference.steps(row, "leave-2024.md", newer)  # type: ignore[arg-type]
    assert sum(steps.values()) == pytest.approx(step)
    assert preference.highest >= step


def test_a_year_in_the_question_chooses_the_version(settings: Settings, tmp_path: Path) -> None:
    """The newest version is first, unless the question names the year of another: then that one is."""
    texts = {
        "leave-policy-2024.md": "# Leave policy\n\nFull-time staff get 22 days of annual leave.",
        "leave-policy-2026.md": "# Leave policy\n\nFull-time staff get 25 days of annual leave.",
    }
    ingest([written(tmp_path / "office", texts)], settings)
    library = Library(settings.home)
    try:
        for question, first, behind in (
            ("How many days of annual leave do staff get?", "leave-policy-2026.md", "leave-policy-2024.md"),
            ("How many days of annual leave do staff get in 2024?", "leave-policy-2024.md", "leave-policy-2026.md"),
            ("2024年的年假有几天？", "leave-policy-2024.md", "leave-policy-2026.md"),
        ):
            hits = library.search_scored(question)
            assert [(scored.hit.path, scored.parts.steps) for scored in hits] == [
                (first, {}),
                (behind, {"older_version": FUSION.older_version}),
            ]
    finally:
        library.close()


def test_steps_have_a_direction() -> None:
    """An older version is put back, a yes or no that was asked for is put forward."""
    assert FUSION.older_version < 0 < FUSION.yes_or_no
