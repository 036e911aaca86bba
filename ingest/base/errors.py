"""Errors a person is meant to read. A leaf: it knows nothing of the rest.

Each message is one line that names the thing, the reason and what to do next.
Details belong in the log, never in the message.
"""

from __future__ import annotations


class DocentError(Exception):
    """Something the person at the terminal or the page can act on. Commands exit with 1."""

    exit_code = 1


class SettingsError(DocentError):
    """The command or its settings are wrong: nothing was done. Commands exit with 2."""

    exit_code = 2


class ReadError(DocentError):
    """One document could not be read; the rest of the run goes on."""
