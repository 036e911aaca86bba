"""The walk of a question: complete and correct → retrieve → decide → prompt → generate → check and store.

`Assistant.ask` is the one entry for the page, the HTTP API and the terminal.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Generator, Sequence

import structlog

from assistant.answer.answer_builder import AnswerBuilder, StepClock
from assistant.answer.answer_cache import AnswerCache
from assistant.answer.citation_check import CheckedText, cite_evidence
from assistant.answer.prompt import PastTurn, Prompt, build_prompt
from assistant.answer.quote import not_said
from assistant.conversations import Conversations, Turn
from assistant.engines.admission import Admission, Place, Refused
from assistant.engines.choose import EngineChoice, choose_engine
from assistant.engines.engine import Engine
from assistant.engines.loader import EngineLoader
from assistant.event_stream import EventStream
from assistant.events import Done, Event, Evidence
from assistant.generate import generate, quote_evidence
from assistant.models.tokens import EstimatedTokens
from assistant.refuse.answerability import Thresholds
from assistant.refuse.assess import assess, is_doubtful
from assistant.refuse.background_fitting import BackgroundFitting
from assistant.refuse.thresholds import CurrentThresholds
from assistant.retrieve.evidence import worth_quoting
from assistant.retrieve.find import retrieve
from assistant.understand.example_questions import example_questions
from assistant.understand.follow_up import stand_alone
from ingest.base.errors import DocentError
from ingest.base.language import terms
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.search.rerank import reranker_of
from ingest.search.spelling import CorrectedQuestion

log = get_logger(__name__)


class Assistant:
    """One library and one engine, shared by everybody who asks. Call `load` before asking, `close` at the end."""

    def __init__(self, settings: Settings, choose: Callable[[Settings], EngineChoice] = choose_engine) -> None:
        self.settings = settings
        self.library = Library(settings.home, reranker_of(settings))
        self.conversations = Conversations(settings.home)
        self.admission = Admission(settings.queue_size, settings.queue_seconds)
        self.engines = EngineLoader(settings, self.admission, choose)
        self._examples: dict[tuple[int, str], list[str]] = {}
        self._cache = AnswerCache()
        self._thresholds = CurrentThresholds(settings.home)
        self._background_fitting = BackgroundFitting(settings.home, settings.passages)

    def load(self) -> EngineChoice:
        """Load the engine and return it; this may take seconds.

        Raises DocentError when the settings name an engine and it cannot be loaded.
        """
        return self.engines.load()

    def ask(self, question: str, conversation_id: str | None = None, as_typed: bool = False) -> EventStream:
        """The events of one answer. Close the stream to stop the work.

        With `as_typed` the question is searched for word for word: nothing is completed or corrected.
        Raises Refused at once for an empty or over-long question (422), a full queue, an empty library or an engine
        that is still loading (503).
        """
        question = self.admit(question)
        choice = self.engines.loaded()
        place = self.admission.enter()
        request_id = structlog.contextvars.get_contextvars().get("request_id") or uuid.uuid4().hex
        log.debug("question.asked", request_id=request_id, question=question)
        events = self._answer(choice, place, question, conversation_id, request_id, as_typed)
        return EventStream(events, place, request_id)

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

    def evidence_for(self, question: str, earlier: Sequence[str] = (), as_typed: bool = False) -> Evidence:
        """The first half of the walk: the evidence for a question, and the decision whether it is enough to answer.

        `earlier` are the questions before it in its conversation, oldest first. With `as_typed` neither they nor the
        spelling of the library change what is searched for. Raises DocentError while there is no library.
        """
        # 1. Complete the question: what a follow-up lacks is taken from the questions before it. Correct its spelling.
        completed = question.strip() if as_typed else stand_alone(question, earlier)
        corrected = CorrectedQuestion(completed) if as_typed else self.library.correct_spelling(completed)

        # 2. Retrieve passages and their best sentences.
        retrieved = retrieve(self.library, corrected.text, self.settings.passages)

        # 3. Decide whether that is enough: answer, answer with caution, or abstain.
        doubtful = is_doubtful(self.library, completed, corrected, self.settings.passages, self.thresholds)
        return assess(self.library, question, corrected.text, retrieved, self.thresholds, doubtful)

    def _answer(
        self, choice: EngineChoice, place: Place, question: str, conversation_id: str | None, request_id: str,
        as_typed: bool,
    ) -> Generator[Event, None, None]:  # fmt: skip
        """The whole walk. When the caller stops, GeneratorExit is raised at the `yield` that was reached."""
        clock = StepClock()
        turns = self.conversations.turns(conversation_id) if conversation_id else []
        evidence = self.evidence_for(question, [turn.question for turn in turns], as_typed)
        clock.mark("search")
        if evidence.searched:
            log.debug("question.completed", request_id=request_id, searched=evidence.searched)
        yield evidence
        if evidence.abstained:
            text = not_said(question, bool(evidence.sources))
            done = Done(evidence, text, (), choice.name, "abstained", timings=clock.timings())
            self._store(conversation_id, Turn(question, done, question, text), request_id)
            yield done
            return

        # 4. Prompt: the passages and earlier turns that fit.
        prompt = self._prompt(choice.engine, question, evidence, turns)

        # 5. Generate. The builder checks each sentence and cites its source as it comes.
        builder = self._builder(choice, evidence, clock)
        try:
            if choice.engine is None:
                finish_reason = yield from quote_evidence(question, evidence, place, builder)
            else:
                most_seconds = self.settings.answer_seconds
                finish_reason = yield from generate(choice.engine, prompt, place, builder, self._cache, most_seconds)
        except GeneratorExit:
            # The caller stopped; the text so far belongs to the conversation.
            if builder.model_text:
                builder.finish()
                stopped = Turn(question, builder.done("stopped"), prompt.user_content, builder.model_text)
                self._store(conversation_id, stopped, request_id)
            raise

        # 6. Store the checked answer, and return it.
        done = builder.done(finish_reason)
        self._store(conversation_id, Turn(question, done, prompt.user_content, builder.model_text), request_id)
        yield done

    def _prompt(self, engine: Engine | None, question: str, evidence: Evidence, turns: Sequence[Turn]) -> Prompt:
        """The prompt, within `prompt_tokens` and within what the engine reads in time.

        Without an engine the prompt is only stored, so that an engine loaded later can continue the conversation.
        """
        history = [PastTurn(turn.user_content, turn.model_text) for turn in turns]
        budget = self.settings.prompt_tokens
        if engine is None:
            return build_prompt(question, evidence.sources, history, EstimatedTokens(), budget)
        fresh_budget = engine.fresh_tokens or budget
        if not engine.keeps_prefix:
            budget = fresh_budget
        return build_prompt(question, evidence.sources, history, engine, budget, fresh_budget)

    def _builder(self, choice: EngineChoice, evidence: Evidence, clock: StepClock) -> AnswerBuilder:
        """The builder of the answer: with a citation check for a model's text, with known citations for quotations."""
        if choice.engine is None:
            citations = tuple(cite_evidence(worth_quoting(evidence.sentences), evidence.sources))
            return AnswerBuilder(evidence, choice.name, clock, citations=citations)
        words = [term for source in evidence.sources for term in terms(source.text)]
        check = CheckedText(evidence.sources, self.library.index.inverse_frequencies(words))
        return AnswerBuilder(evidence, choice.name, clock, check)

    def _store(self, conversation_id: str | None, turn: Turn, request_id: str) -> None:
        """Store the answer when it belongs to a conversation, and log it unless the person stopped it."""
        done = turn.done
        if conversation_id:
            try:
                self.conversations.add(conversation_id, turn)
            except DocentError:
                # The person has the answer; that it cannot be shown again concerns the administrator.
                log.error("conversation.not_kept", exc_info=True)
        if done.finish_reason != "stopped":
            log.info(
                "question.answered", request_id=request_id, engine=done.engine, finish_reason=done.finish_reason,
                abstained=done.evidence.abstained, confidence=done.evidence.confidence, citations=len(done.citations),
                **done.timings,
            )  # fmt: skip

    def example_questions(self, language: str) -> list[str]:
        """Up to four questions in `language` ('en' or 'zh') that this library can answer."""
        revision = self.library.catalog.revision
        key = (revision, language)
        if key not in self._examples:
            candidates = itertools.islice(example_questions(self.library.catalog.headings(), language), 12)
            answerable = (text for text in candidates if not self.evidence_for(text).abstained)
            # Keep the other language's questions of this revision: visitors of both languages need theirs in turn.
            current = {old_key: questions for old_key, questions in self._examples.items() if old_key[0] == revision}
            self._examples = {**current, key: list(itertools.islice(answerable, 4))}
        return self._examples[key]

    def keep_thresholds_fitted(self) -> None:
        """Start a thread that fits the thresholds after the library has changed, unless another process did."""
        self._background_fitting.start()

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds in force now; another process may have fitted them."""
        return self._thresholds.now

    def close(self) -> None:
        self._background_fitting.close()
        self.library.close()
        self.engines.close()
