"""`docent ingest`, which is also `python -m ingest`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.base.logs import configure_logs
from ui.cli.terminal.options import json_option, settings_from, settings_options
from ui.cli.terminal.output import print_json, print_line
from ui.cli.terminal.progress import progress_shown

if TYPE_CHECKING:
    from ingest.base.settings import Settings
    from ingest.runs.dry_run import DryRunReport
    from ingest.runs.report import IngestReport

EXAMPLES = (
    "\b\nExamples:\n  docent ingest data/documents\n  docent ingest /srv/share --dry-run\n"
    "  docent ingest /srv/share --watch\n  docent ingest --accept /srv/share/scan.pdf"
)
# A dry run names this many files of each kind; with --json it names all.
_NAMED = 10


@click.command("ingest", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--watch", "watching", is_flag=True, help="keep running, and ingest again when files change")
@click.option("--dry-run", "dry", is_flag=True, help="say what would be done, and change nothing")
@click.option("--accept", multiple=True, metavar="PATH", help="use this quarantined document for answers anyway")
@click.option(
    "--allow-removals", is_flag=True, help="remove documents even when an unusual share of the files is missing"
)
@click.option("--progress", "json_lines", is_flag=True, help="print progress as JSON lines on standard error")
@json_option
@settings_options("home", "embedder", "log_level")
def ingest_command(
    paths: tuple[Path, ...], watching: bool, dry: bool, accept: tuple[str, ...], allow_removals: bool,
    json_lines: bool, as_json: bool, **flags: Any,
) -> int:  # fmt: skip
    """Add, update and remove documents.

    PATHS are files or folders; afterwards the library holds their present content. Unchanged files are skipped. A
    file that cannot be read is reported with the reason, and the run continues; if the library holds an older
    version of the file, it keeps that version. The file is tried again when it changes, or when it is named on the
    command line. A document of which little can be read is quarantined: answers do not use it.
    """
    # Imported here, and so in every command: `docent --help` need not wait seconds for them.
    from ingest.runs.dry_run import dry_run
    from ingest.sync import ingest
    from ingest.watch import watch

    if not paths and not accept:
        raise click.UsageError("Missing argument 'PATHS...'.")
    if watching + dry + bool(accept) > 1:
        raise click.UsageError("--watch, --dry-run and --accept cannot be combined: give one of them.")
    settings = settings_from(flags)
    configure_logs(settings.log_level, None if dry else settings.home / "logs", console=False)
    quiet = as_json or json_lines
    if watching:
        code = 0
        click.echo("Watching for changes; press Ctrl-C to stop.", err=True)
        runs = watch(paths, settings, partial(ingest, paths, settings, allow_removals=allow_removals))
        for number, report in enumerate(runs):
            code = finish_run(report, settings, as_json, quiet, advise=number == 0)
        return code
    with progress_shown("Reading" if dry else "Ingesting", as_json, json_lines) as progress:
        if dry:
            forecast = dry_run(paths, settings, progress, allow_removals=allow_removals)
        else:
            report = ingest(paths, settings, progress, accept=accept, allow_removals=allow_removals)
    return show_dry_run(forecast, as_json) if dry else finish_run(report, settings, as_json, quiet)


def finish_run(report: IngestReport, settings: Settings, as_json: bool, quiet: bool, advise: bool = True) -> int:
    """The end of every run that may have changed the library: print its report and fit the confidence thresholds.

    Fitting takes seconds, and happens only when a tenth of the library has changed; `quiet` does not announce it. With
    `advise`, and not `quiet`, a line says what the English embedder costs, where the library has that. Returns the exit
    code of the run.
    """
    from assistant.refuse.thresholds import fit_thresholds_when_due
    from ingest.passages.embedders.english_only import english_only_note

    def announce() -> None:
        if not quiet:
            click.echo("Fitting the confidence thresholds to the library …", err=True)

    code = show_report(report, as_json)
    fit_thresholds_when_due(settings, announce)
    note = english_only_note(settings) if advise and not quiet else ""
    if note:
        click.echo(f"Note: {note}", err=True)
    return code


def show_report(report: IngestReport, as_json: bool) -> int:
    """Print what a run did. Returns the exit code: 1 when a file failed."""
    if as_json:
        print_json(report.as_json())
    else:
        _show_failures(report)
        click.echo(f"{_counts(report)}; the library has {report.passages} passages. Took {report.seconds:.1f} s.")
    return 1 if report.failed else 0


def show_dry_run(forecast: DryRunReport, as_json: bool) -> int:
    """Print what a run would do. Returns the exit code that the run would have."""
    report = forecast.report
    if as_json:
        print_json(forecast.as_json())
        return 1 if report.failed else 0
    _show_failures(report)
    moved = [f"{before} → {now}" for before, now in forecast.moved]
    for action, paths in (
        ("add", forecast.added), ("update", forecast.updated), ("move", moved),
        ("record as a copy", forecast.duplicates), ("remove", forecast.removed), ("ignore", forecast.ignored),
    ):  # fmt: skip
        for path in paths[:_NAMED]:
            print_line(f"Would {action}: {path}")
        if len(paths) > _NAMED:
            click.echo(f"Would {action}: {len(paths) - _NAMED} more; --json lists all")
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(forecast.failed_kinds.items()))
    failed = f" Failed by kind: {kinds}." if kinds else ""
    click.echo(f"Result: {_counts(report)}, {len(forecast.ignored)} ignored.{failed} Dry run: nothing was changed.")
    return 1 if report.failed else 0


def _show_failures(report: IngestReport) -> None:
    for failure in report.failed:
        print_line(f"Failed: {failure.path}: {failure.reason}.", err=True)
    for failure in report.quarantined:
        print_line(f"Quarantined: {failure.path}: {failure.reason}; to use it anyway, add --accept.", err=True)


def _counts(report: IngestReport) -> str:
    """The counts that every run has, and of the others those above 0."""
    always = (
        f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.removed} removed, "
        f"{len(report.failed)} failed"
    )
    others = {"moved": report.moved, "duplicates": report.duplicates, "quarantined": len(report.quarantined)}
    return ", ".join([always, *(f"{count} {name}" for name, count in others.items() if count)])
