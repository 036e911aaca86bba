from __future__ import annotations

import dataclasses
import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    CustomLLM,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback
from pydantic import Field, PrivateAttr

from assistant.answer.answer_cache import AnswerCache
from assistant.assistant import NOT_SAID, Assistant, EngineState
from assistant.conversations import CONVERSATIONS_FILE
from assistant.engines.admission import Refused
from assistant.engines.choose import EXTRACTIVE, TRANSFORMERS, Engine, choose_engine, estimate_tokens
from assistant.engines.transformers_engine import TransformersLLM
from assistant.events import Delta, Done, Event, Evidence, Failed, Queued
from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
from ingest.base.settings import Settings
from ingest.sync import ingest, remove
from tests.fakes.model_fixtures import tiny_checkpoint  # noqa: F401
from tests.project import PROJECT

LEAVE = "Every employee has 25 days of annual leave a year."
CARRY_OVER = "Unused days of annual leave may be carried over until 31 March."
DOCUMENTS = {
    "leave.md": f"# Leave policy\n\n## Annual leave\n\n{LEAVE} {CARRY_OVER}\n\n## Sick leave\n\n"
    "Tell your manager on the first day. A doctor's note is needed from the fourth day of illness.\n",
    "travel.md": "# Travel guide\n\n## Hotels\n\nA hotel room may cost up to 150 euros a night.\n",
    "休假制度.md": "# 休假制度\n\n## 年休假\n\n员工每年享有25天年休假。未休年休假须在次年3月31日前使用。\n",
}
QUESTION = "How many days of annual leave does an employee have?"
UNANSWERABLE = "Who won the football world cup in 1998?"


class ScriptedLLM(CustomLLM):
    """Answers with the deltas it is given and remembers what it was asked and how each answer ended."""

    _deltas: Callable[[], Iterator[str]] = PrivateAttr()
    asked: list[list[ChatMessage]] = Field(default_factory=list)
    ended: list[str] = Field(default_factory=list)

    def __init__(self, deltas: Callable[[], Iterator[str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._deltas = deltas

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="scripted", is_chat_model=True)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:  # noqa: ARG002
        self.asked.append(list(messages))
        return self._responses()

    def _responses(self) -> ChatResponseGen:
        text = ""
        try:
            for delta in self._deltas():
                text += delta
                yield ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=text), delta=delta)
            self.ended.append("finished")
        except GeneratorExit:
            self.ended.append("closed")
            raise

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        raise NotImplementedError


def saying(*deltas: str) -> ScriptedLLM:
    return ScriptedLLM(lambda: iter(deltas))


def endless() -> Iterator[str]:
    while True:
        time.sleep(0.01)
        yield "and "


