"""The `docent` command. Knows how results are told in a terminal, not how they come about."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
from ui.cli.backup_command import backup_command, restore_command
from ui.cli.bench_command import bench
from ui.cli.eval_command import eval_command
from ui.cli.ingest_command import AFTERWARDS, ingest_command, show
from ui.cli.search_command import question_from, search_command
from ui.cli.terminal import duration, print_json, progress_shown, run, say, settings_from, settings_options

if TYPE_CHECKING:
    from assistant.events import Done
    from ingest.base.settings import Settings

as_json_option = click.option("--json", "as_json", is_flag=True, help="print the outcome as JSON")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="docent", message="docent %(version)s")
def docent() -> None:
    """Answers from your company's own documents, with sources, on this machine.

    Every setting can also be given in `docent.toml` or as an environment variable (`DOCENT_HOME`, …); flags win.
    """
    click.get_current_context().meta[AFTERWARDS] = _fit_thresholds


def _fit_thresholds(settings: Settings) -> None:
    """Every ingest ends with it: it takes seconds, and those only when much has changed."""
    from assistant.refuse.thresholds import fit_thresholds_when_due

    fit_thresholds_when_due(
        settings, lambda: click.echo("Fitting when to say that the documents do not say …", err=True)
    )


docent.add_command(ingest_command)
docent.add_command(bench)
docent.add_command(backup_command)
docent.add_command(restore_command)
docent.add_command(search_command)
docent.add_command(eval_command)


@docent.command()
@click.argument("text")
@as_json_option
@settings_options("home", "engine", "model", "temperature")
def ask(text: str, as_json: bool, **flags: Any) -> int:
    """Answer TEXT from the documents, with sources. Streams; exit code 1 when no answer came."""
    from assistant.assistant import Assistant
    from assistant.events import Delta, Done, Failed, to_json

    text = question_from(text)
    settings = settings_from(flags)
    assistant = Assistant(settings)
    try:
        # A wrong question or an empty library should be said before the model takes seconds to load.
        assistant.admit(text)
        engine = assistant.load()
        if engine.note and not as_json:
            click.echo(f"({engine.note})\n", err=True)
        for event in assistant.ask(text):
            match event:
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
            place = " · ".join(part for part in (source.path, source.page, source.heading) if part)
            say(f"[{source.n}] {place}")
    if evidence.caution:
        click.echo("Careful: this may not be what you asked for; check the sources.")
    if done.unsupported:
        click.echo("Careful: part of this answer was not found in the sources.")


@docent.command()
@settings_options("home", "host", "port", "engine", "model", "log_level")
def serve(**flags: Any) -> int:
    """Serve page and API in one process, by default on http://127.0.0.1:8501."""
    from assistant.assistant import Assistant
    from ui.http.server import check_address
    from ui.http.server import serve as serve_assistant

    settings = settings_from(flags)
    check_address(settings.host, settings.port)
    configure_logs(settings.log_level, settings.home / "logs")
    assistant = Assistant(settings)
    try:
        assistant.library.follow()
        assistant.keep_thresholds_fitted()
        assistant.load_in_background(announce=lambda note: click.echo(note, err=True))
        click.echo(f"Docent is at http://{settings.host}:{settings.port}; Ctrl-C stops it.", err=True)
        serve_assistant(assistant, settings.host, settings.port)
    finally:
        assistant.close()
    return 0


@docent.command("list")
@click.option("--unreadable", is_flag=True, help="list the files that could not be read instead, and why")
@as_json_option
@settings_options("home")
def list_documents(unreadable: bool, as_json: bool, **flags: Any) -> int:
    """List the documents of the library with format, language, pages, passages, parse score and state."""
    from ingest.store.catalog import CATALOG_FILE, Catalog
    from ingest.store.unreadable_files import unreadable_files

    catalog = Catalog(settings_from(flags).home / CATALOG_FILE)
    try:
        documents, files = catalog.listed(), unreadable_files(catalog).values() if unreadable else ()
    finally:
        catalog.close()
    if unreadable:
        if as_json:
            print_json([{"path": str(file.path), "reason": file.reason} for file in files])
            return 0
        for file in files:
            say(f"{file.path}: {file.reason}.")
        click.echo(f"{len(files)} files could not be read. A file named in `docent ingest` is tried again.")
        return 0
    if as_json:
        print_json([asdict(document) for document in documents])
        return 0
    for document in documents:
        say(f"{document.id:>6}  {document.name}")
        facts = (
            document.format, document.language, f"{document.pages} pages", f"{document.passages} passages",
            "" if document.score is None else f"score {document.score:.2f}", document.state,
            f"{len(document.paths)} paths" if len(document.paths) > 1 else "",
        )  # fmt: skip
        # Two short lines rather than a table: paths are long and terminals may be narrow.
        click.echo(f"        {' · '.join(filter(None, facts))}{document.reason and f': {document.reason}'}")
    click.echo(f"{len(documents)} documents.")
    return 0


