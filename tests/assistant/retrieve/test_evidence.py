"""The sentences picked as evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import cast

import pytest

from assistant.assistant import Assistant
from assistant.events import EvidenceSentence, Source
from assistant.retrieve.coverage import Coverage
from assistant.retrieve.evidence import describe, find_candidates, pick_evidence, worth_quoting
from ingest.base.settings import load_settings
from ingest.passages.embedders.embedder import Embedder
from ingest.passages.embedders.profile import EmbedderProfile, Scale
from ingest.search.indexes.snapshot import IndexSnapshot
from tests.conftest import library_of_texts

SCALE = Scale(0.0, 1.0)
NOTHING = Coverage(**{field.name: 0.0 for field in fields(Coverage)})


class EveryWord:
    """An index in which all words are equally rare, except those given."""

    def __init__(self, **weights: float) -> None:
        self.weights = weights

    def inverse_frequencies(self, terms: Sequence[str]) -> dict[str, float]:
        return {term: self.weights.get(term, 1.0) for term in terms}


@dataclass(frozen=True)
class GivenEmbedder:
    """An embedder with this weight for every question, whose cosines are already on the scale.

    `token_matches` maps a sentence to how well its tokens match; None stands for a model without token vectors.
    """

    dense_weight: float
    token_matches: Mapping[str, float] | None = None

    @property
    def profile(self) -> EmbedderProfile:
        return EmbedderProfile(SCALE, 1.0, 1.0, token_matches=None if self.token_matches is None else SCALE)

    def weight(self, _question: str) -> float:
        return self.dense_weight

    def token_similarities(self, _question: str, texts: Sequence[str]) -> list[float]:
        assert self.token_matches is not None
        return [self.token_matches[text] for text in texts]


def source(n: int, text: str, score: float = 1.0, title: str = "Guide", heading: str = "") -> Source:
    return Source(n, 10 + n, n, f"{n}.md", title, heading, "", text, score)


def pick(
    question: str, *sources: Source, cosines: Mapping[int, Sequence[float]] | None = None, dense_weight: float = 0.0,
    index: object = None, cosine: float = 0.0, token_matches: Mapping[str, float] | None = None,
) -> tuple[tuple[EvidenceSentence, ...], Coverage]:  # fmt: skip
    index = cast(IndexSnapshot, index or EveryWord())
    embedder = cast(Embedder, GivenEmbedder(dense_weight, token_matches))
    return pick_evidence(question, sources, index, embedder, cosines or {}, cosine)


def test_sentences_that_are_about_equally_good_are_quoted_in_the_order_of_reading() -> None:
    """A rule stands before what limits it; a clearly better sentence, and another source, keep their place."""

    def found(n: int, start: int, score: float) -> EvidenceSentence:
        return EvidenceSentence(n=n, text=f"{n}.{start}", start=start, end=start + 3, score=score, shown="")

    def quoted(*sentences: EvidenceSentence) -> list[str]:
        return [sentence.text for sentence in worth_quoting(sentences)]

    assert quoted(found(1, 50, 0.40), found(1, 10, 0.35), found(2, 0, 0.20)) == ["1.10", "1.50", "2.0"]
    assert quoted(found(1, 50, 0.60), found(1, 10, 0.30)) == ["1.50", "1.10"]
    assert quoted(found(1, 50, 0.40), found(2, 0, 0.39), found(1, 10, 0.05)) == ["1.50", "2.0"]
    assert quoted() == []


def test_the_sentence_that_has_the_words_comes_first() -> None:
    """Best first by shared words; each is exactly the range of its passage, and says which one."""
    first = source(1, "Desks are booked online. Annual leave is 25 days a year.")
    second = source(2, "Parking is free.\n\nUnused annual leave lapses after March.", 0.5)
    sentences, _ = pick("How many days of annual leave?", first, second)
    assert [(sentence.n, sentence.text) for sentence in sentences] == [
        (1, "Annual leave is 25 days a year."),
        (2, "Unused annual leave lapses after March."),
        (1, "Desks are booked online."),
    ]
    for sentence in sentences:
        assert (first, second)[sentence.n - 1].text[sentence.start : sentence.end] == sentence.text
    assert [sentence.score for sentence in sentences] == sorted((s.score for s in sentences), reverse=True)


def test_rare_words_decide() -> None:
    """A sentence with the one rare word beats one with two common ones."""
    passage = source(1, "Sabbaticals are granted. Parking is free. Days of leave are counted.")
    by_count, _ = pick("days leave sabbaticals", passage)
    by_weight, _ = pick("days leave sabbaticals", passage, index=EveryWord(sabbat=5.0))
    assert by_count[0].text == "Days of leave are counted."
    assert by_weight[0].text == "Sabbaticals are granted."


def test_words_of_the_heading_count() -> None:
    """A heading says what its sentences are about; a sentence that has the word itself is better."""
    under = source(1, "It is 25 days.", heading="Guide › Annual leave")
    says = source(2, "Annual leave is long.")
    off = source(3, "It is sunny.")
    sentences, coverage = pick("annual leave", off, under, says)
    assert [sentence.n for sentence in sentences] == [2, 1, 3]
    assert (coverage.sentence_cover, coverage.passage_cover) == (1.0, 1.0)


def test_words_of_the_sentence_before_count() -> None:
    """What a sentence is about often stands in the one before it."""
    passage = source(1, "Parking is free. Sabbaticals are granted. They last a quarter. Ask early.")
    sentences, _ = pick("sabbaticals granted", passage)
    assert [sentence.text for sentence in sentences[:2]] == ["Sabbaticals are granted.", "They last a quarter."]


def test_the_best_passage_raises_its_sentences() -> None:
    """Of equal sentences the one in the best passage comes first, whatever the order given."""
    sentences, _ = pick("leave", source(1, "Leave is granted."), source(2, "Leave is refused.", 2.0))
    assert [sentence.n for sentence in sentences] == [2, 1]


def test_meaning_decides_where_words_do_not() -> None:
    """Sentences without a shared word are ordered by their cosines, given in the order of the passage's sentences."""
    passage = source(1, "Desks are free. A **holiday** lasts 25 days.")
    cosines = {11: (0.1, 0.9)}
    sentences, coverage = pick("vacation", passage, cosines=cosines, dense_weight=1.0, cosine=0.7)
    assert sentences[0].text == "A **holiday** lasts 25 days."
    assert coverage == replace(NOTHING, sentence_similarity=0.9, passage_similarity=0.7, dense_weight=1.0)


