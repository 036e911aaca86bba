"""Questions and answers by conversation, stored in `conversations.db` (SQLite).

The file is separate from the catalog, so that conversations survive a rebuilt library and are read without waiting for
an ingest. A turn is one row of JSON; `PRAGMA user_version` numbers its format. An older file is migrated by the first
turn that is added. Reading converts its rows in memory, and so works on a disk that is full or cannot be written.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
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
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
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
        with self._connected() as (connection, version):
            rows = connection.execute(
                "SELECT id, turn FROM turns WHERE conversation = ? ORDER BY id", (conversation_id,)
            ).fetchall()
        return _readable(rows, version)

    def add(self, conversation_id: str, turn: Turn) -> None:
        """Append a turn. Raises DocentError when it cannot be written."""
        with self._connected() as (connection, version):
            if version < SCHEMA_VERSION:
                _migrate(connection)
            connection.execute(
                "INSERT INTO turns (conversation, turn) VALUES (?, ?)",
                (conversation_id, json.dumps(asdict(turn), ensure_ascii=False)),
            )

    @contextmanager
    def _connected(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """The open file and its version. Raises DocentError for a newer version, or when SQLite raises an error."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The inner context commits or rolls back; it does not close.
            with self._lock, closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
                # With str, SQLite would refuse all rows because of one damaged text; `json` refuses that row alone.
                connection.text_factory = bytes
                version = _checked_version(connection, self._path)
                # This writes nothing when they exist.
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS turns"
                    " (id INTEGER PRIMARY KEY, conversation TEXT NOT NULL, turn TEXT NOT NULL)"
                )
                connection.execute("CREATE INDEX IF NOT EXISTS turns_by_conversation ON turns(conversation, id)")
                yield connection, version
        except (sqlite3.Error, OSError) as error:
            raise DocentError(
                f"The conversations in {self._path} cannot be read or written ({error}): check the disk and its "
                "permissions, or move that file to another folder."
            ) from error


def _checked_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the file. Raises DocentError for a newer one than SCHEMA_VERSION."""
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise DocentError(
            f"The conversations in {path} have version {version} and this Docent reads up to {SCHEMA_VERSION}: "
            "install the newer Docent again, or move that file to another folder."
        )
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    """Convert every row to SCHEMA_VERSION. A row that cannot be read stays as it is."""
    connection.execute("BEGIN IMMEDIATE")
    # Read again: another process may have migrated the file while this one waited for the lock.
    version = _version(connection)
    for (row_id,) in connection.execute("SELECT id FROM turns").fetchall():
        (text,) = connection.execute("SELECT turn FROM turns WHERE id = ?", (row_id,)).fetchone()
        try:
            turn = json.dumps(_converted(json.loads(text), version), ensure_ascii=False)
        except _UNREADABLE as error:
            log.warning("conversation.row_not_migrated", row=row_id, reason=repr(error))
            continue
        connection.execute("UPDATE turns SET turn = ? WHERE id = ?", (turn, row_id))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _converted(turn: dict[str, Any], version: int) -> dict[str, Any]:
    """A turn from a file of that version, in the format of SCHEMA_VERSION."""
    # A server of version 0 that still runs ignores the version, and adds turns of its format to a migrated file.
    for migration in _MIGRATIONS[version if "done" in turn else 0 :]:
        turn = migration(turn)
    return turn


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


def _readable(rows: Sequence[tuple[int, bytes]], version: int) -> list[Turn]:
    turns = []
    for row_id, text in rows:
        try:
            turns.append(_turn(_converted(json.loads(text), version)))
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
