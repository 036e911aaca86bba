"""The chat page: the script Streamlit runs at each visit and each click. Knows how to show a turn, not how to answer.

Drawing is top to bottom and from the record: the turns the assistant has stored, and those of this visit that it has
not (stopped, refused). A click on Stop makes Streamlit end the running script at its next drawing, which closes
the assistant's generator and so frees the model; the run that follows finds the turn open and shows it as stopped.
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
from ui.page import answer_html as parts
from ui.page.strings import Words, words
from ui.runtime import get_assistant

if TYPE_CHECKING:
    from assistant.assistant import Assistant, EventStream

DRAW_SECONDS = 1 / 15
WATCH_SECONDS = 1
EXAMPLES = 4
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1b7a63"/>'
    '<path d="M9 9h14v3H9zm0 6h14v3H9zm0 6h9v3H9z" fill="#fff"/></svg>'
)


@dataclasses.dataclass
class LocalTurn:
    """A turn of this visit, until the record has it. `after` counts the stored turns that come before it."""

    conversation: str
    question: str
    after: int
    shown: parts.Shown
    problem: str = ""
    settled: bool = False


def main() -> None:
    st.set_page_config(page_title="Docent", page_icon=ICON, layout="centered")
    text = words(st.context.locale)
    assistant = get_assistant()
    conversation = _conversation_id()
    st.html(parts.STYLE)
    _header(text)
    with st.container():
        usable = _banners(assistant, text)
    question = st.session_state.pop("pending", None) or _input(assistant, usable, text)
    # A place of its own, so that the examples go as soon as a question is asked, not when its answer is complete.
    welcome = st.empty()
    drawn = _history(assistant, conversation, text)
    if question:
        _answer(assistant, question, conversation, text)
    elif not drawn:
        with welcome.container():
            _welcome(assistant, usable, text)


def _conversation_id() -> str:
    """Kept in the address, so that a refresh or a bookmark shows the same conversation."""
    conversation = st.query_params.get("c", "")
    if not re.fullmatch(r"[0-9a-f]{32}", conversation):
        conversation = uuid.uuid4().hex
        st.query_params["c"] = conversation
    return conversation


def _header(text: Words) -> None:
    with st.container(key="header", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.html('<div class="docent-brand">Docent</div>', width="content")
        st.button(text.new_conversation, key="new", on_click=_start_over)


def _start_over() -> None:
    st.query_params["c"] = uuid.uuid4().hex


def _input(assistant: Assistant, usable: bool, text: Words) -> str:
    limit = assistant.settings.question_characters
    typed = st.chat_input(text.placeholder, key="question", max_chars=limit, disabled=not usable, submit_mode="disable")
    return str(typed).strip() if typed else ""


def _banners(assistant: Assistant, text: Words) -> bool:
    """What a person should know before asking; False while there is nothing to ask about or nobody to ask."""
    engine, library = assistant.engine_state(), assistant.library.status()
    waits_for_documents = not library.problem and (parts.is_growing(library) or library.passages == 0)
    if library.problem:
        st.html(parts.note_html(text.library_problem.format(problem=library.problem), "banner"))
    if not engine.loaded:
        st.html(parts.note_html(engine.note or text.model_loading, "banner"))
    elif engine.note:
        # The engine speaks English; what it most often has to say is known here in both languages.
        known = engine.name == "extractive" and text.language == "zh"
        st.html(parts.note_html(text.extractive if known else engine.note, "banner"))
    if waits_for_documents or not engine.loaded:
        _watch((library.passages > 0, parts.is_growing(library), engine.loaded), text)
    return library.passages > 0 and engine.loaded


@st.fragment(run_every=WATCH_SECONDS)
def _watch(drawn: tuple[bool, bool, bool], text: Words) -> None:
    """Says how far the documents are, and redraws the page when what it waits for is there."""
    assistant = get_assistant()
    library = assistant.library.status()
    if drawn != (library.passages > 0, parts.is_growing(library), assistant.engine_state().loaded):
        st.rerun()
    if parts.is_growing(library):
        st.html(parts.building_html(library, text))
    elif library.passages == 0 and not library.problem:
        st.html(parts.note_html(text.library_empty, "banner"))


def _welcome(assistant: Assistant, usable: bool, text: Words) -> None:
    st.html(parts.welcome_html(text))
    examples = assistant.example_questions(text.language)[:EXAMPLES] if usable else []
    if examples:
        st.html(parts.note_html(text.try_one, "label"))
    for place, example in enumerate(examples):
        st.button(example, key=f"example-{place}", on_click=_ask_example, args=(example,), width="stretch")


def _ask_example(question: str) -> None:
    st.session_state["pending"] = question


def _history(assistant: Assistant, conversation: str, text: Words) -> int:
    """Draws every turn so far, oldest first, and says how many there are."""
    stored = assistant.conversations.turns(conversation)
    local = _settle(conversation, len(stored))
    for place in range(len(stored) + 1):
        for number, turn in enumerate(local):
            if min(turn.after, len(stored)) == place:
                with st.container():
                    _draw(turn.question, turn.shown, text, f"local-{number}", turn.problem)
        if place < len(stored):
            past = stored[place]
            shown = parts.Shown(
                past.answer, past.sources, past.citations, past.evidence,
                past.abstained, past.unsupported, past.finish_reason, past.searched, past.caution,
            )  # fmt: skip
            with st.container():
                _draw(past.question, shown, text, f"stored-{place}")
    return len(stored) + len(local)


def _settle(conversation: str, stored: int) -> list[LocalTurn]:
    """This visit's turns that the record does not have. A turn the last run left open was stopped, or is now stored."""
    turns: list[LocalTurn] = st.session_state.setdefault("local_turns", [])
    for turn in [turn for turn in turns if turn.conversation == conversation and not turn.settled]:
        turn.settled = True
        if stored > turn.after:
            turns.remove(turn)
    return [turn for turn in turns if turn.conversation == conversation]


