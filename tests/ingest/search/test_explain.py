"""Explanations of a search: parts that add up, ranks, words as they were asked, steps by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.base.settings import load_settings
from ingest.library import Library
from ingest.passages.embedders.library_embedder import EMBEDDERS_FOLDER
from ingest.search.fuse import FUSION
from ingest.sync import ingest
from tests.conftest import OFFICE, copy_library

FAQ = "# Parking\n\nYes, visitors can park behind the building. The barrier opens at seven.\n"


@pytest.fixture(scope="module")
def library(
    tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path, office_library: Path
) -> Iterator[Library]:
    """The small office and a page of questions and answers, ingested once for all tests here, which only read."""
    folder = tmp_path_factory.mktemp("explain")
    office, home = folder / "office", folder / "library"
    home.mkdir()
    (home / EMBEDDERS_FOLDER).symlink_to(embedders_folder)
    copy_library(office_library, office, home)
    (office / "faq.md").write_text(FAQ, "utf-8")
    assert ingest([office], load_settings(home=home, engine="extractive")).added == 1
    library = Library(home)
    yield library
    library.close()


@pytest.mark.parametrize(
    "question",
    ["How many days of annual leave do full-time staff get?", "差旅费用几天内报销？", "Error E-07 of the VPN"],
)
def test_the_parts_add_up_to_the_score_that_the_search_gave(library: Library, question: str) -> None:
    """Legs, weights and steps give the score, words give their leg, and the hits are those of the search."""
    explanation = library.explain(question, 5)
    scale = library.embedder.profile.cosines
    assert [hit.hit for hit in explanation.hits] == library.search(question, 5)
    assert sum(word.share for word in explanation.words) == pytest.approx(1)
    assert (explanation.lexical_weight, explanation.lexical_power) == (FUSION.lexical, FUSION.lexical_power)
    for hit in explanation.hits:
        words = explanation.lexical_weight * hit.lexical**explanation.lexical_power
        added = explanation.dense_weight * hit.similarity + words + sum(hit.steps.values())
        assert hit.fused == pytest.approx(added, abs=1e-5)
        assert hit.hit.score == pytest.approx(hit.fused, abs=1e-6)
        assert sum(hit.words.values()) == pytest.approx(hit.lexical, abs=1e-5)
        mean = (hit.passage_cosine.value + hit.best_sentence_cosine.value) / 2
        assert hit.similarity == pytest.approx(scale.standardised(mean))
        assert set(hit.words) <= {word.term for word in explanation.words if word.known}


def test_ranks_and_leads_say_what_brought_a_passage_up(library: Library) -> None:
    """The passage that has the words and the meaning is first in both legs, ahead of the candidate in the middle."""
    first = library.explain("Error E-07: certificate expired", 5).hits[0]
    ranks = first.lexical_rank, first.passage_cosine.rank, first.best_sentence_cosine.rank
    assert (first.hit.path, ranks) == ("it/vpn.txt", (1, 1, 1))
    assert first.nearest_sentence == "Error E-07 means that the certificate has expired."
    assert first.dense_lead > 0
    assert first.lexical_lead > 0
    assert {"e07", "certif"} <= set(first.words)


def test_words_are_shown_as_they_were_asked(library: Library) -> None:
    """A stem is shown as its word, a code as itself, and a word that no passage has is marked as unknown."""
    words = {word.term: word for word in library.explain("Which certificate has expired, wombat?").words}
    assert (words["certif"].shown, words["certif"].known) == ("certificate", True)
    assert (words["wombat"].shown, words["wombat"].known) == ("wombat", False)
    assert words["wombat"].share == max(word.share for word in words.values())


def test_an_embedder_that_cannot_read_the_question_has_no_vote(library: Library) -> None:
    """The dense weight is 0, and only words lead."""
    explanation = library.explain("差旅费用 𒉺 𒋼 𒋛 𒀭 𒂍", 3)
    assert explanation.unknown_share > explanation.unreadable_share
    assert (explanation.dense_weight, explanation.language_weight) == (0, 1)
    best = explanation.hits[0]
    assert (best.hit.path, best.dense_lead, best.nearest_sentence) == ("finance/差旅.md", 0.0, "")
    assert "差旅" in best.words
    # The only passage with any of the words leads over none.
    assert (explanation.candidates, best.lexical_lead) == (1, FUSION.lexical_part(best.lexical))


def test_steps_are_named(library: Library) -> None:
    """An older version steps back unless it was asked for; an opening yes counts where yes or no was asked."""
    leave = {hit.hit.path: hit.steps for hit in library.explain("annual leave of full-time staff").hits}
    assert leave["hr/leave-policy-2024.md"] == {"older_version": FUSION.older_version}
    assert leave["hr/leave-policy-2026.md"] == {}
    named = {hit.hit.path: hit.steps for hit in library.explain("annual leave in 2024").hits}
    assert named["hr/leave-policy-2024.md"] == {}
    polar = {hit.hit.path: hit.steps for hit in library.explain("Can visitors park here?").hits}
    assert polar["faq.md"] == {"yes_or_no": FUSION.yes_or_no}


def test_nothing_found_is_explained_too(library: Library) -> None:
    """No hit, and every word unknown."""
    explanation = library.explain("𒉺𒋼𒋛 𒀭𒈹")
    assert (explanation.hits, explanation.candidates, explanation.dense_weight) == ((), 0, 0)
    assert explanation.words
    assert not any(word.known for word in explanation.words)


def test_there_are_no_more_hits_than_asked_for(library: Library) -> None:
    """And the best ones are kept."""
    assert [hit.hit.rank for hit in library.explain("leave", 2).hits] == [1, 2]
    assert len(OFFICE) > 2
