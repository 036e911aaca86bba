"""The reranker: a cross-encoder reads the best hits together with the question and decides their order.

It orders passages better than two vectors can, and takes seconds. It is optional: a setting names it, and a process
opens it at its first search. When it cannot be used, searches work without it and `problem` says why.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ingest.base.cpu import has_bfloat16
from ingest.base.errors import DocentError
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.base.types import Hit
from ingest.hub.reranker_files import find_reranker, unusable
from ingest.passages.split import context_line
from ingest.search.hybrid import ScoredHit

# How many of the best hits the cross-encoder reads. Each takes the same time, and a passage below the twentieth rank is
# seldom the answer.
RERANKED = 20
# Passages per inference. Few, because the shorter ones of a batch are padded to its longest.
_BATCH = 4
# The odds of a passage with the step `older_version` are multiplied by this: it decides between passages of nearly the
# same words, whatever their scores are.
_OLDER_VERSION_ODDS = 0.6
log = get_logger(__name__)


@dataclass(frozen=True)
class RerankedHit(ScoredHit):
    """A hit at its new rank. `parts` are still those of the fusion.

    `reranked` is the cross-encoder's score, 0 to 1; `hit.score` is that score, lower for an older version,
    or for any version of another year than the question names.
    For a passage beyond those that were read `reranked` is None, and its `hit.score`, 0 or less, is its fused score
    minus that of the first passage that was not read.
    """

    reranked: float | None = None


def reranker_of(settings: Settings) -> Reranker | None:
    """The reranker that the settings ask for, not opened yet; None when they ask for none."""
    return Reranker(settings.reranker, settings.models_cache) if settings.reranker else None


class Reranker:
    """A cross-encoder that is opened at its first use. Threads may share it; it serves one at a time."""

    def __init__(self, name: str, models_cache: Path) -> None:
        self.name = name
        self._models_cache = models_cache
        self._model: Any = None
        self._failure: DocentError | None = None
        self._problem = ""
        self._reading = threading.Lock()

    @property
    def problem(self) -> str:
        """One line for the administrator: why searches work without the reranker; '' when no reason is known."""
        if self._problem or self._model is not None:
            return self._problem
        try:
            self._folder()
        except DocentError as error:
            return _without(error)
        return ""

    def open(self) -> None:
        """Load the model unless it is loaded; takes seconds. Nothing is downloaded.

        Raises SettingsError when the setting is wrong, DocentError when the model is not on this machine or damaged.
        This process does not try again to load a damaged model, but looks again for one that was missing.
        """
        with self._reading:
            self._opened()

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question, 0 to 1, in the order given. Raises what `open` raises."""
        with self._reading:
            model = self._opened()
            import torch

            pairs = [(question, text) for text in texts]
            try:
                # The logits, because a sigmoid in float32 is the same for all above 17.
                logits = model.predict(
                    pairs, batch_size=_BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False
                )
                if not all(math.isfinite(logit) for logit in logits):
                    raise ValueError("its scores are not finite numbers")
            except (RuntimeError, ValueError, IndexError, KeyError, TypeError) as error:
                log.error("reranker.failed", name=self.name, exc_info=True)
                raise DocentError(
                    f"reranker {self.name} failed on a question ({type(error).__name__}): the log has the details; "
                    "set `reranker` to another model, or to none."
                ) from error
        return [1.0 / (1.0 + math.exp(-max(-700.0, float(logit)))) for logit in logits]

    def reorder(self, question: str, hits: Sequence[ScoredHit]) -> list[ScoredHit]:
        """The first `RERANKED` hits in the cross-encoder's order, then the others in theirs, as `RerankedHit`s.

        A passage with the step `older_version` is put back by `_OLDER_VERSION_ODDS`. When the model cannot be used,
        this returns the hits unchanged, and `problem` says why.
        """
        if not hits:
            return []
        read, unread = hits[:RERANKED], hits[RERANKED:]
        try:
            scores = self.scores(question, [_text(scored.hit) for scored in read])
        except DocentError as error:
            if str(error) not in self._problem:
                log.warning("reranker.left_out", name=self.name, reason=str(error))
            self._problem = _without(error)
            return list(hits)
        self._problem = ""
        reranked = [
            (_less_likely(score) if "older_version" in scored.parts.steps else score, score, scored)
            for score, scored in zip(scores, read, strict=True)
        ]
        reranked.sort(key=lambda item: -item[0])
        behind = [(scored.hit.score - unread[0].hit.score, None, scored) for scored in unread]
        return [
            RerankedHit(**{**vars(scored), "hit": replace(scored.hit, rank=rank, score=final), "reranked": score})
            for rank, (final, score, scored) in enumerate([*reranked, *behind], 1)
        ]

    def _opened(self) -> Any:
        if self._model is None:
            if self._failure is not None:
                raise self._failure
            folder = self._folder()
            try:
                self._model = _load(folder)
            except DocentError as error:
                self._failure = error
                raise
            log.info("reranker.opened", name=self.name, folder=str(folder))
        return self._model

    def _folder(self) -> Path:
        folder = find_reranker(self.name, self._models_cache)
        if folder is None:
            raise DocentError(f"reranker {self.name} is not on this machine: run `docent models pull` to get it.")
        return folder


def _load(folder: Path) -> Any:
    """The model in a folder, loaded for the CPU without the network. Raises DocentError when it is no reranker."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging as transformers_logging

    # Nobody can act on what these libraries print while loading.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    number_format = torch.bfloat16 if has_bfloat16() else torch.float32
    try:
        model = CrossEncoder(str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": number_format})
    except Exception as error:  # the tokenizers and safetensors packages raise bare Exception for a damaged file
        log.error("reranker.not_loaded", folder=str(folder), exc_info=True)
        raise unusable(folder, f"it cannot be loaded ({type(error).__name__})") from error
    if model.num_labels != 1:
        raise unusable(folder, f"it gives {model.num_labels} scores for a passage where a reranker gives one")
    return model


def _less_likely(probability: float) -> float:
    """The probability with `_OLDER_VERSION_ODDS` times its odds."""
    return probability * _OLDER_VERSION_ODDS / (1.0 - probability + probability * _OLDER_VERSION_ODDS)


def _text(hit: Hit) -> str:
    """A passage with its context line, as it is embedded and indexed."""
    return f"{context_line(hit.title, hit.heading)}\n{hit.text}".strip()


def _without(error: DocentError) -> str:
    return f"Searches go without the reranker: {error}"