@pytest.fixture
def documents(settings: Settings, tmp_path: Path) -> Path:
    """A folder of English and Chinese documents, ingested."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, "utf-8")
    assert ingest([folder], settings).failed == []
    return folder


Make = Callable[..., Assistant]


@pytest.fixture
def assistant_with(settings: Settings, documents: Path) -> Iterator[Make]:  # noqa: ARG001
    """Makes an assistant over the documents, with a scripted model and any settings changed."""
    made: list[Assistant] = []

    def make(llm: ScriptedLLM | None = None, **changes: Any) -> Assistant:
        engine = Engine("scripted", llm or saying(LEAVE), estimate_tokens, "a script", "")
        assistant = Assistant(settings.model_copy(update=changes), lambda _settings: engine)
        assistant.load()
        made.append(assistant)
        return assistant

    yield make
    for assistant in made:
        assistant.close()


def told(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def kinds(events: Sequence[Event]) -> list[str]:
    """The kinds of event in order, each run of the same kind once."""
    names = [type(event).__name__ for event in events]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


def done_of(events: Sequence[Event]) -> Done:
    last = events[-1]
    assert isinstance(last, Done), last
    return last


def check_citations(assistant: Assistant, done: Done) -> None:
    """Every citation names a source of the answer and a passage of the library in which its quote stands."""
    for citation in done.citations:
        source = next(source for source in done.evidence.sources if source.n == citation.n)
        row = assistant.library.catalog.passages([citation.passage_id])[citation.passage_id]
        assert (source.passage_id, source.path) == (citation.passage_id, citation.path)
        assert (row["document_id"], row["text"]) == (citation.document_id, source.text)
        assert citation.quote in source.text


@pytest.mark.parametrize(
    ("question", "answer", "path"),
    [
        (QUESTION, f"From the documents:\n“{LEAVE}” [1]", "leave.md"),
        ("年休假有多少天？", "文件中这样写：\n「员工每年享有25天年休假。」 [1]", "休假制度.md"),
    ],
)
def test_without_a_model_the_documents_are_quoted(
    settings: Settings, documents: Path, question: str, answer: str, path: str
) -> None:
    """Evidence, deltas, done; the answer begins with the sentence that answers, quoted in the question's language."""
    assert documents.is_dir()
    assistant = Assistant(settings.model_copy(update={"engine": EXTRACTIVE}))
    try:
        assistant.load()
        events = list(assistant.ask(question))
        done = done_of(events)
        assert kinds(events) == ["Evidence", "Delta", "Done"]
        assert told(events) == done.answer
        assert done.answer.startswith(answer)
        assert (done.citations[0].path, done.engine, done.finish_reason) == (path, EXTRACTIVE, "stop")
        assert list(done.timings) == ["search", "queue", "first_token", "generation", "total"]
        check_citations(assistant, done)
    finally:
        assistant.close()


def test_a_real_model_answers(settings: Settings, documents: Path, tiny_checkpoint: Path) -> None:  # noqa: F811
    """Through the real engine: the answer is the deltas joined and greedy decoding says the same twice; closing the
    stream means that no further pass through the model is made."""
    assert documents.is_dir()
    changes = {"model": str(tiny_checkpoint), "engine": TRANSFORMERS, "temperature": 0.0, "max_new_tokens": 24}
    assistant = Assistant(settings.model_copy(update=changes))
    try:
        engine = assistant.load()
        assistant._answers = AnswerCache(most=0)
        first, second = (list(assistant.ask(QUESTION)) for _ in range(2))
        done = done_of(first)
        assert kinds(first) == ["Evidence", "Delta", "Done"]
        assert told(first) == done.answer == done_of(second).answer != ""
        assert done.engine == TRANSFORMERS
        assert done.finish_reason in ("stop", "length")
        check_citations(assistant, done)

        passes: list[int] = []
        assert isinstance(engine.llm, TransformersLLM)
        model = engine.llm._model
        hook = model.register_forward_hook(lambda *_arguments: passes.append(1))
        stream = assistant.ask(QUESTION)
        while not isinstance(next(stream), Delta):
            pass
        made = len(passes)
        assert made > 0
        stream.close()
        assert list(stream) == []
        assert len(passes) == made
        hook.remove()
        assert done_of(list(assistant.ask(QUESTION))).answer == done.answer
    finally:
        assistant.close()


def test_the_same_question_again_is_not_computed_again(
    settings: Settings,
    documents: Path,
    tiny_checkpoint: Path,  # noqa: F811
) -> None:
    """Word for word the same answer and citations without a pass through the model, until a document changes."""
    changes = {"model": str(tiny_checkpoint), "engine": TRANSFORMERS, "temperature": 0.0, "max_new_tokens": 24}
    assistant = Assistant(settings.model_copy(update=changes))
    try:
        llm = assistant.load().llm
        first = done_of(list(assistant.ask(QUESTION)))
        passes: list[int] = []
        assert isinstance(llm, TransformersLLM)
        llm._model.register_forward_hook(lambda *_arguments: passes.append(1))
        again = list(assistant.ask(QUESTION))
        assert passes == []
        assert told(again) == first.answer
        assert (done_of(again).citations, done_of(again).finish_reason) == (first.citations, first.finish_reason)
        leave = documents / "leave.md"
        leave.write_text(leave.read_text("utf-8").replace("25 days", "26 days"), "utf-8")
        ingest([documents], settings)
        assistant.library.refresh()
        list(assistant.ask(QUESTION))
        assert passes
    finally:
        assistant.close()


