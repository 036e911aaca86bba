"""Questions and answers by conversation, stored in `conversations.db` (SQLite).

The file is separate from the catalog, so that conversations survive a rebuilt library and are read without waiting for
an ingest. A turn is one row of JSON; `PRAGMA user_version` numbers its format, and older files are migrated when they
are opened.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.events import Citation, Done, Evidence, EvidenceSentence, Source, SourcePassage
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger

CONVERSATIONS_FILE = "conversations.db"
# What is raised for a row that is not JSON, or not the JSON of a turn.
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
log = get_logger(__name__)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Turn:
    """A question and the record of its answer.

    `user_content` is the user message that the model read and `model_text` what it wrote, before citations were put
    in: the prompt of a later turn repeats both unchanged. `asked_at` is an ISO 8601 time in UTC.
    """

    question: str
    done: Done
    user_content: str = ""
    model_text: str = ""
    asked_at: str = field(default_factory=_now)


class Conversations:
    """Turns by conversation id, oldest first.

    Each call opens a connection of its own: a SQLite connection belongs to one thread, and pages are drawn by many
    threads.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / CONVERSATIONS_FILE
        # One call at a time: SQLite does not always wait for its time-out. No write-ahead log, so that reading needs
        # no disk space: on a full disk people still get answers, which are then not stored.
        self._lock = threading.Lock()

    def turns(self, conversation_id: str) -> list[Turn]:
        """The turns of a conversation; none for an unknown id. A row that cannot be read is logged and left out.

        Raises DocentError when the file cannot be read or was written by a newer Docent.
        """
        if not self._path.is_file():
            return []
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT id, turn FROM turns WHERE conversation = ? ORDER BY id", (conversation_id,)
            ).fetchall()
        return _readable(rows)

    def add(self, conversation_id: str, turn: Turn) -> None:
        """Append a turn. Raises DocentError when it cannot be written."""
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
            with self._lock, closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
                _migrate(connection, self._path)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise DocentError(
                f"The conversations in {self._path} cannot be read or written ({error}): check the disk and its "
                "permissions, or move that file to another folder."
            ) from error


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate the file to SCHEMA_VERSION; in a new file, create the table. Raises DocentError for a newer version."""
    version = _version(connection)
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise DocentError(
            f"The conversations in {path} have version {version} and this Docent reads up to {SCHEMA_VERSION}: "
            "install the newer Docent again, or move that file to another folder."
        )
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS turns (id INTEGER PRIMARY KEY, conversation TEXT NOT NULL, turn TEXT NOT NULL)"
    )
    connection.execute("CREATE INDEX IF NOT EXISTS turns_by_conversation ON turns(conversation, id)")
    # Read again: another process may have migrated the file while this one waited for the lock.
    for migration in _MIGRATIONS[_version(connection) :]:
        _rewrite_rows(connection, migration)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.commit()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _rewrite_rows(connection: sqlite3.Connection, migration: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Apply a migration to every row. A row that it cannot read stays as it is."""
    for (row_id,) in connection.execute("SELECT id FROM turns").fetchall():
        (text,) = connection.execute("SELECT turn FROM turns WHERE id = ?", (row_id,)).fetchone()
        try:
            turn = migration(json.loads(text))
        except _UNREADABLE as error:
            log.warning("conversation.row_not_migrated", row=row_id, reason=repr(error))
            continue
        connection.execute("UPDATE turns SET turn = ? WHERE id = ?", (json.dumps(turn, ensure_ascii=False), row_id))


def _put_answer_in_done(turn: dict[str, Any]) -> dict[str, Any]:
    """0 → 1: version 0 had question, answer and evidence side by side; the oldest rows lack some of the fields."""
    return {
        "question": turn["question"],
        "done": {
            "evidence": {
                "sources": turn["sources"],
                "sentences": turn["evidence"],
                "confidence": turn["confidence"],
                "abstained": turn["abstained"],
                "searched": turn.get("searched", ""),
                "caution": turn.get("caution", False),
            },
            "answer": turn["answer"],
            "citations": turn["citations"],
            "engine": turn["engine"],
            "finish_reason": turn["finish_reason"],
            "unsupported": turn["unsupported"],
        },
        "user_content": turn.get("user_content", ""),
        "model_text": turn.get("model_answer", ""),
        "asked_at": turn["asked_at"],
    }


# The first migrates a file from version 0 to 1, the next from 1 to 2. Never change a migration: append a new one.
_MIGRATIONS = (_put_answer_in_done,)
SCHEMA_VERSION = len(_MIGRATIONS)


def _readable(rows: Sequence[tuple[int, str]]) -> list[Turn]:
    turns = []
    for row_id, text in rows:
        try:
            turns.append(_turn(json.loads(text)))
        except _UNREADABLE as error:
            log.warning("conversation.row_unreadable", row=row_id, reason=repr(error))
    return turns


def _turn(data: dict[str, Any]) -> Turn:
    """The turn that `asdict` made this of: lists of JSON become tuples of records."""
    done, evidence = data["done"], data["done"]["evidence"]
    sources = tuple(_source(source) for source in evidence["sources"])
    sentences = tuple(EvidenceSentence(**sentence) for sentence in evidence["sentences"])
    citations = tuple(Citation(**citation) for citation in done["citations"])
    answer = {
        "evidence": Evidence(**evidence | {"sources": sources, "sentences": sentences}),
        "citations": citations,
        "unsupported": tuple(done["unsupported"]),
    }
    return Turn(**data | {"done": Done(**done | answer)})


def _source(data: dict[str, Any]) -> Source:
    """A source; those that early versions stored have no `parts` and no `replaces`."""
    parts = tuple(SourcePassage(**part) for part in data.get("parts", ()))
    return Source(**data | {"parts": parts, "replaces": tuple(data.get("replaces", ()))})
