"""The thresholds below which a question is refused or answered with caution, fitted to a library's own passages.

Synthetic questions are made from the passages, and each is searched twice: in the whole library, and without every
passage that answers it. The second search is a near miss: the library has the text around the answer, but not the
answer. The fitted thresholds are stored beside the library and hold until a tenth of its passages has changed.
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
# How many questions are searched. One takes about 45 ms in English, half of that in Chinese, on two cores.
QUESTIONS = 200
# Questions are made from at most this many passages: reading all of a large library takes longer than searching.
_SAMPLED_PASSAGES = 600
# With questions from fewer passages than this, the fit would be chance: the default thresholds stay.
FEWEST_PASSAGES = 40
# A fit holds until this share of the passages is new or gone.
CHANGED = 0.1
# How many hits are searched for, so that enough remain when those that answer are removed.
_HITS = 40
# Two passages say the same when they share more than _SAME of the words of the one with fewer words. A passage also
# answers a question when it contains the answer and at least _ANSWERS_TOO of the question's terms.
_SAME = 0.5
_ANSWERS_TOO = 0.6
# The share of the answerable synthetic questions that may be refused, and the share of the near misses that should be
# refused or answered with caution.
_WRONGLY_REFUSED = 0.05
_CAUTIONED = 0.9
# Synthetic questions are easier than people's: their 5th-percentile answerability is this much higher, in log-odds.
# Measured on near-miss-en .9, near-miss-zh 1.3, data/eval 2.0 and XQuAD English 1.2; on CMRC, whose people quote the
# text, it is lower by 1.5.
_EASIER = 1.35
# The default thresholds weigh as much as this many questions: a fit on n questions weighs n / (n + 200).
_PRIOR_QUESTIONS = 200
# Fitted thresholds stay within these bounds: documents do not show how people ask.
_REFUSE_BOUNDS = (0.3, 0.5)
_CAUTION_BOUNDS = (0.65, 0.88)
log = get_logger(__name__)


@dataclass(frozen=True)
class FittedThresholds:
    """The thresholds, and the library that they were fitted to, as they are stored.

    `questions` is how many were searched, 0 where the defaults stayed; `separation` is the area under the ROC curve
    between the questions and their near misses. `passages` (how many), `last_passage` (the highest id), `revision` and
    `lineage` describe the library at that time; `version` is `answerability.VERSION`.
    """

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


# Fitting


def fit_thresholds_when_due(settings: Settings, begin: Callable[[], None] = lambda: None) -> FittedThresholds | None:
    """Fit the thresholds after a run of `ingest`, if the last fit no longer holds.

    `begin` is called before a fit, which takes seconds. Returns None when there is no library, when the last fit still
    holds, or when fitting failed, which is logged.
    """
    library = Library(settings.home)
    try:
        if not (settings.home / CATALOG_FILE).is_file():
            return None
        if still_holds(library.catalog, read_fitted_thresholds(settings.home)):
            return None
        begin()
        return fit_thresholds(library, settings.passages)
    except Exception:
        # The documents are already in the library, so the run has not failed; the thresholds stay as they are.
        log.error("thresholds.not_fitted", exc_info=True)
        return None
    finally:
        library.close()


def fit_thresholds(library: Library, passages: int, pause: Callable[[], None] = lambda: None) -> FittedThresholds:
    """Fit the thresholds to the library and store them. Raises DocentError while there is no library.

    `passages` is how many passages are retrieved for an answer; `pause` is called after each question, to let other
    threads run.
    """
    catalog = library.catalog
    ids = catalog.passage_ids()
    revision, lineage = catalog.revision, catalog.note(LINEAGE) or ""
    questions = _sample_questions(catalog, ids.tolist())
    pairs = []
    if len({question.passage_id for question in questions}) >= FEWEST_PASSAGES:
        for question in questions:
            pairs.append(answerability_with_and_without(library, question, passages))
            pause()
    thresholds = fit([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    fitted = FittedThresholds(
        refuse=round(thresholds.refuse, 4), caution=round(thresholds.caution, 4), questions=len(pairs),
        separation=round(_separation(pairs), 4), passages=len(ids), last_passage=int(ids[-1]) if len(ids) else 0,
        revision=revision, lineage=lineage,
    )  # fmt: skip
    _store(library.home, fitted)
    log.info("thresholds.fitted", **asdict(fitted))
    return fitted


def fit(answerable: Sequence[float], near_misses: Sequence[float]) -> Thresholds:
    """Thresholds from the answerability of synthetic questions and of their near misses; the defaults without any.

    Fitted to the questions alone, 5 % of the answerable ones would be below `refuse` if people had asked them, and 90 %
    of the near misses below `caution`. The result is a weighted mean of these and the defaults, in log-odds, and within
    bounds; the more questions, the less the defaults weigh.
    """
    if not answerable or not near_misses:
        return Thresholds(REFUSE, CAUTION)
    share = len(answerable) / (len(answerable) + _PRIOR_QUESTIONS)

    def with_default(fitted: float, default: float, bounds: tuple[float, float]) -> float:
        odds = share * fitted + (1 - share) * _log_odds(default)
        return min(max(1 / (1 + math.exp(-odds)), bounds[0]), bounds[1])

    refuse = _log_odds(float(np.quantile(answerable, _WRONGLY_REFUSED))) - _EASIER
    caution = _log_odds(float(np.quantile(near_misses, _CAUTIONED)))
    return Thresholds(with_default(refuse, REFUSE, _REFUSE_BOUNDS), with_default(caution, CAUTION, _CAUTION_BOUNDS))


def answerability_with_and_without(library: Library, question: SyntheticQuestion, passages: int) -> tuple[float, float]:
    """The question's answerability in the whole library, and without every passage that answers it."""
    hits = library.search_scored(question.text, _HITS)
    remaining = [hit for hit in hits if not _answers(hit, question, hits)]
    return (
        answerability(retrieve_from(library, question.text, hits, passages).coverage),
        answerability(retrieve_from(library, question.text, remaining, passages).coverage),
    )