def test_a_slow_machine_takes_fewer_passages_along(assistant_with: Make) -> None:
    """What the engine can read in time decides; the best passage always comes along."""
    llm = saying("Every employee has 25 days of annual leave a year.")
    assistant = assistant_with(llm)
    list(assistant.ask(QUESTION))
    whole = llm.asked[-1][-1].content or ""
    assert assistant._engine is not None
    assistant._engine = dataclasses.replace(assistant._engine, fresh_tokens=1)
    list(assistant.ask(QUESTION))
    short = llm.asked[-1][-1].content or ""
    assert len(short) < len(whole)
    assert short.endswith(QUESTION)


def test_health_tells_the_truth_about_a_model_that_died(assistant_with: Make) -> None:
    """While the model's process is gone the engine counts as not loaded."""
    llm = saying("x")
    assistant = assistant_with(llm)
    assert assistant.engine_state().loaded
    object.__setattr__(llm, "alive", False)
    assert not assistant.engine_state().loaded


def test_a_model_s_sentences_are_checked_and_cited(assistant_with: Make) -> None:
    """Markers the model wrote go, ours come, a wrong number is named as unsupported; the joined deltas are the
    answer."""
    llm = saying("Every employee has 25 days of annual", " leave [", "9]. ", "", "Every employee has 99 days.")
    assistant = assistant_with(llm)
    events = list(assistant.ask(f"  {QUESTION}\n"))
    done = done_of(events)
    assert kinds(events) == ["Evidence", "Delta", "Done"]
    first = events[0]
    assert isinstance(first, Evidence)
    assert done.evidence == first
    assert told(events) == done.answer
    assert done.answer == "Every employee has 25 days of annual leave. [1] Every employee has 99 days."
    assert [citation.quote for citation in done.citations] == [LEAVE]
    assert done.unsupported == ("Every employee has 99 days.",)
    check_citations(assistant, done)
    assert llm.ended == ["finished"]
    content = str(llm.asked[0][-1].content)
    assert content.endswith(f"Question: {QUESTION}")
    assert LEAVE in content


def test_empty_deltas_reach_the_caller(assistant_with: Make) -> None:
    """A model at work that has nothing to say yet still gives the caller a chance to stop it."""
    stream = assistant_with(saying("", "", "Yes.")).ask(QUESTION)
    assert isinstance(next(stream), Evidence)
    assert [next(stream), next(stream)] == [Delta(""), Delta("")]
    stream.close()


@pytest.mark.parametrize(("question", "language"), [(UNANSWERABLE, "en"), ("火星上有没有海洋？", "zh")])
def test_what_the_documents_do_not_say_is_not_asked_of_the_model(
    assistant_with: Make, question: str, language: str
) -> None:
    """The answer says so in the question's language, with the nearest sources; the model is never called."""
    llm = saying("France.")
    assistant = assistant_with(llm)
    events = list(assistant.ask(question, "talk"))
    done = done_of(events)
    assert kinds(events) == ["Evidence", "Done"]
    assert (done.answer, done.evidence.abstained, done.finish_reason) == (NOT_SAID[language], True, "abstained")
    assert done.citations == ()
    assert llm.asked == []
    assert [turn.done.finish_reason for turn in assistant.conversations.turns("talk")] == ["abstained"]


def test_abstaining_does_not_wait_for_the_model(assistant_with: Make) -> None:
    """A question that needs no model is answered while another one has it."""
    assistant = assistant_with(ScriptedLLM(endless))
    busy = assistant.ask(QUESTION)
    next(busy)
    next(busy)
    assert kinds(list(assistant.ask(UNANSWERABLE))) == ["Evidence", "Done"]
    busy.close()


