"""The connection: what is opened, what is refused, and the messages."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ingest.base.errors import DocentError
from ingest.store.catalog import Catalog
from ingest.store.schema import SCHEMA_VERSION


def test_missing(tmp_path: Path) -> None:
    """Opening where there is no library says how to make one, and makes nothing."""
    with pytest.raises(DocentError, match=r"There is no library in .*: run `docent ingest FOLDER`"):
        Catalog(tmp_path / "none" / "catalog.db")
    assert not (tmp_path / "none").exists()


def test_not_a_database(tmp_path: Path) -> None:
    """A file that is something else is named, with SQLite's reason, and left as it is."""
    path = tmp_path / "catalog.db"
    path.write_text("this is a shopping list, not a database " * 50)
    before = path.read_bytes()
    for create in (False, True):
        with pytest.raises(DocentError, match=r"catalog\.db cannot be opened \(file is not a database\)"):
            Catalog(path, create=create)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_another_schema(tmp_path: Path, version: int) -> None:
    """A database of another program or another Docent is refused with both version numbers, and left as it is."""
    path = tmp_path / "catalog.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE things (x)")
    other.execute(f"PRAGMA user_version = {version}")
    other.commit()
    other.close()
    with pytest.raises(DocentError, match=f"has schema {version}, this Docent reads schema {SCHEMA_VERSION}"):
        Catalog(path, create=True)
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("things",)]
