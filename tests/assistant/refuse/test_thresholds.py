"""Thresholds are fitted to a library, stored, and hold until it has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.refuse import thresholds
from assistant.refuse.answerability import CAUTION, REFUSE, Thresholds
from assistant.refuse.synthetic_questions import SyntheticQuestion
from assistant.refuse.thresholds import (
    FEWEST_PASSAGES,
    THRESHOLDS_FILE,
    CurrentThresholds,
    FittedThresholds,
    answerability_with_and_without,
    fit,
    fit_thresholds,
    fit_thresholds_when_due,
    read_fitted_thresholds,
    still_holds,
)
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.sync import ingest
from tests.conftest import copy_library, ingested_once

PLACES = (
    "Arden Birch Calder Dunmore Elsdon Farrow Glen Harrow Islay Jarrow Kelso Lorne Moray Nairn Orford Perth Quorn "
    "Rugby Selby Thirsk Ulster Vowden Wigan Yarm Ashby Bourne Corby Derwent Epping Frome Goole Hexham Ilkley Jura "
    "Keswick Ludlow Malton Newark Oakham Pickering Ripon Settle Tadcaster Uppingham Ventnor Whitby"
).split()
DEFAULTS = Thresholds(REFUSE, CAUTION)


@pytest.fixture(autouse=True)
def fewer_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for a fit; every question is searched."""
    monkeypatch.setattr(thresholds, "QUESTIONS", 60)


@pytest.fixture(scope="module")
def depots_library(tmp_path_factory: pytest.TempPathFactory, embedders_folder: Path) -> Path:
    """The depots and their library, ingested once in this test run."""

    def write_depots(folder: Path) -> None:
        for number, place in enumerate(PLACES):
            write(folder, place, number)

    return ingested_once(tmp_path_factory, "depots-library", embedders_folder, write_depots)


@pytest.fixture
def depots(depots_library: Path, tmp_path: Path, home: Path) -> Path:
    """A folder of more documents than a fit needs, each on a depot of its own, ingested into `home`."""
    copy_library(depots_library, tmp_path / "depots", home)
    return tmp_path / "depots"


def write(folder: Path, place: str, number: int) -> None:
    text = (
        f"# {place} depot\n\nThe {place} depot keeps {number + 20} hydraulic pumps ready behind the northern gate. "
        f"Its manager is reached on extension {number + 400} during working hours of the week.\n"
    )
    (folder / f"{place}.md").write_text(text, "utf-8")


@pytest.fixture
def library(depots: Path, settings: Settings) -> Iterator[Library]:  # noqa: ARG001 - it fills the library
    library = Library(settings.home)
    yield library
    library.close()


def test_without_questions_the_defaults_stay() -> None:
    """Without questions the defaults are returned."""
    assert fit([], []) == DEFAULTS


def test_the_fit_moves_where_the_questions_lie() -> None:
    """Higher answerability of questions raises `refuse`, that of near misses `caution`; a lower one lowers."""
    near_misses = [0.1, 0.2, 0.3] * 50
    doubtful, sure = (fit([value] * 150, near_misses) for value in (0.5, 0.95))
    assert doubtful.refuse < REFUSE < sure.refuse
    assert fit([0.95] * 150, [0.95] * 150).caution > CAUTION > fit([0.95] * 150, [0.2] * 150).caution


def test_few_questions_move_little_and_many_not_beyond_bounds() -> None:
    """The defaults weigh as much as two hundred questions; no fit refuses everything or nothing."""
    few, many = (fit([0.97] * count, [0.99] * count) for count in (10, 10_000))
    assert REFUSE < few.refuse < many.refuse <= 0.5
    assert CAUTION < few.caution < many.caution <= 0.88
    low = fit([0.001] * 10_000, [0.001] * 10_000)
    assert (low.refuse, low.caution) == (0.3, 0.65)


