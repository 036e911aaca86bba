from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from assistant.answer import chatml
from assistant.answer.prompt import SYSTEM, PastTurn, Prompt, build_prompt
from assistant.events import Part, Source
from tests.fakes.model_fixtures import tiny_checkpoint  # noqa: F401

QUESTION = "How many days of annual leave do employees get?"


@pytest.fixture
def tokenizer(tiny_checkpoint: Path) -> Tokenizer:  # noqa: F811
    return Tokenizer.from_file(str(tiny_checkpoint / "tokenizer.json"))


@pytest.fixture
def count(tokenizer: Tokenizer) -> Callable[[str], int]:
    return lambda text: chatml.count_plain(text, tokenizer)


def source(n: int, text: str, title: str = "Leave policy", heading: str = "Annual leave", page: str = "p. 3") -> Source:
    return Source(n, 10 + n, n, f"/documents/{n}.md", title, heading, page, text, 1.0 / n)


SOURCES = [
    source(1, "Every employee has 25 days of annual leave. They may be taken in halves. Ask your manager first."),
    source(2, "Unused days may be carried over until 31 March. " * 12, heading="", page=""),
    source(3, "Part-time staff have days in proportion.", title="Part time"),
]


def roles(prompt: Prompt) -> list[str]:
    return [message.role.value for message in prompt.messages]


def test_the_instruction_comes_first_and_the_question_last(count: Callable[[str], int]) -> None:
    """System first and unchanged, passages numbered with title, heading and page, the question at the very end."""
    prompt = build_prompt(QUESTION, SOURCES, [], count, 4000)
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


def test_a_chinese_question_is_framed_in_chinese(count: Callable[[str], int]) -> None:
    """The words around the question are in its language, so that a small model answers in it."""
    content = build_prompt("年假有多少天？", SOURCES[:1], [], count, 4000).user_content
    assert content.startswith("资料：\n\n[1] ")
    assert content.endswith("\n\n问题：年假有多少天？")


def test_the_count_is_what_the_model_will_read(count: Callable[[str], int], tokenizer: Tokenizer) -> None:
    """`tokens` equals the length of the encoded prompt, markers included, with and without history."""
    for history in ([], [PastTurn("Passages:\n\n[1] x\n\nQuestion: y?", "z [1]")]):
        prompt = build_prompt(QUESTION, SOURCES, history, count, 4000)
        assert prompt.tokens == len(chatml.encode(prompt.messages, tokenizer))


def test_the_transcript_only_grows(count: Callable[[str], int], tokenizer: Tokenizer) -> None:
    """The next turn's prompt begins with this turn's prompt and its answer, token for token: a prefix worth keeping."""
    first = build_prompt(QUESTION, SOURCES[:1], [], count, 4000)
    history = [PastTurn(first.user_content, "25 days. [1]")]
    second = build_prompt("And part-time staff?", SOURCES[2:], history, count, 4000)
    assert roles(second) == ["system", "user", "assistant", "user"]
    assert second.messages[1].content == first.user_content
    earlier, later = chatml.encode(first.messages, tokenizer), chatml.encode(second.messages, tokenizer)
    assert later[: len(earlier)] == earlier


def test_passages_that_do_not_fit_are_named_and_the_next_still_gets_its_chance(count: Callable[[str], int]) -> None:
    """Over budget: the best passage stays, a long one is left out and reported, a short one after it still fits."""
    whole = build_prompt(QUESTION, [SOURCES[0], SOURCES[2]], [], count, 4000).tokens
    prompt = build_prompt(QUESTION, SOURCES, [], count, whole)
    assert prompt.sources_used == (SOURCES[0], SOURCES[2])
    assert prompt.dropped_sources == (SOURCES[1],)
    assert "[2]" not in prompt.user_content
    assert prompt.tokens == whole


