"""Reports fits, as JSON for programs and as Markdown tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from assistant.measure.fit.group import GroupFit
from ingest.documents.structure.markdown import markdown_table


def as_json(fits: Sequence[GroupFit]) -> dict[str, Any]:
    """Group name → method, questions of each set, shipped and refitted values, figures by metric and set."""
    return {fit.name: {key: value for key, value in asdict(fit).items() if key != "name"} for fit in fits}


def as_text(fits: Sequence[GroupFit]) -> str:
    """Two Markdown tables for each group: the weights, and the figures that they reach on each set."""
    return "\n\n".join(_group(fit) for fit in fits)


def _group(fit: GroupFit) -> str:
    sets = ", ".join(f"{name} ({count})" for name, count in fit.questions.items())
    numbers = [["", "shipped", "refitted"]]
    numbers += [[name, f"{value:g}", f"{fit.refitted[name]:g}"] for name, value in fit.shipped.items()]
    figures = [["metric", "set", "shipped", "refitted", "fitted without the set"]]
    for metric, by_set in fit.figures.items():
        for name, figure in by_set.items():
            left_out = "" if figure.left_out is None else f"{figure.left_out:.4f}"
            figures.append([metric, name, f"{figure.shipped:.4f}", f"{figure.refitted:.4f}", left_out])
    return (
        f"## {fit.name}\n\n{fit.method}. Questions: {sets}.\n\n{markdown_table(numbers)}\n\n{markdown_table(figures)}"
    )
