"""`docent ask`: prints the answer to one question while it is generated, and its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingest.base.errors import DocentError
from ui.cli.terminal.options import as_typed_option, json_option, question_from, settings_from, settings_options
from ui.cli.terminal.output import print_json, print_line, print_searched

if TYPE_CHECKING:
    from assistant.events import Done


@click.command("ask")
@click.argument("text")
@as_typed_option
@json_option
@settings_options("home", "engine", "model", "temperature")
def ask_command(text: str, as_typed: bool, as_json: bool, **flags: Any) -> int:
    """Answer the question TEXT from the documents.

    The answer is printed while it is written, its sources after it. Exit code 1 when there is no answer.
    """
    from assistant.assistant import Assistant
    from assistant.events import Delta, Done, Evidence, Failed, to_json

    question = question_from(text)
    assistant = Assistant(settings_from(flags))
    try:
        # Loading the model takes seconds: a wrong question or an empty library is reported before that.
        assistant.admit(question)
        choice = assistant.load()
        if choice.note and not as_json:
            click.echo(f"({choice.note})\n", err=True)
        for event in assistant.ask(question, as_typed=as_typed):
            match event:
                case Evidence() if event.searched and not as_json:
                    print_searched(event.searched)
                    click.echo()
                case Delta() if not as_json:
                    click.echo(event.text, nl=False)
                case Failed():
                    raise DocentError(event.message)
                case Done():
                    print_json(to_json(event)) if as_json else _show_sources(event)
    finally:
        assistant.close()
    return 0


def _show_sources(done: Done) -> None:
    evidence = done.evidence
    if evidence.abstained:
        click.echo(done.answer, nl=False)
    click.echo("\n")
    cited = {citation.n for citation in done.citations}
    for source in evidence.sources:
        if source.n in cited or evidence.abstained:
            location = " · ".join(part for part in (source.path, source.page, source.heading) if part)
            print_line(f"[{source.n}] {location}")
    if evidence.caution:
        click.echo("Careful: this may not be what you asked for; check the sources.")
    if done.unsupported:
        click.echo("Careful: part of this answer was not found in the sources.")
