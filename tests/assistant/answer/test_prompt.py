"""The prompt: what comes in which order, what is left out when there is no room, and that the count is right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from assistant.answer import chatml
from assistant.answer.prompt import SYSTEM, PastTurn, Prompt, build_prompt
from assistant.events import Source, SourcePassage

QUESTION = "How many days of annual leave do employees get?"


@pytest.fixture
def tokenizer(tiny_checkpoint: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_checkpoint / "tokenizer.json"))


class Counter:
    """Counts as an engine with this tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.opening_tokens = chatml.opening_tokens(tokenizer)
        self._tokenizer = tokenizer

    def count_tokens(self, text: str) -> int:
        return chatml.count_plain(text, self._tokenizer)


@pytest.fixture
def counter(tokenizer: Tokenizer) -> Counter:
    return Counter(tokenizer)


def source(n: int, text: str, title: str = "Leave policy", heading: str = "Annual leave", page: str = "p. 3") -> Source:
    return Source(n, 10 + n, n, f"/documents/{n}.md", title, heading, page, text, 1.0 / n)


SOURCES = [
    source(1, "Every employee has 25 days of annual leave. They may be taken in halves. Ask your manager first."),
    source(2, "Unused days may be carried over until 31 March. " * 12, heading="", page=""),
    source(3, "Part-time staff have days in proportion.", title="Part time"),
]


def roles(prompt: Prompt) -> list[str]:
    return [message.role.value for message in prompt.messages]


def test_the_instruction_comes_first_and_the_question_last(counter: Counter) -> None:
    """System first and unchanged, passages numbered with title, heading and page, the question at the very end."""
    prompt = build_prompt(QUESTION, SOURCES, [], counter, 4000)
    assert roles(prompt) == ["system", "user"]
    assert prompt.messages[0].content == SYSTEM
    content = prompt.messages[-1].content or ""
    assert content == prompt.user_content
    assert content.startswith("Passages:\n\n[1] Leave policy › Annual leave (p. 3)\nEvery employee has 25 days")
    assert "\n\n[2] Leave policy\nUnused days" in content
    assert "\n\n[3] Part time › Annual leave (p. 3)\nPart-time" in content
    assert content.endswith(f"\n\nQuestion: {QUESTION}")
    assert prompt.sources_used == tuple(SOURCES)
    assert (prompt.dropped_sources, prompt.dropped_turns, prompt.shortened) == ((), 0, False)


def test_a_chinese_question_is_framed_in_chinese(counter: Counter) -> None:
    """Labels are in the language of the question, so that a small model answers in it."""
    content = build_prompt("年假有多少天？", SOURCES[:1], [], counter, 4000).user_content
    assert content.startswith("资料：\n\n[1] ")
    assert content.endswith("\n\n问题：年假有多少天？")


def test_the_count_is_what_the_model_will_read(counter: Counter, tokenizer: Tokenizer) -> None:
    """`tokens` equals the length of the encoded prompt, markers included, with and without history."""
    for history in ([], [PastTurn("Passages:\n\n[1] x\n\nQuestion: y?", "z [1]")]):
        prompt = build_prompt(QUESTION, SOURCES, history, counter, 4000)
        assert prompt.tokens == len(chatml.encode(prompt.messages, tokenizer))


def test_the_transcript_only_grows(counter: Counter, tokenizer: Tokenizer) -> None:
    """The next prompt begins with this turn's prompt and answer, token for token, so an engine can reuse them."""
    first = build_prompt(QUESTION, SOURCES[:1], [], counter, 4000)
    history = [PastTurn(first.user_content, "25 days. [1]")]
    second = build_prompt("And part-time staff?", SOURCES[2:], history, counter, 4000)
    assert roles(second) == ["system", "user", "assistant", "user"]
    assert second.messages[1].content == first.user_content
    earlier, later = chatml.encode(first.messages, tokenizer), chatml.encode(second.messages, tokenizer)
    assert later[: len(earlier)] == earlier


