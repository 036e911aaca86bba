"""The walk of a question: events, queue, conversations, and what the log has of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from llama_index.core.llms import MessageRole

from assistant.answer.answer_cache import AnswerCache
from assistant.answer.quote import NOT_SAID, NOTHING
from assistant.assistant import Assistant
from assistant.conversations import CONVERSATIONS_FILE
from assistant.engines.admission import Refused
from assistant.engines.choose import EXTRACTIVE, TRANSFORMERS, EngineChoice, choose_engine
from assistant.engines.loader import EngineState
from assistant.engines.transformers_engine import TransformersEngine
from assistant.events import Delta, Done, Evidence, Failed, Queued
from assistant.refuse.answerability import Thresholds
from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
from ingest.base.settings import Settings
from ingest.runs.select import remove
from ingest.sync import ingest
from tests.assistant.conftest import (
    LEAVE,
    QUESTION,
    Make,
    done_of,
    endless,
    kinds,
    log_records,
    text_of,
)
from tests.fakes.scripted_engine import ScriptedEngine, saying
from tests.project import PROJECT

# It shares a word with a document, which is the nearest one.
UNANSWERABLE = "Who was the manager of the football world champions in 1998?"


def check_citations(assistant: Assistant, done: Done) -> None:
    """Every citation names a source of the answer and a passage of the library that contains its quote."""
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
        assert text_of(events) == done.answer
        assert done.answer.startswith(answer)
        assert (done.citations[0].path, done.engine, done.finish_reason) == (path, EXTRACTIVE, "stop")
        assert list(done.timings) == ["search", "queue", "first_token", "generation", "total"]
        check_citations(assistant, done)
    finally:
        assistant.close()


def test_a_real_model_answers(settings: Settings, documents: Path, transformers_engine: TransformersEngine) -> None:
    """Through the real engine: the answer is the deltas joined and greedy decoding says the same twice; closing the
    stream means that no further pass through the model is made."""
    assert documents.is_dir()
    assistant = Assistant(settings, lambda _settings: EngineChoice(transformers_engine))
    try:
        assistant.load()
        assistant._cache = AnswerCache(most=0)
        first, second = (list(assistant.ask(QUESTION)) for _ in range(2))
        done = done_of(first)
        assert kinds(first) == ["Evidence", "Delta", "Done"]
        assert text_of(first) == done.answer == done_of(second).answer != ""
        assert done.engine == TRANSFORMERS
        assert done.finish_reason in ("stop", "length")
        check_citations(assistant, done)

        passes: list[int] = []
        hook = transformers_engine._model.register_forward_hook(lambda *_arguments: passes.append(1))
        stream = assistant.ask(QUESTION)
        while not isinstance(next(stream), Delta):
            pass
        count = len(passes)
        assert count > 0
        stream.close()
        assert list(stream) == []
        assert len(passes) == count
        hook.remove()
        assert done_of(list(assistant.ask(QUESTION))).answer == done.answer
    finally:
        assistant.close()


def test_the_same_question_is_answered_from_the_cache(
    settings: Settings, documents: Path, transformers_engine: TransformersEngine
) -> None:
    """The same answer and citations without a pass through the model, until a document changes."""
    assistant = Assistant(settings, lambda _settings: EngineChoice(transformers_engine))
    passes: list[int] = []
    hook = transformers_engine._model.register_forward_hook(lambda *_arguments: passes.append(1))
    try:
        assistant.load()
        first = done_of(list(assistant.ask(QUESTION)))
        assert passes
        passes.clear()
        again = list(assistant.ask(QUESTION))
        assert passes == []
        assert text_of(again) == first.answer
        assert (done_of(again).citations, done_of(again).finish_reason) == (first.citations, first.finish_reason)
        leave = documents / "leave.md"
        leave.write_text(leave.read_text("utf-8").replace("25 days", "26 days"), "utf-8")
        ingest([documents], settings)
        assistant.library.refresh()
        list(assistant.ask(QUESTION))
        assert passes
    finally:
        hook.remove()
        assistant.close()


def test_a_slow_machine_has_shorter_prompts(assistant_with: Make) -> None:
    """The prompt has what the engine can read in time; the best passage is always in it."""
    engine = saying("Every employee has 25 days of annual leave a year.")
    assistant = assistant_with(engine)
    list(assistant.ask(QUESTION))
    whole = engine.asked[-1][-1].content or ""
    engine.fresh_tokens = 1
    list(assistant.ask(QUESTION))
    short = engine.asked[-1][-1].content or ""
    assert len(short) < len(whole)
    assert short.endswith(QUESTION)


def test_an_engine_whose_process_died_counts_as_not_loaded(assistant_with: Make) -> None:
    """The state is asked of the engine each time."""
    engine = saying("x")
    assistant = assistant_with(engine)
    assert assistant.engines.state.loaded
    engine.alive = False
    assert not assistant.engines.state.loaded


def test_a_model_s_sentences_are_checked_and_cited(assistant_with: Make) -> None:
    """The model's markers are replaced by ours, a wrong number is unsupported, and the joined deltas are the answer."""
    engine = saying("Every employee has 25 days of annual", " leave [", "9]. ", "", "Every employee has 99 days.")
    assistant = assistant_with(engine)
    events = list(assistant.ask(f"  {QUESTION}\n"))
    done = done_of(events)
    assert kinds(events) == ["Evidence", "Delta", "Done"]
    first = events[0]
    assert isinstance(first, Evidence)
    assert done.evidence == first
    assert text_of(events) == done.answer
    assert done.answer == "Every employee has 25 days of annual leave. [1] Every employee has 99 days."
    assert [citation.quote for citation in done.citations] == [LEAVE]
    assert done.unsupported == ("Every employee has 99 days.",)
    check_citations(assistant, done)
    assert engine.ended == ["finished"]
    content = str(engine.asked[0][-1].content)
    assert content.endswith(f"Question: {QUESTION}")
    assert LEAVE in content


