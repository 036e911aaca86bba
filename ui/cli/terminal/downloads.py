"""The progress of a download and of the model conversion after it: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ui.cli.terminal.progress import PLAIN_LINE_SECONDS

if TYPE_CHECKING:
    from ingest.hub.download import DownloadProgress


@contextmanager
def download_shown(quiet: bool) -> Iterator[Callable[[DownloadProgress], None]]:
    """A callback for `pull`; several threads may call it at once. A total of 0 means that the size is not known."""
    if quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True)) as bar:
            tasks: dict[str, TaskID] = {}

            def show(progress: DownloadProgress) -> None:
                if progress.name not in tasks:
                    tasks[progress.name] = bar.add_task(progress.name, total=progress.total or None)
                bar.update(tasks[progress.name], completed=progress.done)

            yield show
    else:
        yield _plain_lines()


@contextmanager
def stages_shown(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A callback for `convert`, called with the stage's name, steps done and steps in all."""
    if quiet:
        yield lambda _name, _done, _total: None
    elif sys.stderr.isatty():
        with Progress(TextColumn("{task.description}"), BarColumn(bar_width=24), console=Console(stderr=True)) as bar:
            task = bar.add_task("")
            yield lambda name, done, total: bar.update(
                task, description=name, completed=done, total=total if total > 1 else None
            )
    else:
        shown: set[str] = set()

        def show(name: str, _done: int, _total: int) -> None:
            if name not in shown:
                shown.add(name)
                click.echo(f"{name} …", err=True)

        yield show


def _plain_lines() -> Callable[[DownloadProgress], None]:
    lock = threading.Lock()
    last_lines: dict[str, float] = {}

    def show(progress: DownloadProgress) -> None:
        with lock:
            now = time.monotonic()
            if now - last_lines.get(progress.name, 0.0) < PLAIN_LINE_SECONDS:
                return
            last_lines[progress.name] = now
        amount = f": {progress.done / 1e6:.0f} of {progress.total / 1e6:.0f} MB" if progress.total else " …"
        click.echo(f"{progress.name}{amount}", err=True)

    return show