def test_questions_of_the_wrong_length_are_refused(assistant_with: Make) -> None:
    """Empty, blank or over-long: 422 at once, and the line says the limit; as long as allowed is allowed."""
    assistant = assistant_with(question_characters=60)
    for question in ("", " \n ", "x" * 61):
        with pytest.raises(Refused, match="1 to 60 characters") as refused:
            assistant.ask(question)
        assert (refused.value.status, refused.value.retry_after) == (422, None)
    assert done_of(list(assistant.ask(f" {QUESTION.ljust(60, '?')} "))).answer != ""


def test_an_empty_library_and_an_unloaded_model_are_503(settings: Settings, documents: Path) -> None:
    """Each says what to do; a model that could not be loaded says why."""
    engine = Engine("scripted", saying("x"), estimate_tokens, "a script", "")
    nowhere = Assistant(settings.model_copy(update={"home": documents / "nowhere"}), lambda _settings: engine)
    nowhere.load()
    with pytest.raises(Refused, match="docent ingest") as refused:
        nowhere.ask(QUESTION)
    assert refused.value.status == 503
    nowhere.close()

    def broken(_settings: Settings) -> Engine:
        raise DocentError("model folder x: config.json is missing: run `docent models pull` again.")

    assistant = Assistant(settings, broken)
    with pytest.raises(Refused, match="still loading") as refused:
        assistant.ask(QUESTION)
    assert (refused.value.status, refused.value.retry_after) == (503, 5)
    in_background(assistant)
    with pytest.raises(Refused, match=r"config\.json is missing") as refused:
        assistant.ask(QUESTION)
    assert refused.value.status == 503
    assert assistant.engine_state() == EngineState(
        "", settings.model, "model folder x: config.json is missing: run `docent models pull` again.", False
    )
    remove(["1", "2", "3"], settings)
    with pytest.raises(Refused, match="library is empty"):
        assistant.ask(QUESTION)
    assistant.close()


def test_loading_in_the_background_ends_in_an_engine_or_a_reason(settings: Settings) -> None:
    """The engine's note is announced; an error nobody foresaw is shown instead of loading for ever."""
    announced: list[str] = []
    assistant = Assistant(settings, lambda _settings: Engine("e", saying(""), estimate_tokens, "m", "Only quotes."))
    in_background(assistant, announced.append)
    assert announced == ["Only quotes."]
    assert assistant.engine_state() == EngineState("e", "m", "Only quotes.", True)
    assistant.close()

    def out_of_memory(_settings: Settings) -> Engine:
        raise MemoryError("secret detail")

    assistant = Assistant(settings, out_of_memory)
    in_background(assistant, announced.append)
    state = assistant.engine_state()
    assert state.loaded is False
    assert "MemoryError" in state.note
    assert "secret detail" not in state.note
    assert announced == ["Only quotes."]
    assistant.close()


def in_background(assistant: Assistant, announce: Callable[[str], None] = print) -> None:
    assistant.load_in_background(announce)
    for thread in threading.enumerate():
        if thread.name == "engine-loader":
            thread.join()


def test_one_answer_at_a_time_and_a_full_queue_is_refused(assistant_with: Make) -> None:
    """The second waits for the first and is then answered; a third is refused with 503 until one has gone."""
    assistant = assistant_with(saying(LEAVE), queue_size=1)
    first, second = assistant.ask(QUESTION), assistant.ask(QUESTION)
    with pytest.raises(Refused) as refused:
        assistant.ask(QUESTION)
    assert refused.value.status == 503
    assert refused.value.retry_after is not None
    assert isinstance(next(second), Evidence)
    queued = next(second)
    assert isinstance(queued, Queued)
    assert queued.position == 1
    assert done_of(list(first)).answer == f"{LEAVE} [1]"
    events = list(second)
    assert kinds(events) == ["Delta", "Done"]
    assert done_of(events).timings["queue"] > 0
    assert done_of(list(assistant.ask(QUESTION))).finish_reason == "stop"


def test_waiting_too_long_ends_in_504(assistant_with: Make) -> None:
    """The stream ends with the event that says so, and the place is free again."""
    assistant = assistant_with(ScriptedLLM(endless), queue_size=1, queue_seconds=1.5)
    busy = assistant.ask(QUESTION)
    next(busy)
    events = list(assistant.ask(QUESTION))
    assert kinds(events) == ["Evidence", "Queued", "Failed"]
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.status == 504
    assistant.ask(QUESTION).close()
    busy.close()