def test_the_oldest_turns_go_first(count: Callable[[str], int]) -> None:
    """History is cut from its beginning, never from its end, and never at the cost of the newest passages."""
    history = [PastTurn(f"Question: number {n}?", f"Answer {n}.") for n in range(6)]
    bare = build_prompt(QUESTION, SOURCES[:1], [], count, 4000).tokens
    one = build_prompt(QUESTION, SOURCES[:1], history[-1:], count, 4000).tokens - bare
    prompt = build_prompt(QUESTION, SOURCES[:1], history, count, bare + 2 * one + one // 2)
    assert prompt.dropped_turns == 4
    assert [message.content for message in prompt.messages[1:-1]] == [
        "Question: number 4?",
        "Answer 4.",
        "Question: number 5?",
        "Answer 5.",
    ]
    assert prompt.sources_used == (SOURCES[0],)
    assert prompt.tokens <= bare + 2 * one + one // 2


def test_a_best_passage_that_is_too_long_is_cut_after_a_sentence(count: Callable[[str], int]) -> None:
    """The best passage is never left out: what fits of it stays, whole sentences where possible."""
    whole = build_prompt(QUESTION, SOURCES[:1], [], count, 4000).tokens
    prompt = build_prompt(QUESTION, SOURCES[:2], [PastTurn("earlier " * 20, "b")], count, whole - 2)
    assert prompt.shortened
    assert "They may be taken in halves.\n\nQuestion:" in prompt.user_content
    assert prompt.sources_used == (SOURCES[0],)
    assert prompt.tokens <= whole - 2
    assert prompt.dropped_turns == 1


def test_a_passage_without_sentences_is_cut_at_a_character(count: Callable[[str], int]) -> None:
    """A long table row or code line still contributes its beginning."""
    row = source(1, "0123456789" * 200)
    base = build_prompt(QUESTION, [source(1, "0")], [], count, 4000).tokens
    prompt = build_prompt(QUESTION, [row], [], count, base + 50)
    assert prompt.shortened
    assert base + 40 <= prompt.tokens <= base + 50
    assert "\n01234567890123456789" in prompt.user_content


def test_a_question_longer_than_the_budget_is_still_asked_whole(count: Callable[[str], int]) -> None:
    """In the extreme everything else goes, and the count tells the truth."""
    question = "why " * 500
    prompt = build_prompt(question, SOURCES, [PastTurn("a", "b")], count, 300)
    assert prompt.user_content.endswith(question)
    assert prompt.sources_used == ()
    assert prompt.dropped_sources == tuple(SOURCES)
    assert prompt.dropped_turns == 1
    assert prompt.tokens > 300


def test_without_passages_the_model_is_told_so(count: Callable[[str], int]) -> None:
    """An empty search is said, not hidden."""
    assert build_prompt(QUESTION, [], [], count, 4000).user_content == (
        f"Passages: none were found.\n\nQuestion: {QUESTION}"
    )


def test_a_new_turn_is_limited_and_the_history_kept(count: Callable[[str], int], tokenizer: Tokenizer) -> None:
    """With an engine that keeps what it read, the limit is for what is new; earlier turns still fit beside it."""
    history = [PastTurn("Passages: many. " * 20 + "Question: what?", "Because. " * 10)]
    sources = [source(number, "Leave is granted on request. " * 8) for number in range(1, 6)]
    alone = build_prompt("How many days?", sources, [], count, 4000)
    limited = build_prompt("How many days?", sources, history, count, 4000, alone.tokens - 10)
    assert limited.dropped_turns == 0
    assert [one.n for one in limited.sources_used] == [1, 2, 3, 4]
    assert len(chatml.encode(limited.messages, tokenizer)) == limited.tokens


def section(n: int, found: int, texts: list[str]) -> Source:
    """A source of several passages, of which that one was found."""
    text, parts = "", []
    for number, own in enumerate(texts):
        start = len(text) + bool(text)
        text = f"{text} {own}" if text else own
        parts.append(Part(100 * n + number, "", start, len(text), number == found))
    return dataclasses.replace(source(n, text), parts=tuple(parts))


AROUND = [
    section(1, 1, ["Before the first.", "Found first.", "After the first.", "Long after the first."]),
    section(2, 0, ["Found second.", "After the second."]),
]


def passages_told(prompt: Prompt) -> list[str]:
    """The text of each source as the model gets it."""
    return [block.split("\n")[1] for block in prompt.user_content.split("\n\n")[1:-1]]


def test_what_stands_around_comes_along_as_far_as_there_is_room(
    count: Callable[[str], int], tokenizer: Tokenizer
) -> None:
    """With room the whole section; with less the best source grows first, nearest first; with none only what was
    found. The count is what the model reads."""
    assert passages_told(build_prompt(QUESTION, AROUND, [], count, 4000)) == [one.text for one in AROUND]
    bare = build_prompt(
        QUESTION,
        [dataclasses.replace(one, text=one.excerpt(*one.found()), parts=()) for one in AROUND],
        [],
        count,
        4000,
    ).tokens
    seen: list[list[str]] = []
    for budget in range(bare, build_prompt(QUESTION, AROUND, [], count, 4000).tokens + 10):
        prompt = build_prompt(QUESTION, AROUND, [], count, budget)
        assert prompt.tokens == len(chatml.encode(prompt.messages, tokenizer)) <= budget
        assert not prompt.shortened
        if not seen or seen[-1] != passages_told(prompt):
            seen.append(passages_told(prompt))
    assert seen[0] == ["Found first.", "Found second."]
    assert seen[1][1] == "Found second."
    assert seen[1][0] in ("Found first. After the first.", "Before the first. Found first.")
    assert seen[-1] == [one.text for one in AROUND]


def test_what_stands_around_pushes_nothing_out(count: Callable[[str], int]) -> None:
    """Neither another source nor an earlier turn makes room for the section of the best."""
    wide = section(1, 1, ["Around it. " * 20, "Found first.", "Around it. " * 20])
    history = [PastTurn("Question: which?", "This one.")]
    bare = build_prompt(QUESTION, [section(1, 0, ["Found first."]), AROUND[1]], history, count, 4000)
    prompt = build_prompt(QUESTION, [wide, AROUND[1]], history, count, bare.tokens)
    assert [one.n for one in prompt.sources_used] == [1, 2]
    assert prompt.dropped_turns == 0
    assert passages_told(prompt)[0] == "Found first."


def test_versions_are_said(count: Callable[[str], int]) -> None:
    """The model learns which older version was left out, or that a newer one exists, in the question's language."""
    newest = dataclasses.replace(SOURCES[0], replaces=("leave-2024.md",))
    older = dataclasses.replace(SOURCES[2], newer="part-time-2026.md")
    content = build_prompt(QUESTION, [newest, older], [], count, 4000).user_content
    assert "[1] Leave policy › Annual leave (p. 3; replaces leave-2024.md)\n" in content
    assert "[3] Part time › Annual leave (p. 3; there is a newer version: part-time-2026.md)\n" in content
    chinese = build_prompt("年假有多少天？", [newest, older], [], count, 4000).user_content
    assert "(p. 3; 取代 leave-2024.md)" in chinese
    assert "(p. 3; 已有新版本: part-time-2026.md)" in chinese