def test_cosines_without_weight_do_not_count() -> None:
    """Where the embedder cannot read the question, order and coverage are those of the words alone."""
    passage = source(1, "Desks are free. A holiday lasts 25 days.")
    sentences, coverage = pick("vacation", passage, cosines={11: (0.1, 0.9)}, dense_weight=0.0)
    assert sentences[0].text == "Desks are free."
    assert (coverage.sentence_similarity, coverage.dense_weight) == (0.0, 0.0)


def test_cosines_are_put_on_the_embedder_s_scale() -> None:
    """0 is what unrelated texts have, 1 what an answer has; a sentence without a cosine is at 0."""
    scale = Scale(0.7, 0.8)
    found = find_candidates(source(1, "Desks are free. A holiday lasts 25 days. Ask early."), (0.7, 0.85), scale)
    assert [candidate.similarity for candidate in found] == pytest.approx([0.0, 1.5, 0.0])


def test_features_of_a_sentence_in_the_other_language() -> None:
    """There its similarity counts as `across` too, and its tokens are compared; within a language both are 0."""
    candidates = find_candidates(source(1, "年假有几天很重要。 Desks are free."), (0.5, 0.25), SCALE)
    matches = {"Desks are free.": 0.75}
    embedder = cast(Embedder, GivenEmbedder(0.5, matches))
    chinese, english = describe("年假有几天？", candidates, {"年假": 1.0}, embedder, 0.5)
    assert (chinese.similarity, chinese.across, chinese.token_match) == (0.25, 0.0, 0.0)
    assert (english.similarity, english.across, english.token_match) == (0.125, 0.125, 0.375)
    # Without a vote nothing of the embedder counts, and tokens are not compared.
    for unread in describe("年假有几天？", candidates, {"年假": 1.0}, cast(Embedder, GivenEmbedder(0.0, {})), 0.0):
        assert (unread.similarity, unread.across, unread.token_match) == (0.0, 0.0, 0.0)
    # A model without token vectors has no match of tokens.
    _, english = describe("年假有几天？", candidates, {"年假": 1.0}, cast(Embedder, GivenEmbedder(1.0)), 1.0)
    assert (english.across, english.token_match) == (0.25, 0.0)