def test_empty_deltas_reach_the_caller(assistant_with: Make) -> None:
    """While the model has no text yet, the caller still gets chances to stop it."""
    stream = assistant_with(saying("", "", "Yes.")).ask(QUESTION)
    assert isinstance(next(stream), Evidence)
    assert [next(stream), next(stream)] == [Delta(""), Delta("")]
    stream.close()


@pytest.mark.parametrize(("question", "language"), [(UNANSWERABLE, "en"), ("火星上有没有海洋？", "zh")])
def test_without_enough_evidence_the_model_is_not_asked(assistant_with: Make, question: str, language: str) -> None:
    """The answer says so in the question's language, with the nearest sources if any; the model is never called."""
    engine = saying("France.")
    assistant = assistant_with(engine)
    events = list(assistant.ask(question, "talk"))
    done = done_of(events)
    assert kinds(events) == ["Evidence", "Done"]
    said = NOT_SAID if done.evidence.sources else NOTHING
    assert (done.answer, done.evidence.abstained, done.finish_reason) == (said[language], True, "abstained")
    assert done.evidence.sources or question != UNANSWERABLE
    assert done.citations == ()
    assert engine.asked == []
    assert [turn.done.finish_reason for turn in assistant.conversations.turns("talk")] == ["abstained"]


def test_abstaining_does_not_wait_for_the_model(assistant_with: Make) -> None:
    """A question that needs no model is answered while another one uses it."""
    assistant = assistant_with(ScriptedEngine(endless))
    busy = assistant.ask(QUESTION)
    next(busy)
    next(busy)
    assert kinds(list(assistant.ask(UNANSWERABLE))) == ["Evidence", "Done"]
    busy.close()


def test_questions_of_the_wrong_length_are_refused(assistant_with: Make) -> None:
    """Empty, blank or over-long: 422 at once, and the line has the limit; a question at the limit is answered."""
    assistant = assistant_with(question_characters=60)
    for question in ("", " \n ", "x" * 61):
        with pytest.raises(Refused, match="1 to 60 characters") as refused:
            assistant.ask(question)
        assert (refused.value.status, refused.value.retry_after) == (422, None)
    assert done_of(list(assistant.ask(f" {QUESTION.ljust(60, '?')} "))).answer != ""