def test_an_answer_that_takes_too_long_is_cut(assistant_with: Make) -> None:
    """What was written by then is the answer, and the model has been stopped."""
    llm = ScriptedLLM(endless)
    assistant = assistant_with(llm, answer_seconds=0.05)
    events = list(assistant.ask(QUESTION))
    done = done_of(events)
    assert done.finish_reason == "timeout"
    assert done.answer == told(events)
    assert done.answer.startswith("and and")
    assert llm.ended == ["closed"]


def test_an_unforeseen_error_ends_in_500_and_is_in_the_log(assistant_with: Make, tmp_path: Path) -> None:
    """The person reads an id and no detail; under that id the log has the traceback; the place is free again."""

    def broken() -> Iterator[str]:
        yield "Every employee"
        raise ZeroDivisionError("a secret of the inside")

    assistant = assistant_with(ScriptedLLM(broken), queue_size=0)
    configure_logs("info", tmp_path / "logs", console=False)
    events = list(assistant.ask(QUESTION, "talk"))
    assert kinds(events) == ["Evidence", "Delta", "Failed"]
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.status == 500
    assert failed.request_id in failed.message
    assert "secret" not in failed.message
    assert "Zero" not in failed.message
    records = log_records(tmp_path / "logs")
    (record,) = [record for record in records if record["event"] == "question.failed"]
    assert record["request_id"] == failed.request_id
    assert "ZeroDivisionError: a secret of the inside" in str(record["exception"])
    assert assistant.conversations.turns("talk") == []
    assistant.ask(QUESTION).close()


def test_a_foreseen_error_says_its_line(assistant_with: Make) -> None:
    """An error with a line for people ends in 503 and that line."""

    def no_room() -> Iterator[str]:
        raise DocentError("the prompt is too long: lower `prompt_tokens`.")
        yield ""

    failed = list(assistant_with(ScriptedLLM(no_room)).ask(QUESTION))[-1]
    assert isinstance(failed, Failed)
    assert (failed.status, failed.message) == (503, "the prompt is too long: lower `prompt_tokens`.")


def test_closing_stops_the_model_and_keeps_what_was_written(assistant_with: Make) -> None:
    """The model's generator is closed, the place is free, and the turn is kept as stopped with its text so far."""
    llm = ScriptedLLM(lambda: iter([LEAVE, " ", "Unused days", " may never", " be said"]))
    assistant = assistant_with(llm, queue_size=0)
    stream = assistant.ask(QUESTION, "talk")
    for _ in range(4):
        next(stream)
    stream.close()
    assert llm.ended == ["closed"]
    (turn,) = assistant.conversations.turns("talk")
    assert (turn.done.finish_reason, turn.done.answer) == ("stopped", f"{LEAVE} [1] Unused days [1]")
    assert turn.model_text == f"{LEAVE} Unused days"
    assert [citation.quote for citation in turn.done.citations] == [LEAVE, CARRY_OVER]
    assert list(stream) == []
    assistant.ask(QUESTION).close()


def test_closing_before_a_word_was_said_keeps_nothing(assistant_with: Make) -> None:
    """Neither a queue nor evidence alone makes a turn."""
    llm = saying("", LEAVE)
    assistant = assistant_with(llm)
    for steps in (0, 1, 2):
        stream = assistant.ask(QUESTION, "talk")
        for _ in range(steps):
            next(stream)
        stream.close()
    assert assistant.conversations.turns("talk") == []


def test_closing_after_the_answer_keeps_it_once(assistant_with: Make) -> None:
    """A caller who stops reading at `Done` has a finished turn and no stopped one."""
    assistant = assistant_with()
    stream = assistant.ask(QUESTION, "talk")
    while not isinstance(next(stream), Done):
        pass
    stream.close()
    assert [turn.done.finish_reason for turn in assistant.conversations.turns("talk")] == ["stop"]


