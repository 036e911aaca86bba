"""Follow-up questions of a set, searched as they are, completed, and as one would have asked them first.

The first is what a search without the conversation finds, the last what it could find at best. Knows nothing of how a
question is completed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.measure.metrics import DEPTH, PASSAGES, ndcg
from assistant.understand.follow_up import stand_alone
from ingest.base.errors import SettingsError
from ingest.library import Library, best_hit_per_document

FOLLOWUPS_FILE = "followups.jsonl"


@dataclass(frozen=True)
class FollowUp:
    """A question asked after `turns`, oldest first; `follows` is false for one that begins a new topic."""

    text: str
    turns: tuple[str, ...]
    standalone: str
    relevant: tuple[str, ...]
    follows: bool


def read_followups(folder: Path) -> list[FollowUp]:
    """Those of a set; none where it has no such file. Raises SettingsError for a line that is not one."""
    path = folder / FOLLOWUPS_FILE
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append(
                FollowUp(
                    row["text"], tuple(row["turns"]), row["standalone"], tuple(row["relevant"]), bool(row["follows"])
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{path}, line {number}, is not an object with `text`, `turns`, `standalone`, `relevant` and "
                "`follows`: correct it."
            ) from error
    return found


def evaluate_followups(library: Library, followups: Sequence[FollowUp]) -> dict[str, Any]:
    """Figures by name, for a library that has the set's documents under the names in `relevant`; {} for no questions.

    `ndcg@10` of those that follow, three ways; `new_topics_unchanged`, the share of the others searched word for word;
    the 95th percentile of the time to complete a question, in milliseconds.
    """
    if not followups:
        return {}
    follows = [one for one in followups if one.follows]
    new = [one for one in followups if not one.follows]
    seconds = []
    completed = []
    for one in followups:
        started = time.perf_counter()
        completed.append(stand_alone(one.text, one.turns))
        seconds.append(time.perf_counter() - started)
    searched = dict(zip(followups, completed, strict=True))
    figures: dict[str, float] = {"followups": len(followups)}
    if follows:
        figures["followup_ndcg@10_as_asked"] = _mean(_score(library, one.text, one) for one in follows)
        figures["followup_ndcg@10"] = _mean(_score(library, searched[one], one) for one in follows)
        figures["followup_ndcg@10_standalone"] = _mean(_score(library, one.standalone, one) for one in follows)
    if new:
        figures["new_topics_unchanged"] = _mean(searched[one] == one.text.strip() for one in new)
    figures["followup_p95_ms"] = round(1000 * float(np.percentile(seconds, 95)), 3)
    return figures


def _score(library: Library, question: str, one: FollowUp) -> float:
    ranked = [hit.path for hit in best_hit_per_document(library.search(question, PASSAGES))[:DEPTH]]
    return ndcg(ranked, dict.fromkeys(one.relevant, 1))


def _mean(values: Any) -> float:
    return round(float(np.mean([float(value) for value in values])), 4)
