"""A connection to the library's SQLite file: open, read, write in transactions, and the table `state`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.base.errors import DocentError
from ingest.store.schema import SCHEMA_VERSION, set_up

# SQLite allows 32,766 variables in a statement.
_IDS_AT_ONCE = 10_000

Values = Sequence[Any] | Mapping[str, Any]


class Database:
    """A connection to the catalog file. Only one thread may use it at a time: `Library` opens one for each thread."""

    def __init__(self, path: Path, create: bool = False) -> None:
        """Open the file, and migrate an older schema. Raises DocentError when there is none and `create` is false.

        Also raises DocentError when the file is no catalog, cannot be opened, or has a schema of another Docent.
        """
        self.path = path
        if not create and not path.is_file():
            raise DocentError(f"There is no library in {path.parent}: run `docent ingest FOLDER` to make one.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            try:
                self._connection.row_factory = sqlite3.Row
                self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
                version = set_up(self._connection, create)
            except sqlite3.DatabaseError:
                self.close()
                raise
        except (sqlite3.DatabaseError, OSError) as error:
            raise DocentError(
                f"The catalog {path} cannot be opened ({error}): check the disk, which may be full, and its "
                "permissions, or set it aside and run `docent ingest` again."
            ) from error
        if version != SCHEMA_VERSION:
            self.close()
            raise DocentError(
                f"The library in {path.parent} has schema {version}, this Docent reads schema {SCHEMA_VERSION}: "
                "set that folder aside and run `docent ingest` again, or install the Docent that made it."
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Other connections see everything written inside at once at the end, or nothing of it after an error."""
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            # On a full disk SQLite has already rolled back; a second ROLLBACK would hide the reason.
            if self._connection.in_transaction:
                self.write("ROLLBACK")
            raise

    @contextmanager
    def consistent_snapshot(self) -> Iterator[None]:
        """Everything read inside is the catalog of one moment, even while other processes change it."""
        if self._connection.in_transaction:
            yield
            return
        self.rows("BEGIN")
        try:
            yield
        finally:
            self.rows("ROLLBACK")

    def write(self, statement: str, values: Values = ()) -> list[sqlite3.Row]:
        """Run a statement; returns its rows. Raises sqlite3.DatabaseError, for example for a full disk."""
        return self._connection.execute(statement, values).fetchall()

    def rows(self, query: str, values: Values = ()) -> list[sqlite3.Row]:
        """The rows of a query. Raises DocentError when the file is damaged or cannot be read."""
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise DocentError(
                f"The catalog {self.path} cannot be read ({error}): run `docent check`; if it is damaged, set it "
                "aside and run `docent ingest` again."
            ) from error

    def rows_by_id(self, query: str, ids: Sequence[int]) -> Iterator[list[sqlite3.Row]]:
        """Rows for many ids, `_IDS_AT_ONCE` of them at a time; `query` has `{ids}` where their list goes.

        Yields no empty list. Raises DocentError as `rows` does.
        """
        for start in range(0, len(ids), _IDS_AT_ONCE):
            chunk = [int(number) for number in ids[start : start + _IDS_AT_ONCE]]
            rows = self.rows(query.format(ids=",".join("?" * len(chunk))), chunk)
            if rows:
                yield rows

    def state(self, key: str) -> str | None:
        """The value stored under `key` in the table `state`; None when there is none."""
        rows = self.rows("SELECT value FROM state WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    def set_state(self, key: str, value: str) -> None:
        """Store a value under `key`, replacing the earlier one."""
        self.write("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))

    def set_note(self, key: str, value: Any) -> None:
        """Store a small value as JSON under `key`, such as how many passages a second were embedded here."""
        self.set_state(f"note.{key}", json.dumps(value))

    def note(self, key: str) -> Any:
        """The value that `set_note` stored; None when there is none."""
        value = self.state(f"note.{key}")
        return json.loads(value) if value else None

    @property
    def revision(self) -> int:
        """A number that grows with every committed change of the passages that searches use."""
        return int(self.state("revision") or 0)

    def bump(self) -> None:
        """Raise the revision, in the caller's transaction."""
        self.write("UPDATE state SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'")

    def integrity_problems(self) -> list[str]:
        """Up to five errors that SQLite finds in the file, one line each; empty when there are none."""
        try:
            lines = [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check(5)")]
        except sqlite3.DatabaseError as error:
            lines = [str(error)]
        return [] if lines == ["ok"] else [f"catalog: {line}" for line in lines]
