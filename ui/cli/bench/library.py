"""`docent bench search` and `docent bench ingest`: told in a terminal. Knows nothing of how they measure."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ingest.base.errors import SettingsError
from ingest.base.settings import Settings
from ui.cli.terminal.options import json_option, settings_from
from ui.cli.terminal.output import print_json
from ui.cli.terminal.progress import progress_shown


@click.command("search")
@click.option(
    "--passages", type=click.IntRange(1_000, 10_000_000), default=100_000, show_default=True, help="size of the library"
)
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="make it there, once, and keep it"
)
@json_option
def bench_search_command(passages: int, keep: Path | None, as_json: bool) -> int:
    """Measure searching a library of so many made-up passages: time by step, recall, memory, start, one document less.

    The library is made first (about a minute for 100,000 passages) and thrown away afterwards unless it is kept.
    """
    from assistant.measure.bench_search import bench_search, make_library

    with _home(keep / str(passages) if keep else None) as settings:
        make_library(settings, passages, lambda done: click.echo(f"made {done} of {passages}", err=True))
        figures = bench_search(settings)
    _show(figures, as_json)
    return 0


@click.command("ingest")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def bench_ingest_command(folder: Path, as_json: bool) -> int:
    """Measure taking FOLDER in: passages a second, their ratio to SentenceTransformer.encode, and where the time goes.

    Into a library of its own, which is thrown away.
    """
    from assistant.measure.bench_ingest import bench_ingest

    if not folder.is_dir():
        raise SettingsError(f"FOLDER is {folder}, which is no folder: name one with documents.")
    with _home(None) as settings, progress_shown("Ingesting", quiet=as_json) as progress:
        figures = bench_ingest(folder, settings, progress)
    _show(figures, as_json)
    return 0


@contextmanager
def _home(kept: Path | None) -> Iterator[Settings]:
    """Settings with a state folder of the benchmark's own and the embedder that Docent carries."""
    if kept is not None:
        yield settings_from({"home": kept})
        return
    with tempfile.TemporaryDirectory(prefix="docent-bench-") as folder:
        yield settings_from({"home": Path(folder)})


def _show(figures: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        text = "  ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name:>20}  {text}")
