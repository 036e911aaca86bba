"""The page as a script: what a person sees in each state, in both languages, and what a hostile document cannot do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

import ui.page
from assistant.engines.admission import Refused
from assistant.engines.loader import EngineState
from assistant.events import Citation, Done, Evidence, EvidenceSentence, Failed, Source
from ingest.base.settings import Settings
from ingest.library import LibraryStatus
from ingest.store.write_lock import Work
from tests.fakes.scripted_assistant import NOT_SAID, READY_ENGINE, READY_LIBRARY, ScriptedAssistant
from ui.page.answer_html import answer_html, building_html, cautions_html, document_address, passage_html, sources_html
from ui.page.strings import CHINESE, ENGLISH, strings_for
from ui.runtime import set_assistant

PAGE = Path(ui.page.__file__).with_name("page.py")
CONVERSATION = "0123456789abcdef" * 2
HOSTILE = (
    '<script>alert(1)</script><img src="https://evil.example/a.png" onerror="alert(2)">\n\n'
    "![pixel](https://evil.example/b.png) [click](javascript:alert(3)) <https://evil.example> https://evil.example\n\n"
    '```html"onload=alert(4)\n<iframe src="https://evil.example"></iframe>\n```\n\n[r]: https://evil.example\n\n[r]'
)


@pytest.fixture
def assistant(tmp_path: Path) -> ScriptedAssistant:
    scripted = ScriptedAssistant(Settings(home=tmp_path))
    set_assistant(scripted)  # type: ignore[arg-type]
    return scripted


def visit(conversation: str = CONVERSATION) -> AppTest:
    page = AppTest.from_file(str(PAGE), default_timeout=10)
    page.query_params["c"] = conversation
    return page.run()


def ask(page: AppTest, question: str) -> AppTest:
    return page.chat_input[0].set_value(question).run()


def shown(page: AppTest) -> str:
    """Everything on the page that is HTML, without its style sheet."""
    assert not page.exception
    bodies = [element.proto.body for element in page.get("html")]
    return "\n".join(body for body in bodies if not body.startswith("<style>"))


def library_status(documents: int = 3, passages: int = 12, **changes: Any) -> LibraryStatus:
    return replace(READY_LIBRARY, documents=documents, passages=passages, **changes)


def engine_state(**changes: Any) -> EngineState:
    return replace(READY_ENGINE, **changes)


def evidence_of(*sources: Source, sentences: tuple[EvidenceSentence, ...] = ()) -> Evidence:
    return Evidence(sources, sentences, confidence=0.9, abstained=False)


def button_labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_a_first_visit_is_welcomed_with_examples(assistant: ScriptedAssistant) -> None:
    """Nothing asked yet: a welcome, and questions that the library can answer."""
    page = visit()
    assert ENGLISH.welcome in shown(page)
    assert button_labels(page) == ["New conversation", *assistant.example_questions("en")]
    assert page.chat_input[0].placeholder == ENGLISH.placeholder


def test_an_example_is_asked_by_a_click(assistant: ScriptedAssistant) -> None:
    """A click on an example asks it in this conversation, and the examples make room for the answer."""
    page = visit()
    page.button(key="example-0").click().run()
    assert assistant.asked == ["How many days of leave?"]
    assert '<div class="docent-question">How many days of leave?</div>' in shown(page)
    assert "<strong>25 days</strong>" in shown(page)
    assert button_labels(page) == ["New conversation"]
    assert [turn.question for turn in assistant.conversations.turns(CONVERSATION)] == ["How many days of leave?"]


@pytest.mark.usefixtures("assistant")
def test_history_is_there_after_a_refresh() -> None:
    """A new visit to the same address shows the same turns in their order; another address shows none."""
    page = visit()
    ask(ask(page, "First question"), "Second question")
    again = shown(visit())
    assert re.findall(r'docent-question">(.*?)</div>', again) == ["First question", "Second question"]
    assert "docent-question" not in shown(visit("f" * 32))


@pytest.mark.usefixtures("assistant")
def test_an_address_without_a_valid_conversation_gets_one() -> None:
    """The id in the address is only used if the page could have made it."""
    page = visit("../../etc/passwd")
    assert re.fullmatch(r"[0-9a-f]{32}", page.query_params["c"])


def test_a_new_conversation_starts_empty(assistant: ScriptedAssistant) -> None:
    """The button leads to a new address with no turns; the old conversation is kept."""
    page = ask(visit(), "First question")
    page.button(key="new").click().run()
    assert page.query_params["c"] not in (CONVERSATION, [CONVERSATION])
    assert ENGLISH.welcome in shown(page)
    assert len(assistant.conversations.turns(CONVERSATION)) == 1


@pytest.mark.usefixtures("assistant")
def test_sources_are_numbered_cards_that_open_to_the_quote() -> None:
    """Cited sources come first, by number, title, page and heading; the others are folded away."""
    html = shown(ask(visit(), "How much leave?"))
    first, others = html.split('<details class="docent-others">')
    assert '<span class="docent-number">[1]</span>' in first
    assert "Staff handbook <span" in first
    assert "— p. 3 · Time off › Annual leave" in first
    assert "<mark>Full-time employees get 25 days of annual leave a year.</mark> Leave that is not" in first
    assert '<a href="/documents/1#page=3" target="_blank">Open the document</a>' in first
    assert "Other passages found (2)" in others
    assert others.index("Travel policy") < others.index("Onboarding")
    assert '<span class="docent-reference">[1]</span>' in first


def test_an_answer_can_be_copied(assistant: ScriptedAssistant) -> None:
    """The answer as it was written, in a block with the browser's copy button."""
    assert [block.value for block in ask(visit(), "How much leave?").code] == [assistant.answer]