def test_a_stream_that_was_never_started_frees_its_place(assistant_with: Make) -> None:
    """Closed or merely forgotten, started or not."""
    assistant = assistant_with(ScriptedLLM(endless), queue_size=0)
    assistant.ask(QUESTION).close()
    forgotten = assistant.ask(QUESTION)
    with pytest.raises(Refused):
        assistant.ask(QUESTION)
    del forgotten
    gc.collect()
    started = assistant.ask(QUESTION)
    next(started)
    del started
    gc.collect()
    assistant.ask(QUESTION).close()


def test_a_conversation_only_grows_at_its_end(assistant_with: Make) -> None:
    """Every prompt begins with the whole of the one before it and what the model wrote, to the letter; another
    conversation starts afresh."""
    llm = ScriptedLLM(lambda: iter(["Every employee has 25 days", " [3] of leave."]))
    assistant = assistant_with(llm)
    assistant._answers = AnswerCache(most=0)
    for question in (QUESTION, UNANSWERABLE, "When is a doctor's note needed?", "年休假有多少天？"):
        done_of(list(assistant.ask(question, "talk")))
    done_of(list(assistant.ask(QUESTION, "other")))
    first, second, third, other = [[(m.role, m.content) for m in messages] for messages in llm.asked]
    said = (MessageRole.ASSISTANT, "Every employee has 25 days [3] of leave.")
    assert [role for role, _ in first] == [MessageRole.SYSTEM, MessageRole.USER]
    assert second[: len(first) + 1] == [*first, said]
    assert second[len(first) + 1 : -1] == [
        (MessageRole.USER, UNANSWERABLE),
        (MessageRole.ASSISTANT, NOT_SAID["en"]),
    ]
    assert third[: len(second) + 1] == [*second, said]
    assert other == first


def test_an_answer_that_cannot_be_kept_is_still_given(
    assistant_with: Make, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails after the answer costs nothing but a line in the log; going on with a conversation that cannot
    be read is said in one line."""

    def full(*_arguments: object) -> None:
        raise DocentError("The conversations cannot be kept (disk full).")

    assistant = assistant_with(saying(LEAVE))
    configure_logs("info", tmp_path / "logs", console=False)
    with monkeypatch.context() as failing:
        failing.setattr(assistant.conversations, "add", full)
        assert done_of(list(assistant.ask(QUESTION, "talk"))).answer == f"{LEAVE} [1]"
    assert "conversation.not_kept" in [record["event"] for record in log_records(tmp_path / "logs")]
    (home / CONVERSATIONS_FILE).write_bytes(b"this is no database" * 100)
    failed = list(assistant.ask(QUESTION, "talk"))[-1]
    assert isinstance(failed, Failed)
    assert failed.status == 503
    assert "set that file aside" in failed.message


def test_every_step_may_be_taken_in_another_thread(assistant_with: Make) -> None:
    """A server steps an answer on whatever thread is free, and closes it on another."""
    assistant = assistant_with(saying("Every employee has 25 days", " of annual leave."))
    events: list[Event] = []
    stream = assistant.ask(QUESTION, "talk")
    while not events or not isinstance(events[-1], Done):
        in_a_thread(lambda: events.append(next(stream)))
    in_a_thread(stream.close)
    assert done_of(events).answer == "Every employee has 25 days of annual leave. [1]"
    in_a_thread(lambda: events.append(Delta(str(len(assistant.conversations.turns("talk"))))))
    assert events[-1] == Delta("1")


def test_people_who_ask_at_once_are_answered_one_after_another(assistant_with: Make) -> None:
    """Each gets the answer to the own question, and the model never has two at a time."""
    using: list[int] = []
    together: list[int] = []

    def deltas() -> Iterator[str]:
        using.append(1)
        time.sleep(0.02)
        together.append(len(using))
        yield LEAVE
        using.pop()

    assistant = assistant_with(ScriptedLLM(deltas))
    answers: dict[str, Done] = {}

    def ask(question: str) -> None:
        answers[question] = done_of(list(assistant.ask(question, question)))

    questions = (QUESTION, "When is a doctor's note needed?", "年休假有多少天？", "What may a hotel room cost?")
    threads = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1] * len(questions)
    assert {question: answers[question].evidence.sources[0].path for question in questions} == dict(
        zip(questions, ("leave.md", "leave.md", "休假制度.md", "travel.md"), strict=True)
    )
    for question in questions:
        assert [turn.question for turn in assistant.conversations.turns(question)] == [question]


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_questions_and_documents_are_in_no_log(assistant_with: Make, tmp_path: Path) -> None:
    """At `info` the log counts and times; the question's text is only there at `debug`."""
    assistant = assistant_with(saying(LEAVE))
    secret = "How many days of annual leave has employee Zebedee Quimby?"
    for level in ("info", "debug"):
        configure_logs(level, tmp_path / level, console=False)
        done_of(list(assistant.ask(secret, "talk")))
        stream = assistant.ask(secret, "talk")
        for _ in range(3):
            next(stream)
        stream.close()
    quiet = log_records(tmp_path / "info")
    assert [record["event"] for record in quiet] == ["question.answered", "question.stopped"]
    assert quiet[0]["finish_reason"] == "stop"
    assert quiet[0]["engine"] == "scripted"
    for text in ("Zebedee", "25 days", "carried over"):
        assert text not in json.dumps(quiet)
    asked = [record for record in log_records(tmp_path / "debug") if record["event"] == "question.asked"]
    assert [record["question"] for record in asked] == [secret, secret]


def log_records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "docent.log").read_text("utf-8").splitlines()]