def test_matching_tokens_decide_across_languages() -> None:
    """Of two sentences of equal similarity in the other language the one whose tokens match better comes first."""
    passage = source(1, "Desks are free. A holiday lasts 25 days.")
    matches = {"Desks are free.": 0.1, "A holiday lasts 25 days.": 0.9}
    sentences, coverage = pick(
        "年假有多久？", passage, cosines={11: (0.5, 0.5)}, dense_weight=1.0, token_matches=matches
    )
    assert sentences[0].text == "A holiday lasts 25 days."
    assert coverage.across == 1.0


def test_the_kind_of_answer_decides_between_sentences_with_the_same_words() -> None:
    """Asked for a number, a person or a moment, the sentence that has one comes first, in either language."""
    for question, text, right in (
        (
            "How many desks has the office?",
            "The office has desks. The office has 40 desks.",
            "The office has 40 desks.",
        ),
        ("Who runs the office?", "The office runs well. The office runs under Fiona Reid.", "Fiona Reid"),
        ("食堂什么时候开门？", "食堂每天开门迎客。食堂早上8点开门。", "8点"),
    ):
        sentences, _ = pick(question, source(1, text))
        assert right in sentences[0].text


def test_chinese_sentences_are_found_by_their_characters() -> None:
    """Chinese has no spaces; pairs of characters tell the right sentence, cut at its own full stop."""
    text = "出差须提前申请。员工每年享有25天年假。未休年假可结转。年会在十二月。"
    sentences, coverage = pick("每年有多少天年假？", source(1, text))
    assert sentences[0].text == "员工每年享有25天年假。"
    assert text[sentences[0].start : sentences[0].end] == sentences[0].text
    assert coverage.sentence_cover > 0.5


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        ("**Can leave be carried over?**", "Yes, into March.", "Something else."),
        ("年假可以结转吗？", "可以，最晚到三月。", "其他事项。"),
        ("__Who approves leave?__ ", "The manager.", "Something else."),
    ],
)
def test_a_question_in_the_document_is_no_answer_but_what_follows_is(question: str, answer: str, other: str) -> None:
    """A question line of a list of questions is left out and its words count for the next sentence, and no further."""
    passage = source(1, f"{question}\n{answer}\n{other}")
    sentences, coverage = pick(question, passage)
    assert [sentence.text for sentence in sentences] == [answer, other]
    assert coverage.sentence_cover == 1.0
    assert sentences[0].score > sentences[1].score


def test_table_rows_are_read_with_their_column_headings() -> None:
    """A row is one candidate, with headings when shown and without in its exact text; header and rule are none."""
    table = "| City | Limit |\n|---|:--|\n| Berlin | up to 150 euros. Ask first! |\n| Cork | 120 euros |"
    sentences, _ = pick("limit in Berlin", source(1, f"Hotels:\n\n{table}\n\nThat is all."))
    assert sentences[0].text == "| Berlin | up to 150 euros. Ask first! |"
    assert sentences[0].shown == "City: Berlin; Limit: up to 150 euros. Ask first!"
    assert [sentence.shown for sentence in sentences[1:]] == ["City: Cork; Limit: 120 euros", "Hotels:"]


def test_words_of_a_column_heading_count_for_the_cells_below() -> None:
    """A question that names the column and the row finds the row."""
    table = "| Years of service | Days of leave |\n|---|---|\n| up to 5 | 25 |\n| over 5 | 28 |"
    sentences, coverage = pick("leave over 5 years of service", source(1, table))
    assert sentences[0].shown == "Years of service: over 5; Days of leave: 28"
    assert coverage.sentence_cover > 0.5


