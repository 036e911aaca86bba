"""What stands in for a library's embedder that cannot be opened: with it, questions are searched by words alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from ingest.base.errors import DocentError
from ingest.base.types import Vectors
from ingest.passages.embedders.embedder import Embedder, EmbedderCard
from ingest.passages.embedders.profile import EmbedderProfile, Scale


class UnavailableEmbedder(Embedder):
    """Knows no token of any text, so that the dense leg of every search has the weight 0. `problem` says why.

    What needs vectors or tokens raises DocentError.
    """

    def __init__(self, card: EmbedderCard, problem: str) -> None:
        self.card = card
        self.problem = problem
        self.profile = EmbedderProfile(Scale(0.0, 1.0), english=0.5, chinese=0.5)

    def unknown_share(self, _text: str) -> float:
        return 1.0

    def has_word(self, _word: str) -> bool:
        return False

    def embed_passages(self, _texts: Sequence[str]) -> Vectors:
        self._refuse()

    def embed_query(self, _text: str) -> Vectors:
        self._refuse()

    def count_tokens(self, _text: str) -> int:
        self._refuse()

    @property
    def passage_tokens(self) -> int:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise DocentError(self.problem)
