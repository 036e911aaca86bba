"""The README cannot go stale: settings, routes, commands and files in it are compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from ingest.base.settings import Settings
from ingest.documents.read import READERS
from tests.fakes.scripted_assistant import ScriptedAssistant
from ui.cli.main import docent
from ui.http.server import create_app

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    """The README's text below one heading."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"README has no section '{title}'"
    return found.group(1)


def rows(title: str) -> dict[str, list[str]]:
    """First cell → further cells of a section's table."""
    found = {}
    for line in section(title).splitlines():
        if line.startswith("| `"):
            first, *rest = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            found[first] = rest
    return found


def commands(group: click.Group, path: str = "docent") -> dict[str, click.Command]:
    """Every command by the words that call it."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found


def test_every_setting_is_in_the_readme_with_its_default_and_meaning() -> None:
    """What the README says of a setting is what the code says of it, and there are no others."""
    documented = rows("Settings")
    expected = {}
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else f"`{field.default}`"
        expected[f"`{name}`"] = [default, field.description]
    assert documented == expected


def test_every_command_is_in_the_readme() -> None:
    """The README's table lists exactly the commands there are."""
    documented = {re.sub(r"( [A-Z]+…?)+$", "", first.strip("`")) for first in rows("Commands")}
    assert documented == set(commands(docent))


@pytest.mark.parametrize("name", commands(docent))
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    """`--help` has a sentence on the command and on each of its options."""
    command = commands(docent)[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]}"


def test_every_command_that_reports_something_has_json() -> None:
    """Programs can read every outcome; `serve` has none."""
    without = [
        name for name, command in commands(docent).items() if all(option.name != "as_json" for option in command.params)
    ]
    assert without == ["docent serve"]


def test_every_route_is_in_the_readme(tmp_path: Path) -> None:
    """The README's table lists exactly the routes of the API, method by method."""
    app = create_app(ScriptedAssistant(Settings(home=tmp_path)))  # type: ignore[arg-type]
    served = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods} | {
        "GET /docs"
    }
    assert {first.strip("`") for first in rows("For programs")} == served


def test_every_kind_of_file_is_in_the_readme() -> None:
    """The README names every suffix that is read, and no other."""
    sentence = re.search(r"Read are `([^`]*)`", README)
    assert sentence
    assert sorted(sentence.group(1).split()) == sorted(READERS)


def test_every_module_is_in_the_readmes_tree() -> None:
    """A stranger finds each file of the two lower packages in 'How it works'; of formats and engines, the folder."""
    tree = section("How it works")
    for package in ("ingest", "assistant"):
        for path in (PROJECT / package).rglob("*.py"):
            if path.parent.name in {"formats", "engines"} or path.name == "__init__.py":
                assert path.parent.name in tree
            elif not path.name.startswith("__"):
                assert re.search(rf"\b{path.stem}\b", tree), path


def test_the_makefile_has_the_readmes_commands() -> None:
    """What the README tells a newcomer to type exists."""
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= targets
    assert {"setup", "run", "test", "lint"} <= targets
