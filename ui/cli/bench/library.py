"""`docent bench search` and `docent bench ingest`: measure latency, recall and throughput of a library."""

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
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="keep the library in DIR, and use it again the next time",
)
@json_option
def bench_search_command(passages: int, keep: Path | None, as_json: bool) -> int:
    """Measure searches in a library of synthetic passages: latency of each step, recall, memory, start, one removal.

    The library is made first, which takes about a minute for 100,000 passages. Without --keep it is temporary.
    """
    from assistant.measure.bench_search import bench_search, make_library

    with _bench_settings(keep / str(passages) if keep else None) as settings:
        make_library(settings, passages, lambda done: click.echo(f"{done} of {passages} passages made", err=True))
        figures = bench_search(settings)
    _show(figures, as_json)
    return 0


@click.command("ingest")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def bench_ingest_command(folder: Path, as_json: bool) -> int:
    """Measure the ingestion of FOLDER: passages a second, compared with SentenceTransformer.encode, and time by step.

    FOLDER is ingested into a temporary library.
    """
    from assistant.measure.bench_ingest import bench_ingest

    if not folder.is_dir():
        raise SettingsError(f"FOLDER is {folder}, which is not a folder: name a folder with documents.")
    with _bench_settings(None) as settings, progress_shown("Ingesting", quiet=as_json) as progress:
        figures = bench_ingest(folder, settings, progress)
    _show(figures, as_json)
    return 0


@contextmanager
def _bench_settings(home: Path | None) -> Iterator[Settings]:
    """Settings with this state folder, or a temporary one."""
    if home is not None:
        yield settings_from({"home": home})
        return
    with tempfile.TemporaryDirectory(prefix="docent-bench-") as folder:
        yield settings_from({"home": Path(folder)})


def _show(figures: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    for name, figure in figures.items():
        text = "  ".join(f"{key} {value}" for key, value in figure.items()) if isinstance(figure, dict) else figure
        click.echo(f"{name:>20}  {text}")
