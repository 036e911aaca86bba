"""What was asked and answered, kept in `conversations.db`. Knows nothing of how answers are made.

A file of its own beside the catalog: it outlives a rebuilt library, and a long ingest never makes a reader wait.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.events import Citation, Done, EvidenceSentence, Part, Source
from ingest.base.errors import DocentError

CONVERSATIONS_FILE = "conversations.db"


@dataclass(frozen=True)
class Turn:
    """One question and what became of it. `user_content` and `model_answer` are what the model saw and wrote."""

    question: str
    answer: str
    citations: tuple[Citation, ...]
    sources: tuple[Source, ...]
    evidence: tuple[EvidenceSentence, ...]
    abstained: bool
    confidence: float
    engine: str
    finish_reason: str
    unsupported: tuple[str, ...]
    asked_at: str
    user_content: str = ""
    model_answer: str = ""
    searched: str = ""
    caution: bool = False


class Conversations:
    """Turns by conversation id, oldest first. A connection per call: pages come and go with their threads."""

    def __init__(self, home: Path) -> None:
        self._path = home / CONVERSATIONS_FILE
        # Turns are short, and SQLite does not always wait its time-out. Without a write-ahead log reading needs no
        # room: on a full disk people still get answers, which are then not kept.
        self._turn_by_turn = threading.Lock()

    def turns(self, conversation_id: str) -> list[Turn]:
        """All turns of a conversation; none for an id nobody has used. Raises DocentError when they cannot be read."""
        if not self._path.is_file():
            return []
        with self._connected() as connection:
            rows = connection.execute("SELECT turn FROM turns WHERE conversation = ? ORDER BY id", (conversation_id,))
            return [_turn(json.loads(row[0])) for row in rows]

    def add(self, conversation_id: str, question: str, done: Done, user_content: str, model_answer: str) -> None:
        """Keep a finished turn. Raises DocentError when it cannot be written."""
        turn = Turn(
            question=question, answer=done.answer, citations=done.citations, sources=done.sources,
            evidence=done.evidence, abstained=done.abstained, confidence=done.confidence, engine=done.engine,
            finish_reason=done.finish_reason, unsupported=done.unsupported,
            asked_at=datetime.now(UTC).isoformat(timespec="seconds"),
            user_content=user_content, model_answer=model_answer, searched=done.searched,
            caution=done.caution,
        )  # fmt: skip
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO turns (conversation, turn) VALUES (?, ?)",
                (conversation_id, json.dumps(asdict(turn), ensure_ascii=False)),
            )

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The inner context commits or rolls back; it does not close.
            with self._turn_by_turn, closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS turns"
                    " (id INTEGER PRIMARY KEY, conversation TEXT NOT NULL, turn TEXT NOT NULL)"
                )
                connection.execute("CREATE INDEX IF NOT EXISTS turns_by_conversation ON turns(conversation, id)")
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise DocentError(
                f"The conversations in {self._path} cannot be read or kept ({error}): check the disk and its "
                "permissions, or set that file aside."
            ) from error


def _turn(data: dict[str, object]) -> Turn:
    lists: dict[str, Callable[..., object]] = {
        "citations": Citation, "sources": _source, "evidence": EvidenceSentence,
    }  # fmt: skip
    made: dict[str, object] = dict(data)
    for name, kind in lists.items():
        made[name] = tuple(kind(**item) for item in data[name])  # type: ignore[attr-defined]
    made["unsupported"] = tuple(data["unsupported"])  # type: ignore[arg-type]
    return Turn(**made)  # type: ignore[arg-type]


def _source(**data: Any) -> Source:
    """Turns of an older Docent have neither parts nor versions."""
    parts = tuple(Part(**part) for part in data.pop("parts", ()))
    return Source(**data | {"parts": parts, "replaces": tuple(data.get("replaces", ()))})
