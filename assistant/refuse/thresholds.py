"""The thresholds of refusing and of caution, fitted to a library on questions made from its own passages.

Each question is asked twice of the same search as any other: of the library as it is, and with its passage taken
away, and every passage that says nearly the same or holds the answer too. The second is a near miss: all around it
is there. What was fitted is kept beside the library and holds until a tenth of the passages has changed.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from assistant.refuse.answerability import CAUTION, REFUSE, VERSION, Thresholds, answerability
from assistant.refuse.auroc import area_under_roc
from assistant.refuse.synthetic_questions import SyntheticQuestion, synthetic_questions
from assistant.retrieve.find import retrieve_from
from ingest.base.files import write_whole
from ingest.base.language import terms
from ingest.base.logs import get_logger
from ingest.base.settings import Settings
from ingest.library import Library
from ingest.search.hybrid import ScoredHit
from ingest.search.indexes.snapshot import LINEAGE
from ingest.store.catalog import CATALOG_FILE, Catalog

THRESHOLDS_FILE = "calibration.json"
# At about 45 ms for a question in English, half of that in Chinese, on two cores.
QUESTIONS = 200
# Questions are made from this many passages at most: reading all of a large library would take longer than asking.
_SAMPLED = 600
# With questions from fewer passages than this, chance would decide: the thresholds stay what they are.
FEWEST_PASSAGES = 40
# A fit holds until this share of the passages is new or gone.
CHANGED = 0.1
# Hits looked at, so that enough are left when those that hold the answer are taken away.
_HITS = 40
# Passages that share this much of the smaller one's words say the same; one that has the answer and this much of the
# question's words answers it too.
_SAME = 0.5
_ANSWERS_TOO = 0.6
# Of the made questions that can be answered this share may be refused, and this share of the near misses should not
# be answered without caution.
_WRONGLY_REFUSED = 0.05
_CAUTIONED = 0.9
# Made questions are easier than people's: by so much higher, in log-odds, lies the confidence under which a twentieth
# of them falls. Measured on near-miss-en .9, near-miss-zh 1.3, data/eval 2.0 and XQuAD English 1.2; on CMRC, whose
# people quote, they are harder by 1.5.
_EASIER = 1.35
# As many questions as the defaults are worth: a fit on n of them counts n / (n + 200).
_PRIOR_QUESTIONS = 200
# How far a fit may go: documents do not tell how people ask.
_REFUSE_BOUNDS = (0.3, 0.5)
_CAUTION_BOUNDS = (0.55, 0.85)
log = get_logger(__name__)


@dataclass(frozen=True)
class FittedThresholds:
    """What was fitted, and to what. `separation` is the area under the ROC curve between the two askings."""

    refuse: float
    caution: float
    questions: int
    separation: float
    passages: int
    last_passage: int
    revision: int
    lineage: str
    version: int = VERSION

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.refuse, self.caution)


def fit_thresholds(library: Library, passages: int, pause: Callable[[], None] = lambda: None) -> FittedThresholds:
    """Fit the thresholds to the library and keep them. Raises DocentError while there is no library.

    `passages` is how many an answer draws on; `pause` is called after each question, to leave others their turn.
    """
    catalog = library.catalog
    ids = catalog.passage_ids()
    revision, lineage = catalog.revision, catalog.note(LINEAGE) or ""
    questions = _questions(catalog, ids.tolist())
    pairs = []
    if len({question.passage_id for question in questions}) >= FEWEST_PASSAGES:
        for question in questions:
            pairs.append(ask_twice(library, question, passages))
            pause()
    thresholds = fit([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    made = FittedThresholds(
        refuse=round(thresholds.refuse, 4), caution=round(thresholds.caution, 4), questions=len(pairs),
        separation=round(_separation(pairs), 4), passages=len(ids), last_passage=int(ids[-1]) if len(ids) else 0,
        revision=revision, lineage=lineage,
    )  # fmt: skip
    _keep(library.home, made)
    log.info("thresholds.fitted", **asdict(made))
    return made


def fit(answerable: Sequence[float], unanswerable: Sequence[float]) -> Thresholds:
    """Thresholds from the confidences of made questions; the defaults when there are none.

    Refused is below the confidence that a twentieth of the answerable would fall under if people had asked them;
    answered with caution, up to what nine tenths of the near misses reach. Both are drawn towards the defaults.
    """
    if not answerable or not unanswerable:
        return Thresholds(REFUSE, CAUTION)
    share = len(answerable) / (len(answerable) + _PRIOR_QUESTIONS)

    def drawn(fitted: float, default: float, bounds: tuple[float, float]) -> float:
        odds = share * fitted + (1 - share) * _log_odds(default)
        return min(max(1 / (1 + math.exp(-odds)), bounds[0]), bounds[1])

    lowest = _log_odds(float(np.quantile(answerable, _WRONGLY_REFUSED))) - _EASIER
    highest = _log_odds(float(np.quantile(unanswerable, _CAUTIONED)))
    return Thresholds(drawn(lowest, REFUSE, _REFUSE_BOUNDS), drawn(highest, CAUTION, _CAUTION_BOUNDS))


def _log_odds(probability: float) -> float:
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))


def _separation(pairs: Sequence[tuple[float, float]]) -> float:
    """The area under the ROC curve between the two members of all pairs: 0.5 is chance; 0 without pairs."""
    if not pairs:
        return 0.0
    scores = np.array(pairs).ravel()
    return float(area_under_roc(scores, np.arange(len(scores)) % 2 == 0)[0])


def _questions(catalog: Catalog, ids: Sequence[int]) -> list[SyntheticQuestion]:
    """Made from a sample of the passages that stays nearly the same when some of them change."""
    sample = sorted(ids, key=lambda number: random.Random(number).random())[:_SAMPLED]
    rows = catalog.passages(sample)
    return synthetic_questions(((number, rows[number]["text"]) for number in sample if number in rows), QUESTIONS)


def ask_twice(library: Library, question: SyntheticQuestion, passages: int) -> tuple[float, float]:
    """The confidence with the whole library, and with every passage taken away that answers the question."""
    hits = library.search_scored(question.text, _HITS)
    left = [hit for hit in hits if not _answers(hit, question, hits)]
    return (
        answerability(retrieve_from(library, question.text, hits, passages).coverage),
        answerability(retrieve_from(library, question.text, left, passages).coverage),
    )


def _answers(scored: ScoredHit, question: SyntheticQuestion, hits: Sequence[ScoredHit]) -> bool:
    """Whether it is the question's passage, says nearly the same, or holds the answer among the question's words."""
    if scored.hit.passage_id == question.passage_id:
        return True
    found = set(terms(scored.hit.text))
    own = next((set(terms(hit.hit.text)) for hit in hits if hit.hit.passage_id == question.passage_id), set[str]())
    if own and len(found & own) > _SAME * min(len(found), len(own)):
        return True
    asked = set(terms(question.text))
    return _squeezed(question.answer) in _squeezed(scored.hit.text) and len(asked & found) >= _ANSWERS_TOO * len(asked)


def _squeezed(text: str) -> str:
    return "".join(text.lower().split())


# Keeping it


def _keep(home: Path, made: FittedThresholds) -> None:
    write_whole(home / THRESHOLDS_FILE, json.dumps(asdict(made)))  # a server may be reading it


def read_fitted_thresholds(home: Path) -> FittedThresholds | None:
    """The last fit; None before the first, and when it cannot be read or means another confidence."""
    path = home / THRESHOLDS_FILE
    try:
        made = FittedThresholds(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        log.warning("thresholds.unreadable", path=str(path), exc_info=True)
        return None
    return made if made.version == VERSION else None


def still_holds(catalog: Catalog, kept: FittedThresholds | None) -> bool:
    """Whether the fit still holds: it was made of this library and less than a tenth of its passages has changed."""
    if kept is None or kept.lineage != (catalog.note(LINEAGE) or ""):
        return False
    if kept.revision == catalog.revision:
        return True
    ids = catalog.passage_ids()
    # Numbers are issued once and only grow.
    new = int((ids > kept.last_passage).sum())
    gone = kept.passages - (len(ids) - new)
    return new + gone < CHANGED * max(kept.passages, 1)


class CurrentThresholds:
    """The thresholds in force: those of the last fit, read again when there is another, else the defaults."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: tuple[int, int] | None = None
        self._thresholds = Thresholds(REFUSE, CAUTION)

    @property
    def now(self) -> Thresholds:
        try:
            status = (self._home / THRESHOLDS_FILE).stat()
        except FileNotFoundError:
            return Thresholds(REFUSE, CAUTION)
        seen = status.st_ino, status.st_mtime_ns
        if seen != self._seen:
            kept = read_fitted_thresholds(self._home)
            self._thresholds = kept.thresholds if kept is not None else Thresholds(REFUSE, CAUTION)
            self._seen = seen
        return self._thresholds


def fit_thresholds_when_due(settings: Settings, begin: Callable[[], None] = lambda: None) -> FittedThresholds | None:
    """Fit after an ingest if the last fit no longer holds; None when it does or when it failed, which is logged.

    `begin` is called before the work, which takes seconds.
    """
    library = Library(settings.home)
    try:
        if not (settings.home / CATALOG_FILE).is_file() or still_holds(
            library.catalog, read_fitted_thresholds(settings.home)
        ):
            return None
        begin()
        return fit_thresholds(library, settings.passages)
    except Exception:
        # The documents are in, whatever this was; without a fit the thresholds stay what they are.
        log.error("thresholds.not_fitted", exc_info=True)
        return None
    finally:
        library.close()
