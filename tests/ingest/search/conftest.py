"""The small office searched with a tiny real cross-encoder, which likes passages that name Dublin and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.base.settings import Settings
from ingest.library import Library
from ingest.search.hybrid import ScoredHit
from ingest.search.rerank import reranker_of
from tests.conftest import OFFICE
from tests.fakes.tiny_encoders import build_cross_encoder

# It shares a word with the page on the VPN, so that a search finds that page too.
QUESTION = "For how many days of annual leave may full-time staff sign up?"


@pytest.fixture(scope="session")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny cross-encoder. Tests that change it copy it first."""
    words = [word.strip("#.,").lower() for text in OFFICE.values() for word in text.split()]
    return build_cross_encoder(tmp_path_factory.mktemp("models") / "cross-encoder", "dublin", words)


@pytest.fixture
def site(ingested_office: Path, settings: Settings, tmp_path: Path) -> Settings:  # noqa: ARG001 - it fills the library
    """The small office, ingested, with a models cache of its own."""
    return settings.model_copy(update={"models_cache": tmp_path / "models"})


@pytest.fixture
def plain(site: Settings) -> Iterator[list[ScoredHit]]:
    """The hits of a search without a reranker."""
    library = Library(site.home)
    yield library.search_scored(QUESTION)
    library.close()


def opened(site: Settings, reranker: Path | str) -> Library:
    return Library(site.home, reranker_of(site.model_copy(update={"reranker": str(reranker)})))


def names(hits: list[ScoredHit]) -> list[str]:
    return [scored.hit.path for scored in hits]