def test_the_newest_version_answers_unless_another_is_asked_for(
    assistant_with: Make, documents: Path, settings: Settings
) -> None:
    """Of two versions of a document the newer one is the source; the older is there only when its year is named,
    even beside the newer one."""
    for year, days, more in (("2024", 17, ""), ("2026", 19, " Either parent may split it into three parts.")):
        (documents / f"parental-{year}.md").write_text(
            f"# Parental leave\n\n## Duration\n\nParental leave lasts {days} weeks for every employee.{more}\n", "utf-8"
        )
    ingest([documents], settings)
    assistant = assistant_with()
    today = assistant.find("How many weeks does parental leave last?")
    assert today.sources[0].path == "parental-2026.md"
    assert "parental-2024.md" not in {source.path for source in today.sources}
    assert (today.sources[0].replaces, today.sources[0].newer) == (("parental-2024.md",), "")
    assert today.sentences[0].text == "Parental leave lasts 19 weeks for every employee."
    then = assistant.find("How many weeks did parental leave last in 2024?")
    assert (then.sources[0].path, then.sources[0].newer) == ("parental-2024.md", "parental-2026.md")
    assert then.sentences[0].text == "Parental leave lasts 17 weeks for every employee."
    both = assistant.find("Into how many parts may a parent split parental leave, and how was that in 2024?")
    assert [source.path for source in both.sources][:2] == ["parental-2026.md", "parental-2024.md"]


def test_what_another_process_ingests_and_removes_is_followed(
    assistant_with: Make, documents: Path, settings: Settings
) -> None:
    """A serving assistant answers from a document added meanwhile, and no longer from one removed."""
    assistant = assistant_with()
    question = "What does a bicycle repair voucher pay for?"
    assert done_of(list(assistant.ask(question))).evidence.abstained
    (documents / "bicycles.md").write_text(
        "# Bicycles\n\nThe bicycle repair voucher pays for tyres and brakes once a year.\n", "utf-8"
    )
    docent(settings, "ingest", str(documents))
    done = done_of(list(assistant.ask(question)))
    assert (done.evidence.abstained, done.evidence.sources[0].path) == (False, "bicycles.md")
    docent(settings, "remove", "bicycles.md")
    assert "bicycles.md" not in {source.path for source in done_of(list(assistant.ask(question))).evidence.sources}


