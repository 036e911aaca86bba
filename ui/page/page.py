"""The chat page: the script that Streamlit runs at each visit and each click.

It draws from top to bottom the turns that the assistant has stored and those of this visit that it has not (stopped,
refused). A click on Stop makes Streamlit end the running script at its next drawing, which closes the assistant's
stream and so frees the model; the next run of the script finds the turn unfinished and draws it as stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
import uuid
from typing import TYPE_CHECKING

import streamlit as st
import structlog
from streamlit.delta_generator import DeltaGenerator

from assistant.events import Delta, Done, Evidence, Failed, Queued
from ingest.base.errors import DocentError
from ui.page import answer_html as html
from ui.page.strings import Strings, strings_for
from ui.page.styles import STYLE
from ui.runtime import get_assistant

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.event_stream import EventStream

DRAW_SECONDS = 1 / 15
WATCH_SECONDS = 1
EXAMPLES = 4
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1b7a63"/>'
    '<path d="M9 9h14v3H9zm0 6h14v3H9zm0 6h9v3H9z" fill="#fff"/></svg>'
)


# The record that is drawn when Stop is clicked before the first event.
NOTHING_YET = Done(Evidence((), (), 0.0, abstained=False), "", (), "", "stopped")


@dataclasses.dataclass
class LocalTurn:
    """A turn of this visit that the assistant has not stored (yet).

    `after` is the number of stored turns before it; `problem` is the line for a question that was refused or failed;
    `settled` is True once a later run of the script has drawn it.
    """

    conversation: str
    question: str
    after: int
    done: Done
    problem: str = ""
    settled: bool = False


def main() -> None:
    """Draw the page, and answer the question of this run if there is one."""
    st.set_page_config(page_title="Docent", page_icon=ICON, layout="centered")
    strings = strings_for(st.context.locale)
    assistant = get_assistant()
    conversation = _conversation_id()
    st.html(STYLE)
    _header(strings)
    with st.container():
        usable = _banners(assistant, strings)
    question, as_typed = st.session_state.pop("pending", None) or (_input(assistant, usable, strings), False)
    # The examples are in an element of their own, which is emptied when a question is asked, not after its answer.
    welcome = st.empty()
    drawn = _history(assistant, conversation, strings)
    if question:
        _answer(assistant, question, conversation, strings, as_typed)
    elif not drawn:
        with welcome.container():
            _welcome(assistant, usable, strings)


def _conversation_id() -> str:
    """The id in the address, so that a refresh or a bookmark shows the same conversation; a new id without one."""
    conversation = st.query_params.get("c", "")
    if not re.fullmatch(r"[0-9a-f]{32}", conversation):
        conversation = uuid.uuid4().hex
        st.query_params["c"] = conversation
    return conversation


def _header(strings: Strings) -> None:
    with st.container(key="header", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html('<div class="docent-brand">Docent</div>', width="content")
        st.button(strings.new_conversation, key="new", on_click=_start_over)


def _start_over() -> None:
    st.query_params["c"] = uuid.uuid4().hex


def _input(assistant: Assistant, usable: bool, strings: Strings) -> str:
    limit = assistant.settings.question_characters
    typed = st.chat_input(
        strings.placeholder, key="question", max_chars=limit, disabled=not usable, submit_mode="disable"
    )
    return str(typed).strip() if typed else ""


def _banners(assistant: Assistant, strings: Strings) -> bool:
    """Draws the notes to read before asking. Returns whether questions can be asked: documents and engine are ready."""
    engine, library = assistant.engines.state, assistant.library.status()
    waits_for_documents = not library.problem and (html.is_growing(library) or library.passages == 0)
    if library.problem:
        st.html(html.note_html(strings.library_problem.format(problem=library.problem), "banner"))
    if not engine.loaded:
        st.html(html.note_html(engine.note or strings.model_loading, "banner"))
    elif engine.note:
        # An engine's note is English; the most frequent note is translated here.
        translated = engine.name == "extractive" and strings.language == "zh"
        st.html(html.note_html(strings.extractive if translated else engine.note, "banner"))
    if waits_for_documents or not engine.loaded:
        _watch((library.passages > 0, html.is_growing(library), engine.loaded), strings)
    return library.passages > 0 and engine.loaded


@st.fragment(run_every=WATCH_SECONDS)
def _watch(drawn: tuple[bool, bool, bool], strings: Strings) -> None:
    """Draws the progress of an ingest, and redraws the page when documents or engine are no longer as `drawn`."""
    assistant = get_assistant()
    library = assistant.library.status()
    if drawn != (library.passages > 0, html.is_growing(library), assistant.engines.state.loaded):
        st.rerun()
    if html.is_growing(library):
        st.html(html.building_html(library, strings))
    elif library.passages == 0 and not library.problem:
        st.html(html.note_html(strings.library_empty, "banner"))


def _welcome(assistant: Assistant, usable: bool, strings: Strings) -> None:
    st.html(html.welcome_html(strings))
    examples = assistant.example_questions(strings.language)[:EXAMPLES] if usable else []
    if examples:
        st.html(html.note_html(strings.try_one, "label"))
    for number, example in enumerate(examples):
        st.button(example, key=f"example-{number}", on_click=_ask_next, args=(example,), width="stretch")


def _ask_next(question: str, as_typed: bool = False) -> None:
    """Let the next run of the script ask this question."""
    st.session_state["pending"] = (question, as_typed)


def _history(assistant: Assistant, conversation: str, strings: Strings) -> int:
    """Draws every turn so far, oldest first; returns how many there are."""
    stored = assistant.conversations.turns(conversation)
    local = _settle(conversation, len(stored))
    for index in range(len(stored) + 1):
        for number, turn in enumerate(local):
            if min(turn.after, len(stored)) == index:
                with st.container():
                    _draw(turn.question, turn.done, strings, f"local-{number}", turn.problem)
        if index < len(stored):
            with st.container():
                _draw(stored[index].question, stored[index].done, strings, f"stored-{index}")
    return len(stored) + len(local)


def _settle(conversation: str, stored: int) -> list[LocalTurn]:
    """The turns of this visit that are not stored. Those that were stored since the last run are removed first."""
    turns: list[LocalTurn] = st.session_state.setdefault("local_turns", [])
    for turn in [turn for turn in turns if turn.conversation == conversation and not turn.settled]:
        turn.settled = True
        if stored > turn.after:
            turns.remove(turn)
    return [turn for turn in turns if turn.conversation == conversation]


def _draw(question: str, done: Done, strings: Strings, key: str, problem: str = "") -> None:
    st.html(html.question_html(question))
    _searched(question, done.evidence, strings, key)
    st.html(html.turn_html(done, strings, problem))
    if _can_copy(done, problem):
        with st.popover(strings.copy, type="tertiary", key=f"copy-{key}"):
            _copy(done, strings)


def _searched(question: str, evidence: Evidence, strings: Strings, key: str) -> None:
    """Draws what was searched for in place of the question, and a button that asks the question as it was typed."""
    if evidence.searched:
        st.html(html.searched_html(evidence, strings))
        st.button(strings.as_typed, type="tertiary", key=f"as-typed-{key}", on_click=_ask_next, args=(question, True))


def _can_copy(done: Done, problem: str) -> bool:
    return bool(done.answer) and not done.evidence.abstained and not problem


def _copy(done: Done, strings: Strings) -> None:
    st.html(html.note_html(strings.copy_hint, "quiet"))
    st.code(done.answer, language=None, wrap_lines=True)


def _answer(assistant: Assistant, question: str, conversation: str, strings: Strings, as_typed: bool) -> None:
    """Draws the answer while it is generated, then draws the complete turn as the next run will draw it."""
    after = len(assistant.conversations.turns(conversation))
    turn = LocalTurn(conversation, question, after, NOTHING_YET)
    st.session_state["local_turns"].append(turn)
    with st.container():
        st.html(html.question_html(question))
        searched, body, control, sources = st.empty(), st.empty(), st.empty(), st.empty()
    body.html(html.note_html(strings.searching))
    control.button(strings.stop, key="stop", icon=":material/stop:")
    with structlog.contextvars.bound_contextvars(request_id=uuid.uuid4().hex):
        try:
            with contextlib.closing(assistant.ask(question, conversation, as_typed)) as events:
                _follow(events, turn, strings, body, sources)
        except DocentError as error:
            turn.problem = _refusal(getattr(error, "status", 500), str(error), "", strings)
    with searched.container():
        _searched(question, turn.done.evidence, strings, f"stored-{after}")
    body.html(html.turn_html(turn.done, strings, turn.problem))
    sources.empty()
    control.empty()
    if _can_copy(turn.done, turn.problem):
        with control.popover(strings.copy, type="tertiary", key=f"copy-stored-{after}"):
            _copy(turn.done, strings)


def _follow(
    events: EventStream, turn: LocalTurn, strings: Strings, body: DeltaGenerator, sources: DeltaGenerator
) -> None:
    """Draws the events, at most 15 times a second; also those without text, because Stop takes effect at a drawing."""
    line, drawn_at = strings.searching, 0.0
    for event in events:
        first_words = False
        match event:
            case Evidence():
                line = strings.writing
                turn.done = dataclasses.replace(turn.done, evidence=event)
                sources.html(html.sources_html(event, (), strings, strings.found) or " ")
            case Queued():
                line = strings.queued_next if event.position == 1 else strings.queued.format(position=event.position)
                if event.estimate_seconds is not None:
                    line += strings.queued_estimate.format(seconds=max(1, round(event.estimate_seconds)))
            case Delta():
                line = strings.writing
                first_words = bool(event.text) and not turn.done.answer
                turn.done = dataclasses.replace(turn.done, answer=turn.done.answer + event.text)
            case Done():
                turn.done = event
            case Failed():
                turn.problem = _refusal(event.status, event.message, event.request_id, strings)
        if first_words or time.monotonic() - drawn_at >= DRAW_SECONDS:
            drawn_at = time.monotonic()
            numbers = html.source_numbers(turn.done.evidence)
            written = html.answer_html(turn.done.answer, numbers) if turn.done.answer else ""
            body.html(html.searched_html(turn.done.evidence, strings) + html.note_html(line) + written)


def _refusal(status: int, message: str, request_id: str, strings: Strings) -> str:
    return strings.refused.get(status, strings.failed).format(message=message, request_id=request_id)


main()
