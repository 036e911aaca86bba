"""An assistant that answers from a script, with the public methods of `assistant.assistant.Assistant`.

A test sets the fields that it is about; `closed` and `finished` count how the answers ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assistant.conversations import Turn
from assistant.engines.admission import Refused
from assistant.engines.loader import EngineState
from assistant.events import Citation, Delta, Done, Event, Evidence, EvidenceSentence, Failed, Queued, Source
from ingest.base.errors import DocentError
from ingest.base.settings import Settings
from ingest.library import LibraryStatus
from ingest.store.records import ListedDocument

LEAVE_TEXT = (
    "## Annual leave\n\nFull-time employees get 25 days of annual leave a year. Leave that is not taken by 31 March "
    "of the next year is lost.\n\n| Years of service | Days |\n|---|---|\n| up to 5 | 25 |\n| over 5 | 28 |"
)
SOURCES = (
    Source(1, 11, 1, "/docs/staff-handbook.pdf", "Staff handbook", "Time off › Annual leave", "p. 3", LEAVE_TEXT, 0.9),
    Source(
        2, 12, 2, "/docs/travel.md", "Travel policy", "", "", "Trips are booked by the office. Tell them early.", 0.5
    ),
    Source(3, 13, 3, "/docs/onboarding.docx", "Onboarding", "First week", "", "New colleagues meet their buddy.", 0.3),
)
NOT_SAID = "The documents do not say. The nearest ones are listed as sources."
SENTENCE = "Full-time employees get 25 days of annual leave a year."
START = LEAVE_TEXT.index(SENTENCE)
SENTENCES = (EvidenceSentence(1, SENTENCE, START, START + len(SENTENCE), 0.9, SENTENCE),)
CITATIONS = (Citation(1, SOURCES[0].path, "Staff handbook", SOURCES[0].heading, "p. 3", 11, 1, SENTENCE),)


READY_ENGINE = EngineState("qwen", "qwen/Qwen1.5-0.5B-Chat", note="", loaded=True)
READY_LIBRARY = LibraryStatus(documents=3, passages=12, revision=1, embedder="an embedder", building=False)


@dataclass
class ScriptedLibrary:
    state: LibraryStatus = READY_LIBRARY
    files: dict[int, Path] = field(default_factory=dict)

    def status(self) -> LibraryStatus:
        return self.state

    def document(self, document_id: int) -> ListedDocument:
        if document_id not in self.files:
            raise DocentError(f"Document {document_id} is not in the library: search again.")
        path = self.files[document_id]
        return ListedDocument(
            id=document_id, path=str(path), name=path.name, title=path.stem, format=path.suffix, sha256="0" * 64,
            size=1, modified_ns=1, pages=1, passages=1, ingested_at="", member="", language="en", score=1.0,
            state="answering", reason="", paths=(str(path),),
        )  # fmt: skip


@dataclass
class ScriptedEngines:
    state: EngineState = READY_ENGINE


@dataclass
class ScriptedConversations:
    stored: dict[str, list[Turn]] = field(default_factory=dict)

    def turns(self, conversation_id: str) -> list[Turn]:
        return list(self.stored.get(conversation_id, []))


class ScriptedAssistant:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.library = ScriptedLibrary()
        self.conversations = ScriptedConversations()
        self.engines = ScriptedEngines()
        self.answer = "Full-time employees get **25 days** of annual leave a year [1]."
        self.sources, self.sentences, self.citations = SOURCES, SENTENCES, CITATIONS
        self.abstained = False
        self.unsupported: tuple[str, ...] = ()
        self.searched = ""
        self.caution = False
        self.queue: tuple[int, ...] = ()
        self.refused: Refused | None = None
        self.failed: Failed | None = None
        self.raised: Exception | None = None
        self.pause = 0.0
        self.asked: list[str] = []
        self.asked_as_typed: list[bool] = []
        self.closed = 0
        self.finished = 0
        self.ended = threading.Event()

    def example_questions(self, language: str) -> list[str]:
        return (
            ["年假有多少天？", "差旅费如何报销？"]
            if language == "zh"
            else ["How many days of leave?", "Who books trips?"]
        )

    def ask(self, question: str, conversation_id: str | None = None, as_typed: bool = False) -> Iterator[Event]:
        """Refuses in the call itself, as the real one does."""
        if not question.strip() or len(question) > self.settings.question_characters:
            raise Refused(422, f"A question has 1 to {self.settings.question_characters} characters: shorten it.", None)
        if self.refused is not None:
            raise self.refused
        self.asked.append(question)
        self.asked_as_typed.append(as_typed)
        return self._events(question, conversation_id, "" if as_typed else self.searched)

    def _events(self, question: str, conversation_id: str | None, searched: str) -> Iterator[Event]:
        try:
            confidence = 0.1 if self.abstained else 0.9
            found = Evidence(self.sources, self.sentences, confidence, self.abstained, searched, self.caution)
            yield found
            if self.raised is not None:
                raise self.raised
            for position in self.queue:
                time.sleep(self.pause)
                yield Queued(position, 0.1)
            if self.failed is not None:
                yield self.failed
                return
            for number, word in enumerate([] if self.abstained else self.answer.split(" ")):
                time.sleep(self.pause)
                yield Delta("")
                yield Delta(f" {word}" if number else word)
            done = self._done(found)
            if conversation_id is not None:
                self.conversations.stored.setdefault(conversation_id, []).append(Turn(question, done))
            yield done
            self.finished += 1
        except GeneratorExit:
            self.closed += 1
            self.ended.set()
            raise

    def _done(self, found: Evidence) -> Done:
        if self.abstained:
            return Done(found, NOT_SAID, (), self.engines.state.name, "abstained")
        timings = {"search": 0.01, "total": 0.5}
        return Done(found, self.answer, self.citations, self.engines.state.name, "stop", self.unsupported, timings)
