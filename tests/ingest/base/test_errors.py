"""Errors that people read, and the exit codes of commands that end with one."""

from __future__ import annotations

from ingest.base.errors import DocentError, ReadError, SettingsError


def test_exit_codes() -> None:
    """1 when something went wrong while running, 2 when the command or its settings are wrong."""
    assert (DocentError("x").exit_code, ReadError("x").exit_code, SettingsError("x").exit_code) == (1, 1, 2)


def test_one_family() -> None:
    """Every error for people is a DocentError, and its text is the message."""
    for kind in (ReadError, SettingsError):
        error = kind("the file is empty: fill it or remove it")
        assert isinstance(error, DocentError)
        assert str(error) == "the file is empty: fill it or remove it"
