"""The walk of a question: search → evidence → prompt that fits → engine streams → answer checked and cited.

`Assistant.ask` is the one way in for page, HTTP and terminal. Knows nothing of any of them, nor which engine answers.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import structlog

from assistant.admission import Admission, Place, Refused
from assistant.confidence import THRESHOLD, confidence
from assistant.conversations import Conversations
from assistant.engines import Engine, choose_engine
from assistant.engines.extractive import attach_evidence
from assistant.events import Delta, Done, Event, Evidence, EvidenceSentence, Failed, Source
from assistant.evidence import pick_evidence
from assistant.examples import example_questions
from assistant.prompt import PastTurn, Prompt, build_prompt
from assistant.support import CheckedText, cite_evidence
from ingest.errors import DocentError
from ingest.language import is_chinese, terms
from ingest.library import Library
from ingest.logs import get_logger
from ingest.settings import Settings
from ingest.types import Hit

NOT_SAID = {
    "en": "The documents do not say. The nearest ones are listed as sources.",
    "zh": "文件中没有说明。最接近的几份已列在来源中。",
}
log = get_logger(__name__)


@dataclass(frozen=True)
class EngineState:
    """What answers. `note` is one line for people when it is not the best that could be had, else ''."""

    name: str
    model: str
    note: str
    loaded: bool


class Assistant:
    """One library and one engine, shared by everybody who asks. Close it when done."""

    def __init__(self, settings: Settings, load_engine: Callable[[Settings], Engine] = choose_engine) -> None:
        self.settings = settings
        self.library = Library(settings.home)
        self.conversations = Conversations(settings.home)
        self.admission = Admission(settings.queue_size, settings.queue_seconds)
        self._load_engine = load_engine
        self._engine: Engine | None = None
        self._engine_problem = ""
        self._examples: dict[tuple[int, str], list[str]] = {}

    def load(self) -> Engine:
        """Make the engine ready; may take seconds. Raises DocentError when the one asked for cannot be had."""
        if self._engine is None:
            self._engine = self._load_engine(self.settings)
            log.info("engine.ready", engine=self._engine.name, model=self._engine.model)
        return self._engine

    def load_in_background(self, announce: Callable[[str], None] = print) -> None:
        """Make the engine ready while the page already opens; what goes wrong is shown there and in the log.

        `announce` gets the engine's note, when it has one.
        """

        def run() -> None:
            try:
                engine = self.load()
                if engine.note:
                    announce(engine.note)
            except DocentError as error:
                log.error("engine.failed", reason=str(error), exc_info=True)
                self._engine_problem = str(error)

        threading.Thread(target=run, name="engine-loader", daemon=True).start()

    def engine_state(self) -> EngineState:
        if self._engine is None:
            return EngineState("", self.settings.model, self._engine_problem, False)
        return EngineState(self._engine.name, self._engine.model, self._engine.note, True)

    def close(self) -> None:
        self.library.close()

    def example_questions(self, language: str) -> list[str]:
        """Up to four questions in `language` ('en' or 'zh') that this library can answer."""
        key = (self.library.catalog.revision, language)
        if key not in self._examples:
            candidates = itertools.islice(example_questions(self.library.catalog.headings(), language), 12)
            answerable = (text for text in candidates if not self.find(text).abstained)
            self._examples = {key: list(itertools.islice(answerable, 4))}
        return self._examples[key]

    def find(self, question: str) -> Evidence:
        """What the library has on a question: sources, the sentences that answer, and whether they can.

        Raises DocentError while there is no library.
        """
        hits = self.library.search_scored(question, self.settings.passages + 3)
        kept = _without_superseded([scored.hit for scored in hits])[: self.settings.passages]
        sources = tuple(_source(number, hit) for number, hit in enumerate(kept, 1))
        best_cosine = max((scored.parts.dense for scored in hits), default=0.0)
        sentences, strength = pick_evidence(question, sources, self.library.index, self.library.embedder, best_cosine)
        sure = confidence(strength)
        return Evidence(sources, sentences, round(sure, 4), abstained=sure < THRESHOLD)

    def ask(self, question: str, conversation_id: str | None = None) -> EventStream:
        """The events of one answer. Close the stream to stop the work.

        Raises Refused at once for an empty or over-long question (422), a full queue, an empty library or an engine
        that is still loading (503).
        """
        question = self.admit(question)
        engine = self._engine
        if engine is None:
            raise Refused(503, self._engine_problem or "The model is still loading: ask again in a few seconds.", 5)
        place = self.admission.enter()
        request_id = structlog.contextvars.get_contextvars().get("request_id") or uuid.uuid4().hex
        return EventStream(self._answer(engine, place, question, conversation_id, request_id), place)

    def admit(self, question: str) -> str:
        """The question, trimmed. Raises Refused when it is empty or too long (422) or the library is empty (503)."""
        question = question.strip()
        limit = self.settings.question_characters
        if not question or len(question) > limit:
            raise Refused(
                422, f"A question has 1 to {limit} characters, this one has {len(question)}: change its length."
            )
        status = self.library.status()
        if status.passages == 0:
            raise Refused(503, status.problem or "The library is empty: run `docent ingest FOLDER` to fill it.", 60)
        return question

    def _answer(
        self, engine: Engine, place: Place, question: str, conversation_id: str | None, request_id: str
    ) -> Iterator[Event]:
        """Every step of a question, in order. After the first event an error can only be an event."""
        clock = _Clock()
        try:
            log.debug("question.asked", request_id=request_id, question=question)
            found = self.find(question)
            clock.mark("search")
            yield found
            if found.abstained:
                done = self._abstained(question, found, engine, clock)
                prompt = None
                model_answer = done.answer
            else:
                yield from place.wait()
                clock.mark("queue")
                prompt = self._prompt(engine, question, found, conversation_id)
                checked = _checked(engine, self.library, found)
                finish_reason, model_answer = yield from self._stream(engine, prompt, found, checked, clock)
                done = _done(engine, found, checked, finish_reason, clock)
            if conversation_id:
                content = prompt.user_content if prompt else question
                self.conversations.add(conversation_id, question, done, content, model_answer)
            log.info(
                "question.answered", request_id=request_id, engine=engine.name, finish_reason=done.finish_reason,
                abstained=done.abstained, confidence=done.confidence, citations=len(done.citations), **done.timings,
            )  # fmt: skip
            yield done
        except Refused as error:
            log.info("question.refused", request_id=request_id, status=error.status)
            yield Failed(str(error), error.status, request_id)
        except DocentError as error:
            log.error("question.failed", request_id=request_id, exc_info=True)
            yield Failed(str(error), 503, request_id)
        except Exception:
            log.error("question.failed", request_id=request_id, exc_info=True)
            yield Failed(
                f"Something went wrong inside Docent; the log has the details under {request_id}: ask again.",
                500,
                request_id,
            )
        finally:
            place.leave()

    def _prompt(self, engine: Engine, question: str, found: Evidence, conversation_id: str | None) -> Prompt:
        turns = self.conversations.turns(conversation_id) if conversation_id else []
        history = [PastTurn(turn.user_content, turn.model_answer) for turn in turns]
        return build_prompt(question, found.sources, history, engine.count_tokens, self.settings.prompt_tokens)

    def _stream(
        self, engine: Engine, prompt: Prompt, found: Evidence, checked: CheckedText | None, clock: _Clock
    ) -> Any:
        """Yields deltas; returns (finish reason, what the model itself wrote)."""
        messages = list(prompt.messages)
        if checked is None:
            messages = attach_evidence(messages, found.sentences)
        finish_reason, written = "stop", ""
        deadline = time.monotonic() + self.settings.answer_seconds
        with closing(engine.llm.stream_chat(messages)) as responses:
            for response in responses:
                delta = response.delta or ""
                if delta and not written:
                    clock.mark("first_token")
                written += delta
                yield Delta(checked.more(delta) if checked is not None else delta)
                finish_reason = str(response.additional_kwargs.get("finish_reason", finish_reason))
                if time.monotonic() > deadline:
                    finish_reason = "timeout"
                    break
        if checked is not None and (rest := checked.more("", last=True)):
            yield Delta(rest)
        clock.answer = checked.text if checked is not None else written
        clock.mark("generation")
        return finish_reason, written

    def _abstained(self, question: str, found: Evidence, engine: Engine, clock: _Clock) -> Done:
        return Done(
            answer=NOT_SAID["zh" if is_chinese(question) else "en"], citations=(), evidence=found.sentences,
            sources=found.sources[:3], abstained=True, confidence=found.confidence, engine=engine.name,
            finish_reason="abstained", timings=clock.timings(),
        )  # fmt: skip


class EventStream(Iterator[Event]):
    """The events of one answer. Frees its place in the queue when closed, finished or forgotten, started or not."""

    def __init__(self, events: Iterator[Event], place: Place) -> None:
        self._events = events
        self._place = place

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """Stop the work now."""
        self._events.close()  # type: ignore[attr-defined]  # a generator
        self._place.leave()

    def __del__(self) -> None:
        self._place.leave()


class _Clock:
    """Seconds by step, and the answer as shown."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._seconds: dict[str, float] = {}
        self.answer = ""

    def mark(self, step: str) -> None:
        now = time.monotonic()
        self._seconds[step] = round(now - self._last, 4)
        self._last = now

    def timings(self) -> dict[str, float]:
        return {**self._seconds, "total": round(time.monotonic() - self._start, 4)}


