"""Errors that people read.

Each message is one line: what it is about, the reason, what to do. Details belong in the log.
"""

from __future__ import annotations


class DocentError(Exception):
    """An error that a person at the terminal or the page can act on. Commands exit with 1."""

    exit_code = 1


class SettingsError(DocentError):
    """The command or its settings are wrong, and nothing was done. Commands exit with 2."""

    exit_code = 2


class ReadError(DocentError):
    """One document could not be read; the run continues with the others."""
