"""The `docent` command: every command of Docent in one group."""

from __future__ import annotations

import sys

import click

from ui.cli.ask import ask_command
from ui.cli.bench import bench
from ui.cli.doctor import doctor_command
from ui.cli.evaluate import eval_command
from ui.cli.ingest import ingest_command
from ui.cli.library import (
    backup_command,
    check_command,
    list_command,
    rebuild_command,
    remove_command,
    restore_command,
    status_command,
)
from ui.cli.models import models
from ui.cli.search import search_command
from ui.cli.serve import serve_command
from ui.cli.terminal.run import run

COMMANDS: tuple[click.Command, ...] = (
    ingest_command, search_command, ask_command, serve_command,
    list_command, remove_command, rebuild_command, status_command, check_command, backup_command, restore_command,
    doctor_command, models, eval_command, bench,
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="docent", message="docent %(version)s")
def docent() -> None:
    """Answers from your company's own documents, with sources, on this machine.

    Every setting can also be given in `docent.toml` or as an environment variable (`DOCENT_HOME`, …). An option wins
    over the variable, and the variable over the file.
    """


for _command in COMMANDS:
    docent.add_command(_command)


def main() -> None:
    """The console script."""
    sys.exit(run(docent, name="docent"))
