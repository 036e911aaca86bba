"""`docent eval`: measure retrieval, evidence and refusals on question sets, and print a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.base.errors import SettingsError
from ingest.base.logs import configure_logs
from ui.cli.terminal.options import json_option, settings_from, settings_options
from ui.cli.terminal.output import json_text, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from assistant.measure.evaluate_report import SetReport
    from assistant.measure.metrics import Difference, Measured

_FACTS = ("documents", "passages", "queries", "ingest_seconds")
# Columns of the terminal: a value with its interval, a difference with its interval and mark, the names of the metrics.
_CELL, _DIFFERENCE_CELL, _NAMES = 21, 27, 31


@click.command("eval")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--limit", type=click.IntRange(min=1), default=None, metavar="N", help="use only the first N questions of each set"
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="show what changed since FILE, which --save wrote",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="write all results to FILE, question by question",
)
@click.option("--per-question", is_flag=True, help="add the scores of each question to --json")
@json_option
@settings_options("embedder", "reranker")
def eval_command(
    folders: tuple[Path, ...], limit: int | None, compare: Path | None, save: Path | None, per_question: bool,
    as_json: bool, **flags: Any,
) -> int:  # fmt: skip
    """Measure retrieval, evidence and refusals.

    FOLDERS are question sets in BEIR layout, such as `data/eval`. Each set is ingested into a temporary library.
    Every figure has a 95 % confidence interval over the questions. --compare shows the differences from an earlier
    run, question by question, with their intervals.
    """
    if per_question and not as_json:
        raise click.UsageError("--per-question changes what --json prints: add --json, or use --save.")
    from assistant.measure import evaluate_report
    from assistant.measure.evaluate import evaluate

    configure_logs("error", console=True)
    earlier = None if compare is None else evaluate_report.read_earlier(compare)
    if save is not None and not save.absolute().parent.is_dir():
        raise SettingsError(f"{save} cannot be written: its folder does not exist. Create it, or name another file.")
    settings = settings_from(flags)
    hidden = as_json or not sys.stderr.isatty()
    reports = []
    with click.progressbar(length=1, file=sys.stderr, hidden=hidden) as bar:

        def progress(name: str, done: int, total: int) -> None:
            bar.label = name if done else f"{name}, ingesting"
            bar.length = max(1, total)
            bar.update(done - bar.pos)

        for evaluation in evaluate(folders, settings, limit, progress):
            reports.append(evaluate_report.report(evaluation, earlier))
    if save is not None:
        saved = evaluate_report.as_json(reports, per_question=True)
        # Not a new file in its place: it may be a link, a pipe or /dev/stdout.
        save.write_text(json_text(saved, indent=1) + "\n", "utf-8")
    if as_json:
        print_json(evaluate_report.as_json(reports, per_question))
    else:
        _show(reports, compare)
    return 0


def _show(reports: Sequence[SetReport], compared: Path | None) -> None:
    """Print a table with a row for each metric and a column for each set; on a narrow terminal, several tables."""
    from rich.console import Console

    console = Console(highlight=False)
    # A file or a pipe has no width.
    cell = _CELL if compared is None else _CELL + _DIFFERENCE_CELL
    columns = max(1, (console.width - _NAMES) // cell) if console.is_terminal else len(reports)
    console.width = max(console.width, _NAMES + cell * columns)
    for start in range(0, len(reports), columns):
        with console.capture() as captured:
            console.print(_table(reports[start : start + columns], compared is not None))
        for line in captured.get().splitlines():
            click.echo(line.rstrip())
    for report in reports if compared is not None else ():
        if note := _note(report, compared):
            click.echo(note)
    if any(change.significant for report in reports for change in (report.differences or {}).values()):
        click.echo("* The 95 % interval of the difference excludes 0. About one mark in twenty appears by chance.")


def _note(report: SetReport, compared: Path | None) -> str:
    name, asked = report.evaluation.set, len(report.evaluation.questions)
    if report.differences is None:
        return f"{name}: {compared} does not contain this set."
    if report.common is None:
        return f"{name}: {compared} has no values per question, so differences have no interval (see --save)."
    return "" if report.common == asked else f"{name}: differences are over the {report.common} questions of both runs."


def _table(reports: Sequence[SetReport], compared: bool) -> Table:
    from rich.table import Table

    from assistant.measure.metrics import METRICS

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for report in reports:
        table.add_column(report.evaluation.set, overflow="fold")
        if compared:
            table.add_column("difference", no_wrap=True)
    blank = [""] if compared else []
    for fact in _FACTS:
        table.add_row(fact, *(text for report in reports for text in (f"{report.as_json()[fact]}", *blank)))
    metrics = dict.fromkeys(metric for report in reports for metric in report.measured)
    for metric in sorted(metrics, key=lambda name: METRICS.index(name) if name in METRICS else len(METRICS)):
        cells = []
        for report in reports:
            cells.append(_measured(metric, report.measured.get(metric)))
            if compared:
                cells.append(_difference(metric, (report.differences or {}).get(metric)))
        table.add_row(metric, *cells)
    return table


def _measured(metric: str, measured: Measured | None) -> str:
    if measured is None:
        return ""
    value = _number(metric, measured.value)
    if measured.interval is None:
        return value
    low, high = (_number(metric, end) for end in measured.interval)
    return f"{value}  {low}–{high}"


def _difference(metric: str, difference: Difference | None) -> str:
    if difference is None:
        return ""
    value = _number(metric, difference.difference, "+")
    if difference.interval is None:
        return value
    low, high = (_number(metric, end, "+") for end in difference.interval)
    return f"{value}  {low} to {high}{' *' if difference.significant else ''}"


def _number(metric: str, value: float, sign: str = "") -> str:
    """Milliseconds with one decimal, shares with three and without the 0 before the point, counts as they are."""
    if isinstance(value, int):
        return f"{value:{sign}d}"
    if metric.endswith("_ms"):
        return f"{value:{sign}.1f}"
    return f"{value:{sign}.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:{sign}.3f}"
