"""`docent bench`: measurements that anyone can repeat."""

from __future__ import annotations

import click

from ui.cli.bench.engine import bench_engine_command, compare_command
from ui.cli.bench.library import bench_ingest_command, bench_search_command


@click.group()
def bench() -> None:
    """Measure this machine. Compare only figures of one run: the speed of a machine changes from minute to minute."""


for _command in (bench_engine_command, compare_command, bench_search_command, bench_ingest_command):
    bench.add_command(_command)
