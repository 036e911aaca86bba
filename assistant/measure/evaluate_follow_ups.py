"""Searches the follow-up questions of a set in three forms: as asked, completed by Docent, and rewritten by people.

The first shows what a search without the conversation finds, the last the most that completing a question can reach.
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
    """A question of a conversation. `turns` are the questions before it, oldest first.

    `standalone` is the question as people completed it; `relevant` are the paths of the relevant documents; `follows`
    is False if the question begins a new topic.
    """

    text: str
    turns: tuple[str, ...]
    standalone: str
    relevant: tuple[str, ...]
    follows: bool


def read_followups(folder: Path) -> list[FollowUp]:
    """The follow-up questions of a set; [] without their file. Raises SettingsError for a wrong line."""
    path = folder / FOLLOWUPS_FILE
    if not path.is_file():
        return []
    followups = []
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            followups.append(
                FollowUp(
                    row["text"], tuple(row["turns"]), row["standalone"], tuple(row["relevant"]), bool(row["follows"])
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{path}, line {number}, is not an object with `text`, `turns`, `standalone`, `relevant` and "
                "`follows`: correct it."
            ) from error
    return followups


def evaluate_followups(library: Library, followups: Sequence[FollowUp]) -> dict[str, Any]:
    """Figures by name, for a library with the set's documents under the paths in `relevant`; {} without questions.

    nDCG@10 of the questions that follow, searched three ways; `new_topics_unchanged`, the share of the others that are
    searched word for word; the 95th percentile of the time to complete a question, in milliseconds.
    """
    if not followups:
        return {}
    following = [followup for followup in followups if followup.follows]
    new_topics = [followup for followup in followups if not followup.follows]
    seconds = []
    completed = []
    for followup in followups:
        started = time.perf_counter()
        completed.append(stand_alone(followup.text, followup.turns))
        seconds.append(time.perf_counter() - started)
    searched = dict(zip(followups, completed, strict=True))
    figures: dict[str, float] = {"followups": len(followups)}
    if following:
        figures["followup_ndcg@10_as_asked"] = _mean(_score(library, followup.text, followup) for followup in following)
        figures["followup_ndcg@10"] = _mean(_score(library, searched[followup], followup) for followup in following)
        figures["followup_ndcg@10_standalone"] = _mean(
            _score(library, followup.standalone, followup) for followup in following
        )
    if new_topics:
        figures["new_topics_unchanged"] = _mean(searched[followup] == followup.text.strip() for followup in new_topics)
    figures["followup_p95_ms"] = round(1000 * float(np.percentile(seconds, 95)), 3)
    return figures


def _score(library: Library, question: str, followup: FollowUp) -> float:
    ranked = [hit.path for hit in best_hit_per_document(library.search(question, PASSAGES))[:DEPTH]]
    return ndcg(ranked, dict.fromkeys(followup.relevant, 1))


def _mean(values: Any) -> float:
    return round(float(np.mean([float(value) for value in values])), 4)
