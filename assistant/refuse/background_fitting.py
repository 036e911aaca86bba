"""Keeps the confidence thresholds fitted to the library while a server runs.

`docent ingest` and `docent rebuild` fit them when they end. This thread does it after every other change, such as
`docent remove` or documents added through LlamaIndex.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from assistant.refuse.thresholds import fit_thresholds, read_fitted_thresholds, still_holds
from ingest.base.logs import get_logger
from ingest.library import Library
from ingest.store.catalog import CATALOG_FILE, Catalog
from ingest.store.write_lock import is_locked

# How often to look whether a fit is due, and how long to wait after one that failed.
LOOK_SECONDS = 30.0
RETRY_SECONDS = 600.0
# What is left to those who ask after each made question; about as long as it takes.
PAUSE_SECONDS = 0.05
log = get_logger(__name__)


class BackgroundFitting:
    """A thread of low priority that fits when the last fit no longer holds. Close it when done."""

    def __init__(self, home: Path, passages: int) -> None:
        """`passages` is how many an answer draws on."""
        self._home = home
        self._passages = passages
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background-fitting", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        while not self._stop.wait(LOOK_SECONDS):
            try:
                # A `docent ingest` may fit at this moment too. That costs time but no harm is done: both write the
                # same values, each as a whole file.
                if self._is_due():
                    self._fit()
            except _Stopped:
                return
            except Exception:
                log.error("thresholds.not_fitted", exc_info=True)
                self._stop.wait(RETRY_SECONDS)

    def _is_due(self) -> bool:
        if not (self._home / CATALOG_FILE).is_file() or is_locked(self._home):
            return False
        catalog = Catalog(self._home / CATALOG_FILE)
        try:
            return not still_holds(catalog, read_fitted_thresholds(self._home))
        finally:
            catalog.close()

    def _fit(self) -> None:
        # One of its own: with a reranker a search takes seconds, and those who ask share the other.
        library = Library(self._home)
        try:
            fit_thresholds(library, self._passages, self._pause)
        finally:
            library.close()

    def _pause(self) -> None:
        if self._stop.wait(PAUSE_SECONDS):
            raise _Stopped


class _Stopped(Exception):
    pass
