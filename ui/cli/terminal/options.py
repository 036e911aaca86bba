"""Options and arguments that several commands share: `--json`, one option for each setting, and the question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ingest.base.settings import Settings, load_settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
as_typed_option = click.option(
    "--as-typed", is_flag=True, help="search for TEXT word for word: without correcting its spelling"
)


def settings_options(*names: str) -> Callable[[_Command], _Command]:
    """Options named after settings (`--home`, `--embedder` …), which win over the environment and `docent.toml`.

    The command receives them as keyword arguments, None where the option was not given; `settings_from` turns them
    into Settings.
    """

    def add(command: _Command) -> _Command:
        for name in reversed(names):
            description = Settings.model_fields[name].description
            option = click.option(f"--{name.replace('_', '-')}", name, default=None, metavar="VALUE", help=description)
            command = option(command)
        return command

    return add


def settings_from(flags: dict[str, Any]) -> Settings:
    """The settings; flags that are not None win over environment and file. Raises SettingsError for a wrong setting."""
    return load_settings(**flags)


def question_from(text: str) -> str:
    """The question without white space around it. Raises UsageError for an empty question."""
    if not text.strip():
        raise click.UsageError("TEXT is empty: give a question or some words.")
    return text.strip()
