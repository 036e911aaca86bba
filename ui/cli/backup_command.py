"""`docent backup` and `docent restore`: how they are told in a terminal. Knows nothing of what is in a backup."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ui.cli.terminal import print_json, settings_from, settings_options


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
@settings_options("home")
def backup_command(file: Path, as_json: bool, **flags: Any) -> int:
    """Write library and conversations to FILE, whole or not at all; serving and ingesting go on meanwhile.

    The documents themselves stay where they are. The index is made anew when the backup is restored.
    """
    from ingest.runs.backup import backup

    report = backup(settings_from(flags).home, file)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(
            f"{file}: {report.documents} documents, {report.passages} passages, {report.bytes / 1e6:.1f} MB, "
            f"as of {report.made_at}."
        )
    return 0


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="put it in the place of the library that is there")
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
@settings_options("home")
def restore_command(file: Path, replace: bool, as_json: bool, **flags: Any) -> int:
    """Make the library what it was when FILE was written; a running server goes over to it by itself.

    Every byte is checked before anything changes.
    """
    from ingest.runs.backup import restore

    home = settings_from(flags).home
    report = restore(home, file, replace)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(
            f"Restored {report.documents} documents and {report.passages} passages of {report.made_at} into {home}."
        )
    return 0