def _draw(question: str, shown: parts.Shown, text: Words, key: str, problem: str = "") -> None:
    st.html(parts.question_html(question))
    st.html(parts.turn_html(shown, text, problem))
    if _can_copy(shown, problem):
        with st.popover(text.copy, type="tertiary", key=f"copy-{key}"):
            _copy(shown, text)


def _can_copy(shown: parts.Shown, problem: str) -> bool:
    return bool(shown.answer) and not shown.abstained and not problem


def _copy(shown: parts.Shown, text: Words) -> None:
    st.html(parts.note_html(text.copy_hint, "quiet"))
    st.code(shown.answer, language=None, wrap_lines=True)


def _answer(assistant: Assistant, question: str, conversation: str, text: Words) -> None:
    """Streams the answer into three places, then leaves the turn there as the next run will draw it."""
    after = len(assistant.conversations.turns(conversation))
    turn = LocalTurn(conversation, question, after, parts.Shown("", finish_reason="stopped"))
    st.session_state["local_turns"].append(turn)
    with st.container():
        st.html(parts.question_html(question))
        body, control, sources = st.empty(), st.empty(), st.empty()
    body.html(parts.note_html(text.searching))
    control.button(text.stop, key="stop", icon=":material/stop:")
    with structlog.contextvars.bound_contextvars(request_id=uuid.uuid4().hex):
        try:
            with contextlib.closing(assistant.ask(question, conversation)) as events:
                _follow(events, turn, text, body, sources)
        except DocentError as error:
            turn.problem = _refusal(getattr(error, "status", 500), str(error), "", text)
    body.html(parts.turn_html(turn.shown, text, turn.problem))
    sources.empty()
    control.empty()
    if _can_copy(turn.shown, turn.problem):
        with control.popover(text.copy, type="tertiary", key=f"copy-stored-{after}"):
            _copy(turn.shown, text)


def _follow(events: EventStream, turn: LocalTurn, text: Words, body: DeltaGenerator, sources: DeltaGenerator) -> None:
    """Draws at most 15 times a second. Every drawing is also where a click on Stop takes effect, so the state line is
    drawn for events without text too."""
    line, drawn_at = text.searching, 0.0
    for event in events:
        first_words = False
        match event:
            case Evidence():
                line = text.writing
                turn.shown = dataclasses.replace(
                    turn.shown,
                    sources=event.sources,
                    evidence=event.sentences,
                    searched=event.searched,
                    caution=event.caution,
                )
                sources.html(parts.sources_html(turn.shown, text, text.found) or " ")
            case Queued():
                line = text.queued_next if event.position == 1 else text.queued.format(position=event.position)
                if event.estimate_seconds is not None:
                    line += text.queued_estimate.format(seconds=max(1, round(event.estimate_seconds)))
            case Delta():
                line = text.writing
                first_words = bool(event.text) and not turn.shown.answer
                turn.shown = dataclasses.replace(turn.shown, answer=turn.shown.answer + event.text)
            case Done():
                turn.shown = parts.Shown(
                    event.answer, event.sources, event.citations, event.evidence,
                    event.abstained, event.unsupported, event.finish_reason, event.searched, event.caution,
                )  # fmt: skip
            case Failed():
                turn.problem = _refusal(event.status, event.message, event.request_id, text)
        if first_words or time.monotonic() - drawn_at >= DRAW_SECONDS:
            drawn_at = time.monotonic()
            written = parts.answer_html(turn.shown.answer, turn.shown.numbers) if turn.shown.answer else ""
            body.html(parts.searched_html(turn.shown, text) + parts.note_html(line) + written)


def _refusal(status: int, message: str, request_id: str, text: Words) -> str:
    return text.refused.get(status, text.failed).format(message=message, request_id=request_id)


main()
