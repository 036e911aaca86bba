from __future__ import annotations

import time
from pathlib import Path

import pytest

from assistant.refuse import background_fitting
from assistant.refuse.background_fitting import BackgroundFitting
from assistant.refuse.thresholds import read_fitted_thresholds, still_holds
from ingest.base.settings import Settings
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.sync import ingest


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_fitting, "LOOK_SECONDS", 0.01)


def test_a_server_fits_a_library_that_has_no_fit(office: Path, settings: Settings) -> None:
    """A library that changed without a fit has one soon, and it holds."""
    ingest([office], settings)
    keeper = BackgroundFitting(settings.home, settings.passages)
    keeper.start()
    while read_fitted_thresholds(settings.home) is None:
        time.sleep(0.01)
    keeper.close()
    catalog = Catalog(settings.home / CATALOG_FILE)
    assert still_holds(catalog, read_fitted_thresholds(settings.home))
    catalog.close()


def test_it_waits_for_a_library(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder is looked at again and again, and nothing is written into it."""
    looks: list[bool] = []
    is_due = BackgroundFitting._is_due

    def look(keeper: BackgroundFitting) -> bool:
        looks.append(is_due(keeper))
        return looks[-1]

    monkeypatch.setattr(BackgroundFitting, "_is_due", look)
    keeper = BackgroundFitting(settings.home, settings.passages)
    keeper.start()
    while len(looks) < 3:
        time.sleep(0.01)
    keeper.close()
    assert set(looks) == {False}
    assert read_fitted_thresholds(settings.home) is None


def test_one_that_was_never_started_can_be_closed(settings: Settings) -> None:
    """Commands that only ask never start it."""
    BackgroundFitting(settings.home, settings.passages).close()
