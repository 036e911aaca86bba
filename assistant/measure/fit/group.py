"""Fits a group of weights, and measures their shipped and their refitted values on each set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from assistant.measure.fit.collect import SearchedSet

Weights = TypeVar("Weights")
PLACES = 4


@dataclass(frozen=True)
class SetFigures:
    """One metric on one set: with the shipped values, with those fitted on all sets, with those fitted without it.

    `left_out` is None where there is no other set to fit on.
    """

    shipped: float
    refitted: float
    left_out: float | None


@dataclass(frozen=True)
class GroupFit:
    """The result of fitting a group. `questions` is set name → how many of its questions were fitted on.

    `shipped` and `refitted` map the name of each weight to its value; `figures` is metric → set name → figures.
    """

    name: str
    method: str
    questions: dict[str, int]
    shipped: dict[str, float]
    refitted: dict[str, float]
    figures: dict[str, dict[str, SetFigures]]


@dataclass(frozen=True)
class Group(Generic[Weights]):
    """How one group is fitted: `fit` returns weights, `measure` the figures that weights reach on a set."""

    name: str
    method: str
    shipped: Weights
    count: Callable[[SearchedSet], int]  # how many questions of a set can be fitted on
    fit: Callable[[list[SearchedSet]], Weights]
    measure: Callable[[SearchedSet, Weights], Mapping[str, float]]  # figures by metric
    by_name: Callable[[Weights], dict[str, float]]

    def run(self, sets: Mapping[str, SearchedSet]) -> GroupFit | None:
        """Fit on all sets with usable questions, and again without each of them; None when no set has any."""
        usable = {name: searched for name, searched in sets.items() if self.count(searched)}
        if not usable:
            return None
        refitted = self.fit(list(usable.values()))
        figures: dict[str, dict[str, SetFigures]] = {}
        for name, searched in usable.items():
            others = [other for other_name, other in usable.items() if other_name != name]
            left_out = self.measure(searched, self.fit(others)) if others else {}
            before, after = self.measure(searched, self.shipped), self.measure(searched, refitted)
            for metric, value in before.items():
                figures.setdefault(metric, {})[name] = SetFigures(
                    round(value, PLACES), round(after[metric], PLACES),
                    round(left_out[metric], PLACES) if metric in left_out else None,
                )  # fmt: skip
        return GroupFit(
            self.name, self.method, {name: self.count(searched) for name, searched in usable.items()},
            self.by_name(self.shipped), self.by_name(refitted), figures,
        )  # fmt: skip


def equal_weights(counts: list[int]) -> list[float]:
    """The weight of a question of each set: all sets have the same total weight, and the mean of all questions is 1."""
    total = sum(counts)
    return [total / (len(counts) * count) for count in counts]
