"""A server fits the thresholds in the background."""

from __future__ import annotations

import time

import pytest

from assistant.refuse import background_fitting
from assistant.refuse.background_fitting import BackgroundFitting
from assistant.refuse.thresholds import read_fitted_thresholds, still_holds
from ingest.base.settings import Settings
from ingest.store.catalog import CATALOG_FILE, Catalog


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_fitting, "CHECK_SECONDS", 0.01)


@pytest.mark.usefixtures("ingested_office")
def test_a_server_fits_a_library_that_nobody_fitted(settings: Settings) -> None:
    """Soon after the server has started, a library without fitted thresholds has them."""
    fitting = BackgroundFitting(settings.home, settings.passages)
    fitting.start()
    while read_fitted_thresholds(settings.home) is None:
        time.sleep(0.01)
    fitting.close()
    catalog = Catalog(settings.home / CATALOG_FILE)
    assert still_holds(catalog, read_fitted_thresholds(settings.home))
    catalog.close()


def test_it_waits_for_a_library(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder is checked again and again, and nothing is written into it."""
    checks: list[bool] = []
    is_due = BackgroundFitting._is_due

    def check(fitting: BackgroundFitting) -> bool:
        checks.append(is_due(fitting))
        return checks[-1]

    monkeypatch.setattr(BackgroundFitting, "_is_due", check)
    fitting = BackgroundFitting(settings.home, settings.passages)
    fitting.start()
    while len(checks) < 3:
        time.sleep(0.01)
    fitting.close()
    assert set(checks) == {False}
    assert read_fitted_thresholds(settings.home) is None


def test_one_that_was_never_started_can_be_closed(settings: Settings) -> None:
    """Commands that ask one question never start it."""
    BackgroundFitting(settings.home, settings.passages).close()