def test_an_empty_library_and_an_unloaded_model_are_503(settings: Settings, documents: Path) -> None:
    """Each refusal says what to do; that of a model that could not be loaded also says why."""
    choice = EngineChoice(saying("x"))
    nowhere = Assistant(settings.model_copy(update={"home": documents / "nowhere"}), lambda _settings: choice)
    nowhere.load()
    with pytest.raises(Refused, match="docent ingest") as refused:
        nowhere.ask(QUESTION)
    assert refused.value.status == 503
    nowhere.close()

    def broken(_settings: Settings) -> EngineChoice:
        raise DocentError("model folder x: config.json is missing: run `docent models pull` again.")

    assistant = Assistant(settings, broken)
    with pytest.raises(Refused, match="still loading") as refused:
        assistant.ask(QUESTION)
    assert (refused.value.status, refused.value.retry_after) == (503, 5)
    in_background(assistant)
    with pytest.raises(Refused, match=r"config\.json is missing") as refused:
        assistant.ask(QUESTION)
    assert refused.value.status == 503
    assert assistant.engines.state == EngineState(
        "", settings.model, "model folder x: config.json is missing: run `docent models pull` again.", False
    )
    remove(["1", "2", "3"], settings)
    with pytest.raises(Refused, match="library is empty"):
        assistant.ask(QUESTION)
    assistant.close()


def test_loading_in_the_background_ends_in_an_engine_or_a_reason(settings: Settings) -> None:
    """The engine's note is announced; an unforeseen error becomes the state's note, without its details."""
    announced: list[str] = []
    assistant = Assistant(settings, lambda _settings: EngineChoice(saying(""), "Only quotes."))
    in_background(assistant, announced.append)
    assert announced == ["Only quotes."]
    assert assistant.engines.state == EngineState("scripted", "a script", "Only quotes.", loaded=True)
    assistant.close()

    def out_of_memory(_settings: Settings) -> EngineChoice:
        raise MemoryError("secret detail")

    assistant = Assistant(settings, out_of_memory)
    in_background(assistant, announced.append)
    state = assistant.engines.state
    assert state.loaded is False
    assert "MemoryError" in state.note
    assert "secret detail" not in state.note
    assert announced == ["Only quotes."]
    assistant.close()


def in_background(assistant: Assistant, announce: Callable[[str], None] = print) -> None:
    assistant.engines.load_in_background(announce)
    for thread in threading.enumerate():
        if thread.name == "engine-loader":
            thread.join()


def test_one_answer_at_a_time_and_a_full_queue_is_refused(assistant_with: Make) -> None:
    """The second waits for the first and is then answered; a third is refused with 503 until one has ended."""
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
    """The stream ends with a `Failed` event, and the place is free again."""
    assistant = assistant_with(ScriptedEngine(endless), queue_size=1, queue_seconds=1.5)
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
    """The text up to then is the answer, and the model has been stopped."""
    engine = ScriptedEngine(endless)
    assistant = assistant_with(engine, answer_seconds=0.05)
    events = list(assistant.ask(QUESTION))
    done = done_of(events)
    assert done.finish_reason == "timeout"
    assert done.answer == text_of(events)
    assert done.answer.startswith("and and")
    assert engine.ended == ["closed"]


def test_a_conversation_only_grows_at_its_end(assistant_with: Make) -> None:
    """Every prompt begins with the whole prompt before it and what the model wrote, to the letter; another conversation
    starts with nothing."""
    engine = ScriptedEngine(lambda: iter(["Every employee has 25 days", " [3] of leave."]))
    assistant = assistant_with(engine)
    assistant._cache = AnswerCache(most=0)
    for question in (QUESTION, UNANSWERABLE, "When is a doctor's note needed?", "年休假有多少天？"):
        done_of(list(assistant.ask(question, "talk")))
    done_of(list(assistant.ask(QUESTION, "other")))
    first, second, third, other = [[(m.role, m.content) for m in messages] for messages in engine.asked]
    answer = (MessageRole.ASSISTANT, "Every employee has 25 days [3] of leave.")
    assert [role for role, _ in first] == [MessageRole.SYSTEM, MessageRole.USER]
    assert second[: len(first) + 1] == [*first, answer]
    assert second[len(first) + 1 : -1] == [
        (MessageRole.USER, UNANSWERABLE),
        (MessageRole.ASSISTANT, NOT_SAID["en"]),
    ]
    assert third[: len(second) + 1] == [*second, answer]
    assert other == first


