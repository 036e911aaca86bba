"""What commands share: settings as options, one-line errors, progress. Knows nothing of what a command does."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as ProgressBar

from ingest.base.errors import DocentError
from ingest.base.logs import configure_logs
from ingest.base.settings import Settings, load_settings
from ingest.runs.report import Progress, ProgressCallback

# Without a terminal a line this often is enough to see that a run is alive.
PLAIN_LINE_SECONDS = 5.0
# Programs get one this often, and one at the end.
JSON_LINE_SECONDS = 0.5
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
PREPARING = "Preparing the embedding model"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def settings_options(*names: str) -> Callable[[_Command], _Command]:
    """Options named after settings (`--home`, `--embedder` …) that win over environment and file.

    The command gets them as keyword arguments; `settings_from` turns them into Settings.
    """

    def add(command: _Command) -> _Command:
        for name in reversed(names):
            description = Settings.model_fields[name].description
            option = click.option(f"--{name.replace('_', '-')}", name, default=None, metavar="VALUE", help=description)
            command = option(command)
        return command

    return add


def settings_from(flags: dict[str, Any]) -> Settings:
    """Settings with the given flags on top. Raises SettingsError."""
    return load_settings(**flags)


def run(command: click.Command, arguments: list[str] | None = None, name: str | None = None) -> int:
    """Run a command line and return its exit code: one line for a person, never a traceback.

    0: all went well; 1: it ran and some of it failed; 2: the command or its settings are wrong.
    """
    # Until a command sets up its own: what people read on a terminal is the command's output alone.
    configure_logs("error", console=False)
    try:
        # What click's own `main` does, except that it would answer a closed pipe with exit code 1.
        with command.make_context(name, sys.argv[1:] if arguments is None else list(arguments)) as context:
            code = command.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:  # after --help
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo("Stopped. What was finished is kept.", err=True)
        return 1
    except DocentError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output (`| head`) has seen enough; nothing more can be printed, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last place before a person would see a traceback
        if not isinstance(error, OSError) or error.filename is None:
            return _unforeseen(error)
        # A state folder, say, that is a file or may not be written, met before the library is.
        click.echo(
            f"Error: {error.filename} cannot be used ({error.strerror}): mend it, or set DOCENT_HOME to a folder "
            "that can be written.",
            err=True,
        )
        return 1


def _unforeseen(error: Exception) -> int:
    """A fault of ours: one line for the person, everything for whoever mends it."""
    if os.environ.get("DOCENT_LOG_LEVEL", "").lower() == "debug":
        raise error
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    click.echo(
        f"Error: something went wrong inside Docent ({reason}): run it again with DOCENT_LOG_LEVEL=debug to see where.",
        err=True,
    )
    return 1


def say(line: str, err: bool = False) -> None:
    """Print a line with names in it. A name may hold whatever a file system takes, and shall steer no terminal."""
    click.echo(_STEERING.sub("\ufffd", line), err=err)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


@contextmanager
def progress_shown(doing: str, quiet: bool = False, json_lines: bool = False) -> Iterator[ProgressCallback]:
    """A callback for `ingest`: a bar on a terminal, now and then a line elsewhere, or JSON lines for programs.

    Goes to standard error, so that standard output is only the result.
    """
    if json_lines:
        yield _json_lines()
    elif quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(doing, total=None, rate="", left="", file="")

            def show(progress: Progress) -> None:
                name = os.path.basename(progress.path)  # noqa: PTH119 - a name to show, not a path to use
                stage = doing if progress.total else PREPARING
                rate = f"{progress.passages_per_second:.0f} passages/s" if progress.passages else ""
                left = f"{duration(progress.left)} left" if progress.left else ""
                bar.update(
                    task, description=stage, completed=progress.done, total=progress.total or None,
                    rate=rate, left=left, file=_STEERING.sub("\ufffd", name[:40]),
                )  # fmt: skip

            yield show
    else:
        yield _plain_lines(doing)


def duration(seconds: float, units: tuple[str, str, str] = ("{} s", "{} min", "{} h")) -> str:
    """'40 s', '4 min' or '2 h 10 min'; `units` say it in another language."""
    in_seconds, in_minutes, in_hours = units
    if seconds < 60:
        return in_seconds.format(round(seconds))
    minutes = round(seconds / 60)
    if minutes < 60:
        return in_minutes.format(minutes)
    return f"{in_hours.format(minutes // 60)} {in_minutes.format(minutes % 60)}"


def _bar() -> ProgressBar:
    return ProgressBar(
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[file]}", style="dim", markup=False), console=Console(stderr=True), transient=True,
    )  # fmt: skip


def _plain_lines(doing: str) -> ProgressCallback:
    said = time.monotonic()

    def say(progress: Progress) -> None:
        nonlocal said
        if time.monotonic() - said < PLAIN_LINE_SECONDS or progress.done == 0:
            return
        said = time.monotonic()
        left = "" if progress.left is None else f", about {duration(progress.left)} left"
        click.echo(
            f"{doing}: {progress.done} of {progress.total} files, {progress.pages} pages, {progress.passages} passages,"
            f" {progress.passages_per_second:.0f} passages/s{left}",
            err=True,
        )

    return say


def _json_lines() -> ProgressCallback:
    said = -JSON_LINE_SECONDS

    def say(progress: Progress) -> None:
        nonlocal said
        whole = progress.done == progress.total > 0
        if time.monotonic() - said < JSON_LINE_SECONDS and not whole:
            return
        said = time.monotonic()
        line = {
            "done": progress.done, "total": progress.total, "pages": progress.pages, "passages": progress.passages,
            "passages_per_second": round(progress.passages_per_second, 1), "seconds": round(progress.seconds, 1),
            "left": None if progress.left is None else round(progress.left, 1), "path": progress.path,
        }  # fmt: skip
        click.echo(json.dumps(line, ensure_ascii=False), err=True)

    return say