def _sample_questions(catalog: Catalog, ids: Sequence[int]) -> list[SyntheticQuestion]:
    """Questions from a sample of the passages; the sample changes little when a few passages change."""
    sample = sorted(ids, key=lambda passage_id: random.Random(passage_id).random())[:_SAMPLED_PASSAGES]
    rows = catalog.passages(sample)
    texts = ((passage_id, rows[passage_id]["text"]) for passage_id in sample if passage_id in rows)
    return synthetic_questions(texts, QUESTIONS)


def _answers(scored: ScoredHit, question: SyntheticQuestion, hits: Sequence[ScoredHit]) -> bool:
    """Whether a hit is the question's passage, says nearly the same, or also answers the question."""
    if scored.hit.passage_id == question.passage_id:
        return True
    words = set(terms(scored.hit.text))
    source = next((set(terms(hit.hit.text)) for hit in hits if hit.hit.passage_id == question.passage_id), set[str]())
    if source and len(words & source) > _SAME * min(len(words), len(source)):
        return True
    asked = set(terms(question.text))
    has_answer = _without_spaces(question.answer) in _without_spaces(scored.hit.text)
    return has_answer and len(asked & words) >= _ANSWERS_TOO * len(asked)


def _without_spaces(text: str) -> str:
    """The text in lower case without white space."""
    return "".join(text.lower().split())


def _separation(pairs: Sequence[tuple[float, float]]) -> float:
    """The area under the ROC curve between the first and the second of each pair; 0 without pairs."""
    if not pairs:
        return 0.0
    scores = np.array(pairs).ravel()
    return float(area_under_roc(scores, np.arange(len(scores)) % 2 == 0)[0])


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


# Stored thresholds


def _store(home: Path, fitted: FittedThresholds) -> None:
    write_whole(home / THRESHOLDS_FILE, json.dumps(asdict(fitted)))


def read_fitted_thresholds(home: Path) -> FittedThresholds | None:
    """The last fit; None before the first, and when it is unreadable or belongs to another version of answerability."""
    path = home / THRESHOLDS_FILE
    try:
        fitted = FittedThresholds(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        log.warning("thresholds.unreadable", path=str(path), exc_info=True)
        return None
    return fitted if fitted.version == VERSION else None


def still_holds(catalog: Catalog, fitted: FittedThresholds | None) -> bool:
    """Whether the thresholds were fitted to this library, and less than a tenth of its passages has changed since."""
    if fitted is None or fitted.lineage != (catalog.note(LINEAGE) or ""):
        return False
    if fitted.revision == catalog.revision:
        return True
    ids = catalog.passage_ids()
    # Passage ids are issued once and only grow.
    new = int((ids > fitted.last_passage).sum())
    gone = fitted.passages - (len(ids) - new)
    return new + gone < CHANGED * max(fitted.passages, 1)


class CurrentThresholds:
    """The thresholds in force: those of the last fit, read again when the file changes, else the defaults."""

    def __init__(self, home: Path) -> None:
        self._path = home / THRESHOLDS_FILE
        self._read_version: tuple[int, int] | None = None
        self._thresholds = Thresholds(REFUSE, CAUTION)

    @property
    def now(self) -> Thresholds:
        """The thresholds in force; the file is looked at each time, and read when it has changed."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return Thresholds(REFUSE, CAUTION)
        version = status.st_ino, status.st_mtime_ns
        if version != self._read_version:
            fitted = read_fitted_thresholds(self._path.parent)
            self._thresholds = fitted.thresholds if fitted is not None else Thresholds(REFUSE, CAUTION)
            self._read_version = version
        return self._thresholds
