"""The best hits read once more, each together with the question, and put in the order of that. Knows no indexes.

A cross-encoder tells passages apart better than two vectors can, and takes seconds over it. So it is optional: one
setting names it, it is opened at the first search of a process, and a search goes on without it when it cannot be
had, which `problem` then says.
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

# How many of the best hits are read. Reading takes the same time for each, and what both legs of the search put
# behind the twentieth place is seldom the answer.
RERANKED = 20
# Passages per pass through the model. Few, because the shorter ones of a batch are filled up to its longest.
_BATCH = 4
log = get_logger(__name__)


@dataclass(frozen=True)
class RerankedHit(ScoredHit):
    """A hit in its new place. `parts` still says what the fusion made of it.

    `reranked` is what the cross-encoder gave it, 0 to 1, before an older version steps back, and `hit.score` what is
    left of that after it did. None for a passage beyond those that were read: its `hit.score` is 0 or less, namely
    how far it is behind the first of them in the fusion.
    """

    reranked: float | None = None


def reranker_of(settings: Settings) -> Reranker | None:
    """The reranker that the settings ask for, not opened yet; None when they ask for none."""
    return Reranker(settings.reranker, settings.models_cache) if settings.reranker else None


class Reranker:
    """A cross-encoder that is opened when it is first needed. Safe to share between threads, which then take turns."""

    def __init__(self, name: str, models_cache: Path) -> None:
        self.name = name
        self._models_cache = models_cache
        self._model: Any = None
        self._failure: DocentError | None = None
        self._problem = ""
        self._reading = threading.Lock()

    @property
    def problem(self) -> str:
        """One line for the administrator when searches go without it, as far as can be told; '' when all is well."""
        if self._problem or self._model is not None:
            return self._problem
        try:
            self._folder()
        except DocentError as error:
            return _without(error)
        return ""

    def open(self) -> None:
        """Load the model unless it is loaded: seconds. Nothing is downloaded.

        Raises SettingsError when the setting is wrong, DocentError when the model is not here or broken. A model that
        could not be loaded is not tried again by this process; one that was not here is.
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
                # The logits, because a sigmoid in float32 makes all that are above 17 the same.
                logits = model.predict(
                    pairs, batch_size=_BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False
                )
                if not all(math.isfinite(logit) for logit in logits):
                    raise ValueError("its weights give no numbers")
            except (RuntimeError, ValueError, IndexError, KeyError, TypeError) as error:
                log.error("reranker.failed", name=self.name, exc_info=True)
                raise DocentError(
                    f"reranker {self.name} failed on a question ({type(error).__name__}): the log has the details; "
                    "set `reranker` to another model, or to none."
                ) from error
        return [1.0 / (1.0 + math.exp(-max(-700.0, float(logit)))) for logit in logits]

    def reorder(self, question: str, hits: Sequence[ScoredHit]) -> list[ScoredHit]:
        """The first `RERANKED` hits in the cross-encoder's order, those after them as they were, all scored anew.

        An older version steps back here as it does in the fusion. When the model cannot be used the hits stay as they
        are, and `problem` says so from then on.
        """
        if not hits:
            return []
        read, behind = hits[:RERANKED], hits[RERANKED:]
        try:
            scores = self.scores(question, [_text(scored.hit) for scored in read])
        except DocentError as error:
            if str(error) not in self._problem:
                log.warning("reranker.left_out", name=self.name, reason=str(error))
            self._problem = _without(error)
            return list(hits)
        self._problem = ""
        placed = [
            (score * scored.parts.factors.get("older_version", 1.0), score, scored)
            for score, scored in zip(scores, read, strict=True)
        ]
        placed.sort(key=lambda item: -item[0])
        after = [(scored.hit.score - behind[0].hit.score, None, scored) for scored in behind]
        return [
            RerankedHit(**{**vars(scored), "hit": replace(scored.hit, rank=rank, score=final), "reranked": score})
            for rank, (final, score, scored) in enumerate([*placed, *after], 1)
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
    """The model, for the CPU, from the files of its folder alone."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging as transformers_logging

    # What these libraries print while loading is nothing a person can act on.
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


def _text(hit: Hit) -> str:
    """A passage as the legs of the search know it, too: with what its title and headings say."""
    return f"{context_line(hit.title, hit.heading)}\n{hit.text}".strip()


def _without(error: DocentError) -> str:
    return f"Searches go without the reranker: {error}"