def test_a_passage_that_does_not_fit_is_reported_and_the_next_is_tried(counter: Counter) -> None:
    """Over budget: the best passage stays, a long one is left out and reported, a short one after it still fits."""
    whole = build_prompt(QUESTION, [SOURCES[0], SOURCES[2]], [], counter, 4000).tokens
    prompt = build_prompt(QUESTION, SOURCES, [], counter, whole)
    assert prompt.sources_used == (SOURCES[0], SOURCES[2])
    assert prompt.dropped_sources == (SOURCES[1],)
    assert "[2]" not in prompt.user_content
    assert prompt.tokens == whole


def test_the_oldest_turns_go_first(counter: Counter) -> None:
    """History is cut from its beginning, never from its end, and the newest passages are never dropped for it."""
    history = [PastTurn(f"Question: number {n}?", f"Answer {n}.") for n in range(6)]
    bare = build_prompt(QUESTION, SOURCES[:1], [], counter, 4000).tokens
    turn = build_prompt(QUESTION, SOURCES[:1], history[-1:], counter, 4000).tokens - bare
    prompt = build_prompt(QUESTION, SOURCES[:1], history, counter, bare + 2 * turn + turn // 2)
    assert prompt.dropped_turns == 4
    assert [message.content for message in prompt.messages[1:-1]] == [
        "Question: number 4?",
        "Answer 4.",
        "Question: number 5?",
        "Answer 5.",
    ]
    assert prompt.sources_used == (SOURCES[0],)
    assert prompt.tokens <= bare + 2 * turn + turn // 2


def test_a_best_passage_that_is_too_long_is_cut_after_a_sentence(counter: Counter) -> None:
    """The best passage is never left out: what fits of it stays, whole sentences where possible."""
    whole = build_prompt(QUESTION, SOURCES[:1], [], counter, 4000).tokens
    prompt = build_prompt(QUESTION, SOURCES[:2], [PastTurn("earlier " * 20, "b")], counter, whole - 2)
    assert prompt.shortened
    assert "They may be taken in halves.\n\nQuestion:" in prompt.user_content
    assert prompt.sources_used == (SOURCES[0],)
    assert prompt.tokens <= whole - 2
    assert prompt.dropped_turns == 1


def test_a_passage_without_sentences_is_cut_at_a_character(counter: Counter) -> None:
    """A long table row or code line still contributes its beginning."""
    row = source(1, "0123456789" * 200)
    base = build_prompt(QUESTION, [source(1, "0")], [], counter, 4000).tokens
    prompt = build_prompt(QUESTION, [row], [], counter, base + 50)
    assert prompt.shortened
    assert base + 40 <= prompt.tokens <= base + 50
    assert "\n01234567890123456789" in prompt.user_content


def test_a_question_longer_than_the_budget_is_still_asked_whole(counter: Counter) -> None:
    """A very long question leaves room for nothing else, and the count is still right."""
    question = "why " * 500
    prompt = build_prompt(question, SOURCES, [PastTurn("a", "b")], counter, 300)
    assert prompt.user_content.endswith(question)
    assert prompt.sources_used == ()
    assert prompt.dropped_sources == tuple(SOURCES)
    assert prompt.dropped_turns == 1
    assert prompt.tokens > 300


def test_without_passages_the_prompt_says_so(counter: Counter) -> None:
    """The model reads that nothing was found."""
    assert build_prompt(QUESTION, [], [], counter, 4000).user_content == (
        f"Passages: none were found.\n\nQuestion: {QUESTION}"
    )


def test_a_new_turn_is_limited_and_the_history_kept(counter: Counter, tokenizer: Tokenizer) -> None:
    """For an engine that keeps computed prefixes the limit covers what is new; earlier turns still fit beside it."""
    history = [PastTurn("Passages: many. " * 20 + "Question: what?", "Because. " * 10)]
    sources = [source(number, "Leave is granted on request. " * 8) for number in range(1, 6)]
    alone = build_prompt("How many days?", sources, [], counter, 4000)
    limited = build_prompt("How many days?", sources, history, counter, 4000, alone.tokens - 10)
    assert limited.dropped_turns == 0
    assert [source.n for source in limited.sources_used] == [1, 2, 3, 4]
    assert len(chatml.encode(limited.messages, tokenizer)) == limited.tokens


def section(n: int, found: int, texts: list[str]) -> Source:
    """A source of several passages, of which the search found this one."""
    text, parts = "", []
    for number, passage in enumerate(texts):
        start = len(text) + bool(text)
        text = f"{text} {passage}" if text else passage
        parts.append(SourcePassage(100 * n + number, "", start, len(text), number == found))
    return dataclasses.replace(source(n, text), parts=tuple(parts))


SECTIONS = [
    section(1, 1, ["Before the first.", "Found first.", "After the first.", "Long after the first."]),
    section(2, 0, ["Found second.", "After the second."]),
]


def passages_in(prompt: Prompt) -> list[str]:
    """The text of each source in the prompt."""
    return [block.split("\n")[1] for block in prompt.user_content.split("\n\n")[1:-1]]


def test_neighbours_are_added_while_there_is_room(counter: Counter, tokenizer: Tokenizer) -> None:
    """With room the prompt has the whole section; with less, neighbours of the best source come first; without, it has
    only the passages found. `tokens` counts what the model reads."""
    assert passages_in(build_prompt(QUESTION, SECTIONS, [], counter, 4000)) == [source.text for source in SECTIONS]
    bare = build_prompt(
        QUESTION,
        [dataclasses.replace(source, text=source.excerpt(*source.found()), parts=()) for source in SECTIONS],
        [],
        counter,
        4000,
    ).tokens
    seen: list[list[str]] = []
    for budget in range(bare, build_prompt(QUESTION, SECTIONS, [], counter, 4000).tokens + 10):
        prompt = build_prompt(QUESTION, SECTIONS, [], counter, budget)
        assert prompt.tokens == len(chatml.encode(prompt.messages, tokenizer)) <= budget
        assert not prompt.shortened
        if not seen or seen[-1] != passages_in(prompt):
            seen.append(passages_in(prompt))
    assert seen[0] == ["Found first.", "Found second."]
    assert seen[1][1] == "Found second."
    assert seen[1][0] in ("Found first. After the first.", "Before the first. Found first.")
    assert seen[-1] == [source.text for source in SECTIONS]


def test_neighbours_displace_nothing(counter: Counter) -> None:
    """Neither another source nor an earlier turn is dropped for the neighbours of the best passage."""
    wide = section(1, 1, ["Around it. " * 20, "Found first.", "Around it. " * 20])
    history = [PastTurn("Question: which?", "This one.")]
    bare = build_prompt(QUESTION, [section(1, 0, ["Found first."]), SECTIONS[1]], history, counter, 4000)
    prompt = build_prompt(QUESTION, [wide, SECTIONS[1]], history, counter, bare.tokens)
    assert [source.n for source in prompt.sources_used] == [1, 2]
    assert prompt.dropped_turns == 0
    assert passages_in(prompt)[0] == "Found first."


def test_versions_are_named(counter: Counter) -> None:
    """The model learns which older version was left out, or that a newer one exists, in the question's language."""
    newest = dataclasses.replace(SOURCES[0], replaces=("leave-2024.md",))
    older = dataclasses.replace(SOURCES[2], newer="part-time-2026.md")
    content = build_prompt(QUESTION, [newest, older], [], counter, 4000).user_content
    assert "[1] Leave policy › Annual leave (p. 3; replaces leave-2024.md)\n" in content
    assert "[3] Part time › Annual leave (p. 3; there is a newer version: part-time-2026.md)\n" in content
    chinese = build_prompt("年假有多少天？", [newest, older], [], counter, 4000).user_content
    assert "(p. 3; 取代 leave-2024.md)" in chinese
    assert "(p. 3; 已有新版本: part-time-2026.md)" in chinese