def docent(settings: Settings, *arguments: str) -> None:
    """The command in a process of its own."""
    script = "import sys; from ui.cli.main import main; main()"
    subprocess.run(
        [sys.executable, "-c", script, *arguments, "--home", str(settings.home)],
        cwd=PROJECT, check=True, capture_output=True,
    )  # fmt: skip


def test_example_questions_can_be_answered(assistant_with: Make, documents: Path, settings: Settings) -> None:
    """In either language, only what the library answers; a library that changes gets new ones."""
    assistant = assistant_with()
    english = assistant.example_questions("en")
    assert "What does “Leave policy” say about Annual leave?" in english
    assert assistant.example_questions("zh") == ["《休假制度》对“年休假”是怎么规定的？"]
    for question in english:
        assert not assistant.find(question).abstained
    (documents / "leave.md").unlink()
    ingest([documents], settings)
    assistant.library.refresh()
    assert not any("Leave policy" in question for question in assistant.example_questions("en"))


def test_the_engine_is_chosen_by_the_settings(settings: Settings) -> None:
    """Without a loader given, the settings choose: without weights, quotations and a note that says how to get them."""
    assistant = Assistant(settings.model_copy(update={"engine": "auto", "models_cache": settings.home / "models"}))
    try:
        assert assistant.load() is assistant.load()
        state = assistant.engine_state()
        assert (state.name, state.loaded) == (EXTRACTIVE, True)
        assert "docent models pull" in state.note
        assert choose_engine(assistant.settings).note == state.note
    finally:
        assistant.close()


def test_a_follow_up_is_searched_with_what_it_lacks(assistant_with: Make) -> None:
    """The search knows what the question leans on; the model and the record have the person's own words."""
    llm = saying(LEAVE)
    assistant = assistant_with(llm)
    assistant.settings = assistant.settings.model_copy(update={"passages": 1})
    first = list(assistant.ask("What may a hotel room cost a night?", "talk"))
    follow_up = "And in euros?"
    alone, after = list(assistant.ask(follow_up)), list(assistant.ask(follow_up, "talk"))
    evidence = [next(event for event in events if isinstance(event, Evidence)) for events in (first, alone, after)]
    assert [one.searched for one in evidence] == ["", "", "What may a hotel room cost a night in euros"]
    assert evidence[2].sources[0].path == "travel.md"
    assert done_of(after).evidence.searched == evidence[2].searched
    assert str(llm.asked[-1][-1].content).endswith(f"Question: {follow_up}")
    turns = assistant.conversations.turns("talk")
    assert [(turn.question, turn.done.evidence.searched) for turn in turns][1] == (follow_up, evidence[2].searched)


def test_the_section_comes_along_and_quotes_stay_exact(
    assistant_with: Make, documents: Path, settings: Settings
) -> None:
    """What was found of a long section is one source with its neighbours; each sentence is where it is said to be and
    each citation names the passage that holds it."""
    rules = [
        f"Rule {number} of the {word} says that the key is kept for {number} days by the porter."
        for number, word in enumerate("gate lift yard roof attic cellar garden kitchen canteen lobby".split() * 9)
    ]
    (documents / "keys.md").write_text("# Keys\n\n## Keeping\n\n" + " ".join(rules) + "\n", "utf-8")
    ingest([documents], settings)
    assistant = assistant_with(saying(rules[57]))
    done = done_of(list(assistant.ask("For how many days is the key of rule 57 of the kitchen kept by the porter?")))
    keys = [source for source in done.evidence.sources if source.path == "keys.md"]
    held = [part.passage_id for source in keys for part in source.passages]
    assert len(held) == len(set(held)) > len(keys)
    for source in done.evidence.sources:
        for sentence in (one for one in done.evidence.sentences if one.n == source.n):
            assert source.text[sentence.start : sentence.end] == sentence.text
    rows = assistant.library.catalog.passages(held)
    (citation,) = done.citations
    assert citation.quote == rules[57]
    assert rules[57] in rows[citation.passage_id]["text"]
    for rule in rules:
        assert sum(source.text.count(rule) for source in keys) <= 1
