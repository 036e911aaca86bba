"""The walk of a question: search → evidence → prompt that fits → engine streams → answer checked and cited.

`Assistant.ask` is the one way in for page, HTTP and terminal. Knows nothing of any of them, nor which engine answers.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import structlog
from llama_index.core.llms import ChatMessage

from assistant.answer.answer_builder import AnswerBuilder
from assistant.answer.answer_cache import AnswerCache, CachedAnswer, answer_key
from assistant.answer.citation_check import CheckedText
from assistant.answer.prompt import PastTurn, build_prompt
from assistant.answer.quote import attach_evidence
from assistant.conversations import Conversations, Turn
from assistant.engines.admission import Admission, Place, Refused
from assistant.engines.choose import EXTRACTIVE, Engine, choose_engine
from assistant.events import Delta, Done, Event, Evidence, Failed
from assistant.refuse.answerability import Thresholds
from assistant.refuse.assess import assess
from assistant.refuse.background_fitting import BackgroundFitting
from assistant.refuse.thresholds import CurrentThresholds
from assistant.retrieve.evidence import worth_quoting
from assistant.understand.example_questions import example_questions
from ingest.base.errors import DocentError
from ingest.base.language import is_chinese, terms
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.search.rerank import reranker_of

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
        self.library = Library(settings.home, reranker_of(settings))
        self.conversations = Conversations(settings.home)
        self.admission = Admission(settings.queue_size, settings.queue_seconds)
        self._load_engine = load_engine
        self._engine: Engine | None = None
        self._engine_problem = ""
        self._examples: dict[tuple[int, str], list[str]] = {}
        self._answers = AnswerCache()
        self._thresholds = CurrentThresholds(settings.home)
        self._background_fitting = BackgroundFitting(settings.home, settings.passages)

    def load(self) -> Engine:
        """Make the engine ready; may take seconds. Raises DocentError when the one asked for cannot be had."""
        if self._engine is None:
            self._engine = self._load_engine(self.settings)
            self.admission.at_once = self._engine.at_once
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
            except Exception as error:
                # Nobody waits for this thread: unsaid, the page would show "still loading" for ever.
                log.error("engine.failed", exc_info=True)
                self._engine_problem = (
                    f"The model could not be loaded ({type(error).__name__}); the log has the details: "
                    "mend it and restart, or set `engine` to extractive."
                )

        threading.Thread(target=run, name="engine-loader", daemon=True).start()

    def engine_state(self) -> EngineState:
        if self._engine is None:
            return EngineState("", self.settings.model, self._engine_problem, False)
        return EngineState(self._engine.name, self._engine.model, self._engine.note, self._engine.alive)

    def keep_thresholds_fitted(self) -> None:
        """From now on fit the thresholds in the background when the library has changed and nobody else did."""
        self._background_fitting.start()

    @property
    def thresholds(self) -> Thresholds:
        """Those in force at this moment: another process may have fitted them just now."""
        return self._thresholds.now

    def close(self) -> None:
        self._background_fitting.close()
        self.library.close()
        if self._engine is not None:
            self._engine.close()

    def example_questions(self, language: str) -> list[str]:
        """Up to four questions in `language` ('en' or 'zh') that this library can answer."""
        revision = self.library.catalog.revision
        key = (revision, language)
        if key not in self._examples:
            candidates = itertools.islice(example_questions(self.library.catalog.headings(), language), 12)
            answerable = (text for text in candidates if not self.find(text).abstained)
            # Both languages of this revision stay, or two people with different browsers would undo each other's.
            current = {known: questions for known, questions in self._examples.items() if known[0] == revision}
            self._examples = {**current, key: list(itertools.islice(answerable, 4))}
        return self._examples[key]

    def find(self, question: str, earlier: Sequence[str] = ()) -> Evidence:
        """What the library has on a question: sources, the sentences that answer, and whether they can.

        `earlier` are the questions of the conversation before it, oldest first: what it lacks is taken from them.
        Raises DocentError while there is no library.
        """
        return assess(self.library, question, earlier, self.settings.passages, self.thresholds)

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
        if not self.library.is_ready():
            problem = self.library.status().problem
            raise Refused(503, problem or "The library is empty: run `docent ingest FOLDER` to fill it.", 60)
        return question

    def _answer(
        self, engine: Engine, place: Place, question: str, conversation_id: str | None, request_id: str
    ) -> Iterator[Event]:
        """Every step of a question, in order. After the first event an error can only be an event."""
        draft = AnswerBuilder(engine.name)
        done: Done | None = None
        try:
            log.debug("question.asked", request_id=request_id, question=question)
            turns = self.conversations.turns(conversation_id) if conversation_id else []
            draft.found = self.find(question, [turn.question for turn in turns])
            if draft.found.searched:
                log.debug("question.completed", request_id=request_id, searched=draft.found.searched)
            draft.mark("search")
            yield draft.found
            if draft.found.abstained:
                draft.user_content = question
                draft.written = NOT_SAID["zh" if is_chinese(question) else "en"]
                done = draft.done("abstained")
            else:
                finish_reason = yield from self._generate(engine, place, question, draft, turns)
                done = draft.done(finish_reason)
            self._keep(conversation_id, question, draft, done)
            log.info(
                "question.answered", request_id=request_id, engine=engine.name, finish_reason=done.finish_reason,
                abstained=draft.found.abstained, confidence=draft.found.confidence, citations=len(done.citations),
                **done.timings,
            )  # fmt: skip
            yield done
        except GeneratorExit:
            if done is None:
                log.info("question.stopped", request_id=request_id)
                # The caller stopped: what was written so far is still part of the conversation.
                if draft.found is not None and draft.written:
                    draft.finish()
                    self._keep(conversation_id, question, draft, draft.done("stopped"))
            raise
        except Refused as error:
            log.info("question.refused", request_id=request_id, status=error.status)
            yield Failed(str(error), error.status, request_id)
        except DocentError as error:
            log.error("question.failed", request_id=request_id, exc_info=True)
            yield Failed(str(error), 503, request_id)
        except Exception:
            # Whatever broke, the stream must end with an event, and the log must say why.
            log.error("question.failed", request_id=request_id, exc_info=True)
            yield Failed(
                f"Something went wrong inside Docent; the log has the details under {request_id}: ask again.",
                500,
                request_id,
            )
        finally:
            place.leave()

    def _generate(
        self, engine: Engine, place: Place, question: str, draft: AnswerBuilder, turns: Sequence[Turn]
    ) -> Generator[Event, None, str]:
        """Yields what happens until the answer is written; returns why it ended."""
        assert draft.found is not None
        messages = self._prompt(engine, question, draft, turns)
        key = answer_key(messages, f"{engine.name} {engine.version}", self._sampling)
        known = self._answers.get(key)
        if known is not None:
            draft.mark("cache")
            yield Delta(draft.add(known.text) + draft.finish())
            return known.finish_reason
        yield from place.wait()
        draft.mark("queue")
        finish_reason = "stop"
        deadline = time.monotonic() + self.settings.answer_seconds
        with closing(engine.llm.stream_chat(messages)) as responses:
            for response in responses:
                yield Delta(draft.add(response.delta or ""))
                finish_reason = str(response.additional_kwargs.get("finish_reason", finish_reason))
                if time.monotonic() > deadline:
                    finish_reason = "timeout"
                    break
        if rest := draft.finish():
            yield Delta(rest)
        if finish_reason != "timeout" and engine.name != EXTRACTIVE:
            self._answers.put(key, CachedAnswer(draft.written, finish_reason))
        return finish_reason

    def _prompt(self, engine: Engine, question: str, draft: AnswerBuilder, turns: Sequence[Turn]) -> list[ChatMessage]:
        """What the engine is sent; the draft learns how its answer is to be checked."""
        assert draft.found is not None
        history = [PastTurn(turn.user_content, turn.model_text) for turn in turns]
        most = self.settings.prompt_tokens
        fresh = engine.fresh_tokens or most
        prompt = build_prompt(
            question, draft.found.sources, history, engine.count_tokens, most if engine.keeps_prefix else fresh, fresh
        )
        draft.user_content = prompt.user_content
        if engine.name == EXTRACTIVE:
            draft.quoted = worth_quoting(draft.found.sentences)
            return attach_evidence(prompt.messages, draft.quoted)
        words = [term for source in draft.found.sources for term in terms(source.text)]
        draft.checked = CheckedText(draft.found.sources, self.library.index.inverse_frequencies(words))
        return list(prompt.messages)

    @property
    def _sampling(self) -> str:
        settings = self.settings
        return " ".join(
            str(getattr(settings, name))
            for name in ("max_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty")
        )

    def _keep(self, conversation_id: str | None, question: str, draft: AnswerBuilder, done: Done) -> None:
        if conversation_id:
            try:
                self.conversations.add(conversation_id, Turn(question, done, draft.user_content, draft.written))
            except DocentError:
                # The person has the answer; that it cannot be gone back to is for the administrator.
                log.error("conversation.not_kept", exc_info=True)


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