def test_an_answer_that_cannot_be_stored_is_still_given(
    assistant_with: Make, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails after the answer costs a line in the log; continuing a conversation that cannot be read ends in
    one line that says so."""

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
    assert "move that file to another folder" in failed.message


def test_people_who_ask_at_the_same_time_are_answered_one_after_another(assistant_with: Make) -> None:
    """Each gets the answer to their own question, and the engine never generates two at a time."""
    using: list[int] = []
    together: list[int] = []

    def deltas() -> Iterator[str]:
        using.append(1)
        time.sleep(0.02)
        together.append(len(using))
        yield LEAVE
        using.pop()

    assistant = assistant_with(ScriptedEngine(deltas))
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


def test_questions_and_documents_are_in_no_log(assistant_with: Make, tmp_path: Path) -> None:
    """At `info` the log has counts and times; the text of a question only appears at `debug`."""
    assistant = assistant_with(saying(LEAVE))
    secret = "How many days of annual leave do employees get, such as zebedee?"
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
    for text in ("zebedee", "25 days", "carried over"):
        assert text not in json.dumps(quiet)
    asked = [record for record in log_records(tmp_path / "debug") if record["event"] == "question.asked"]
    assert [record["question"] for record in asked] == [secret, secret]


def test_the_newest_version_answers_unless_another_is_asked_for(
    assistant_with: Make, documents: Path, settings: Settings
) -> None:
    """Of two versions of a document the newer is the source; the older only when the question names its year, alone or
    beside the newer one."""
    for year, days, more in (("2024", 17, ""), ("2026", 19, " Either parent may split it into three parts.")):
        (documents / f"parental-{year}.md").write_text(
            f"# Parental leave\n\n## Duration\n\nParental leave lasts {days} weeks for every employee.{more}\n", "utf-8"
        )
    ingest([documents], settings)
    assistant = assistant_with()
    today = assistant.evidence_for("How many weeks does parental leave last?")
    assert today.sources[0].path == "parental-2026.md"
    assert "parental-2024.md" not in {source.path for source in today.sources}
    assert (today.sources[0].replaces, today.sources[0].newer) == (("parental-2024.md",), "")
    assert today.sentences[0].text == "Parental leave lasts 19 weeks for every employee."
    then = assistant.evidence_for("How many weeks did parental leave last in 2024?")
    assert (then.sources[0].path, then.sources[0].newer) == ("parental-2024.md", "parental-2026.md")
    assert then.sentences[0].text == "Parental leave lasts 17 weeks for every employee."
    both = assistant.evidence_for("Into how many parts may a parent split parental leave, and how was that in 2024?")
    assert [source.path for source in both.sources][:2] == ["parental-2026.md", "parental-2024.md"]


def test_the_library_follows_another_process(assistant_with: Make, documents: Path, settings: Settings) -> None:
    """A running assistant answers from a document added meanwhile, and no longer from a removed one."""
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
    """In either language only questions that the library answers; a changed library gets new ones."""
    assistant = assistant_with()
    english = assistant.example_questions("en")
    assert "What does “Leave policy” say about Annual leave?" in english
    assert assistant.example_questions("zh") == ["《休假制度》对“年休假”是怎么规定的？"]
    for question in english:
        assert not assistant.evidence_for(question).abstained
    (documents / "leave.md").unlink()
    ingest([documents], settings)
    assistant.library.refresh()
    assert not any("Leave policy" in question for question in assistant.example_questions("en"))


def test_the_engine_is_chosen_by_the_settings(settings: Settings) -> None:
    """Without a loader given, the settings choose: without weights, quotations and a note that says how to get them."""
    assistant = Assistant(settings.model_copy(update={"engine": "auto", "models_cache": settings.home / "models"}))
    try:
        assert assistant.load() is assistant.load()
        state = assistant.engines.state
        assert (state.name, state.loaded) == (EXTRACTIVE, True)
        assert "docent models pull" in state.note
        assert choose_engine(assistant.settings).note == state.note
    finally:
        assistant.close()


def test_a_follow_up_is_completed_for_the_search(assistant_with: Make) -> None:
    """The search uses the completed question; the prompt and the stored turn have the person's own words."""
    engine = saying(LEAVE)
    assistant = assistant_with(engine)
    assistant.settings = assistant.settings.model_copy(update={"passages": 1})
    first = list(assistant.ask("What may a hotel room cost a night?", "talk"))
    follow_up = "And in euros?"
    alone, after = list(assistant.ask(follow_up)), list(assistant.ask(follow_up, "talk"))
    evidence = [next(event for event in events if isinstance(event, Evidence)) for events in (first, alone, after)]
    assert [found.searched for found in evidence] == ["", "", "What may a hotel room cost a night in euros"]
    assert evidence[2].sources[0].path == "travel.md"
    assert done_of(after).evidence.searched == evidence[2].searched
    assert str(engine.asked[-1][-1].content).endswith(f"Question: {follow_up}")
    turns = assistant.conversations.turns("talk")
    assert [(turn.question, turn.done.evidence.searched) for turn in turns][1] == (follow_up, evidence[2].searched)


def test_the_section_comes_along_and_quotes_stay_exact(
    assistant_with: Make, documents: Path, settings: Settings
) -> None:
    """The passages found of a long section are one source with their neighbours; each sentence is at its offsets, and
    each citation names the passage that contains it."""
    rules = [
        f"Rule {number} of the {word} says that the key is kept for {number} days by the porter."
        for number, word in enumerate("gate lift yard roof attic cellar garden kitchen canteen lobby".split() * 9)
    ]
    (documents / "keys.md").write_text("# Keys\n\n## Keeping\n\n" + " ".join(rules) + "\n", "utf-8")
    ingest([documents], settings)
    assistant = assistant_with(saying(rules[57]))
    done = done_of(list(assistant.ask("For how many days is the key of rule 57 of the kitchen kept by the porter?")))
    keys = [source for source in done.evidence.sources if source.path == "keys.md"]
    passage_ids = [part.passage_id for source in keys for part in source.passages]
    assert len(passage_ids) == len(set(passage_ids)) > len(keys)
    for source in done.evidence.sources:
        for sentence in (sentence for sentence in done.evidence.sentences if sentence.n == source.n):
            assert source.text[sentence.start : sentence.end] == sentence.text
    rows = assistant.library.catalog.passages(passage_ids)
    (citation,) = done.citations
    assert citation.quote == rules[57]
    assert rules[57] in rows[citation.passage_id]["text"]
    for rule in rules:
        assert sum(source.text.count(rule) for source in keys) <= 1


def test_a_misspelled_word_is_corrected_for_the_search(assistant_with: Make) -> None:
    """The search uses the corrected question, of a follow-up too; as typed it uses the person's own words."""
    engine = saying(LEAVE)
    assistant = assistant_with(engine)
    done = done_of(list(assistant.ask("How many days of anual leave does an employee have?", "talk")))
    assert (done.evidence.searched, done.evidence.abstained) == (QUESTION, False)
    assert str(engine.asked[-1][-1].content).endswith("Question: How many days of anual leave does an employee have?")
    after = assistant.evidence_for("And of sick leeave?", ["How many days of annual leave does an employee have?"])
    assert "leeave" not in after.searched
    assert assistant.evidence_for("anual leave", as_typed=True).searched == ""
    assert assistant.evidence_for("And of sick leave?", [QUESTION], as_typed=True).searched == ""


def test_a_corrected_name_is_answered_with_a_caution_at_best(
    assistant_with: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is never proof of another name, and a question that would be refused as typed is never answered surely."""
    assistant = assistant_with(saying(LEAVE))
    sure = Thresholds(0.0, 0.0)
    monkeypatch.setattr(Assistant, "thresholds", property(lambda _self: sure))
    corrected = assistant.library.correct_spelling("How many days of anual leave?")
    assert not assistant.evidence_for("How many days of anual leave?").caution
    renamed = replace(corrected, corrections=(replace(corrected.corrections[0], is_name=True),))
    monkeypatch.setattr(assistant.library, "correct_spelling", lambda _question: renamed)
    assert assistant.evidence_for("How many days of anual leave?").caution
    monkeypatch.undo()
    as_typed = assistant.evidence_for("anual", as_typed=True).confidence
    right = assistant.evidence_for("annual").confidence
    assert as_typed < right
    between = Thresholds((as_typed + right) / 2, (as_typed + right) / 2)
    monkeypatch.setattr(Assistant, "thresholds", property(lambda _self: between))
    assert (assistant.evidence_for("annual").caution, assistant.evidence_for("anual").caution) == (False, True)
