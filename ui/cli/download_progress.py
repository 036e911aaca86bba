"""A download and what follows it, shown in the terminal. Knows nothing of hubs or models.

Progress of nothing out of nothing is work of which only the name is known.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ui.cli.terminal import PLAIN_LINE_SECONDS

if TYPE_CHECKING:
    from ingest.hub.download import DownloadProgress


@contextmanager
def download_shown(quiet: bool) -> Iterator[Callable[[DownloadProgress], None]]:
    """A callback for `pull`; it may be called from several threads at once."""
    if quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True)) as bar:
            tasks: dict[str, object] = {}

            def show(progress: DownloadProgress) -> None:
                if progress.name not in tasks:
                    tasks[progress.name] = bar.add_task(progress.name, total=progress.total or None)
                bar.update(tasks[progress.name], completed=progress.done)  # type: ignore[arg-type]

            yield show
    else:
        yield _plain_lines()


@contextmanager
def stages_shown(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A callback for `convert`: what is being done, as a bar on a terminal and a line a stage elsewhere."""
    if quiet:
        yield lambda _name, _done, _total: None
    elif sys.stderr.isatty():
        with Progress(TextColumn("{task.description}"), BarColumn(bar_width=24), console=Console(stderr=True)) as bar:
            task = bar.add_task("")
            yield lambda name, done, total: bar.update(
                task, description=name, completed=done, total=total if total > 1 else None
            )
    else:
        said: set[str] = set()

        def say(name: str, _done: int, _total: int) -> None:
            if name not in said:
                said.add(name)
                click.echo(f"{name} …", err=True)

        yield say


def _plain_lines() -> Callable[[DownloadProgress], None]:
    lock = threading.Lock()
    said: dict[str, float] = {}

    def say(progress: DownloadProgress) -> None:
        with lock:
            now = time.monotonic()
            if now - said.get(progress.name, 0.0) < PLAIN_LINE_SECONDS:
                return
            said[progress.name] = now
        far = f": {progress.done / 1e6:.0f} of {progress.total / 1e6:.0f} MB" if progress.total else " …"
        click.echo(f"{progress.name}{far}", err=True)

    return say