def test_copies_are_dropped() -> None:
    """The same sentence in a second document or in other marks is shown once, and at most three are shown."""
    sentences, _ = pick(
        "annual leave",
        source(1, "Annual leave is 25 days. Leave is good. Leave is better. Leave is best."),
        source(2, "**Annual leave** is 25 days!", 0.9),
    )
    assert [sentence.text for sentence in sentences] == [
        "Annual leave is 25 days.",
        "Leave is good.",
        "Leave is better.",
    ]


def test_nothing_found_covers_nothing() -> None:
    """No source, or none with a word of the question, covers nothing; a question without words likewise."""
    assert pick("leave") == ((), NOTHING)
    assert pick("leave", source(1, "Parking.", 0.0))[1].passage_cover == 0.0
    assert pick("?!", source(1, "Parking."))[1] == NOTHING


def test_only_sentences_nearly_as_good_as_the_best_are_quoted() -> None:
    """Order stays; what scores much less than the best is evidence but no answer."""
    sentences, _ = pick("annual leave", source(1, "Annual leave. Parking is free. Annual leave starts in May."))
    assert [sentence.text for sentence in worth_quoting(sentences)] == ["Annual leave.", "Annual leave starts in May."]
    assert worth_quoting(()) == ()


LIBRARY = {
    "leave.md": "# Leave policy\n\n## Annual leave\n\nEvery employee has 25 days of annual leave a year.\n\n"
    "## Sick leave\n\nTell your manager on the first day. A doctor's note is needed from the fourth day.\n",
    "travel.md": "# Travel guide\n\nBook trains two weeks ahead.\n\n| City | Hotel limit |\n|---|---|\n"
    "| Berlin | 150 euros |\n| Cork | 120 euros |\n",
    "休假制度.md": "# 休假制度\n\n## 年休假\n\n员工每年享有二十五天年休假。未休年休假须在次年三月三十一日前使用。\n",
    "helpdesk.md": "# Helpdesk\n\n## Passwords\n\nHow do I reset my password?\n\nOpen the portal and choose Reset.\n",
}


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path) -> Iterator[Assistant]:
    """An assistant over `LIBRARY`, which is ingested once."""
    home = library_of_texts(tmp_path_factory, "evidence", embedders_folder, LIBRARY)
    assistant = Assistant(load_settings(home=home, engine="extractive"))
    yield assistant
    assistant.close()


@pytest.mark.parametrize(
    ("question", "path", "shown"),
    [
        ("How many days off do employees get each year?", "leave.md", "25 days of annual leave"),
        ("When do I need a doctor's note?", "leave.md", "from the fourth day"),
        ("What may a hotel in Berlin cost?", "travel.md", "City: Berlin; Hotel limit: 150 euros"),
        ("How do I reset my password?", "helpdesk.md", "Open the portal and choose Reset."),
        ("年休假有多少天？", "休假制度.md", "二十五天年休假"),
    ],
)
def test_real_questions_find_their_sentence_and_are_answerable(
    assistant: Assistant, question: str, path: str, shown: str
) -> None:
    """With the bundled embedder and a real library the first sentence answers, exactly as it stands in its passage,
    and the question has a higher answerability than those about something the library does not hold."""
    evidence = assistant.evidence_for(question)
    off_topic = assistant.evidence_for("Who won the football world cup in 1998?")
    chinese_off_topic = assistant.evidence_for("火星上有没有海洋？")
    by_number = {source.n: source for source in evidence.sources}
    assert shown in evidence.sentences[0].shown
    assert by_number[evidence.sentences[0].n].path == path
    for sentence in evidence.sentences:
        assert by_number[sentence.n].text[sentence.start : sentence.end] == sentence.text
    assert not evidence.abstained
    assert off_topic.abstained
    assert chinese_off_topic.abstained
    assert evidence.confidence > max(off_topic.confidence, chinese_off_topic.confidence)