def test_without_its_passage_a_question_is_less_answerable(library: Library) -> None:
    """The same question of the same library, with and without the passages that answer it."""
    ids = {hit.path.removesuffix(".md"): hit.passage_id for hit in library.search("Kelso depot pumps", 50)}
    question = SyntheticQuestion("How many hydraulic pumps does the Kelso depot keep ready?", "30", ids["Kelso"])
    with_answer, without = answerability_with_and_without(library, question, 5)
    assert with_answer > CAUTION > without


def test_a_library_is_fitted_and_the_fit_is_stored(library: Library, settings: Settings) -> None:
    """Questions are separated from near misses; thresholds and the state they were fitted to can be read again."""
    fitted = fit_thresholds(library, settings.passages)
    assert fitted.questions > FEWEST_PASSAGES
    assert fitted.separation > 0.7
    assert fitted.passages == len(PLACES)
    assert read_fitted_thresholds(settings.home) == fitted
    assert fit_thresholds(library, settings.passages) == fitted
    assert CurrentThresholds(settings.home).now == Thresholds(fitted.refuse, fitted.caution)
    assert [path.name for path in settings.home.glob("*calibration*")] == [THRESHOLDS_FILE]


@pytest.mark.usefixtures("ingested_office")
def test_a_tiny_library_keeps_the_defaults(settings: Settings) -> None:
    """Four documents are too few to fit on, and it is not tried again until they change."""
    fitted = fit_thresholds_when_due(settings)
    assert fitted is not None and fitted.questions == 0
    assert fitted.thresholds == DEFAULTS
    assert fit_thresholds_when_due(settings) is None


@pytest.mark.usefixtures("in_process_readers")
def test_a_fit_holds_until_a_tenth_has_changed(depots: Path, library: Library, settings: Settings) -> None:
    """Added and removed passages count; below a tenth nothing is done, from there on it is fitted again."""
    fitted = fit_thresholds(library, settings.passages)
    write(depots, "Xanten", 70)
    (depots / "Arden.md").unlink()
    ingest([depots], settings)
    assert still_holds(library.catalog, fitted)
    assert fit_thresholds_when_due(settings) is None
    for number, place in enumerate(("Zennor", "Yeovil", "Wells")):
        write(depots, place, 80 + number)
    ingest([depots], settings)
    assert not still_holds(library.catalog, fitted)
    begun: list[bool] = []
    again = fit_thresholds_when_due(settings, lambda: begun.append(True))
    assert again is not None and again.passages == len(PLACES) + 3
    assert begun == [True]


def test_a_fit_of_another_library_or_another_version_does_not_hold(library: Library, settings: Settings) -> None:
    """A restored backup is another library; after the formula has changed the numbers mean something else."""
    fitted = fit_thresholds(library, settings.passages)
    assert still_holds(library.catalog, fitted)
    library.catalog.set_note("lineage", "restored")
    assert not still_holds(library.catalog, fitted)
    path = settings.home / THRESHOLDS_FILE
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "version": 1}), "utf-8")
    assert read_fitted_thresholds(settings.home) is None
    assert CurrentThresholds(settings.home).now == DEFAULTS


def test_thresholds_follow_the_file(settings: Settings) -> None:
    """Defaults before the first fit and when the file is damaged, the new ones once another process has fitted."""
    current = CurrentThresholds(settings.home)
    assert current.now == DEFAULTS
    for refuse in (0.31, 0.47):
        stored = FittedThresholds(refuse, 0.8, 100, 0.9, 100, 100, 1, "")
        thresholds._store(settings.home, stored)
        assert current.now == Thresholds(refuse, 0.8)
    (settings.home / THRESHOLDS_FILE).write_text("{", "utf-8")
    assert current.now == DEFAULTS


def test_a_fit_that_fails_leaves_everything_as_it_was(
    library: Library, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit that fails does not fail the ingest: nothing is raised and nothing is stored."""
    library.close()

    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(thresholds, "fit_thresholds", broken)
    assert fit_thresholds_when_due(settings) is None
    assert read_fitted_thresholds(settings.home) is None