def test_abstaining_says_so_and_shows_the_nearest(assistant: ScriptedAssistant) -> None:
    """No answer is invented: one plain sentence and the nearest three passages."""
    assistant.abstained = True
    html = shown(ask(visit(), "What does the CEO earn?"))
    assert NOT_SAID in html
    assert ENGLISH.nearest in html
    assert re.findall(r'docent-number">(\[\d\])<', html) == ["[1]", "[2]", "[3]"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_doubtful_answer_says_so(
    assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """Between the two thresholds the answer has one line of caution, in the page's language, also after a refresh."""
    monkeypatch.setattr(ContextProxy, "locale", property(lambda _self: language))
    line = f'<div class="docent-caution">{(CHINESE if language == "zh" else ENGLISH).caution}</div>'
    assert line not in shown(ask(visit(), "How much leave?"))
    assistant.caution = True
    page = ask(visit(), "How much leave?")
    assert shown(page).count(line) == 1
    assert shown(page.run()).count(line) == 1


def test_sentences_without_support_are_pointed_out(assistant: ScriptedAssistant) -> None:
    """A sentence that no source supports is named, so that nobody relies on it unaware."""
    assistant.unsupported = ("Leave doubles after ten years.",)
    assert "No source supports: “Leave doubles after ten years.”" in shown(ask(visit(), "How much leave?"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_refusals_and_failures_are_one_friendly_line(
    assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """A full queue or a failed answer is one line under the question, in the page's language, and stays in view."""
    monkeypatch.setattr(ContextProxy, "locale", property(lambda _self: language))
    assistant.refused = Refused(503, "Many people are asking: try again in 20 seconds.", 20)
    page = ask(visit(), "How much leave?")
    expected = CHINESE.refused[503] if language == "zh" else "Many people are asking: try again in 20 seconds."
    assert f'<div class="docent-caution">{expected}</div>' in shown(page)
    assistant.refused, assistant.failed = None, Failed("The model stopped: ask again.", 500, "abc")
    html = shown(ask(page, "And now?"))
    assert expected in html
    failed = CHINESE.failed.format(request_id="abc") if language == "zh" else "The model stopped: ask again."
    assert failed in html
    assert html.index("How much leave?") < html.index("And now?")


def test_the_interface_is_chinese_for_a_chinese_browser(
    assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word of the page, the banner included, follows the browser's language."""
    monkeypatch.setattr(ContextProxy, "locale", property(lambda _self: "zh-CN"))
    assistant.engines.state = EngineState("extractive", "", "Answers are quoted from the documents.", True)
    page = visit()
    assert CHINESE.welcome in shown(page)
    assert "目前直接引用文档原文作答" in shown(page)
    assert button_labels(page) == ["新对话", "年假有多少天？", "差旅费如何报销？"]
    html = shown(ask(page, "年假有多少天？"))
    assert CHINESE.sources in html
    assert not re.search(r"Sources|Other passages|Open the document", html)


def test_both_languages_have_every_string() -> None:
    """No string is missing in either language, and both have the same placeholders."""
    for name, english in vars(ENGLISH).items():
        chinese = getattr(CHINESE, name)
        assert bool(chinese) or name == "refused"
        if isinstance(english, str) and name != "failed":
            assert re.findall(r"{\w+}", english) == re.findall(r"{\w+}", chinese), name
    assert strings_for("zh-TW") is strings_for("zh") is CHINESE
    assert strings_for("en-GB") is strings_for("de") is strings_for(None) is ENGLISH


@pytest.mark.parametrize(
    ("state", "engine", "line"),
    [
        (library_status(0, 0), READY_ENGINE, "There are no documents yet: ask your administrator to run"),
        (library_status(4, 9, building=True), READY_ENGINE, "The documents are being read right now (4 so far)."),
        (
            library_status(4, 9, building=True, work=Work("docent ingest", 7, "", 40, 9_000, 7_500.0)), READY_ENGINE,
            "Answers may still miss some. 40 of 9000 files are done, about 2 h 5 min left.",
        ),
        (library_status(problem="Run `docent check`."), READY_ENGINE, "administrator: Run <code>docent check</code>."),
        (READY_LIBRARY, engine_state(loaded=False), "The language model is still loading: you can ask in a moment."),
        (READY_LIBRARY, engine_state(note="Cannot load it: run X.", loaded=False), "Cannot load it: run X."),
        (READY_LIBRARY, EngineState("extractive", "", "Quoting only.", loaded=True), "Quoting only."),
    ],
)  # fmt: skip
def test_every_state_is_one_plain_line(
    assistant: ScriptedAssistant, state: LibraryStatus, engine: EngineState, line: str
) -> None:
    """Empty, being built, damaged, loading, without a model: one line each; asking waits for passages and engine."""
    assistant.library.state, assistant.engines.state = state, engine
    page = visit()
    assert line in shown(page)
    usable = state.passages > 0 and engine.loaded
    assert page.chat_input[0].disabled == (not usable)
    assert (len(page.button) > 1) == usable


def test_a_rebuild_is_not_shown(assistant: ScriptedAssistant) -> None:
    """While an administrator rebuilds the library, answers stay the same and the page shows nothing of it."""
    assistant.library.state = library_status(4, 9, building=True, work=Work("docent rebuild", 7, "", 1, 9))
    assert "being read right now" not in shown(visit())


@pytest.mark.parametrize(
    ("done", "left", "line"),
    [
        (0, None, "已处理 0 / 9 个文件。"),
        (3, 42.4, "已处理 3 / 9 个文件，大约还需 42 秒。"),
        (3, 3_600.0, "已处理 3 / 9 个文件，大约还需 1 小时 0 分钟。"),
        (9, 0.0, "已处理 9 / 9 个文件。"),
    ],
)
def test_progress_in_chinese(done: int, left: float | None, line: str) -> None:
    """The progress of an ingest and its remaining time, in the reader's language."""
    library = library_status(4, 9, building=True, work=Work("docent ingest", 7, "", done, 9, left))
    assert f"回答可能还不完整。{line}<" in building_html(library, CHINESE)


def test_a_hostile_document_stays_text(assistant: ScriptedAssistant) -> None:
    """Titles, headings, passages, answers and questions can put no tag, link or image of their own into the page."""
    source = Source(1, 1, 1, "/docs/<b>.pdf", '<img src=x>"', "<i>heading</i>", "<p>3", HOSTILE, 0.5)
    assistant.sources = (source,)
    assistant.sentences = (EvidenceSentence(1, HOSTILE, 0, len(HOSTILE), 0.9, HOSTILE),)
    assistant.citations = (Citation(1, source.path, source.title, source.heading, source.page, 1, 1, HOSTILE),)
    assistant.answer, assistant.unsupported = HOSTILE, (HOSTILE,)
    html = shown(ask(visit(), HOSTILE))
    tags = set(re.findall(r"<[^>]*>", html))
    ours = re.compile(
        r'</?(div|span|details|summary|p|strong|em|pre|code|mark|h1)( class="docent-[a-z -]+")?( role="status")?>'
        r'|<br ?/?>|<h1>|</a>|<a href="/documents/1#page=3" target="_blank">'
    )
    assert [tag for tag in tags if not ours.fullmatch(tag)] == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "![pixel](https://evil.example/b.png)" in html


def test_highlights_follow_tables_and_lists() -> None:
    """A quote of table rows or list items is highlighted inside them, and they stay a table and a list."""
    rows = "| A | 25 |\n| B | 30 |"
    html = passage_html(f"| Grade | Days |\n|---|---|\n{rows}\n\n- one\n- two **three**", [rows, "- two **three**"])
    assert re.findall(r"<td>(.*?)</td>", html) == [
        "<mark>A</mark>", "<mark>25</mark>", "<mark>B</mark>", "<mark>30</mark>",
    ]  # fmt: skip
    assert "<th>Grade</th>" in html
    assert re.sub(r"\s*\n\s*", "", html).endswith(
        "<ul><li>one</li><li><mark>two </mark><strong><mark>three</mark></strong></li></ul>"
    )


def test_overlapping_and_missing_quotes() -> None:
    """Quotes that overlap are one highlight; a quote that is not in the passage highlights nothing."""
    assert passage_html("one two three", ["one two", "two three"]) == "<p><mark>one two three</mark></p>\n"
    assert passage_html("one two three", ["four", ""]) == "<p>one two three</p>\n"


def test_prices_and_codes_are_shown_as_written() -> None:
    """Dollar signs, underscores in words and brackets that cite nothing are not taken for markup."""
    assert answer_html("$5 and $6 for part_no_7 [9] :smile: ~~x~~", {1}) == (
        '<div class="docent-text docent-answer"><p>$5 and $6 for part_no_7 [9] :smile: ~~x~~</p>\n</div>'
    )


@pytest.mark.parametrize(
    ("path", "page", "address"),
    [
        ("/a/b.PDF", "p. 12", "/documents/1#page=12"),
        ("/a/b.pdf", "", "/documents/1"),
        ("/a/b.pptx", "slide 3", "/documents/1"),
    ],
)
def test_documents_open_at_their_page(path: str, page: str, address: str) -> None:
    """A PDF opens at the cited page; other formats have no page that a browser can open."""
    assert document_address(Source(1, 1, 1, path, "T", "", "p. 1", "text", 0.5), page) == address


def test_a_heading_does_not_repeat_the_title() -> None:
    """A document whose first heading is its title is named once."""
    source = Source(1, 1, 1, "/a.md", "Leave policy", "Leave policy › 2. Annual leave", "p. 1", "text", 0.5)
    assert 'Leave policy <span class="docent-place">— p. 1 · 2. Annual leave</span>' in sources_html(
        evidence_of(source), (), ENGLISH
    )


def test_before_the_answer_sources_with_evidence_come_first() -> None:
    """While the model is at work, the sources of the evidence sentences are already in view."""
    sources = [Source(n, n, n, "/a.md", f"Title {n}", "", "", "text", 0.5) for n in (1, 2)]
    sentences = (EvidenceSentence(2, "text", 0, 4, 0.5, "text"),)
    html = sources_html(evidence_of(*sources, sentences=sentences), (), ENGLISH, ENGLISH.found)
    assert html.startswith('<div class="docent-label">Found in</div>')
    assert html.index("Title 2") < html.index("docent-others") < html.index("Title 1")


@pytest.mark.parametrize(
    ("answer", "reason", "line"),
    [
        ("Half", "stopped", ENGLISH.stopped),
        ("", "stopped", ENGLISH.stopped_empty),
        ("Half", "length", ENGLISH.cut_short),
        ("Half", "timeout", ENGLISH.timed_out),
    ],
)
def test_an_unfinished_answer_is_marked(answer: str, reason: str, line: str) -> None:
    """An incomplete answer says that it is incomplete."""
    done = Done(evidence_of(), answer, (), "qwen", reason)
    assert cautions_html(done, ENGLISH) == f'<div class="docent-caution">{line}</div>'


@pytest.mark.parametrize(("language", "label"), [("en", "Search exactly as typed"), ("zh", "按我输入的原文检索")])
def test_what_was_searched_for_is_shown(
    assistant: ScriptedAssistant, monkeypatch: pytest.MonkeyPatch, language: str, label: str
) -> None:
    """The question keeps the person's words; what was searched for is one quiet line, also after a refresh, and one
    click asks the question as it was typed."""
    monkeypatch.setattr(ContextProxy, "locale", property(lambda _self: language))
    searched = strings_for(language).searched.partition("{")[0]
    assert searched not in shown(ask(visit(), "How much leave?"))
    assistant.searched = "How much leave do <part-timers> get?"
    line = f'<div class="docent-quiet">{searched}How much leave do &lt;part-timers&gt; get?</div>'
    html = shown(ask(visit(), "And part-timrs?"))
    assert html.count(line) == 1
    assert '<div class="docent-question">And part-timrs?</div>' in html
    page = visit()
    assert shown(page).count(line) == 1
    (as_typed,) = [button for button in page.button if button.label == label]
    html = shown(as_typed.click().run())
    assert (assistant.asked[-1], assistant.asked_as_typed) == ("And part-timrs?", [False, False, True])
    assert html.count(line) == 1  # of the first turn: the second was searched for as typed
    assert html.count('<div class="docent-question">And part-timrs?</div>') == 2


def test_a_card_names_the_cited_page_and_the_versions() -> None:
    """A card has the page of the quote, the versions that its source replaces, and that there is a newer one."""
    source = Source(1, 1, 1, "/a-2026.pdf", "T", "", "p. 1", "One. Two.", 0.5, replaces=("a-2024.pdf", "a-2025.pdf"))
    cited = Citation(1, source.path, "T", "", "p. 2", 2, 1, "Two.")
    card = sources_html(evidence_of(source), [cited], ENGLISH)
    assert "— p. 2<" in card
    assert 'href="/documents/1#page=2"' in card
    assert '<div class="docent-quiet">Replaces a-2024.pdf, a-2025.pdf</div>' in card
    older = Source(1, 1, 1, "/a-2024.pdf", "T", "", "p. 1", "One.", 0.5, newer="a-2026.pdf")
    assert "已有新版本：a-2026.pdf" in sources_html(evidence_of(older), (), CHINESE)
