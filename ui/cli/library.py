"""The commands that manage a library: `list`, `remove`, `rebuild`, `status`, `check`, `backup` and `restore`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.base.logs import configure_logs
from ui.cli.ingest import finish_run
from ui.cli.terminal.options import json_option, settings_from, settings_options
from ui.cli.terminal.output import print_json, print_line
from ui.cli.terminal.progress import progress_shown
from ui.duration import duration

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ingest.library import LibraryStatus
    from ingest.store.records import ListedDocument
    from ingest.store.unreadable_files import UnreadableFile
    from ingest.store.write_lock import Work


@click.command("list")
@click.option("--unreadable", is_flag=True, help="list the files that could not be read instead, with the reasons")
@json_option
@settings_options("home")
def list_command(unreadable: bool, as_json: bool, **flags: Any) -> int:
    """List the documents of the library.

    Each is printed with format, language, pages, passages, parse score and state.
    """
    from ingest.store.catalog import CATALOG_FILE, Catalog
    from ingest.store.unreadable_files import unreadable_files

    catalog = Catalog(settings_from(flags).home / CATALOG_FILE)
    try:
        documents, files = catalog.listed(), unreadable_files(catalog).values() if unreadable else ()
    finally:
        catalog.close()
    if unreadable:
        print_json([{"path": file.path, "reason": file.reason} for file in files]) if as_json else _show_files(files)
    else:
        print_json(documents) if as_json else _show_documents(documents)
    return 0


def _show_documents(documents: Sequence[ListedDocument]) -> None:
    for document in documents:
        print_line(f"{document.id:>6}  {document.name}")
        facts = (
            document.format, document.language, f"{document.pages} pages", f"{document.passages} passages",
            "" if document.score is None else f"score {document.score:.2f}", document.state,
            f"{len(document.paths)} paths" if len(document.paths) > 1 else "",
        )  # fmt: skip
        # Two short lines rather than a table: paths are long and terminals may be narrow.
        click.echo(f"        {' · '.join(filter(None, facts))}{document.reason and f': {document.reason}'}")
    click.echo(f"{len(documents)} documents.")


def _show_files(files: Collection[UnreadableFile]) -> None:
    for file in files:
        print_line(f"{file.path}: {file.reason}.")
    click.echo(f"{len(files)} files could not be read. To try one again, name it in `docent ingest`.")


@click.command("remove")
@click.argument("names", nargs=-1, required=True)
@json_option
@settings_options("home", "log_level")
def remove_command(names: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Remove documents from the library.

    NAMES are numbers, names, paths or folders. The files themselves are not touched. When a removed document's
    folder is ingested again, the document is added again.
    """
    from ingest.runs.select import remove

    removed, failed = remove(names, settings_from(flags))
    if as_json:
        print_json({"removed": [document.name for document in removed], "failed": failed})
    else:
        for document in removed:
            print_line(f"Removed: {document.name}.")
        for failure in failed:
            print_line(f"Not removed: {failure.path}: {failure.reason}.", err=True)
    return 1 if failed else 0


@click.command("rebuild")
@click.option("--rollback", is_flag=True, help="return to the embeddings that the last rebuild replaced")
@json_option
@settings_options("home", "embedder", "log_level")
def rebuild_command(rollback: bool, as_json: bool, **flags: Any) -> int:
    """Split and embed all documents again.

    With --embedder, another model embeds them. Searches keep working meanwhile. The replaced embeddings are kept, so
    that --rollback can undo the rebuild; documents added since then are embedded during the rollback.
    """
    from ingest.runs import rebuild as rebuilding

    settings = settings_from(flags)
    if rollback and flags["embedder"] is not None:
        raise click.UsageError("--rollback returns to the previous embedder: leave out --embedder.")
    configure_logs(settings.log_level, settings.home / "logs", console=False)
    with progress_shown("Rebuilding", quiet=as_json) as progress:
        report = (rebuilding.rollback if rollback else rebuilding.rebuild)(settings, progress)
    return finish_run(report, settings, as_json, quiet=as_json)


@click.command("status")
@json_option
@settings_options("home")
def status_command(as_json: bool, **flags: Any) -> int:
    """Show the state of the library.

    Prints what it contains, which command changes it now, and any problem. Exit code 1 when there is a problem.
    """
    from ingest.library import Library
    from ingest.passages.embedders.english_only import english_only_note
    from ingest.search.rerank import reranker_of

    settings = settings_from(flags)
    library = Library(settings.home, reranker_of(settings))
    try:
        state = library.status()
    finally:
        library.close()
    if not state.problem:
        state = replace(state, note=" ".join(filter(None, (state.note, english_only_note(settings)))))
    if as_json:
        print_json({"home": settings.home, **asdict(state)})
    else:
        _show_status(settings.home, state)
    return 1 if state.problem else 0


def _show_status(home: Path, state: LibraryStatus) -> None:
    click.echo(
        f"{home}: {state.documents} documents, {state.passages} passages, embedder {state.embedder or 'none yet'}."
    )
    if state.work is not None:
        click.echo(f"In progress: {_described(state.work)}.")
    if state.note:
        click.echo(f"Note: {state.note}", err=True)
    if state.problem:
        click.echo(f"Problem: {state.problem}", err=True)


def _described(work: Work) -> str:
    """The command that changes the library now, how much of it is done, and how long the rest will take."""
    facts = [f"{work.doing} (process {work.process}, since {work.since})"]
    if work.total:
        facts.append(f"{work.done} of {work.total} files")
    if work.pages:
        facts.append(f"{work.pages} pages, {work.passages_per_second:.0f} passages/s")
    if work.left:
        facts.append(f"about {duration(work.left)} left")
    return ", ".join(facts)


@click.command("check")
@json_option
@settings_options("home")
def check_command(as_json: bool, **flags: Any) -> int:
    """Compare the catalog with the search indexes.

    Exit code 1 when they disagree.
    """
    from ingest.runs.check import check

    problems = check(settings_from(flags).home)
    if as_json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            click.echo(problem, err=True)
        click.echo("No problems found." if not problems else f"Problems found: {len(problems)}.")
    return 1 if problems else 0


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@settings_options("home")
def backup_command(file: Path, as_json: bool, **flags: Any) -> int:
    """Write the library and the conversations to FILE.

    Searches and ingest runs keep working meanwhile. FILE is complete or not written at all. The backup does not
    contain the documents' own files. The search indexes are built again when the backup is restored.
    """
    from ingest.runs.backup import backup

    report = backup(settings_from(flags).home, file)
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"Backup {file}: {report.documents} documents, {report.passages} passages, {report.bytes / 1e6:.1f} MB, "
            f"as of {report.made_at}."
        )
    return 0


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="replace the existing library")
@json_option
@settings_options("home")
def restore_command(file: Path, replace: bool, as_json: bool, **flags: Any) -> int:
    """Restore the library and the conversations from FILE.

    A running server switches to them without a restart. Every byte is checked before anything changes.
    """
    from ingest.runs.backup import restore

    home = settings_from(flags).home
    report = restore(home, file, replace)
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"Restored {report.documents} documents and {report.passages} passages from {report.made_at} to {home}."
        )
    return 0
