"""Prints lines that are safe for a terminal, and JSON for programs."""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with U+FFFD in place of control characters and changes of writing direction.

    File names may contain both, and could otherwise move the cursor, change colours or hide a file's real ending.
    """
    return _CONTROL_CHARACTERS.sub("\ufffd", text)


def print_line(line: str, err: bool = False) -> None:
    """Print a line that contains text from files or file names, without their control characters."""
    click.echo(printable(line), err=err)


def print_searched(searched: str, err: bool = False) -> None:
    """Print what is searched for in place of the text as typed."""
    print_line(f"Searched for: {searched} (with --as-typed: for the text as typed)", err)


def print_json(value: Any) -> None:
    """Print the result of a command for programs."""
    click.echo(json_text(value, indent=2))


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON of plain values, dataclasses (as objects with their fields, in order) and paths (as strings).

    Chinese is not escaped. Raises TypeError for other values.
    """
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