def _source(number: int, hit: Hit) -> Source:
    return Source(
        n=number, passage_id=hit.passage_id, document_id=hit.document_id, path=hit.path, title=hit.title,
        heading=hit.heading, page=hit.page, text=hit.text, score=hit.score,
    )  # fmt: skip


def _without_superseded(hits: list[Hit]) -> list[Hit]:
    """A passage of an older version stays only when nothing of the newer one was found, or it was asked for."""
    found = {hit.path for hit in hits}
    best = hits[0].document_id if hits else None
    return [hit for hit in hits if hit.document_id == best or not hit.newer or hit.newer not in found]


def _checked(engine: Engine, library: Library, found: Evidence) -> CheckedText | None:
    """What checks the model's sentences; None for the engine that only quotes."""
    if engine.name == "extractive":
        return None
    words = [term for source in found.sources for term in terms(source.text)]
    return CheckedText(found.sources, library.index.inverse_frequencies(words))


def _done(engine: Engine, found: Evidence, checked: CheckedText | None, finish_reason: str, clock: _Clock) -> Done:
    quoted: tuple[EvidenceSentence, ...] = found.sentences
    return Done(
        answer=clock.answer,
        citations=tuple(checked.citations) if checked is not None else tuple(cite_evidence(quoted, found.sources)),
        evidence=found.sentences, sources=found.sources, abstained=False, confidence=found.confidence,
        engine=engine.name, finish_reason=finish_reason,
        unsupported=tuple(checked.unsupported) if checked is not None else (), timings=clock.timings(),
    )  # fmt: skip
