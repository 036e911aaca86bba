from __future__ import annotations

import json
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
    ask_twice,
    fit,
    fit_thresholds,
    fit_thresholds_when_due,
    read_fitted_thresholds,
    still_holds,
)
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.sync import ingest

PLACES = (
    "Arden Birch Calder Dunmore Elsdon Farrow Glen Harrow Islay Jarrow Kelso Lorne Moray Nairn Orford Perth Quorn "
    "Rugby Selby Thirsk Ulster Vowden Wigan Yarm Ashby Bourne Corby Derwent Epping Frome Goole Hexham Ilkley Jura "
    "Keswick Ludlow Malton Newark Oakham Pickering Ripon Settle Tadcaster Uppingham Ventnor Whitby"
).split()
DEFAULTS = Thresholds(REFUSE, CAUTION)


@pytest.fixture
def depots(tmp_path: Path) -> Path:
    """A folder with more documents than a fit needs, each on a depot of its own."""
    folder = tmp_path / "depots"
    folder.mkdir()
    for number, place in enumerate(PLACES):
        write(folder, place, number)
    return folder


def write(folder: Path, place: str, number: int) -> None:
    text = (
        f"# {place} depot\n\nThe {place} depot keeps {number + 20} hydraulic pumps ready behind the northern gate. "
        f"Its manager is reached on extension {number + 400} during working hours of the week.\n"
    )
    (folder / f"{place}.md").write_text(text, "utf-8")


@pytest.fixture
def library(depots: Path, settings: Settings) -> Library:
    ingest([depots], settings)
    return Library(settings.home)


def test_without_questions_the_defaults_stay() -> None:
    """Nothing to fit on, nothing moves."""
    assert fit([], []) == DEFAULTS


def test_the_fit_moves_where_the_questions_lie() -> None:
    """Surer answerable questions raise the refusing, doubtful ones lower it; surer near misses raise the caution."""
    near_misses = [0.1, 0.2, 0.3] * 50
    doubtful, sure = (fit([value] * 150, near_misses) for value in (0.5, 0.95))
    assert doubtful.refuse < REFUSE < sure.refuse
    assert fit([0.95] * 150, [0.95] * 150).caution > CAUTION > fit([0.95] * 150, [0.2] * 150).caution


def test_few_questions_move_little_and_many_not_beyond_bounds() -> None:
    """The defaults weigh as much as two hundred questions; no library can be refused everything or nothing."""
    few, many = (fit([0.97] * count, [0.99] * count) for count in (10, 10_000))
    assert REFUSE < few.refuse < many.refuse <= 0.5
    assert CAUTION < few.caution < many.caution <= 0.85
    low = fit([0.001] * 10_000, [0.001] * 10_000)
    assert (low.refuse, low.caution) == (0.3, 0.55)


def test_a_passage_taken_away_lowers_the_confidence(library: Library) -> None:
    """The same question of the same library, with and without what answers it."""
    ids = {hit.path.removesuffix(".md"): hit.passage_id for hit in library.search("Kelso depot pumps", 50)}
    question = SyntheticQuestion("How many hydraulic pumps does the Kelso depot keep ready?", "30", ids["Kelso"])
    with_answer, without = ask_twice(library, question, 5)
    assert with_answer > 0.8 > without
    library.close()


def test_a_library_is_fitted_and_the_fit_is_kept(library: Library, settings: Settings) -> None:
    """Made questions are told apart from near misses; thresholds and what they were fitted to can be read again."""
    made = fit_thresholds(library, settings.passages)
    assert made.questions > FEWEST_PASSAGES
    assert made.separation > 0.7
    assert made.passages == len(PLACES)
    assert read_fitted_thresholds(settings.home) == made
    assert fit_thresholds(library, settings.passages) == made
    assert CurrentThresholds(settings.home).now == Thresholds(made.refuse, made.caution)
    assert [path.name for path in settings.home.glob("*calibration*")] == [THRESHOLDS_FILE]
    library.close()


def test_a_tiny_library_keeps_the_defaults(office: Path, settings: Settings) -> None:
    """Four documents are too few to learn from, and it is not tried again until they change."""
    ingest([office], settings)
    made = fit_thresholds_when_due(settings)
    assert made is not None and made.questions == 0
    assert made.thresholds == DEFAULTS
    assert fit_thresholds_when_due(settings) is None


def test_a_fit_holds_until_a_tenth_has_changed(depots: Path, library: Library, settings: Settings) -> None:
    """Added and removed passages count; below a tenth nothing is done, from there on it is fitted anew."""
    made = fit_thresholds(library, settings.passages)
    write(depots, "Xanten", 70)
    (depots / "Arden.md").unlink()
    ingest([depots], settings)
    assert still_holds(library.catalog, made)
    assert fit_thresholds_when_due(settings) is None
    for number, place in enumerate(("Zennor", "Yeovil", "Wells")):
        write(depots, place, 80 + number)
    ingest([depots], settings)
    assert not still_holds(library.catalog, made)
    begun: list[bool] = []
    again = fit_thresholds_when_due(settings, lambda: begun.append(True))
    assert again is not None and again.passages == len(PLACES) + 3
    assert begun == [True]
    library.close()


def test_a_fit_of_another_library_or_another_confidence_does_not_hold(library: Library, settings: Settings) -> None:
    """A restored backup is another library; after the formula has changed a confidence means something else."""
    made = fit_thresholds(library, settings.passages)
    assert still_holds(library.catalog, made)
    library.catalog.set_note("lineage", "restored")
    assert not still_holds(library.catalog, made)
    path = settings.home / THRESHOLDS_FILE
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "version": 1}), "utf-8")
    assert read_fitted_thresholds(settings.home) is None
    assert CurrentThresholds(settings.home).now == DEFAULTS
    library.close()


def test_thresholds_follow_the_file(settings: Settings) -> None:
    """Defaults before the first fit and when the file is damaged, the new ones as soon as another process fitted."""
    current = CurrentThresholds(settings.home)
    assert current.now == DEFAULTS
    for refuse in (0.31, 0.47):
        keep = FittedThresholds(refuse, 0.8, 100, 0.9, 100, 100, 1, "")
        thresholds._keep(settings.home, keep)
        assert current.now == Thresholds(refuse, 0.8)
    (settings.home / THRESHOLDS_FILE).write_text("{", "utf-8")
    assert current.now == DEFAULTS


def test_a_fit_that_fails_leaves_everything_as_it_was(
    library: Library, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's ingest fails for it: nothing is raised and nothing is kept."""
    library.close()

    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(thresholds, "fit_thresholds", broken)
    assert fit_thresholds_when_due(settings) is None
    assert read_fitted_thresholds(settings.home) is None
