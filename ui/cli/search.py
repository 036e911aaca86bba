"""`docent search`: prints the passages nearest to a text, and with `--explain` how each was scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ui.cli.explain import NOTHING_FOUND, explain_search
from ui.cli.terminal.options import as_typed_option, json_option, question_from, settings_from, settings_options
from ui.cli.terminal.output import print_json, print_line, print_searched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.base.types import Hit

_SHOWN_CHARACTERS = 300


@click.command("search")
@click.argument("text")
@click.option("-k", "count", type=click.IntRange(1, 100), default=5, show_default=True, help="number of passages")
@click.option("--explain", is_flag=True, help="show how each passage was scored, and whether they answer TEXT")
@as_typed_option
@json_option
@settings_options("home", "reranker")
def search_command(text: str, count: int, explain: bool, as_typed: bool, as_json: bool, **flags: Any) -> int:
    """Find the passages nearest to TEXT, best first.

    No chat model is needed.
    """
    from ingest.library import Library
    from ingest.search.rerank import reranker_of

    question = question_from(text)
    settings = settings_from(flags)
    reranker = reranker_of(settings)
    if reranker is not None and not explain:
        reranker.open()  # raises when it cannot be used; a server would search without it, and so does --explain
    library = Library(settings.home, reranker)
    try:
        searched = question if as_typed else library.correct_spelling(question).text
        if searched != question:
            print_searched(searched, err=as_json)  # standard output is for the JSON alone
        if explain:
            explain_search(library, searched, count, settings.passages, as_json)
            return 0
        hits = library.search(searched, count)
        problem = library.embedder_problem
    finally:
        library.close()
    print_json(hits) if as_json else _show(hits)
    if problem:
        click.echo(f"Note: {problem}", err=True)
    return 0


def _show(hits: Sequence[Hit]) -> None:
    for hit in hits:
        location = " · ".join(part for part in (hit.path, hit.page, hit.heading) if part)
        older = f" (older than {hit.newer})" if hit.newer else ""
        print_line(f"{hit.rank}. {location}  [{hit.score:.3f}]{older}")
        print_line(f"   {' '.join(hit.text.split())[:_SHOWN_CHARACTERS]}")
    if not hits:
        click.echo(NOTHING_FOUND)
