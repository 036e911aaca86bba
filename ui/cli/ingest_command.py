"""`docent ingest`, which is also `python -m ingest`. Knows how a run is told, not how it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest.base.logs import configure_logs
from ingest.base.settings import Settings
from ingest.runs.dry_run import DryRunReport, dry_run
from ingest.runs.report import IngestReport
from ingest.runs.watch import watch
from ingest.sync import ingest
from ui.cli.terminal import print_json, progress_shown, say, settings_from, settings_options

EXAMPLE = (
    "\b\nExamples:\n  docent ingest data/documents\n  docent ingest /srv/share --dry-run\n"
    "  docent ingest /srv/share --watch\n  docent ingest --accept /srv/share/scan.pdf"
)
# In a click context's `meta`: what else is done with the settings after each run. Whoever wraps the command sets it.
AFTERWARDS = "ui.cli.ingest_command.afterwards"
# How many files of a kind a forecast names to a person; the JSON has all.
_NAMED = 10


@click.command("ingest", epilog=EXAMPLE)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--watch", "watching", is_flag=True, help="stay, and follow what changes in the folders")
@click.option("--dry-run", "only_show", is_flag=True, help="say what would happen, and write nothing")
@click.option("--accept", multiple=True, metavar="PATH", help="answer from this quarantined document all the same")
@click.option("--allow-removals", is_flag=True, help="also remove when an unusual share of the documents is gone")
@click.option("--progress", "json_lines", is_flag=True, help="tell progress as JSON lines on standard error")
@click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")
@settings_options("home", "embedder", "log_level")
def ingest_command(
    paths: tuple[Path, ...], watching: bool, only_show: bool, accept: tuple[str, ...], allow_removals: bool,
    json_lines: bool, as_json: bool, **flags: Any,
) -> int:  # fmt: skip
    """Bring the library level with PATHS, files or folders: add, update and remove documents.

    Unchanged files are skipped. A file that cannot be read is named with its reason and the run goes on; an older
    version of it that the library already has stays, and it is tried again when it changes or is named itself. A
    document of which little can be read is kept in quarantine and not answered from.
    """
    if not paths and not accept:
        raise click.UsageError("Missing argument 'PATHS...'.")
    if watching + only_show + bool(accept) > 1:
        raise click.UsageError("--watch, --dry-run and --accept each want a command of their own.")
    settings = settings_from(flags)
    configure_logs(settings.log_level, None if only_show else settings.home / "logs", console=False)
    if watching:
        code = 0
        click.echo("Following the folders; Ctrl-C ends.", err=True)
        for report in watch(paths, settings, allow_removals=allow_removals):
            code = show(report, as_json)
            _afterwards(settings)
        return code
    with progress_shown("Reading" if only_show else "Ingesting", as_json, json_lines) as progress:
        if only_show:
            told = dry_run(paths, settings, progress, allow_removals=allow_removals)
        else:
            report = ingest(paths, settings, progress, accept=accept, allow_removals=allow_removals)
    if only_show:
        return show_dry_run(told, as_json)
    code = show(report, as_json)
    _afterwards(settings)
    return code


def _afterwards(settings: Settings) -> None:
    if (more := click.get_current_context().meta.get(AFTERWARDS)) is not None:
        more(settings)


def show(report: IngestReport, as_json: bool) -> int:
    """Print what a run did; the exit code says whether all of it went well."""
    if as_json:
        print_json(report.as_json())
    else:
        _show_failures(report)
        click.echo(f"{_counts(report)}; the library has {report.passages} passages. Took {report.seconds:.1f} s.")
    return 1 if report.failed else 0


def show_dry_run(told: DryRunReport, as_json: bool) -> int:
    """Print what a run would do; the exit code is the one it would end with."""
    if as_json:
        print_json(told.as_json())
        return 1 if told.report.failed else 0
    _show_failures(told.report)
    moved = [f"{before} → {now}" for before, now in told.moved]
    for what, paths in (
        ("add", told.added), ("update", told.updated), ("move", moved), ("know as a copy", told.duplicates),
        ("remove", told.removed), ("ignore", told.ignored),
    ):  # fmt: skip
        for path in paths[:_NAMED]:
            say(f"Would {what}: {path}")
        if len(paths) > _NAMED:
            click.echo(f"Would {what}: {len(paths) - _NAMED} more; --json names all")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(told.failed_kinds.items()))
    failed = f" Failed by kind: {kinds}." if kinds else ""
    click.echo(f"It would be {_counts(told.report)}, {len(told.ignored)} ignored.{failed} Nothing was written.")
    return 1 if told.report.failed else 0


def _show_failures(report: IngestReport) -> None:
    for failure in report.failed:
        say(f"Not taken in: {failure.path}: {failure.reason}.", err=True)
    for failure in report.quarantined:
        say(f"In quarantine: {failure.path}: {failure.reason}; --accept answers from it all the same.", err=True)


def _counts(report: IngestReport) -> str:
    """Those that every run has, and of the rest what there is."""
    often = (
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.removed} removed, "
        f"{len(report.failed)} failed"
    )
    seldom = {"moved": report.moved, "duplicates": report.duplicates, "in quarantine": len(report.quarantined)}
    return ", ".join([often, *(f"{count} {name}" for name, count in seldom.items() if count)])
