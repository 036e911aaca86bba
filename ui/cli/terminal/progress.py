"""The progress of an ingest run: a bar on a terminal, lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as ProgressBar

from ingest.base.types import Progress, ProgressCallback
from ui.cli.terminal.output import json_text, printable
from ui.duration import duration

# Without a terminal, lines are printed at most this often.
PLAIN_LINE_SECONDS = 5.0
# JSON lines are printed at most this often; the last file always has one.
JSON_LINE_SECONDS = 0.5
PREPARING = "Preparing the embedding model"
_NAME_WIDTH = 40


@contextmanager
def progress_shown(label: str, quiet: bool = False, json_lines: bool = False) -> Iterator[ProgressCallback]:
    """A callback for `ingest` that shows its progress on standard error; standard output has the result alone.

    `label` names the work ("Ingesting"); `quiet` shows nothing. With `json_lines`, JSON lines are printed on a
    terminal too, and even when `quiet` is set.
    """
    if json_lines:
        yield _json_lines()
    elif quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task(label, total=None, rate="", left="", file="")

            def show(progress: Progress) -> None:
                name = os.path.basename(progress.path)  # noqa: PTH119 - a name to show, not a path to use
                stage = label if progress.total else PREPARING
                rate = f"{progress.passages_per_second:.0f} passages/s" if progress.passages else ""
                left = f"{duration(progress.left)} left" if progress.left else ""
                bar.update(
                    task, description=stage, completed=progress.done, total=progress.total or None,
                    rate=rate, left=left, file=printable(name[:_NAME_WIDTH]),
                )  # fmt: skip

            yield show
    else:
        yield _plain_lines(label)


def _bar() -> ProgressBar:
    return ProgressBar(
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[file]}", style="dim", markup=False), console=Console(stderr=True), transient=True,
    )  # fmt: skip


def _plain_lines(label: str) -> ProgressCallback:
    last_line = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last_line
        if time.monotonic() - last_line < PLAIN_LINE_SECONDS or progress.done == 0:
            return
        last_line = time.monotonic()
        left = "" if progress.left is None else f", about {duration(progress.left)} left"
        click.echo(
            f"{label}: {progress.done} of {progress.total} files, {progress.pages} pages, {progress.passages} passages,"
            f" {progress.passages_per_second:.0f} passages/s{left}",
            err=True,
        )

    return show


def _json_lines() -> ProgressCallback:
    last_line = -JSON_LINE_SECONDS

    def show(progress: Progress) -> None:
        nonlocal last_line
        finished = progress.done == progress.total > 0
        if time.monotonic() - last_line < JSON_LINE_SECONDS and not finished:
            return
        last_line = time.monotonic()
        line = {
            "done": progress.done, "total": progress.total, "pages": progress.pages, "passages": progress.passages,
            "passages_per_second": round(progress.passages_per_second, 1), "seconds": round(progress.seconds, 1),
            "left": None if progress.left is None else round(progress.left, 1), "path": progress.path,
        }  # fmt: skip
        click.echo(json_text(line), err=True)

    return show