@docent.command()
@click.argument("names", nargs=-1, required=True)
@as_json_option
@settings_options("home", "log_level")
def remove(names: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Take documents out of the library by number, name, path or folder; the files themselves stay.

    A document whose folder is ingested again comes back.
    """
    from ingest.sync import remove as remove_documents

    settings = settings_from(flags)
    removed, failed = remove_documents(names, settings)
    if as_json:
        print_json({"removed": [document.name for document in removed], "failed": [asdict(one) for one in failed]})
    else:
        for document in removed:
            say(f"Removed {document.name}.")
        for failure in failed:
            say(f"Not removed: {failure.path}: {failure.reason}.", err=True)
    return 1 if failed else 0


@docent.command()
@click.option("--rollback", is_flag=True, help="go back to the passages that the last rebuild replaced")
@as_json_option
@settings_options("home", "embedder", "log_level")
def rebuild(rollback: bool, as_json: bool, **flags: Any) -> int:
    """Split and embed every document anew, with --embedder by another model; searches go on meanwhile.

    What it replaces is kept, so that --rollback can undo it; documents that came since are brought along.
    """
    from ingest.runs import rebuild as rebuilding

    settings = settings_from(flags)
    if rollback and flags["embedder"] is not None:
        raise click.UsageError("--rollback goes back to the embedder there was: leave out --embedder.")
    configure_logs(settings.log_level, settings.home / "logs", console=False)
    with progress_shown("Rebuilding", quiet=as_json) as progress:
        report = (rebuilding.rollback if rollback else rebuilding.rebuild)(settings, progress)
    code = show(report, as_json)
    _fit_thresholds(settings)
    return code


@docent.command()
@as_json_option
@settings_options("home")
def status(as_json: bool, **flags: Any) -> int:
    """Say what the library holds and whether it can be used."""
    from ingest.library import Library
    from ingest.search.rerank import reranker_of

    settings = settings_from(flags)
    library = Library(settings.home, reranker_of(settings))
    try:
        state = library.status()
    finally:
        library.close()
    if as_json:
        print_json({"home": str(settings.home), **asdict(state)})
    else:
        click.echo(
            f"{settings.home}: {state.documents} documents, {state.passages} passages, "
            f"embedder {state.embedder or 'none yet'}."
        )
        if (work := state.work) is not None:
            files = f", {work.done} of {work.total} files" if work.total else ""
            rate = f", {work.pages} pages, {work.passages_per_second:.0f} passages/s" if work.pages else ""
            left = f", about {duration(work.left)} left" if work.left else ""
            click.echo(f"Right now: {work.doing} (process {work.process}, since {work.since}){files}{rate}{left}.")
        if state.note:
            click.echo(f"Note: {state.note}", err=True)
        if state.problem:
            click.echo(f"Problem: {state.problem}", err=True)
    return 1 if state.problem else 0


@docent.command()
@as_json_option
@settings_options("home")
def check(as_json: bool, **flags: Any) -> int:
    """Compare catalog and indexes with one another; exit code 1 when they disagree."""
    from ingest.runs.check import check as check_library

    problems = check_library(settings_from(flags).home)
    if as_json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            click.echo(problem, err=True)
        click.echo("The library is whole." if not problems else f"{len(problems)} problems.")
    return 1 if problems else 0


@docent.command()
@as_json_option
@settings_options("home", "engine", "model", "embedder")
def doctor(as_json: bool, **flags: Any) -> int:
    """Look at machine, disk, library, models and hub, and say what to do about each."""
    from ui.cli.doctor import examine

    findings = examine(settings_from(flags))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{'ok     ' if finding.ok else 'PROBLEM'}  {finding.name}: {finding.text}")
    return 0 if all(finding.ok for finding in findings) else 1


@docent.group()
def models() -> None:
    """Download models and list those that are here."""


@models.command("list")
@as_json_option
@settings_options("model", "embedder", "reranker", "models_cache")
def models_list(as_json: bool, **flags: Any) -> int:
    """List the models in use and those that were downloaded."""
    from assistant.models.locate import list_models

    states = list_models(settings_from(flags))
    if as_json:
        print_json([{**asdict(state), "path": str(state.path or "")} for state in states])
    else:
        for state in states:
            click.echo(f"{state.name}  ({state.role}, {state.size / 1e6:.0f} MB, {state.state})")
    return 0


@models.command("pull")
@click.argument("names", nargs=-1)
@as_json_option
@settings_options("model", "embedder", "reranker", "models_cache", "hub_connect_seconds")
def models_pull(names: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Download NAMES (default: the models of the settings) from ModelScope, check every byte, make chat models fast.

    NAMES may also be folders or GGUF files on this machine. What is already here is not fetched again; an interrupted
    download goes on where it stopped. A chat model is then made into an int8 OpenVINO model, once, and compared with
    its original.
    """
    from assistant.models.convert import convert
    from assistant.models.locate import is_checkpoint, pull
    from ui.cli.download_progress import download_shown, stages_shown

    settings = settings_from(flags)
    with download_shown(quiet=as_json) as progress:
        folders = pull(settings, names, progress)
    with stages_shown(quiet=as_json) as stage:
        folders = [
            convert(folder, settings.models_cache, stage) if is_checkpoint(folder) else folder for folder in folders
        ]
    if as_json:
        print_json([str(folder) for folder in folders])
    for folder in folders if not as_json else ():
        click.echo(f"Ready: {folder}")
    return 0


def main() -> None:
    """The console script."""
    sys.exit(run(docent, name="docent"))
