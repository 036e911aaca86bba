"""`docent ingest`, which is also `python -m ingest`. Knows how a run is told, not how it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.logs import configure_logs
from ingest.report import IngestReport
from ingest.sync import ingest, watch
from ingest.terminal import print_json, progress_shown, settings_from, settings_options

EXAMPLE = "\b\nExamples:\n  docent ingest data/documents\n  docent ingest /srv/share --watch"


@click.command("ingest", epilog=EXAMPLE)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--watch", "watching", is_flag=True, help="stay, and follow what changes in the folders")
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
@settings_options("home", "embedder", "log_level")
def ingest_command(paths: tuple[Path, ...], watching: bool, as_json: bool, **flags: Any) -> int:
    """Bring the library level with PATHS, files or folders: add, update and remove documents.

    Unchanged files are skipped. A file that cannot be read is named with its reason and the run goes on; an older
    version of it that the library already has stays.
    """
    settings = settings_from(flags)
    configure_logs(settings.log_level, settings.home / "logs", console=False)
    if not watching:
        with progress_shown("Ingesting", quiet=as_json) as progress:
            report = ingest(paths, settings, progress)
        return show(report, as_json)
    code = 0
    click.echo("Following the folders; Ctrl-C ends.", err=True)
    for report in watch(paths, settings):
        code = show(report, as_json)
    return code


def show(report: IngestReport, as_json: bool) -> int:
    """Print what a run did; the exit code says whether all of it went well."""
    if as_json:
        print_json(report.as_json())
    else:
        for failure in report.failed:
            click.echo(f"Not taken in: {failure.path}: {failure.reason}.", err=True)
        click.echo(
            f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.removed} removed, "
            f"{len(report.failed)} failed; the library has {report.passages} passages. Took {report.seconds:.1f} s."
        )
    return 1 if report.failed else 0
